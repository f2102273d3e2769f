#include "common/base/clock.h"
#include "common/measure/sigstore_internal.h"

#include <string.h>

enum { LOG_ID_SIZE = 32 };

/* An optional time in whole seconds, else fallback. */
static int read_time(const struct jval *period, const char *key, int64_t fallback, int64_t *out,
                     struct error *error)
{
	struct wall at;

	*out = fallback;
	if (jval_get(period, key) == NULL)
		return 0;
	int rc = wall_parse(&at, jval_get_string(period, key), error);
	if (rc != 0)
		return error_prefix(error, "validFor.%s", key);
	*out = at.ms / 1000;
	return 0;
}

static int read_period(const struct jval *holder, int64_t *from, int64_t *until,
                       struct error *error)
{
	const struct jval *period = jval_get(holder, "validFor");
	int rc = read_time(period, "start", 0, from, error);

	return rc != 0 ? rc : read_time(period, "end", INT64_MAX, until, error);
}

static int read_key(struct arena *arena, const struct jval *log, struct sigstore_key *out,
                    struct error *error)
{
	const struct jval *key = jval_get(log, "publicKey");
	int rc = sigstore_base64(arena, key, "rawBytes", &out->key, error);

	if (rc != 0)
		return error_prefix(error, "publicKey");
	rc = sigstore_base64(arena, jval_get(log, "logId"), "keyId", &out->id, error);
	if (rc == 0 && out->id.len != LOG_ID_SIZE)
		rc = error_set(error, ERR_INVALID, "keyId: %zu bytes, expected %d", out->id.len,
		               LOG_ID_SIZE);
	if (rc != 0)
		return error_prefix(error, "logId");
	return read_period(key, &out->from, &out->until, error);
}

static int read_keys(struct arena *arena, const struct jval *list, struct sigstore_key *out,
                     size_t *count, struct error *error)
{
	if (jval_count(list) > SIGSTORE_MAX_KEYS)
		return error_set(error, ERR_INVALID, "more than %d logs", SIGSTORE_MAX_KEYS);
	for (size_t i = 0; i < jval_count(list); i++) {
		if (read_key(arena, jval_at(list, i), &out[i], error) != 0)
			return error_prefix(error, "[%zu]", i);
		*count = i + 1;
	}
	return 0;
}

static int read_authority(struct arena *arena, const struct jval *authority,
                          struct sigstore_authority *out, struct error *error)
{
	const struct jval *list = jval_get(jval_get(authority, "certChain"), "certificates");

	if (jval_count(list) == 0 || jval_count(list) > SIGSTORE_MAX_CHAIN)
		return error_set(error, ERR_INVALID, "certChain: expected 1 to %d certificates",
		                 SIGSTORE_MAX_CHAIN);
	for (size_t i = 0; i < jval_count(list); i++) {
		int rc =
		        sigstore_base64(arena, jval_at(list, i), "rawBytes", &out->chain[i], error);
		if (rc != 0)
			return error_prefix(error, "certChain[%zu]", i);
		out->count = i + 1;
	}
	return read_period(authority, &out->from, &out->until, error);
}

static int read_authorities(struct arena *arena, const struct jval *list,
                            struct sigstore_authority *out, size_t *count, struct error *error)
{
	if (jval_count(list) > SIGSTORE_MAX_AUTHORITIES)
		return error_set(error, ERR_INVALID, "more than %d authorities",
		                 SIGSTORE_MAX_AUTHORITIES);
	for (size_t i = 0; i < jval_count(list); i++) {
		if (read_authority(arena, jval_at(list, i), &out[i], error) != 0)
			return error_prefix(error, "[%zu]", i);
		*count = i + 1;
	}
	return 0;
}

static int read_document(struct arena *arena, const struct jval *document,
                         struct sigstore_root *out, struct error *error)
{
	static const char kind[] = "application/vnd.dev.sigstore.trustedroot";
	const char *type = jval_get_string(document, "mediaType");

	if (type == NULL || strncmp(type, kind, strlen(kind)) != 0)
		return error_set(error, ERR_INVALID, "mediaType: expected %s+json;version=0.1",
		                 kind);
	if (read_authorities(arena, jval_get(document, "certificateAuthorities"), out->authorities,
	                     &out->authority_count, error) != 0)
		return error_prefix(error, "certificateAuthorities");
	if (out->authority_count == 0)
		return error_set(error, ERR_INVALID, "certificateAuthorities: there is none");
	if (read_authorities(arena, jval_get(document, "timestampAuthorities"), out->clocks,
	                     &out->clock_count, error) != 0)
		return error_prefix(error, "timestampAuthorities");
	if (read_keys(arena, jval_get(document, "tlogs"), out->logs, &out->log_count, error) != 0)
		return error_prefix(error, "tlogs");
	if (read_keys(arena, jval_get(document, "ctlogs"), out->certificate_logs,
	              &out->certificate_log_count, error) != 0)
		return error_prefix(error, "ctlogs");
	return 0;
}

int sigstore_root_read(struct arena *arena, struct bytes text, struct sigstore_root *out,
                       struct error *error)
{
	struct jval *document = NULL;
	struct error local;

	*out = (struct sigstore_root){0};
	if (text.len > SIGSTORE_MAX_SIZE)
		return error_set(error, ERR_INVALID, "%zu bytes, expected at most %d", text.len,
		                 SIGSTORE_MAX_SIZE);
	int rc = jval_parse(&document, text, &local);
	if (rc == 0)
		rc = read_document(arena, document, out, &local);
	jval_free(document);
	if (rc == 0)
		return 0;
	*out = (struct sigstore_root){0};
	return error_set(error, ERR_INVALID, "%s", local.text);
}

const struct sigstore_key *sigstore_find_key(const struct sigstore_key *keys, size_t count,
                                             struct bytes id)
{
	for (size_t i = 0; i < count; i++)
		if (bytes_equal(keys[i].id, id))
			return &keys[i];
	return NULL;
}
