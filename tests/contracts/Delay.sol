// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Modifier} from "@gnosis-guild/zodiac-core/contracts/core/Modifier.sol";
import {Operation} from "@gnosis-guild/zodiac-core/contracts/core/Operation.sol";

/// A stand-in for the Zodiac Delay module. No package carries the published contract's bytecode, so this is
/// written anew, from the module's public interface and recorded behaviour, over the real Modifier of zodiac-core
/// (its list of modules, its NotAuthorized, its way to the avatar). tests/e2e/delay-contract.test.mjs sends it every
/// call that was recorded of the published 1.1.0 and 1.0.1 and compares events, results and errors byte by byte.
/// What was not recorded is not claimed: the texts of setTxNonce's refusals are this file's own, and
/// execTransactionFromModuleReturnData is left out.
abstract contract DelayQueue is Modifier {
    struct Entry {
        bytes32 hash;
        uint256 createdAt;
    }

    uint256 public txCooldown;
    uint256 public txExpiration; // 0: never
    uint256 public txNonce; // whose turn it is
    uint256 public queueNonce; // the next one to be added
    mapping(uint256 => Entry) private entries;

    event DelaySetup(address indexed initiator, address indexed owner, address indexed avatar, address target);
    event TransactionAdded(
        uint256 indexed queueNonce, bytes32 indexed txHash, address to, uint256 value, bytes data, Operation operation
    );

    constructor(address owner_, address avatar_, uint256 cooldown, uint256 expiration) {
        // As the published mastercopies: without an owner it is there for proxies and placed code only.
        if (owner_ != address(0)) setUp(abi.encode(owner_, avatar_, avatar_, cooldown, expiration));
    }

    function setUp(bytes memory parameters) public override initializer {
        (address owner_, address avatar_, address target_, uint256 cooldown, uint256 expiration) =
            abi.decode(parameters, (address, address, address, uint256, uint256));
        setupModules();
        _transferOwnership(owner_);
        emit DelaySetup(msg.sender, owner_, avatar_, target_);
        avatar = avatar_;
        target = target_;
        emit AvatarSet(address(0), avatar_);
        emit TargetSet(address(0), target_);
        txCooldown = cooldown;
        txExpiration = expiration;
    }

    // --- getters, under both of their names ---

    function txHash(uint256 nonce) public view returns (bytes32) {
        return entries[nonce].hash;
    }

    function getTxHash(uint256 nonce) external view returns (bytes32) {
        return entries[nonce].hash;
    }

    function txCreatedAt(uint256 nonce) public view returns (uint256) {
        return entries[nonce].createdAt;
    }

    function getTxCreatedAt(uint256 nonce) external view returns (uint256) {
        return entries[nonce].createdAt;
    }

    function getTransactionHash(address to, uint256 value, bytes memory data, Operation operation)
        public
        pure
        returns (bytes32)
    {
        return keccak256(bytes.concat(bytes20(to), bytes32(value), data, bytes1(uint8(operation))));
    }

    // --- in ---

    function _enqueue(address to, uint256 value, bytes calldata data, Operation operation) internal {
        uint256 nonce = queueNonce++;
        bytes32 hash = getTransactionHash(to, value, data, operation);
        entries[nonce] = Entry(hash, block.timestamp);
        emit TransactionAdded(nonce, hash, to, value, data, operation);
    }

    function execTransactionFromModuleReturnData(address, uint256, bytes calldata, Operation)
        public
        pure
        override
        returns (bool, bytes memory)
    {
        revert("not in this stand-in");
    }

    // --- out ---

    function executeNextTx(address to, uint256 value, bytes calldata data, Operation operation) external {
        require(txNonce < queueNonce, "Transaction queue is empty");
        Entry storage head = entries[txNonce];
        uint256 readyAt = head.createdAt + txCooldown;
        require(block.timestamp >= readyAt, "Transaction is still in cooldown");
        require(txExpiration == 0 || block.timestamp <= readyAt + txExpiration, "Transaction expired");
        require(head.hash == getTransactionHash(to, value, data, operation), "Transaction hashes do not match");
        txNonce++;
        require(exec(to, value, data, operation), "Module transaction failed");
    }

    function skipExpired() external {
        if (txExpiration == 0) return;
        while (txNonce < queueNonce && block.timestamp > entries[txNonce].createdAt + txCooldown + txExpiration) txNonce++;
    }

    // --- the owner's ---

    function setTxNonce(uint256 nonce) public virtual onlyOwner {
        require(nonce > txNonce, "the nonce only rises");
        require(nonce <= queueNonce, "beyond the end of the queue");
        txNonce = nonce;
    }

    function setTxCooldown(uint256 cooldown) public virtual onlyOwner {
        txCooldown = cooldown;
    }

    function setTxExpiration(uint256 expiration) public virtual onlyOwner {
        txExpiration = expiration;
    }
}

/// As 1.1.x: settings and vetoes have events.
contract Delay is DelayQueue {
    event TxCooldownSet(uint256 cooldown);
    event TxExpirationSet(uint256 expiration);
    event TxNonceSet(uint256 nonce);

    constructor(address owner_, address avatar_, uint256 cooldown, uint256 expiration)
        DelayQueue(owner_, avatar_, cooldown, expiration)
    {}

    function execTransactionFromModule(address to, uint256 value, bytes calldata data, Operation operation)
        public
        override
        moduleOnly
        returns (bool)
    {
        _enqueue(to, value, data, operation);
        return true;
    }

    function setTxNonce(uint256 nonce) public override {
        super.setTxNonce(nonce);
        emit TxNonceSet(nonce);
    }

    function setTxCooldown(uint256 cooldown) public override {
        super.setTxCooldown(cooldown);
        emit TxCooldownSet(cooldown);
    }

    function setTxExpiration(uint256 expiration) public override {
        super.setTxExpiration(expiration);
        emit TxExpirationSet(expiration);
    }
}

/// As 1.0.x: no such events, and who is not authorized is told so in words.
contract Delay1_0 is DelayQueue {
    constructor(address owner_, address avatar_, uint256 cooldown, uint256 expiration)
        DelayQueue(owner_, avatar_, cooldown, expiration)
    {}

    function execTransactionFromModule(address to, uint256 value, bytes calldata data, Operation operation)
        public
        override
        returns (bool)
    {
        require(modules[msg.sender] != address(0), "Module not authorized");
        _enqueue(to, value, data, operation);
        return true;
    }
}
