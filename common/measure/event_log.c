#include "common/measure/event_log.h"

#include <string.h>

enum { EVENT_ACPI_DATA = 10, MAX_HEX = 1024 * 1024 };

/* --- digests -----------------------------------------------------------------------------------
 */

/* JSON text as RFC 8785 writes it. */
static void put_escaped(struct buf *out, const char *text)
{
	static const char plain[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";

	for (const char *p = text; *p != '\0'; p++) {
		const char *special = strchr(plain, *p);
		if (special != NULL)
			buf_printf(out, "\\%c", letters[special - plain]);
		else if ((unsigned char)*p < 0x20)
			buf_printf(out, "\\u%04x", (unsigned)*p);
		else
			buf_append_byte(out, (uint8_t)*p);
	}
}

void event_digest(uint8_t out[SHA384_SIZE], unsigned version, const char *name,
                  struct bytes payload)
{
	static const uint8_t type_le[] = {0x01, 0x00, 0x00, 0x08};
	struct buf preimage = {0};

	if (version == 2) {
		buf_append_text(&preimage, "{\"name\":\"");
		put_escaped(&preimage, name);
		buf_append_text(&preimage, "\",\"payload\":\"");
		buf_append_hex(&preimage, payload);
		buf_printf(&preimage, "\",\"type\":%d}", EVENT_RUNTIME);
	} else {
		buf_append(&preimage, type_le, sizeof(type_le));
		buf_printf(&preimage, ":%s:", name);
		buf_append_bytes(&preimage, payload);
	}
	sha384(out, buf_bytes(&preimage));
	buf_free(&preimage);
}

static void extend(uint8_t rtmr[SHA384_SIZE], const uint8_t digest[SHA384_SIZE])
{
	uint8_t both[2 * SHA384_SIZE];

	memcpy(both, rtmr, SHA384_SIZE);
	memcpy(both + SHA384_SIZE, digest, SHA384_SIZE);
	sha384(rtmr, bytes_of(both, sizeof(both)));
}

/* --- building ----------------------------------------------------------------------------------
 */

/* A log chooses what it calls an entry. If an entry of RTMR3 could be of another type, its stated
 * digest would count, and a true event could be hidden behind it: the system-ready, say, that
 * separates the system's events from the application's. */
static int check_event(const struct event *event, size_t index, struct error *error)
{
	if (event->imr >= EVENT_LOG_RTMRS)
		return error_set(error, ERR_INVALID, "event %zu: imr %u, expected 0 to 3", index,
		                 event->imr);
	if ((event->type == EVENT_RUNTIME) != (event->imr == 3))
		return error_set(error, ERR_INVALID,
		                 "event %zu: type %u for RTMR%u; RTMR3, and only it, has type %u",
		                 index, event->type, event->imr, EVENT_RUNTIME);
	if (event->stated.len > SHA384_SIZE)
		return error_set(error, ERR_INVALID, "event %zu: a digest of %zu bytes, at most %d",
		                 index, event->stated.len, SHA384_SIZE);
	if (event->imr == 3 && event->version != 1 && event->version != 2)
		return error_set(error, ERR_INVALID, "event %zu: version %u, expected 1 or 2",
		                 index, event->version);
	return 0;
}

static void fill_digest(struct event_log *log, struct event *event)
{
	memset(event->digest, 0, sizeof(event->digest));
	if (event->imr != 3) {
		if (event->stated.len > 0)
			memcpy(event->digest, event->stated.data, event->stated.len);
		return;
	}
	event_digest(event->digest, event->version, event->name, event->payload);
	if (log->misstated == NULL && event->stated.len > 0 &&
	    !bytes_equal(event->stated, bytes_of(event->digest, SHA384_SIZE)))
		log->misstated = event;
}

int event_log_build(struct event_log *out, struct event *events, size_t count, struct error *error)
{
	bool booted = false;

	*out = (struct event_log){0};
	for (size_t i = 0; i < count; i++) {
		int rc = check_event(&events[i], i, error);
		if (rc != 0)
			return rc;
	}
	*out = (struct event_log){.events = events, .count = count, .trusted = count};
	for (size_t i = 0; i < count; i++) {
		struct event *event = &events[i];
		fill_digest(out, event);
		extend(out->rtmr[event->imr], event->digest);
		if (event->imr != 3) {
			if (event->type != EVENT_ACPI_DATA)
				out->has_boot[event->imr] = true;
			continue;
		}
		if (!booted)
			extend(out->rtmr3_boot, event->digest);
		booted = booted || strcmp(event->name, "boot-mr-done") == 0;
		if (!out->is_ready && strcmp(event->name, "system-ready") == 0) {
			out->is_ready = true;
			out->trusted = i + 1;
		}
	}
	return 0;
}

/* --- JSON --------------------------------------------------------------------------------------
 */

/* Hex of any length; an absent member is empty. */
static int read_hex(struct arena *arena, struct bytes *out, const struct jval *entry,
                    const char *key, struct error *error)
{
	const struct jval *value = jval_get(entry, key);
	const char *text = jval_string(value);

	*out = bytes_of(NULL, 0);
	if (value == NULL || jval_is_null(value))
		return 0;
	if (text == NULL)
		return error_set(error, ERR_INVALID, "%s: expected hex text", key);
	size_t digits = strlen(text);
	if (digits >= 2 && text[0] == '0' && (text[1] | 0x20) == 'x')
		digits -= 2;
	if (digits % 2 != 0 || digits > MAX_HEX)
		return error_set(error, ERR_INVALID, "%s: %zu hex digits", key, digits);
	uint8_t *raw = arena_alloc(arena, digits / 2 + 1);
	if (hex_decode(raw, digits / 2, text, error) != 0)
		return error_prefix(error, "%s", key);
	*out = bytes_of(raw, digits / 2);
	return 0;
}

static int read_number(const struct jval *entry, const char *key, int64_t max, int64_t *out,
                       struct error *error)
{
	if (jval_get_int(entry, key, out) == 0 && *out >= 0 && *out <= max)
		return 0;
	return error_set(error, ERR_INVALID, "%s: expected a number from 0 to %lld", key,
	                 (long long)max);
}

static int read_entry(struct arena *arena, struct event *out, const struct jval *entry,
                      struct error *error)
{
	int64_t imr = 0, type = 0, version = 1;
	const struct jval *stated_version = jval_get(entry, "version");

	if (!jval_is_object(entry))
		return error_set(error, ERR_INVALID, "expected an object");
	int rc = read_number(entry, "imr", EVENT_LOG_RTMRS - 1, &imr, error);
	if (rc == 0)
		rc = read_number(entry, "event_type", UINT32_MAX, &type, error);
	if (rc == 0 && stated_version != NULL && !jval_is_null(stated_version))
		rc = read_number(entry, "version", 2, &version, error);
	if (rc == 0)
		rc = read_hex(arena, &out->stated, entry, "digest", error);
	if (rc != 0)
		return rc;
	out->imr = (unsigned)imr;
	out->type = (uint32_t)type;
	out->version = (unsigned)version;
	out->name = "";
	if (imr != 3)
		return 0;
	out->name = arena_strdup(arena, jval_get_string(entry, "event"));
	if (out->name == NULL)
		return error_set(error, ERR_INVALID, "event: expected text");
	return read_hex(arena, &out->payload, entry, "event_payload", error);
}

int event_log_read(struct arena *arena, struct event_log *out, const struct jval *array,
                   struct error *error)
{
	struct error local;
	size_t count = jval_count(array);

	*out = (struct event_log){0};
	if (!jval_is_array(array))
		return error_set(error, ERR_INVALID, "expected an array of events");
	if (count > EVENT_LOG_MAX)
		return error_set(error, ERR_LIMIT, "%zu events, at most %d", count, EVENT_LOG_MAX);
	struct event *events = arena_array(arena, count + 1, sizeof(*events));
	for (size_t i = 0; i < count; i++) {
		int rc = read_entry(arena, &events[i], jval_at(array, i), &local);
		if (rc != 0)
			return error_set(error, (enum err)rc, "event %zu: %s", i, local.text);
	}
	return event_log_build(out, events, count, error);
}

int event_log_parse(struct arena *arena, struct event_log *out, struct bytes text,
                    struct error *error)
{
	struct jval *array;

	*out = (struct event_log){0};
	int rc = jval_parse(&array, text, error);
	if (rc != 0)
		return rc;
	rc = event_log_read(arena, out, array, error);
	jval_free(array);
	return rc;
}

/* --- judging -----------------------------------------------------------------------------------
 */

const struct event *event_log_find(const struct event_log *log, const char *name)
{
	for (size_t i = 0; i < log->trusted; i++)
		if (log->events[i].imr == 3 && strcmp(log->events[i].name, name) == 0)
			return &log->events[i];
	return NULL;
}

static const struct rule {
	const char *name;
	size_t sizes[2]; /* either; equal when there is only one */
	bool once;       /* exactly once */
	bool repeats;
} rules[] = {
        {.name = "app-id", .sizes = {20, 20}, .once = true},
        {.name = "compose-hash", .sizes = {32, 32}, .once = true},
        {.name = "instance-id", .sizes = {20, 0}},
        {.name = "os-image-hash", .sizes = {32, 32}},
        {.name = "mr-kms", .sizes = {32, 32}},
        {.name = "rootfs-hash", .sizes = {32, 32}},
        {.name = "init-script-hash", .sizes = {32, 32}, .repeats = true},
        {.name = "key-provider", .sizes = {SIZE_MAX, SIZE_MAX}},
};

static bool check_rule(const struct event_log *log, const struct rule *rule, struct error *error)
{
	size_t found = 0;

	for (size_t i = 0; i < log->trusted; i++) {
		const struct event *event = &log->events[i];
		if (event->imr != 3 || strcmp(event->name, rule->name) != 0)
			continue;
		found++;
		if (rule->sizes[0] != SIZE_MAX && event->payload.len != rule->sizes[0] &&
		    event->payload.len != rule->sizes[1]) {
			error_set(error, ERR_INVALID, "event %zu (%s): %zu bytes, expected %zu", i,
			          rule->name, event->payload.len, rule->sizes[0]);
			return false;
		}
	}
	if ((rule->once && found == 0 && log->is_ready) || (found > 1 && !rule->repeats)) {
		error_set(error, ERR_INVALID, "%zu %s events before system-ready, expected %s one",
		          found, rule->name, rule->once ? "exactly" : "at most");
		return false;
	}
	return true;
}

/* In version 1 the same digest comes from "a:b" with payload "c" and from "a" with "b:c": the
 * system's own names have no colon. */
static bool check_names(const struct event_log *log, struct error *error)
{
	for (size_t i = 0; i < log->trusted; i++)
		if (log->events[i].imr == 3 && strchr(log->events[i].name, ':') != NULL) {
			error_set(error, ERR_INVALID, "event %zu: a colon in the name", i);
			return false;
		}
	return true;
}

void event_log_judge(const struct event_log *log, struct checks *checks)
{
	struct error error = {0};

	if (log->misstated != NULL)
		checks_add(checks, "event-digests", CHECK_FAILED,
		           "event %zu (%.80s): its stated digest is not that of name and payload",
		           (size_t)(log->misstated - log->events), log->misstated->name);
	else
		checks_add(checks, "event-digests", CHECK_PASSED,
		           "digests of runtime events recomputed from names and payloads");

	bool good = check_names(log, &error);
	for (size_t i = 0; good && i < ARRAY_LEN(rules); i++)
		good = check_rule(log, &rules[i], &error);
	if (!good)
		checks_add(checks, "event-rules", CHECK_FAILED, "%s", error.text);
	else if (!log->is_ready)
		checks_add(checks, "event-rules", CHECK_UNDECIDED,
		           "no system-ready event: the boot is not finished");
	else
		checks_add(checks, "event-rules", CHECK_PASSED,
		           "one app-id and one compose-hash before system-ready");
}
