// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {AppDecision, KmsDecision} from "./Boot.sol";
import {OwnedTwoStep} from "./Owned.sol";

/// Second generation: ownership in two steps, a PolicyChanged event with every change, and the
/// mappings as the only getters (isAuthorized(bytes32) reverts with empty data: no such function).
abstract contract Policy is OwnedTwoStep {
    event PolicyChanged(address indexed actor, bytes32 indexed policy, bytes32 indexed value, bool enabled);

    constructor() {
        _disableInitializers();
    }

    function initialize(address initialOwner) external initializer {
        _setOwner(initialOwner);
    }

    function _set(mapping(bytes32 => bool) storage list, string memory policy, bytes32 h, bool enabled) internal {
        list[h] = enabled;
        _changed(policy, h, enabled);
    }

    function _changed(string memory policy, bytes32 value, bool enabled) internal {
        emit PolicyChanged(msg.sender, keccak256(bytes(policy)), value, enabled);
    }

    function _authorizeUpgrade(address implementation) internal override onlyOwner {
        _changed("implementation-upgrade", bytes32(uint256(uint160(implementation))), true);
    }
}

contract Gen2Kms is Policy, KmsDecision {
    function addOsImageHash(bytes32 h) external virtual onlyOwner {
        emit OsImageHashAdded(h);
        _set(allowedOsImages, "os-image", h, true);
    }

    function removeOsImageHash(bytes32 h) external onlyOwner {
        emit OsImageHashRemoved(h);
        _set(allowedOsImages, "os-image", h, false);
    }

    function addKmsAggregatedMr(bytes32 h) external onlyOwner {
        emit KmsAggregatedMrAdded(h);
        _set(kmsAllowedAggregatedMrs, "kms-aggregated-mr", h, true);
    }

    function removeKmsAggregatedMr(bytes32 h) external onlyOwner {
        emit KmsAggregatedMrRemoved(h);
        _set(kmsAllowedAggregatedMrs, "kms-aggregated-mr", h, false);
    }

    function addKmsDevice(bytes32 h) external onlyOwner {
        emit KmsDeviceAdded(h);
        _set(kmsAllowedDeviceIds, "kms-device", h, true);
    }

    function removeKmsDevice(bytes32 h) external onlyOwner {
        emit KmsDeviceRemoved(h);
        _set(kmsAllowedDeviceIds, "kms-device", h, false);
    }

    function registerApp(address appId) external {
        require(appId != address(0), "Invalid app ID");
        registeredApps[appId] = true;
        emit AppRegistered(appId);
        _changed("registered-app", bytes32(uint256(uint160(appId))), true);
    }

    function setAppImplementation(address implementation) external onlyOwner {
        require(implementation != address(0), "Invalid implementation address");
        appImplementation = implementation;
        emit AppImplementationSet(implementation);
        _changed("app-implementation", bytes32(uint256(uint160(implementation))), true);
    }

    function setGatewayAppId(string calldata id) external onlyOwner {
        gatewayAppId = id;
        emit GatewayAppIdSet(id);
        _changed("gateway-app-id", keccak256(bytes(id)), true);
    }
}

/// Says that it added an image and did not.
contract Gen2KmsForgetting is Gen2Kms {
    function addOsImageHash(bytes32 h) external override onlyOwner {
        emit OsImageHashAdded(h);
    }

    /// What an upgrade may do on its way: no event tells of it.
    function forget(bytes32 h) external onlyOwner {
        allowedOsImages[h] = false;
    }
}

contract Gen2App is Policy, AppDecision {
    function addComposeHash(bytes32 h) external onlyOwner {
        emit ComposeHashAdded(h);
        _set(allowedComposeHashes, "compose-hash", h, true);
    }

    function removeComposeHash(bytes32 h) external onlyOwner {
        emit ComposeHashRemoved(h);
        _set(allowedComposeHashes, "compose-hash", h, false);
    }

    function addDevice(bytes32 h) external onlyOwner {
        emit DeviceAdded(h);
        _set(allowedDeviceIds, "device", h, true);
    }

    function removeDevice(bytes32 h) external onlyOwner {
        emit DeviceRemoved(h);
        _set(allowedDeviceIds, "device", h, false);
    }

    function setAllowAnyDevice(bool any) external onlyOwner {
        allowAnyDevice = any;
        emit AllowAnyDeviceSet(any);
        _changed("allow-any-device", bytes32(0), any);
    }

    function setRequireTcbUpToDate(bool required) external onlyOwner {
        requireTcbUpToDate = required;
        emit RequireTcbUpToDateSet(required);
        _changed("require-tcb-up-to-date", bytes32(0), required);
    }
}
