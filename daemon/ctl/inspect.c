/* `inspect`: measures local files as the daemon would, without it. */
#include "common/measure/detect.h"
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

static struct jval *view_value(enum kind kind, const struct measured *measured)
{
	struct jval *view = jval_object();

	jval_add_string(view, "kind", kind_name(kind));
	jval_add_hash32(view, "value", &measured->value);
	jval_add_string(view, "level", evidence_level_name(measured->level));
	jval_add_bool(view, "signed", measured->is_signed);
	return view;
}

static struct jval *view_measured(const char *path, const struct measured *measured)
{
	struct jval *view = jval_object(), *values = jval_array(), *details = NULL;
	bool unknown = measured->format == FORMAT_UNKNOWN;
	bool ok = !measured->refused && !unknown;
	char sha256[HASH32_TEXT_SIZE];

	/* On Nitro one value is the OS image's and the compose hash. */
	if (ok) {
		jval_push(values, view_value(KIND_OS_IMAGE, measured));
		jval_push(values, view_value(KIND_COMPOSE, measured));
	}
	if (measured->details == NULL ||
	    jval_parse(&details, bytes_text(measured->details), NULL) != 0)
		details = jval_object();
	if (!hash32_is_zero(&measured->sha256))
		jval_add_string(details, "sha256",
		                hash32_text(sha256, &measured->sha256) + strlen("0x"));
	jval_add_string(view, "file", path);
	jval_add_string(view, "format", format_name(measured->format));
	jval_add_bool(view, "ok", ok);
	jval_add_string(view, "refusal",
	                measured->refused ? measured->refusal
	                : unknown ? "none of the formats that are known: .eif, measurements.json, "
	                            "nitro-cli JSON"
	                          : NULL);
	jval_add(view, "measurements", values);
	jval_add(view, "details", details);
	return view;
}

static struct jval *view_unread(const char *path, const char *why)
{
	struct measured nothing = {.format = FORMAT_UNKNOWN, .refused = true};
	struct arena arena = {0};

	nothing.refusal = arena_strdup(&arena, why);
	struct jval *view = view_measured(path, &nothing);
	arena_free(&arena);
	return view;
}

static enum exit_code inspect_one(const char *path, struct hasher *hasher, struct jval **view)
{
	const char *slash = strrchr(path, '/');
	struct arena arena = {0};
	struct measured measured;
	struct error error = {0};
	enum exit_code code = EXIT_NO;

	int fd = open_file(path, &error);
	if (fd < 0 || measure_fd(&arena, fd, slash != NULL ? slash + 1 : path, hasher, &measured,
	                         &error) != 0) {
		run_complain("%s: %s", path, error.text);
		*view = view_unread(path, error.text);
	} else {
		*view = view_measured(path, &measured);
		code = jval_is_true(jval_get(*view, "ok")) ? EXIT_YES : EXIT_REFUSED;
	}
	if (fd >= 0)
		close(fd);
	arena_free(&arena);
	return code;
}

enum exit_code run_inspect(const struct ctl_options *options)
{
	struct hasher *hasher = hasher_new(true);
	struct jval *list = jval_array();
	enum exit_code worst = EXIT_YES;
	struct buf out = {0};

	for (size_t i = 0; i < options->file_count; i++) {
		struct jval *view;
		enum exit_code code = inspect_one(options->files[i], hasher, &view);
		if (code > worst)
			worst = code;
		if (!options->json) {
			if (i > 0)
				buf_append_text(&out, "\n");
			render_inspected(&out, view);
			run_print(&out);
		}
		jval_push(list, view);
	}
	if (options->json)
		run_print_json(list);
	jval_free(list);
	hasher_free(hasher);
	return worst;
}
