#include "common/measure/document.h"

#include "common/base/clock.h"
#include "common/measure/app_compose.h"
#include "common/measure/build_log.h"
#include "common/measure/nsm.h"
#include "common/measure/os_image.h"

#include <stdio.h>
#include <string.h>

void document_refuse(struct arena *arena, struct measured *out, const char *fmt, ...)
{
	struct error text;
	va_list args;

	if (out->refused)
		return;
	va_start(args, fmt);
	vsnprintf(text.text, sizeof(text.text), fmt, args);
	va_end(args);
	out->refused = true;
	out->refusal = arena_strdup(arena, text.text);
}

void document_details(struct arena *arena, struct measured *out, struct jval *details)
{
	struct buf text = {0};

	jval_write(&text, details, JVAL_COMPACT);
	out->details = arena_text(arena, buf_bytes(&text));
	buf_free(&text);
	jval_free(details);
}

static void refuse_failed(struct arena *arena, struct measured *out, const struct checks *checks)
{
	const struct check *failed = checks_first_failed(checks);

	if (failed != NULL)
		document_refuse(arena, out, "%s: %s", failed->name, failed->text);
}

/* --- Nitro -------------------------------------------------------------------------------------
 */

void document_nsm(struct arena *arena, struct bytes bytes, struct measured *out)
{
	struct jval *details = jval_object();
	char when[WALL_TEXT_SIZE];
	struct error error;
	struct nsm nsm;

	*out = (struct measured){.format = FORMAT_NSM, .level = LEVEL_ATTESTED};
	if (nsm_read(arena, bytes, &nsm, &error) != 0) {
		document_refuse(arena, out, "%s", error.text);
		jval_free(details);
		return;
	}
	out->pcrs = nsm.pcrs;
	if (nsm.verified)
		out->value = nsm.value;
	else
		refuse_failed(arena, out, &nsm.checks);
	wall_text_seconds(when, nsm.timestamp / 1000);
	checks_add(&nsm.checks, "freshness", CHECK_UNDECIDED,
	           "such an enclave ran at %s; nobody here asked it with a nonce", when);
	pcrs_add(details, &nsm.pcrs);
	jval_add_string(details, "module_id", nsm.module_id);
	jval_add_string(details, "attested_at", when);
	jval_add(details, "checks", checks_json(&nsm.checks));
	document_details(arena, out, details);
}

void document_build_log(struct arena *arena, struct bytes text, struct measured *out)
{
	struct jval *details;
	struct build_log log;

	build_log_read(arena, text, &log);
	if (!log.found)
		return;
	*out = (struct measured){.format = FORMAT_BUILD_LOG, .level = LEVEL_CLAIMED};
	if (log.refusal != NULL)
		document_refuse(arena, out, "%s", log.refusal);
	out->pcrs = log.pcrs;
	out->value = log.value;
	details = jval_object();
	if (log.has_pcrs)
		pcrs_add(details, &log.pcrs);
	if (log.has_stated)
		jval_add_hash32(details, "stated", &log.stated);
	document_details(arena, out, details);
}

/* --- dstack ------------------------------------------------------------------------------------
 */

static struct jval *images_json(const struct compose_images *images)
{
	enum { SHOWN = 64 };
	struct jval *list = jval_array();

	for (size_t i = 0; i < images->count && jval_count(list) < SHOWN; i++)
		if (!images->items[i].pinned)
			jval_push(list, jval_new_string(images->items[i].reference));
	return list;
}

static void compose_details(struct arena *arena, const struct app_compose *compose,
                            struct measured *out)
{
	struct jval *details = jval_object();
	struct checks checks = {.arena = arena};

	if (compose->name != NULL)
		jval_add_string(details, "name", compose->name);
	jval_add_string(details, "runner", compose->runner);
	jval_add_int(details, "images", (int64_t)compose->images.count);
	jval_add(details, "unpinned_images", images_json(&compose->images));
	checks_add(&checks, "compose-hash", CHECK_PASSED, "SHA-256 of the file's exact bytes");
	if (compose->images.unpinned > 0)
		checks_add(&checks, "pinned-images", CHECK_UNDECIDED,
		           "%zu of %zu images are not pinned by digest: what they hold can change "
		           "without the compose hash",
		           compose->images.unpinned, compose->images.count);
	jval_add(details, "checks", checks_json(&checks));
	document_details(arena, out, details);
}

void document_app_compose(struct arena *arena, struct bytes text, const char *name,
                          struct measured *out)
{
	bool named = strcasecmp(name, "app-compose.json") == 0;
	struct app_compose compose;
	struct jval *document = NULL;
	struct error error;

	int rc = jval_parse(&document, text, &error);
	bool ours = rc == 0 && app_compose_is(document);
	jval_free(document);
	if (!named && !ours)
		return;
	*out = (struct measured){.format = FORMAT_APP_COMPOSE, .level = LEVEL_RECOMPUTED};
	if (rc == 0)
		rc = app_compose_read(arena, text, &compose, &error);
	if (rc != 0) {
		document_refuse(arena, out, "%s", error.text);
		return;
	}
	out->values[out->value_count++] = (struct measured_value){
	        .kind = KIND_COMPOSE, .value = compose.hash, .level = LEVEL_RECOMPUTED};
	compose_details(arena, &compose, out);
}

/* Files of every dstack image; a list without them is somebody else's. */
static bool lists_image(const struct os_image *image)
{
	bool kernel = false, metadata = false, measurement = false;

	for (size_t i = 0; i < image->file_count; i++) {
		const char *name = image->files[i].name;
		kernel = kernel || strcmp(name, "bzImage") == 0;
		metadata = metadata || strcmp(name, "metadata.json") == 0;
		measurement = measurement || strncmp(name, "measurement.", 12) == 0;
	}
	return (kernel && metadata) || measurement;
}

static bool mentions(struct bytes text, const char *what)
{
	return memmem(text.data, text.len, what, strlen(what)) != NULL;
}

static struct jval *files_json(const struct os_image *image)
{
	struct jval *list = jval_array();

	for (size_t i = 0; i < image->file_count; i++) {
		struct jval *file = jval_object();
		jval_add_string(file, "name", image->files[i].name);
		jval_add_hash32(file, "sha256", &image->files[i].listed);
		jval_push(list, file);
	}
	return list;
}

/* The value is a claim of the list until its files were hashed too; that takes the folder. */
static void os_image_value(struct arena *arena, const struct os_image *image, struct measured *out)
{
	struct jval *details = jval_object();

	out->values[out->value_count++] = (struct measured_value){
	        .kind = KIND_OS_IMAGE, .value = image->value, .level = LEVEL_CLAIMED};
	jval_add(details, "files", files_json(image));
	document_details(arena, out, details);
}

void document_os_image(struct arena *arena, struct bytes text, const char *name,
                       struct measured *out)
{
	bool is_digest = strcmp(name, "digest.txt") == 0;
	struct os_image_input input = {0};
	struct os_image image;
	struct error error;

	if (is_digest)
		input.digest = text;
	else if (strcmp(name, "sha256sum.txt") == 0)
		input.checksums = text;
	else
		return;
	int rc = os_image_read(arena, &input, &image, &error);
	bool ours = is_digest ? rc == 0
	            : rc == 0 ? lists_image(&image)
	                      : mentions(text, "metadata.json") && mentions(text, "bzImage");
	if (!ours)
		return;
	*out = (struct measured){.format = is_digest ? FORMAT_OS_DIGEST : FORMAT_OS_CHECKSUMS,
	                         .level = LEVEL_CLAIMED};
	if (rc != 0)
		document_refuse(arena, out, "%s", error.text);
	else
		os_image_value(arena, &image, out);
}

bool document_is_os_file(const char *name)
{
	static const char *const names[] = {"ovmf.fd", "OVMF.fd", "ovmf-sev.fd", "bzImage",
	                                    "metadata.json"};
	static const char *const starts[] = {"initramfs.cpio", "rootfs.img", "rootfs.cpio",
	                                     "rootfs.iso", "measurement."};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	for (size_t i = 0; i < ARRAY_LEN(starts); i++)
		if (strncmp(name, starts[i], strlen(starts[i])) == 0)
			return true;
	return false;
}
