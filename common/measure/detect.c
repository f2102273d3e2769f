#include "common/measure/detect.h"

#include "common/base/buf.h"
#include "common/measure/document.h"
#include "common/measure/eif.h"
#include "common/measure/guest_info.h"
#include "common/measure/nitro.h"
#include "common/measure/nsm.h"

#include <stdlib.h>
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

/* Whether the target's signatures are over this digest of an artifact. */
static bool wants_blake2b(const struct measure_how *how)
{
	return how->signing != NULL && how->signing->kind == SIGNING_ED25519;
}

static int measure_eif(struct arena *arena, struct source *source, const struct measure_how *how,
                       struct hasher *hasher, struct measured *out, struct error *error)
{
	struct eif eif;

	hasher_want_blake2b(hasher, wants_blake2b(how));
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
	out->has_blake2b = wants_blake2b(how) && !hash32_is_zero(&eif.sha256);
	if (out->has_blake2b)
		memcpy(out->blake2b, eif.blake2b, sizeof(out->blake2b));
	return 0;
}

/* Of one that was in memory as a whole. */
static void add_digests(struct bytes content, const struct measure_how *how, struct measured *out)
{
	out->sha256 = sha256(content);
	out->size = content.len;
	out->has_blake2b = wants_blake2b(how) && out->format != FORMAT_UNKNOWN;
	if (out->has_blake2b)
		blake2b(out->blake2b, content);
}

/* --- texts -------------------------------------------------------------------------------------
 */

/* A log may hold nitro-cli's JSON and a script's own lines: they must say the same. */
static void merge_log(struct arena *arena, struct bytes text, struct measured *out)
{
	char first[HASH32_TEXT_SIZE], second[HASH32_TEXT_SIZE];
	struct measured log = {0};

	document_build_log(arena, text, &log);
	if (out->format == FORMAT_UNKNOWN && log.format != FORMAT_UNKNOWN)
		*out = log;
	else if (log.refused)
		document_refuse(arena, out, "%s", log.refusal);
	else if (!hash32_is_zero(&log.value) && !hash32_equal(&log.value, &out->value))
		document_refuse(arena, out, "its JSON says %s, its lines %s",
		                hash32_text(first, &out->value), hash32_text(second, &log.value));
}

/* The beginning of a document; "[build] PCR0: ..." is none. */
static bool is_json(struct bytes text)
{
	char first = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = (char)text.data[i];
		if (strchr(" \t\r\n", c) != NULL && c != '\0')
			continue;
		if (first == '[')
			return strchr("{[\"]", c) != NULL && c != '\0';
		if (c != '[')
			return c == '{';
		first = c;
	}
	return false;
}

static void read_text(struct arena *arena, struct bytes text, const struct measure_how *how,
                      struct measured *out)
{
	document_minisign(arena, text, how, out);
	if (out->format == FORMAT_UNKNOWN)
		document_sigstore(arena, text, how, out);
	if (out->format != FORMAT_UNKNOWN)
		return;
	nitro_read(arena, text, how->name, out);
	if (!is_json(text))
		merge_log(arena, text, out);
	if (out->format == FORMAT_UNKNOWN)
		document_app_compose(arena, text, how->name, out);
	if (out->format == FORMAT_UNKNOWN)
		document_guest(arena, text, how->is_kms, out);
	if (out->format == FORMAT_UNKNOWN)
		document_os_image(arena, text, how->name, out);
}

/* One byte more than is accepted tells that there is more. */
static int read_all(struct source *source, size_t max, struct buf *text, size_t *got,
                    struct error *error)
{
	size_t more = 0;

	buf_append_zeros(text, NITRO_MAX_TEXT + 1);
	int rc = source_read(source, text->data, NITRO_MAX_TEXT + 1, got, error);
	/* Logs end there; only JSON documents may be longer. */
	if (rc != 0 || *got <= NITRO_MAX_TEXT || max <= *got ||
	    !is_json(bytes_of(text->data, *got)))
		return rc;
	buf_append_zeros(text, max + 1 - *got);
	rc = source_read(source, text->data + *got, max + 1 - *got, &more, error);
	*got += more;
	return rc;
}

static int measure_text(struct arena *arena, struct source *source, const struct measure_how *how,
                        struct measured *out, struct error *error)
{
	struct buf text = {0};
	size_t got;

	int rc = read_all(source, GUEST_MAX_TEXT, &text, &got, error);
	if (rc == 0 && got <= GUEST_MAX_TEXT) {
		struct bytes content = bytes_of(text.data, got);
		read_text(arena, content, how, out);
		add_digests(content, how, out);
	}
	buf_free(&text);
	return rc;
}

/* --- other bytes -------------------------------------------------------------------------------
 */

typedef void read_fn(struct arena *arena, struct bytes bytes, struct measured *out);

struct binary {
	size_t max;
	read_fn *read;
};

static int measure_binary(struct arena *arena, struct source *source, const struct measure_how *how,
                          const struct binary *kind, struct measured *out, struct error *error)
{
	size_t max = kind->max;
	struct buf document = {0};
	size_t got;

	buf_append_zeros(&document, max + 1);
	int rc = source_read(source, document.data, max + 1, &got, error);
	if (rc == 0 && got <= max) {
		struct bytes content = bytes_of(document.data, got);
		kind->read(arena, content, out);
		add_digests(content, how, out);
	}
	buf_free(&document);
	return rc;
}

/* A file of an OS image says nothing by itself; a list of checksums may name it. */
static int hash_file(struct source *source, struct measured *out, struct error *error)
{
	enum { BLOCK = 256 * 1024 };
	struct digest *digest = digest_new(DIGEST_SHA256);
	uint8_t *block = xmalloc(BLOCK);
	size_t got;
	int rc;

	*out = (struct measured){.format = FORMAT_OS_FILE, .level = LEVEL_RECOMPUTED};
	do {
		rc = source_read(source, block, BLOCK, &got, error);
		if (rc == 0)
			digest_update(digest, bytes_of(block, got));
		out->size += got;
	} while (rc == 0 && got == BLOCK);
	digest_final(digest, out->sha256.b);
	digest_free(digest);
	free(block);
	return rc;
}

static int measure(struct arena *arena, struct source *source, const struct measure_how *how,
                   struct hasher *hasher, struct measured *out, struct error *error)
{
	static const struct binary nsm = {NSM_MAX_SIZE, document_nsm},
	                           quote = {TDX_QUOTE_MAX, document_tdx_quote};
	struct bytes head;
	int rc = source_peek(source, &head, error);

	if (rc != 0)
		return rc;
	if (is_eif(head, how->name))
		return measure_eif(arena, source, how, hasher, out, error);
	if (document_is_os_file(how->name))
		return hash_file(source, out, error);
	if (nsm_looks_like(head))
		return measure_binary(arena, source, how, &nsm, out, error);
	if (document_is_tdx_quote(head))
		return measure_binary(arena, source, how, &quote, out, error);
	if (is_text(head))
		return measure_text(arena, source, how, out, error);
	return 0;
}

int measure_source(struct arena *arena, struct source *source, const struct measure_how *how,
                   struct hasher *hasher, struct measured *out, struct error *error)
{
	*out = (struct measured){.format = FORMAT_UNKNOWN, .level = LEVEL_CLAIMED};
	int rc = measure(arena, source, how, hasher, out, error);
	measured_fill(out);
	return rc;
}

int measure_fd(struct arena *arena, int fd, const struct measure_how *how, struct hasher *hasher,
               struct measured *out, struct error *error)
{
	struct source source = source_fd(fd);
	return measure_source(arena, &source, how, hasher, out, error);
}

enum format format_of_name(const char *name)
{
	if (has_suffix(name, ".eif"))
		return FORMAT_EIF;
	if (strcasecmp(name, "app-compose.json") == 0)
		return FORMAT_APP_COMPOSE;
	if (document_claims_sigstore(name))
		return FORMAT_SIGSTORE;
	if (document_claims_minisign(name))
		return FORMAT_MINISIGN;
	return strcasecmp(name, "measurements.json") == 0 ? FORMAT_MEASUREMENTS : FORMAT_UNKNOWN;
}
