// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// What a machine says about itself when it asks a KMS for keys.
struct BootInfo {
    address appId;
    bytes32 composeHash;
    address instanceId;
    bytes32 deviceId;
    bytes32 mrAggregated;
    bytes32 mrSystem;
    bytes32 osImageHash;
    string tcbStatus;
    string[] advisoryIds;
}

interface IBoot {
    function isAppAllowed(BootInfo calldata info) external view returns (bool, string memory);
}

function isUpToDate(string calldata status) pure returns (bool) {
    return keccak256(bytes(status)) == keccak256("UpToDate");
}

/// The decision of a KMS about apps and about other machines of its own, the same in both generations.
abstract contract KmsDecision is IBoot {
    mapping(address => bool) public registeredApps;
    mapping(bytes32 => bool) public kmsAllowedAggregatedMrs;
    mapping(bytes32 => bool) public kmsAllowedDeviceIds;
    mapping(bytes32 => bool) public allowedOsImages;
    address public appImplementation;
    string public gatewayAppId;

    event AppRegistered(address appId);
    event AppImplementationSet(address implementation);
    event GatewayAppIdSet(string gatewayAppId);
    event KmsInfoSet(bytes k256Pubkey);
    event OsImageHashAdded(bytes32 osImageHash);
    event OsImageHashRemoved(bytes32 osImageHash);
    event KmsAggregatedMrAdded(bytes32 mrAggregated);
    event KmsAggregatedMrRemoved(bytes32 mrAggregated);
    event KmsDeviceAdded(bytes32 deviceId);
    event KmsDeviceRemoved(bytes32 deviceId);

    function isAppAllowed(BootInfo calldata info) external view virtual returns (bool, string memory) {
        if (!registeredApps[info.appId]) return (false, "App not registered");
        if (!allowedOsImages[info.osImageHash]) return (false, "OS image is not allowed");
        if (info.appId.code.length == 0) return (false, "App not deployed or invalid address");
        return IBoot(info.appId).isAppAllowed(info);
    }

    function isKmsAllowed(BootInfo calldata info) external view virtual returns (bool, string memory) {
        if (!isUpToDate(info.tcbStatus)) return (false, "TCB status is not up to date");
        if (!allowedOsImages[info.osImageHash]) return (false, "OS image is not allowed");
        if (!kmsAllowedAggregatedMrs[info.mrAggregated]) return (false, "Aggregated MR not allowed");
        if (!kmsAllowedDeviceIds[info.deviceId]) return (false, "KMS is not allowed to boot on this device");
        return (true, "");
    }
}

abstract contract AppDecision is IBoot {
    mapping(bytes32 => bool) public allowedComposeHashes;
    mapping(bytes32 => bool) public allowedDeviceIds;
    bool public allowAnyDevice;
    bool public requireTcbUpToDate;

    event ComposeHashAdded(bytes32 composeHash);
    event ComposeHashRemoved(bytes32 composeHash);
    event DeviceAdded(bytes32 deviceId);
    event DeviceRemoved(bytes32 deviceId);
    event AllowAnyDeviceSet(bool allowAny);
    event RequireTcbUpToDateSet(bool requireUpToDate);

    function isAppAllowed(BootInfo calldata info) external view returns (bool, string memory) {
        if (requireTcbUpToDate && !isUpToDate(info.tcbStatus)) return (false, "TCB status is not up to date");
        if (!allowedComposeHashes[info.composeHash]) return (false, "Compose hash not allowed");
        if (!allowAnyDevice && !allowedDeviceIds[info.deviceId]) return (false, "Device not allowed");
        return (true, "");
    }
}
