// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {OwnedOneStep} from "./Owned.sol";

/// First generation: one-step ownership, and isAuthorized(bytes32) as the public guide names it.
/// Only what a registrar touches; written from the published interface.
contract Gen1Kms is OwnedOneStep {
    mapping(bytes32 => bool) public kmsAllowedAggregatedMrs;
    mapping(bytes32 => bool) public kmsAllowedDeviceIds;
    mapping(bytes32 => bool) public allowedOsImages;

    event OsImageHashAdded(bytes32 osImageHash);
    event OsImageHashRemoved(bytes32 osImageHash);
    event KmsAggregatedMrAdded(bytes32 mrAggregated);
    event KmsAggregatedMrRemoved(bytes32 mrAggregated);
    event KmsDeviceAdded(bytes32 deviceId);
    event KmsDeviceRemoved(bytes32 deviceId);

    constructor() {
        _disableInitializers();
    }

    function initialize(address initialOwner) external initializer {
        _setOwner(initialOwner);
    }

    function isAuthorized(bytes32 h) external view virtual returns (bool) {
        return allowedOsImages[h];
    }

    function addOsImageHash(bytes32 h) external onlyOwner {
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
}

contract Gen1App is OwnedOneStep {
    mapping(bytes32 => bool) public allowedComposeHashes;
    mapping(bytes32 => bool) public allowedDeviceIds;
    bool public allowAnyDevice;

    event ComposeHashAdded(bytes32 composeHash);
    event ComposeHashRemoved(bytes32 composeHash);
    event DeviceAdded(bytes32 deviceId);
    event DeviceRemoved(bytes32 deviceId);

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
}

/// A contract that contradicts itself: isAuthorized says yes to everything, the mapping does not.
contract Gen1KmsContradicting is Gen1Kms {
    function isAuthorized(bytes32) external pure override returns (bool) {
        return true;
    }
}
