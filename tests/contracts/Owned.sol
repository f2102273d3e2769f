// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Initializable} from "@openzeppelin/contracts/proxy/utils/Initializable.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";

/// Ownership as the older releases have it: a transfer counts at once, there is no pendingOwner().
abstract contract OwnedOneStep is Initializable, UUPSUpgradeable {
    address public owner;

    event OwnershipTransferred(address indexed previousOwner, address indexed newOwner);

    error OwnableUnauthorizedAccount(address account);
    error OwnableInvalidOwner(address owner);

    modifier onlyOwner() {
        if (msg.sender != owner) revert OwnableUnauthorizedAccount(msg.sender);
        _;
    }

    function _setOwner(address next) internal virtual {
        if (next == address(0)) revert OwnableInvalidOwner(next);
        emit OwnershipTransferred(owner, next);
        owner = next;
    }

    function transferOwnership(address next) external virtual onlyOwner {
        _setOwner(next);
    }

    function _authorizeUpgrade(address) internal virtual override onlyOwner {}
}

/// Ownership as the newer releases have it: the new owner must accept. Behind a timelock that means
/// one scheduled operation before anything else works.
abstract contract OwnedTwoStep is OwnedOneStep {
    address public pendingOwner;

    event OwnershipTransferStarted(address indexed previousOwner, address indexed newOwner);

    function transferOwnership(address next) external override onlyOwner {
        pendingOwner = next;
        emit OwnershipTransferStarted(owner, next);
    }

    function acceptOwnership() external {
        if (msg.sender != pendingOwner) revert OwnableUnauthorizedAccount(msg.sender);
        delete pendingOwner;
        _setOwner(msg.sender);
    }
}
