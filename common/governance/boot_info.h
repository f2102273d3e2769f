/* What a machine says about itself when it asks a KMS for keys, and the KMS's own decision about
 * it: isAppAllowed and isKmsAllowed of DstackKms, DstackApp and their predecessors. */
#ifndef GOVERNANCE_BOOT_INFO_H
#define GOVERNANCE_BOOT_INFO_H

#include "common/base/arena.h"
#include "common/base/jval.h"
#include "common/eth/address.h"

enum { BOOT_MAX_TCB_STATUS = 64, BOOT_MAX_ADVISORIES = 64, BOOT_MAX_ADVISORY = 64 };

enum boot_field {
	BOOT_APP_ID = 1,
	BOOT_COMPOSE_HASH = 2,
	BOOT_INSTANCE_ID = 4,
	BOOT_DEVICE_ID = 8,
	BOOT_MR_AGGREGATED = 16,
	BOOT_MR_SYSTEM = 32,
	BOOT_OS_IMAGE_HASH = 64,
	BOOT_TCB_STATUS = 128,
	BOOT_ADVISORY_IDS = 256,
};

struct boot_info {
	struct address app_id, instance_id;
	struct hash32 compose_hash, device_id, mr_aggregated, mr_system, os_image_hash;
	const char *tcb_status; /* in the arena; "" when it is not there */
	const char **advisory_ids;
	size_t advisory_count;
	unsigned missing; /* boot_fields that were not there, and are zero or empty */
};

/* Reads an object with the fields' names as dstack writes them, appId or app_id; hex with 0x or
 * without, "" is zero. Others are not looked at. ERR_INVALID names the field and what was expected;
 * so it does for a field that stands there under both names. */
int boot_info_read(struct boot_info *out, struct arena *arena, const struct jval *object,
                   struct error *error) MUST_USE;
/* A whole file: the same, and every field but advisoryIds has to be there. */
int boot_info_parse(struct boot_info *out, struct arena *arena, struct bytes text,
                    struct error *error) MUST_USE;
/* The same object again, in camelCase, with what is missing left out. */
struct jval *boot_info_json(const struct boot_info *info);
/* "appId, deviceId" of a set of boot_fields; in the arena. */
const char *boot_fields_text(struct arena *arena, unsigned fields);

/* Who asks: an app's machine, or a machine that wants to be a KMS. */
enum boot_role { BOOT_ROLE_APP, BOOT_ROLE_KMS };
const char *boot_call_name(enum boot_role role); /* "isAppAllowed" */
/* Appends the calldata. */
void boot_encode(struct buf *out, enum boot_role role, const struct boot_info *info);
/* What it returns: whether, and the contract's reason (in the arena; "" with true, usually).
 * ERR_INVALID for anything but (bool, string), e.g. where there is no such function. */
int boot_decode(bool *allowed, const char **reason, struct arena *arena,
                struct bytes returned) MUST_USE;

#endif
