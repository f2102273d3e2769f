/* The registry contracts: which kind of measurement is added, removed and checked by which call.
 * One const table; the selectors in it are derived in a test from the signatures beside them. */
#ifndef GOVERNANCE_REGISTRY_H
#define GOVERNANCE_REGISTRY_H

#include "common/eth/address.h"

/* Stored numbers: fixed for ever. */
enum kind {
	KIND_OS_IMAGE = 1,
	KIND_COMPOSE = 2,
	KIND_KMS_MR = 3,
	KIND_KMS_DEVICE = 4,
	KIND_DEVICE = 5,
};
#define KIND_LAST KIND_DEVICE

enum action { ACTION_ADD = 1, ACTION_REMOVE = 2 };

enum contract_role { CONTRACT_KMS = 1, CONTRACT_APP = 2 };

const char *kind_name(enum kind kind); /* "os-image", ... */
int kind_parse(enum kind *out, const char *name, struct error *error) MUST_USE;
const char *action_name(enum action action); /* "add" | "remove" */
enum contract_role kind_contract(enum kind kind);

/* The selector of the add or remove function, of the mapping getter, and of isAuthorized where the
 * kind has it (os-image, compose). */
const uint8_t *kind_selector(enum kind kind, enum action action); /* 4 bytes */
const char *kind_signature(enum kind kind, enum action action);   /* "addOsImageHash(bytes32)" */
const char *kind_argument(enum kind kind);                        /* "osImageHash", as in the ABI */
const uint8_t *kind_getter_selector(enum kind kind);
const char *kind_getter_signature(enum kind kind); /* "allowedOsImages(bytes32)" */
bool kind_has_is_authorized(enum kind kind);
extern const uint8_t is_authorized_selector[4];
#define IS_AUTHORIZED_SIGNATURE "isAuthorized(bytes32)"

/* The name that PolicyChanged hashes for this kind ("os-image", "compose-hash", ...). */
const char *kind_policy_name(enum kind kind);

#define REGISTRY_CALL_SIZE 36
/* Writes selector || value. */
void registry_encode_call(uint8_t out[REGISTRY_CALL_SIZE], enum kind kind, enum action action,
                          const struct hash32 *value);
/* The reverse: which registry call this exact calldata is. ERR_NOT_FOUND for anything else. */
int registry_decode_call(enum kind *kind, enum action *action, struct hash32 *value,
                         struct bytes calldata, enum contract_role role) MUST_USE;

/* An answer of a getter: exactly 32 bytes holding 0 or 1 decides, everything else is unknown. */
enum check_answer { CHECK_UNKNOWN = 0, CHECK_NO = 1, CHECK_YES = 2 };
enum check_answer check_answer_parse(struct bytes returned);

#endif
