#include "common/measure/detect.h"

#include "common/base/buf.h"
#include "common/measure/eif.h"
#include "common/measure/nitro.h"

#include <string.h>

static bool has_suffix(const char *name, const char *suffix)
{
	size_t len = strlen(name), tail = strlen(suffix);
	return len >= tail && strcasecmp(name + len - tail, suffix) == 0;
}

static bool is_eif(struct bytes head, const char *name)
{
	return (head.len >= 4 && memcmp(head.data, ".eif", 4) == 0) || has_suffix(name, ".eif");
}

/* Logs may hold colour escapes and text in any language, but no other control bytes. */
static bool is_text(struct bytes head)
{
	for (size_t i = 0; i < head.len; i++)
		if (head.data[i] < ' ' && strchr("\t\r\n\033\b\f", head.data[i]) == NULL)
			return false;
	return head.len == 0 || memchr(head.data, 0, head.len) == NULL;
}

static void add_text(struct jval *details, const char *key, const char *text)
{
	if (text != NULL)
		jval_add_string(details, key, text);
}

static char *eif_details(struct arena *arena, const struct eif *eif)
{
	struct jval *details = jval_object();
	struct buf text = {0};

	if (eif->complete)
		pcrs_add(details, &eif->pcrs);
	if (eif->version != 0) { /* else its header was not read */
		jval_add_int(details, "eif_version", eif->version);
		jval_add_string(details, "architecture",
		                (eif->flags & 1) != 0 ? "aarch64" : "x86_64");
	}
	add_text(details, "image_name", eif->image_name);
	add_text(details, "image_version", eif->image_version);
	add_text(details, "build_time", eif->build_time);
	add_text(details, "build_tool", eif->build_tool);
	add_text(details, "signer", eif->signer);
	jval_write(&text, details, JVAL_COMPACT);
	char *out = arena_text(arena, buf_bytes(&text));
	buf_free(&text);
	jval_free(details);
	return out;
}

static int measure_eif(struct arena *arena, struct source *source, struct hasher *hasher,
                       struct measured *out, struct error *error)
{
	struct eif eif;
	int rc = eif_read(arena, source, hasher, &eif, error);

	if (rc != 0)
		return rc;
	*out = (struct measured){
	        .format = FORMAT_EIF,
	        .refused = eif.refusal != NULL,
	        .refusal = eif.refusal,
	        .level = LEVEL_RECOMPUTED,
	        .is_signed = eif.signature_right,
	        .pcrs = eif.pcrs,
	        .sha256 = eif.sha256,
	        .size = eif.size,
	        .details = eif_details(arena, &eif),
	};
	if (eif.complete)
		out->value = pcrs_value(&eif.pcrs);
	return 0;
}

static int measure_text(struct arena *arena, struct source *source, const char *name,
                        struct measured *out, struct error *error)
{
	struct buf text = {0};
	size_t got;

	/* One byte more than is accepted tells that there is more. */
	buf_append_zeros(&text, NITRO_MAX_TEXT + 1);
	int rc = source_read(source, text.data, NITRO_MAX_TEXT + 1, &got, error);
	if (rc == 0 && got <= NITRO_MAX_TEXT) {
		struct bytes content = bytes_of(text.data, got);
		nitro_read(arena, content, name, out);
		out->sha256 = sha256(content);
		out->size = got;
	}
	buf_free(&text);
	return rc;
}

int measure_source(struct arena *arena, struct source *source, const char *name,
                   struct hasher *hasher, struct measured *out, struct error *error)
{
	struct bytes head;

	*out = (struct measured){.format = FORMAT_UNKNOWN, .level = LEVEL_CLAIMED};
	int rc = source_peek(source, &head, error);
	if (rc != 0)
		return rc;
	if (is_eif(head, name))
		return measure_eif(arena, source, hasher, out, error);
	if (is_text(head))
		return measure_text(arena, source, name, out, error);
	return 0;
}

int measure_fd(struct arena *arena, int fd, const char *name, struct hasher *hasher,
               struct measured *out, struct error *error)
{
	struct source source = source_fd(fd);
	return measure_source(arena, &source, name, hasher, out, error);
}

enum format format_of_name(const char *name)
{
	if (has_suffix(name, ".eif"))
		return FORMAT_EIF;
	return strcasecmp(name, "measurements.json") == 0 ? FORMAT_MEASUREMENTS : FORMAT_UNKNOWN;
}
