#include "common/governance/registry.h"

#include <string.h>

struct kind_row {
	const char *name;
	enum contract_role contract;
	const char *argument;
	const char *policy;
	struct {
		const char *signature;
		uint8_t selector[4];
	} add, remove, getter;
	bool has_is_authorized;
};

/* Indexed by kind. Signatures and argument names as in the published DstackKms and DstackApp. */
static const struct kind_row rows[] = {
        [KIND_OS_IMAGE] = {"os-image",
                           CONTRACT_KMS,
                           "osImageHash",
                           "os-image",
                           {"addOsImageHash(bytes32)", {0x06, 0xa3, 0xae, 0x96}},
                           {"removeOsImageHash(bytes32)", {0x94, 0x25, 0xba, 0xc6}},
                           {"allowedOsImages(bytes32)", {0x9a, 0x4e, 0x1d, 0x18}},
                           true},
        [KIND_COMPOSE] = {"compose",
                          CONTRACT_APP,
                          "composeHash",
                          "compose-hash",
                          {"addComposeHash(bytes32)", {0xdf, 0xc7, 0x72, 0x23}},
                          {"removeComposeHash(bytes32)", {0x67, 0xb3, 0xf2, 0x2c}},
                          {"allowedComposeHashes(bytes32)", {0x2f, 0x66, 0x22, 0xe5}},
                          true},
        [KIND_KMS_MR] = {"kms-mr",
                         CONTRACT_KMS,
                         "mrAggregated",
                         "kms-aggregated-mr",
                         {"addKmsAggregatedMr(bytes32)", {0x3e, 0x32, 0xd3, 0x46}},
                         {"removeKmsAggregatedMr(bytes32)", {0x2a, 0xde, 0xe4, 0x8d}},
                         {"kmsAllowedAggregatedMrs(bytes32)", {0xf6, 0xfe, 0x4f, 0x40}},
                         false},
        [KIND_KMS_DEVICE] = {"kms-device",
                             CONTRACT_KMS,
                             "deviceId",
                             "kms-device",
                             {"addKmsDevice(bytes32)", {0x4d, 0x59, 0x22, 0xa1}},
                             {"removeKmsDevice(bytes32)", {0x9e, 0x6f, 0x31, 0x14}},
                             {"kmsAllowedDeviceIds(bytes32)", {0x13, 0xeb, 0x97, 0x70}},
                             false},
        [KIND_DEVICE] = {"device",
                         CONTRACT_APP,
                         "deviceId",
                         "device",
                         {"addDevice(bytes32)", {0x2a, 0x81, 0x97, 0x28}},
                         {"removeDevice(bytes32)", {0x1d, 0x26, 0x62, 0x00}},
                         {"allowedDeviceIds(bytes32)", {0xbf, 0x8b, 0x21, 0x1b}},
                         false},
};

const uint8_t is_authorized_selector[4] = {0x62, 0xf4, 0xed, 0x90};

static const struct kind_row *row_of(enum kind kind)
{
	if ((unsigned)kind >= ARRAY_LEN(rows) || rows[kind].name == NULL)
		die("no such kind: %d", (int)kind);
	return &rows[kind];
}

const char *kind_name(enum kind kind)
{
	return row_of(kind)->name;
}

int kind_parse(enum kind *out, const char *name, struct error *error)
{
	*out = 0;
	for (size_t i = 1; i < ARRAY_LEN(rows); i++) {
		if (strcmp(rows[i].name, name) == 0) {
			*out = (enum kind)i;
			return 0;
		}
	}
	return error_set(error, ERR_INVALID,
	                 "no kind '%s', expected os-image, compose, kms-mr, kms-device or device",
	                 name);
}

const char *action_name(enum action action)
{
	switch (action) {
	case ACTION_ADD:
		return "add";
	case ACTION_REMOVE:
		return "remove";
	}
	die("no such action: %d", (int)action);
}

enum contract_role kind_contract(enum kind kind)
{
	return row_of(kind)->contract;
}

const uint8_t *kind_selector(enum kind kind, enum action action)
{
	const struct kind_row *row = row_of(kind);
	return action == ACTION_ADD ? row->add.selector : row->remove.selector;
}

const char *kind_signature(enum kind kind, enum action action)
{
	const struct kind_row *row = row_of(kind);
	return action == ACTION_ADD ? row->add.signature : row->remove.signature;
}

const char *kind_argument(enum kind kind)
{
	return row_of(kind)->argument;
}

const uint8_t *kind_getter_selector(enum kind kind)
{
	return row_of(kind)->getter.selector;
}

const char *kind_getter_signature(enum kind kind)
{
	return row_of(kind)->getter.signature;
}

bool kind_has_is_authorized(enum kind kind)
{
	return row_of(kind)->has_is_authorized;
}

const char *kind_policy_name(enum kind kind)
{
	return row_of(kind)->policy;
}

void registry_encode_call(uint8_t out[REGISTRY_CALL_SIZE], enum kind kind, enum action action,
                          const struct hash32 *value)
{
	memcpy(out, kind_selector(kind, action), 4);
	memcpy(out + 4, value->b, sizeof(value->b));
}

int registry_decode_call(enum kind *kind, enum action *action, struct hash32 *value,
                         struct bytes calldata, enum contract_role role)
{
	*kind = 0;
	*action = 0;
	memset(value, 0, sizeof(*value));
	if (calldata.len != REGISTRY_CALL_SIZE)
		return ERR_NOT_FOUND;
	for (size_t i = 1; i < ARRAY_LEN(rows); i++) {
		if (rows[i].contract != role)
			continue;
		bool adds = memcmp(calldata.data, rows[i].add.selector, 4) == 0;
		if (!adds && memcmp(calldata.data, rows[i].remove.selector, 4) != 0)
			continue;
		*kind = (enum kind)i;
		*action = adds ? ACTION_ADD : ACTION_REMOVE;
		memcpy(value->b, calldata.data + 4, sizeof(value->b));
		return 0;
	}
	return ERR_NOT_FOUND;
}

enum check_answer check_answer_parse(struct bytes returned)
{
	static const uint8_t zeros[31];

	if (returned.len != 32 || memcmp(returned.data, zeros, sizeof(zeros)) != 0)
		return CHECK_UNKNOWN;
	switch (returned.data[31]) {
	case 0:
		return CHECK_NO;
	case 1:
		return CHECK_YES;
	}
	return CHECK_UNKNOWN;
}
