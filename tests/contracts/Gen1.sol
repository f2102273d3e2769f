// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {AppDecision, BootInfo, KmsDecision} from "./Boot.sol";
import {OwnedOneStep} from "./Owned.sol";

/// First generation: one-step ownership, and isAuthorized(bytes32) as the public guide names it.
/// Only what a registrar touches; written from the published interface.
contract Gen1Kms is OwnedOneStep, KmsDecision {
    constructor() {
        _disableInitializers();
    }

    function initialize(address initialOwner) external initializer {
        _setOwner(initialOwner);
    }

    function isAuthorized(bytes32 h) external view virtual returns (bool) {
        return allowedOsImages[h];
    }

    function addOsImageHash(bytes32 h) public virtual onlyOwner {
        allowedOsImages[h] = true;
        emit OsImageHashAdded(h);
    }

    function removeOsImageHash(bytes32 h) external onlyOwner {
        allowedOsImages[h] = false;
        emit OsImageHashRemoved(h);
    }

    function addKmsAggregatedMr(bytes32 h) external onlyOwner {
        kmsAllowedAggregatedMrs[h] = true;
        emit KmsAggregatedMrAdded(h);
    }

    function removeKmsAggregatedMr(bytes32 h) external onlyOwner {
        kmsAllowedAggregatedMrs[h] = false;
        emit KmsAggregatedMrRemoved(h);
    }

    function addKmsDevice(bytes32 h) external onlyOwner {
        kmsAllowedDeviceIds[h] = true;
        emit KmsDeviceAdded(h);
    }

    function removeKmsDevice(bytes32 h) external onlyOwner {
        kmsAllowedDeviceIds[h] = false;
        emit KmsDeviceRemoved(h);
    }

    function registerApp(address appId) external {
        require(appId != address(0), "Invalid app ID");
        registeredApps[appId] = true;
        emit AppRegistered(appId);
    }

    function setAppImplementation(address implementation) external onlyOwner {
        require(implementation != address(0), "Invalid implementation address");
        appImplementation = implementation;
        emit AppImplementationSet(implementation);
    }

    function setGatewayAppId(string calldata id) external onlyOwner {
        gatewayAppId = id;
        emit GatewayAppIdSet(id);
    }
}

contract Gen1App is OwnedOneStep, AppDecision {
    constructor() {
        _disableInitializers();
    }

    function initialize(address initialOwner) external initializer {
        _setOwner(initialOwner);
    }

    function isAuthorized(bytes32 h) external view returns (bool) {
        return allowedComposeHashes[h];
    }

    function addComposeHash(bytes32 h) external onlyOwner {
        allowedComposeHashes[h] = true;
        emit ComposeHashAdded(h);
    }

    function removeComposeHash(bytes32 h) external onlyOwner {
        allowedComposeHashes[h] = false;
        emit ComposeHashRemoved(h);
    }

    function addDevice(bytes32 h) external onlyOwner {
        allowedDeviceIds[h] = true;
        emit DeviceAdded(h);
    }

    function removeDevice(bytes32 h) external onlyOwner {
        allowedDeviceIds[h] = false;
        emit DeviceRemoved(h);
    }

    function setAllowAnyDevice(bool any) external onlyOwner {
        allowAnyDevice = any;
        emit AllowAnyDeviceSet(any);
    }

    function setRequireTcbUpToDate(bool required) external onlyOwner {
        requireTcbUpToDate = required;
        emit RequireTcbUpToDateSet(required);
    }
}

/// A contract that contradicts itself: isAuthorized says yes to everything, the mapping does not.
contract Gen1KmsContradicting is Gen1Kms {
    function isAuthorized(bytes32) external pure override returns (bool) {
        return true;
    }
}

/// A registry older than the decision functions.
contract Gen1KmsUndecided is Gen1Kms {
    function isAppAllowed(BootInfo calldata) external pure override returns (bool, string memory) {
        assembly { revert(0, 0) }
    }
}

/// A registry that takes nothing until somebody opens it: a call of its owner reverts.
contract Gen1KmsClosed is Gen1Kms {
    bool public isOpen;

    function open() external {
        isOpen = true;
    }

    function addOsImageHash(bytes32 h) public override {
        require(isOpen, "the registry is closed");
        super.addOsImageHash(h);
    }
}
