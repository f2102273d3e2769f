/* `inspect`: measures local files as the daemon would, without it. */
#include "common/measure/detect.h"
#include "daemon/ctl/inspect.h"
#include "daemon/ctl/render.h"
#include "daemon/ctl/run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Standard input as a file that can be read at any offset. -1 with *error. */
static int spool(struct error *error)
{
	char chunk[65536];
	FILE *file = tmpfile();

	if (file == NULL) {
		error_set_errno(error, "no temporary file");
		return -1;
	}
	for (;;) {
		ssize_t got = read(STDIN_FILENO, chunk, sizeof(chunk));
		if (got < 0 && errno == EINTR)
			continue;
		if (got == 0)
			break;
		if (got < 0 || fwrite(chunk, 1, (size_t)got, file) != (size_t)got) {
			error_set_errno(error, "standard input");
			fclose(file);
			return -1;
		}
	}
	int fd = fflush(file) == 0 ? fcntl(fileno(file), F_DUPFD_CLOEXEC, 3) : -1;
	if (fd < 0)
		error_set_errno(error, "temporary file");
	fclose(file);
	return fd;
}

/* A descriptor of the file, which must be a regular one. -1 with *error. */
static int open_file(const char *path, struct error *error)
{
	struct stat st;

	if (strcmp(path, "-") == 0)
		return spool(error);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) != 0) {
		error_set_errno(error, "cannot be read");
	} else if (!S_ISREG(st.st_mode)) {
		error_set(error, ERR_INVALID, "is no regular file");
	} else {
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

static struct jval *view_value(const struct inspected *file, const struct measured_value *value)
{
	struct jval *view = jval_object();

	jval_add_string(view, "kind", kind_name(value->kind));
	jval_add_hash32(view, "value", &value->value);
	jval_add_string(view, "level", evidence_level_name(value->level));
	jval_add_bool(view, "signed", value->is_signed || file->is_signed);
	return view;
}

/* What was found out about the file beside the others goes to what its own bytes told. */
static struct jval *view_details(const struct inspected *file)
{
	const struct measured *measured = &file->measured;
	struct jval *details = NULL;
	char sha256[HASH32_TEXT_SIZE];

	if (measured->details == NULL ||
	    jval_parse(&details, bytes_text(measured->details), NULL) != 0)
		details = jval_object();
	if (!hash32_is_zero(&measured->sha256))
		jval_add_string(details, "sha256",
		                hash32_text(sha256, &measured->sha256) + strlen("0x"));
	checks_append(details, &file->checks);
	return details;
}

static struct jval *view_file(const struct inspected *file)
{
	const struct measured *measured = &file->measured;
	struct jval *view = jval_object(), *values = jval_array();
	bool unknown = measured->format == FORMAT_UNKNOWN;
	bool ok = !measured->refused && !unknown;

	for (size_t i = 0; ok && i < measured->value_count; i++)
		jval_push(values, view_value(file, &measured->values[i]));
	jval_add_string(view, "file", file->path);
	jval_add_string(view, "format", format_name(measured->format));
	jval_add_bool(view, "ok", ok);
	jval_add_string(view, "refusal",
	                measured->refused ? measured->refusal
	                : unknown ? "none of the formats that are known (docs/MEASUREMENTS.md)"
	                          : NULL);
	jval_add(view, "measurements", values);
	jval_add(view, "details", view_details(file));
	return view;
}

static void measure_one(struct inspected *file, struct inspection *inspection,
                        struct hasher *hasher)
{
	const char *slash = strrchr(file->path, '/');
	struct measure_how how = {.name = slash != NULL ? slash + 1 : file->path,
	                          .signing = &inspection->signing};
	struct error error = {0};

	file->name = how.name;
	file->checks.arena = &inspection->arena;
	int fd = open_file(file->path, &error);
	if (fd < 0 ||
	    measure_fd(&inspection->arena, fd, &how, hasher, &file->measured, &error) != 0) {
		run_complain("%s: %s", file->path, error.text);
		file->measured = (struct measured){.format = FORMAT_UNKNOWN, .refused = true};
		file->measured.refusal = arena_strdup(&inspection->arena, error.text);
		file->is_unread = true;
	}
	if (fd >= 0)
		close(fd);
}

static enum exit_code code_of(const struct inspected *file)
{
	if (file->is_unread)
		return EXIT_NO;
	return file->measured.refused || file->measured.format == FORMAT_UNKNOWN ? EXIT_REFUSED
	                                                                         : EXIT_YES;
}

static void append_entry(struct buf *out, const struct jval *machine)
{
	const char *entry = jval_get_string(machine, "known_os");

	if (entry != NULL)
		buf_printf(out, "%s\n", entry);
}

/* The entries for known_os of what one file shows; EXIT_NO when it shows none. */
static enum exit_code print_known_os(struct buf *out, const struct jval *view)
{
	const struct jval *details = jval_get(view, "details");
	const struct jval *machines = jval_get(details, "machines");

	append_entry(out, details);
	for (size_t i = 0; i < jval_count(machines); i++)
		append_entry(out, jval_at(machines, i));
	enum exit_code code = out->len > 0 ? EXIT_YES : EXIT_NO;
	run_print(out);
	return code;
}

static enum exit_code show(const struct ctl_options *options, const struct inspection *inspection)
{
	struct jval *list = jval_array();
	enum exit_code worst = EXIT_YES;
	struct buf out = {0};

	for (size_t i = 0; i < inspection->count; i++) {
		struct jval *view = view_file(&inspection->files[i]);
		enum exit_code code = code_of(&inspection->files[i]);
		if (options->known_os && code == EXIT_YES)
			code = print_known_os(&out, view);
		if (code > worst)
			worst = code;
		if (!options->json && !options->known_os) {
			if (i > 0)
				buf_append_text(&out, "\n");
			render_inspected(&out, view);
			run_print(&out);
		}
		jval_push(list, view);
	}
	if (options->json && !options->known_os)
		run_print_json(list);
	jval_free(list);
	return worst;
}

enum exit_code run_inspect(const struct ctl_options *options)
{
	struct inspection inspection = {.count = options->file_count};
	enum exit_code code = EXIT_USAGE;
	struct error error = {0};

	if (inspection_rule(&inspection, options, &error) != 0) {
		run_complain("%s", error.text);
		arena_free(&inspection.arena);
		return code;
	}
	struct hasher *hasher = hasher_new(true);
	inspection.files =
	        arena_array(&inspection.arena, inspection.count, sizeof(*inspection.files));
	for (size_t i = 0; i < inspection.count; i++) {
		inspection.files[i].path = options->files[i];
		measure_one(&inspection.files[i], &inspection, hasher);
	}
	bool is_signed = inspection_signatures(&inspection);
	code = show(options, &inspection);
	if (code == EXIT_YES && inspection.signing.kind != SIGNING_NONE && !is_signed) {
		run_complain("no signature was verified over one of these files");
		code = EXIT_NO;
	}
	hasher_free(hasher);
	arena_free(&inspection.arena);
	return code;
}
