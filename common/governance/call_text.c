#include "common/governance/call_text.h"

#include "common/eth/abi.h"

#include <string.h>

enum { SHOWN_ARGUMENTS = 4 * ABI_WORD };

/* Sources: Safe 1.3.0 to 1.5.0, TimelockController 4.x and 5.x, DstackKms and DstackApp of both
 * generations, the Zodiac Delay module, ERC-20. */
static const char *const signatures[] = {
        /* registries */
        "addOsImageHash(bytes32)", "removeOsImageHash(bytes32)", "addComposeHash(bytes32)",
        "removeComposeHash(bytes32)", "addKmsAggregatedMr(bytes32)",
        "removeKmsAggregatedMr(bytes32)", "addKmsDevice(bytes32)", "removeKmsDevice(bytes32)",
        "addDevice(bytes32)", "removeDevice(bytes32)", "transferOwnership(address)",
        "acceptOwnership()", "renounceOwnership()", "upgradeTo(address)",
        "upgradeToAndCall(address,bytes)", "setAppImplementation(address)",
        "setGatewayAppId(string)", "setKmsInfo((bytes,bytes,bytes,bytes))", "setKmsQuote(bytes)",
        "setKmsEventlog(bytes)", "setAllowAnyDevice(bool)", "setRequireTcbUpToDate(bool)",
        "disableUpgrades()", "registerApp(address)", "initialize(address,address)",
        /* timelocks */
        "schedule(address,uint256,bytes,bytes32,bytes32,uint256)",
        "scheduleBatch(address[],uint256[],bytes[],bytes32,bytes32,uint256)",
        "execute(address,uint256,bytes,bytes32,bytes32)",
        "executeBatch(address[],uint256[],bytes[],bytes32,bytes32)", "cancel(bytes32)",
        "updateDelay(uint256)", "grantRole(bytes32,address)", "revokeRole(bytes32,address)",
        "renounceRole(bytes32,address)",
        /* Safes */
        ("execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,"
         "bytes)"),
        "approveHash(bytes32)", "multiSend(bytes)", "addOwnerWithThreshold(address,uint256)",
        "removeOwner(address,address,uint256)", "swapOwner(address,address,address)",
        "changeThreshold(uint256)", "enableModule(address)", "disableModule(address,address)",
        "setGuard(address)", "setModuleGuard(address)", "setFallbackHandler(address)",
        "changeMasterCopy(address)", "signMessage(bytes)",
        /* the Delay module */
        "execTransactionFromModule(address,uint256,bytes,uint8)",
        "executeNextTx(address,uint256,bytes,uint8)", "setTxNonce(uint256)", "skipExpired()",
        "setTxCooldown(uint256)", "setTxExpiration(uint256)", "setAvatar(address)",
        "setTarget(address)",
        /* tokens */
        "transfer(address,uint256)", "approve(address,uint256)",
        "transferFrom(address,address,uint256)"};

static const char *signature_of(struct bytes data)
{
	uint8_t selector[ABI_SELECTOR];

	for (size_t i = 0; i < ARRAY_LEN(signatures); i++) {
		abi_selector(selector, signatures[i]);
		if (memcmp(data.data, selector, sizeof(selector)) == 0)
			return signatures[i];
	}
	return NULL;
}

static void append_arguments(struct buf *out, struct bytes arguments)
{
	size_t shown = arguments.len < SHOWN_ARGUMENTS ? arguments.len : SHOWN_ARGUMENTS;

	if (arguments.len == 0)
		return;
	buf_append_text(out, " with 0x");
	buf_append_hex(out, bytes_of(arguments.data, shown));
	if (shown < arguments.len)
		buf_printf(out, "... (%zu bytes)", arguments.len);
}

void call_text(struct buf *out, const struct contract_call *call)
{
	char to[ADDRESS_TEXT_SIZE], value[U256_TEXT_SIZE];
	bool named = call->data.len >= ABI_SELECTOR;
	const char *signature = named ? signature_of(call->data) : NULL;

	address_text(to, &call->to);
	if (signature != NULL) {
		buf_printf(out, "%s on %s", signature, to);
	} else if (named) {
		buf_append_text(out, "an unknown function 0x");
		buf_append_hex(out, bytes_of(call->data.data, ABI_SELECTOR));
		buf_printf(out, " on %s", to);
	} else {
		buf_printf(out, "a plain call of %s", to);
	}
	if (named)
		append_arguments(out, bytes_of(call->data.data + ABI_SELECTOR,
		                               call->data.len - ABI_SELECTOR));
	else
		append_arguments(out, call->data);
	if (!u256_is_zero(&call->value))
		buf_printf(out, " and %s wei", u256_decimal(value, &call->value));
}
