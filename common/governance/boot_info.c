#include "common/governance/boot_info.h"

#include "common/eth/abi.h"

#include <stddef.h>
#include <string.h>

enum { MAX_REASON = 300 };

/* clang-format off */
static const struct field {
	enum boot_field bit;
	const char *camel, *snake;
	size_t offset, size; /* of the bytes in struct boot_info; size 0: text */
} fields[] = {
	{BOOT_APP_ID, "appId", "app_id", offsetof(struct boot_info, app_id), 20},
	{BOOT_COMPOSE_HASH, "composeHash", "compose_hash", offsetof(struct boot_info, compose_hash), 32},
	{BOOT_INSTANCE_ID, "instanceId", "instance_id", offsetof(struct boot_info, instance_id), 20},
	{BOOT_DEVICE_ID, "deviceId", "device_id", offsetof(struct boot_info, device_id), 32},
	{BOOT_MR_AGGREGATED, "mrAggregated", "mr_aggregated", offsetof(struct boot_info, mr_aggregated), 32},
	{BOOT_MR_SYSTEM, "mrSystem", "mr_system", offsetof(struct boot_info, mr_system), 32},
	{BOOT_OS_IMAGE_HASH, "osImageHash", "os_image_hash", offsetof(struct boot_info, os_image_hash), 32},
	{BOOT_TCB_STATUS, "tcbStatus", "tcb_status", 0, 0},
	{BOOT_ADVISORY_IDS, "advisoryIds", "advisory_ids", 0, 0},
};
/* clang-format on */

/* --- reading -----------------------------------------------------------------------------------
 */

static int read_hex(void *out, const struct field *field, const struct jval *value,
                    struct error *error)
{
	const char *text = jval_string(value);
	struct error ignored;

	if (text != NULL && strncmp(text, "0x", 2) == 0)
		text += 2;
	if (text == NULL ||
	    (text[0] != '\0' && (strlen(text) != 2 * field->size ||
	                         hex_decode(out, field->size, text, &ignored) != 0)))
		return error_set(error, ERR_INVALID, "field %s: expected %zu hex digits",
		                 field->camel, 2 * field->size);
	return 0;
}

static int read_status(struct boot_info *out, struct arena *arena, const struct jval *value,
                       struct error *error)
{
	const char *text = jval_string(value);

	if (text == NULL || strlen(text) > BOOT_MAX_TCB_STATUS)
		return error_set(error, ERR_INVALID,
		                 "field tcbStatus: expected a text such as \"UpToDate\"");
	out->tcb_status = arena_strdup(arena, text);
	return 0;
}

static int read_advisories(struct boot_info *out, struct arena *arena, const struct jval *value,
                           struct error *error)
{
	size_t count = jval_count(value);
	bool good = jval_is_array(value) && count <= BOOT_MAX_ADVISORIES;

	out->advisory_ids = arena_array(arena, good ? count : 0, sizeof(*out->advisory_ids));
	for (size_t i = 0; good && i < count; i++) {
		const char *text = jval_string(jval_at(value, i));
		good = text != NULL && strlen(text) <= BOOT_MAX_ADVISORY;
		out->advisory_ids[i] = good ? arena_strdup(arena, text) : "";
	}
	if (!good)
		return error_set(error, ERR_INVALID,
		                 "field advisoryIds: expected an array of texts such as "
		                 "\"INTEL-SA-00001\", at most %d",
		                 BOOT_MAX_ADVISORIES);
	out->advisory_count = count;
	return 0;
}

static int read_field(struct boot_info *out, struct arena *arena, const struct field *field,
                      const struct jval *value, struct error *error)
{
	switch (field->bit) {
	case BOOT_TCB_STATUS:
		return read_status(out, arena, value, error);
	case BOOT_ADVISORY_IDS:
		return read_advisories(out, arena, value, error);
	case BOOT_APP_ID:
	case BOOT_COMPOSE_HASH:
	case BOOT_INSTANCE_ID:
	case BOOT_DEVICE_ID:
	case BOOT_MR_AGGREGATED:
	case BOOT_MR_SYSTEM:
	case BOOT_OS_IMAGE_HASH:
		return read_hex((uint8_t *)out + field->offset, field, value, error);
	}
	die("no such field: %d", (int)field->bit);
}

int boot_info_read(struct boot_info *out, struct arena *arena, const struct jval *object,
                   struct error *error)
{
	struct boot_info info = {.tcb_status = ""};

	*out = info;
	if (!jval_is_object(object))
		return error_set(error, ERR_INVALID,
		                 "expected a JSON object with the boot "
		                 "information's fields");
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		const struct jval *camel = jval_get(object, fields[i].camel);
		const struct jval *snake = jval_get(object, fields[i].snake);
		if (camel != NULL && snake != NULL)
			return error_set(error, ERR_INVALID,
			                 "fields %s and %s: expected one of them", fields[i].camel,
			                 fields[i].snake);
		if (camel == NULL && snake == NULL) {
			info.missing |= fields[i].bit;
			continue;
		}
		int rc = read_field(&info, arena, &fields[i], camel != NULL ? camel : snake, error);
		if (rc != 0)
			return rc;
	}
	*out = info;
	return 0;
}

int boot_info_parse(struct boot_info *out, struct arena *arena, struct bytes text,
                    struct error *error)
{
	struct jval *object;

	memset(out, 0, sizeof(*out));
	int rc = jval_parse(&object, text, error);
	if (rc != 0)
		return rc;
	rc = boot_info_read(out, arena, object, error);
	jval_free(object);
	unsigned lacking = out->missing & ~(unsigned)BOOT_ADVISORY_IDS;
	if (rc == 0 && lacking != 0) {
		rc = error_set(error, ERR_INVALID, "missing: %s", boot_fields_text(arena, lacking));
		memset(out, 0, sizeof(*out));
	}
	return rc;
}

struct jval *boot_info_json(const struct boot_info *info)
{
	struct jval *object = jval_object();

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		if (info->missing & fields[i].bit)
			continue;
		if (fields[i].size > 0) {
			jval_add_hex(
			        object, fields[i].camel,
			        bytes_of((const uint8_t *)info + fields[i].offset, fields[i].size));
		} else if (fields[i].bit == BOOT_TCB_STATUS) {
			jval_add_string(object, fields[i].camel, info->tcb_status);
		} else {
			struct jval *list = jval_array();
			for (size_t k = 0; k < info->advisory_count; k++)
				jval_push(list, jval_new_string(info->advisory_ids[k]));
			jval_add(object, fields[i].camel, list);
		}
	}
	return object;
}

const char *boot_fields_text(struct arena *arena, unsigned bits)
{
	struct buf text = {0};

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (bits & fields[i].bit)
			buf_printf(&text, "%s%s", text.len > 0 ? ", " : "", fields[i].camel);
	const char *out = arena_text(arena, buf_bytes(&text));
	buf_free(&text);
	return out;
}

/* --- the question ------------------------------------------------------------------------------
 */

static const struct {
	const char *name;
	uint8_t selector[ABI_SELECTOR];
} calls[] = {
        [BOOT_ROLE_APP] = {"isAppAllowed", {0x1e, 0x07, 0x91, 0x98}},
        [BOOT_ROLE_KMS] = {"isKmsAllowed", {0xe0, 0x67, 0xec, 0x9d}},
};

const char *boot_call_name(enum boot_role role)
{
	return calls[role].name;
}

void boot_encode(struct buf *out, enum boot_role role, const struct boot_info *info)
{
	struct bytes advisories[BOOT_MAX_ADVISORIES];

	for (size_t i = 0; i < info->advisory_count; i++)
		advisories[i] = bytes_text(info->advisory_ids[i]);
	buf_append(out, calls[role].selector, ABI_SELECTOR);
	struct abi_writer top = abi_begin(out, 1);
	abi_put_tail(&top);
	struct abi_writer tuple = abi_begin(out, ARRAY_LEN(fields));
	abi_put_address(&tuple, &info->app_id);
	abi_put_word(&tuple, &info->compose_hash);
	abi_put_address(&tuple, &info->instance_id);
	abi_put_word(&tuple, &info->device_id);
	abi_put_word(&tuple, &info->mr_aggregated);
	abi_put_word(&tuple, &info->mr_system);
	abi_put_word(&tuple, &info->os_image_hash);
	abi_put_bytes(&tuple, bytes_text(info->tcb_status));
	abi_put_bytes_array(&tuple, advisories, info->advisory_count);
}

int boot_decode(bool *allowed, const char **reason, struct arena *arena, struct bytes returned)
{
	struct abi_reader reader = abi_read(returned);
	bool answer = abi_get_bool(&reader);
	struct bytes text = abi_get_bytes(&reader);

	*allowed = false;
	*reason = "";
	if (reader.failed)
		return ERR_INVALID;
	if (text.len > MAX_REASON)
		text.len = MAX_REASON;
	*allowed = answer;
	*reason = arena_text(arena, text);
	return 0;
}
