#include "common/eth/revert.h"

#include "common/base/buf.h"
#include "common/eth/abi.h"

#include <inttypes.h>
#include <string.h>

enum { MAX_TEXT = 300, MAX_HEX = 68 };

struct known_error {
	const char *signature;
	const char *meaning; /* NULL: the name says it */
	uint8_t selector[ABI_SELECTOR];
};

/* Selectors are derived from the signatures in a test. */
static const struct known_error known_errors[] = {
        /* OpenZeppelin Ownable, AccessControl */
        {"OwnableUnauthorizedAccount(address)",
         "this caller is not the contract's owner",
         {0x11, 0x8c, 0xda, 0xa7}},
        {"OwnableInvalidOwner(address)",
         "this address cannot be an owner",
         {0x1e, 0x4f, 0xbd, 0xf7}},
        {"AccessControlUnauthorizedAccount(address,bytes32)",
         "this account lacks the role",
         {0xe2, 0x51, 0x7d, 0x3f}},
        {"AccessControlBadConfirmation()", NULL, {0x66, 0x97, 0xb2, 0x32}},
        /* OpenZeppelin TimelockController 5.x */
        {"TimelockUnexpectedOperationState(bytes32,bytes32)", NULL, {0x5e, 0xad, 0x8e, 0xb5}},
        {"TimelockInsufficientDelay(uint256,uint256)",
         "the delay asked for (first, seconds) is below the timelock's minimum (second)",
         {0x54, 0x33, 0x66, 0x09}},
        {"TimelockInvalidOperationLength(uint256,uint256,uint256)",
         "the numbers of targets, payloads and values differ",
         {0xff, 0xb0, 0x32, 0x11}},
        {"TimelockUnexecutedPredecessor(bytes32)",
         "this operation must be executed before",
         {0x90, 0xa9, 0xa6, 0x18}},
        {"TimelockUnauthorizedCaller(address)",
         "only the timelock itself may call this",
         {0xe2, 0x85, 0x0c, 0x59}},
        /* OpenZeppelin Address, proxies, Initializable */
        {"FailedCall()", "the inner call reverted without saying why", {0xd6, 0xbd, 0xa2, 0x75}},
        {"FailedInnerCall()",
         "the inner call reverted without saying why",
         {0x14, 0x25, 0xea, 0x42}},
        {"InsufficientBalance(uint256,uint256)",
         "the contract holds less ether (first) than needed",
         {0xcf, 0x47, 0x91, 0x81}},
        {"AddressEmptyCode(address)",
         "there is no contract at this address",
         {0x99, 0x96, 0xb3, 0x15}},
        {"InvalidInitialization()",
         "the contract is initialised already",
         {0xf9, 0x2e, 0xe8, 0xa9}},
        {"NotInitializing()", NULL, {0xd7, 0xe6, 0xbc, 0xf8}},
        {"UUPSUnauthorizedCallContext()",
         "to be called through the proxy only",
         {0xe0, 0x7c, 0x8d, 0xba}},
        {"UUPSUnsupportedProxiableUUID(bytes32)", NULL, {0xaa, 0x1d, 0x49, 0xa4}},
        {"ERC1967InvalidImplementation(address)",
         "there is no contract at this address",
         {0x4c, 0x9c, 0x8c, 0xe3}},
        {"ERC1967NonPayable()", "this call takes no value", {0xb3, 0x98, 0x97, 0x9f}},
        /* Zodiac Delay 1.1 */
        {"NotAuthorized(address)",
         "this caller is not an enabled module",
         {0x4a, 0x0b, 0xfe, 0xc1}},
        {"InvalidModule(address)", NULL, {0xb9, 0x27, 0xfe, 0x5e}},
        {"AlreadyEnabledModule(address)", NULL, {0x20, 0x61, 0x89, 0x73}},
        {"AlreadyDisabledModule(address)", NULL, {0x8b, 0x41, 0x89, 0xff}},
        {"HashAlreadyConsumed(bytes32)", NULL, {0x9e, 0x1d, 0xc0, 0xc5}},
        {"SetupModulesAlreadyCalled()", NULL, {0xdf, 0xd4, 0x9e, 0xbd}},
        {"InvalidPageSize()", NULL, {0xe5, 0xb7, 0xdb, 0x2e}},
        /* The language's own */
        {"Error(string)", NULL, {0x08, 0xc3, 0x79, 0xa0}},
        {"Panic(uint256)", NULL, {0x4e, 0x48, 0x7b, 0x71}},
};

struct explained {
	const char *text;
	const char *meaning;
};

static const struct explained safe_codes[] = {
        {"GS000", "the Safe's setup did not finish"},
        {"GS001", "the Safe's threshold is 0"},
        {"GS002", "the Safe's setup calls an address without code"},
        {"GS010", "too little gas for the Safe transaction"},
        {"GS011", "the Safe could not pay the gas refund in ether"},
        {"GS012", "the Safe could not pay the gas refund in tokens"},
        {"GS013", "the Safe's inner call reverted; this version of the Safe hides why"},
        {"GS020", "fewer signatures than the Safe's threshold"},
        {"GS021", "a contract signature points into the fixed part of the signatures"},
        {"GS022", "a contract signature points outside the signatures"},
        {"GS023", "a contract signature is longer than the signatures"},
        {"GS024", "a contract signature was refused by its contract"},
        {"GS025", "an owner has not approved this hash"},
        {"GS026",
         "a signature is not an owner's, or the owners are out of order; often a wrong nonce"},
        {"GS027", "the data does not hash to the hash that was signed"},
        {"GS030", "only an owner can approve a hash"},
        {"GS031", "only the Safe itself may call this"},
        {"GS100", "the Safe's modules are initialised already"},
        {"GS101", "not a valid module address"},
        {"GS102", "the module is enabled already"},
        {"GS103", "the module before this one in the list is another one"},
        {"GS104", "the caller is not an enabled module of the Safe"},
        {"GS105", "not a valid start of the list of modules"},
        {"GS200", "the Safe's owners are set up already"},
        {"GS201", "the threshold is above the number of owners"},
        {"GS202", "the threshold must be at least 1"},
        {"GS203", "not a valid owner address"},
        {"GS204", "the address is an owner already"},
        {"GS205", "the owner before this one in the list is another one"},
        {"GS300", "the guard does not support the interface"},
        {"GS400", "the Safe cannot be its own fallback handler"},
};

/* What a Delay module says in words of its own. */
static const struct explained delay_texts[] = {
        {"Transaction is still in cooldown", "the module's cooldown is not over yet"},
        {"Transaction expired", "skipExpired() passes over it"},
        {"Transaction hashes do not match", "another transaction's turn is first"},
        {"Module transaction failed",
         "the inner call reverted; the module hides why, and the queue waits for it"},
        {"Module not authorized", "this caller is not an enabled module"},
};

static const struct explained roles[] = {
        {"0xb09aa5aeb3702cfd50b6b62bc4532604938f21248a27a1d5ca736082b6819cc1", "PROPOSER_ROLE"},
        {"0xd8aa0f3194971a2a116679f7c2090f6939c8d4e01a2a8d7e41d55e5351469e63", "EXECUTOR_ROLE"},
        {"0xfd643c72710c63c0180259aba6b2d05451e3591a24e58b62239378085726f783", "CANCELLER_ROLE"},
        {"0x5f58e3a2316349923ce3780f8d587db2d72378aed66a8261c916544fa6846ca5",
         "TIMELOCK_ADMIN_ROLE"},
        {"0x0000000000000000000000000000000000000000000000000000000000000000",
         "DEFAULT_ADMIN_ROLE"},
};

static const struct known_error *find_error(struct bytes data)
{
	if (data.len < ABI_SELECTOR)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(known_errors); i++) {
		if (memcmp(known_errors[i].selector, data.data, ABI_SELECTOR) == 0)
			return &known_errors[i];
	}
	return NULL;
}

static const char *explain(const struct explained *table, size_t count, const char *text)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(table[i].text, text) == 0)
			return table[i].meaning;
	}
	return NULL;
}

static void put_escaped(struct buf *out, struct bytes text)
{
	for (size_t i = 0; i < text.len && i < MAX_TEXT; i++) {
		if (text.data[i] >= 0x20 && text.data[i] < 0x7f)
			buf_append_byte(out, text.data[i]);
		else
			buf_printf(out, "\\x%02x", text.data[i]);
	}
	if (text.len > MAX_TEXT)
		buf_append_text(out, "...");
}

static void put_raw(struct buf *out, struct bytes data)
{
	struct bytes shown = bytes_of(data.data, data.len < MAX_HEX ? data.len : MAX_HEX);

	buf_append_text(out, "unknown revert data 0x");
	buf_append_hex(out, shown);
	if (shown.len < data.len)
		buf_printf(out, "... (%zu bytes)", data.len);
}

/* --- the arguments of custom errors --------------------------------------------------------- */

static void put_bytes32(struct buf *out, const struct hash32 *word)
{
	char text[HASH32_TEXT_SIZE];
	const char *role = NULL;

	hash32_text(text, word);
	role = explain(roles, ARRAY_LEN(roles), text);
	buf_append_text(out, role != NULL ? role : text);
}

/* One static argument of the named type. */
static void put_argument(struct buf *out, struct abi_reader *reader, struct bytes type)
{
	if (bytes_equal(type, bytes_text("address"))) {
		char text[ADDRESS_TEXT_SIZE];
		struct address address = abi_get_address(reader);
		buf_append_text(out, address_text(text, &address));
	} else if (bytes_equal(type, bytes_text("uint256"))) {
		char text[U256_TEXT_SIZE];
		struct u256 value = abi_get_u256(reader);
		buf_append_text(out, u256_decimal(text, &value));
	} else {
		struct hash32 word = abi_get_word(reader);
		put_bytes32(out, &word);
	}
}

/* Writes "Name(argument, argument)"; false when the data is not that error after all. */
static bool put_call(struct buf *out, const struct known_error *known, struct bytes data)
{
	struct abi_reader reader = abi_read_call(data, known->selector);
	const char *type = strchr(known->signature, '(') + 1;

	buf_append(out, known->signature, (size_t)(type - known->signature));
	while (*type != ')') {
		size_t len = strcspn(type, ",)");
		put_argument(out, &reader, bytes_of(type, len));
		type += len;
		if (*type == ',') {
			buf_append_text(out, ", ");
			type++;
		}
	}
	buf_append_text(out, ")");
	return !reader.failed && reader.head == reader.frame.len;
}

/* The second argument is a bitmap of 1 << state: which states would have been right. */
static const char *operation_state_meaning(struct bytes data)
{
	switch (data.data[data.len - 1]) {
	case 1 << 0:
		return "this operation is scheduled or done already";
	case 1 << 2:
		return "this operation is not ready: not scheduled, still waiting, or done";
	case 1 << 1 | 1 << 2:
		return "this operation is not pending: not scheduled, or done";
	}
	return NULL;
}

static bool put_custom(struct buf *out, const struct known_error *known, struct bytes data)
{
	const char *meaning = known->meaning;

	if (!put_call(out, known, data))
		return false;
	if (strncmp(known->signature, "TimelockUnexpectedOperationState", 32) == 0)
		meaning = operation_state_meaning(data);
	if (meaning != NULL)
		buf_printf(out, ": %s", meaning);
	return true;
}

/* --- Error(string) and Panic(uint256) ------------------------------------------------------- */

/* OpenZeppelin 4.x: "AccessControl: account 0x.. is missing role 0x<64>". */
static const char *role_at_end(const char *text)
{
	size_t len = strlen(text), role_len = HASH32_TEXT_SIZE - 1;

	if (len < role_len || strstr(text, " is missing role ") == NULL)
		return NULL;
	return explain(roles, ARRAY_LEN(roles), text + len - role_len);
}

static bool put_string(struct buf *out, struct bytes data)
{
	struct abi_reader reader =
	        abi_read(bytes_of(data.data + ABI_SELECTOR, data.len - ABI_SELECTOR));
	struct bytes text = abi_get_bytes(&reader);

	if (reader.failed)
		return false;
	if (text.len == 0) {
		buf_append_text(out, "reverted with an empty text");
		return true;
	}
	put_escaped(out, text);
	const char *meaning = explain(safe_codes, ARRAY_LEN(safe_codes), buf_text(out));
	if (meaning == NULL)
		meaning = explain(delay_texts, ARRAY_LEN(delay_texts), buf_text(out));
	if (meaning != NULL)
		buf_printf(out, ": %s", meaning);
	const char *role = role_at_end(buf_text(out));
	if (role != NULL)
		buf_printf(out, " (%s)", role);
	return true;
}

static const char *panic_meaning(uint64_t code)
{
	switch (code) {
	case 0x01:
		return "an assertion failed";
	case 0x11:
		return "arithmetic overflow";
	case 0x12:
		return "division by zero";
	case 0x21:
		return "a number is no member of its enum";
	case 0x22:
		return "broken storage encoding";
	case 0x31:
		return "pop from an empty array";
	case 0x32:
		return "array index out of bounds";
	case 0x41:
		return "out of memory";
	case 0x51:
		return "call of an uninitialised function";
	}
	return "unknown code";
}

static bool put_panic(struct buf *out, struct bytes data)
{
	struct abi_reader reader =
	        abi_read(bytes_of(data.data + ABI_SELECTOR, data.len - ABI_SELECTOR));
	uint64_t code = abi_get_u64(&reader);

	if (!reader.failed)
		buf_printf(out, "Panic(0x%02" PRIx64 "): %s", code, panic_meaning(code));
	return !reader.failed;
}

/* False when the data only begins like that error. */
static bool put_known(struct buf *out, const struct known_error *known, struct bytes data)
{
	if (strcmp(known->signature, "Error(string)") == 0)
		return put_string(out, data);
	if (strcmp(known->signature, "Panic(uint256)") == 0)
		return put_panic(out, data);
	return put_custom(out, known, data);
}

const char *revert_signature(struct bytes data)
{
	const struct known_error *known = find_error(data);

	return known != NULL ? known->signature : NULL;
}

const char *revert_text(struct arena *arena, struct bytes data)
{
	const struct known_error *known = find_error(data);
	struct buf out = {0};

	if (data.len == 0)
		buf_append_text(&out, "reverted without a reason");
	else if (known == NULL)
		put_raw(&out, data);
	else if (!put_known(&out, known, data)) {
		buf_clear(&out);
		put_raw(&out, data);
	}
	const char *text = arena_strdup(arena, buf_text(&out));
	buf_free(&out);
	return text;
}
