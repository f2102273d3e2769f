// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

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
        emit PolicyChanged(msg.sender, keccak256(bytes(policy)), h, enabled);
    }
}

contract Gen2Kms is Policy {
    mapping(bytes32 => bool) public kmsAllowedAggregatedMrs;
    mapping(bytes32 => bool) public kmsAllowedDeviceIds;
    mapping(bytes32 => bool) public allowedOsImages;

    event OsImageHashAdded(bytes32 osImageHash);
    event OsImageHashRemoved(bytes32 osImageHash);
    event KmsAggregatedMrAdded(bytes32 mrAggregated);
    event KmsAggregatedMrRemoved(bytes32 mrAggregated);
    event KmsDeviceAdded(bytes32 deviceId);
    event KmsDeviceRemoved(bytes32 deviceId);

    function addOsImageHash(bytes32 h) external onlyOwner {
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
}

contract Gen2App is Policy {
    mapping(bytes32 => bool) public allowedComposeHashes;
    mapping(bytes32 => bool) public allowedDeviceIds;
    bool public allowAnyDevice;

    event ComposeHashAdded(bytes32 composeHash);
    event ComposeHashRemoved(bytes32 composeHash);
    event DeviceAdded(bytes32 deviceId);
    event DeviceRemoved(bytes32 deviceId);

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
}
