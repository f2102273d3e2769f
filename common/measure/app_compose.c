#include "common/measure/app_compose.h"

#include "common/crypto/hash.h"

bool app_compose_is(const struct jval *document)
{
	return jval_is_object(document) && jval_get_string(document, "runner") != NULL &&
	       (jval_is_int(jval_get(document, "manifest_version")) ||
	        jval_get_string(document, "docker_compose_file") != NULL);
}

/* fallback when the member is not there. ERR_INVALID: it is something else than an integer. */
static int read_int(const struct jval *document, const char *key, int64_t fallback, int64_t *out,
                    struct error *error)
{
	*out = fallback;
	if (jval_get(document, key) == NULL || jval_get_int(document, key, out) == 0)
		return 0;
	*out = fallback;
	return error_set(error, ERR_INVALID, "%s: expected an integer", key);
}

static int read_document(struct arena *arena, const struct jval *document, struct app_compose *out,
                         struct error *error)
{
	const char *runner = jval_get_string(document, "runner");
	const char *file = jval_get_string(document, "docker_compose_file");

	if (runner == NULL)
		return error_set(error, ERR_INVALID, "runner: expected a string");
	int rc = read_int(document, "manifest_version", 0, &out->manifest_version, error);
	if (rc == 0)
		rc = read_int(document, "event_log_version", 1, &out->event_log_version, error);
	if (rc != 0)
		return rc;
	out->runner = arena_strdup(arena, runner);
	out->name = arena_strdup(arena, jval_get_string(document, "name"));
	out->public_tcbinfo = !jval_is_false(jval_get(document, "public_tcbinfo"));
	out->has_compose_file = file != NULL;
	if (file != NULL)
		compose_images_find(arena, bytes_text(file), &out->images);
	return 0;
}

int app_compose_read(struct arena *arena, struct bytes bytes, struct app_compose *out,
                     struct error *error)
{
	struct jval *document = NULL;

	*out = (struct app_compose){0};
	if (bytes.len > APP_COMPOSE_MAX_SIZE)
		return error_set(error, ERR_INVALID, "%zu bytes, expected at most %d", bytes.len,
		                 APP_COMPOSE_MAX_SIZE);
	int rc = jval_parse(&document, bytes, error);
	if (rc == 0)
		rc = read_document(arena, document, out, error);
	jval_free(document);
	if (rc != 0)
		*out = (struct app_compose){0};
	else
		out->hash = sha256(bytes);
	return rc;
}
