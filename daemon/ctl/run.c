#include "daemon/ctl/run.h"

#include "daemon/ctl/connection.h"
#include "daemon/ctl/render.h"
#include "daemon/ctl/render_registry.h"
#include "daemon/ctl/table.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	RECONNECT_MS = 200,       /* between two tries to reach the daemon */
	FIRST_CONTACT_MS = 10000, /* `wait` gives a daemon that was never there so long */
};

/* --- printing -------------------------------------------------------------------------------- */

void run_complain(const char *fmt, ...)
{
	struct buf safe = {0};
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	text_append(&safe, text);
	fprintf(stderr, "registrarctl: %s\n", buf_text(&safe));
	buf_free(&safe);
}

void run_print(struct buf *out)
{
	fwrite(buf_text(out), 1, out->len, stdout);
	fflush(stdout);
	buf_free(out);
}

void run_print_json(const struct jval *value)
{
	struct buf out = {0};

	jval_write(&out, value, JVAL_INDENTED);
	buf_append_text(&out, "\n");
	run_print(&out);
}

/* --- asking ---------------------------------------------------------------------------------- */

static struct jval *arguments_of(const struct ctl_options *options)
{
	struct jval *args = jval_object();
	const char *key = NULL;

	switch (options->command->argument) {
	case ARGUMENT_VALUE:
	case ARGUMENT_VALUE_OR_ID:
		key = "value";
		break;
	case ARGUMENT_PROPOSAL_IF:
	case ARGUMENT_PROPOSAL:
	case ARGUMENT_ID:
		key = "id";
		break;
	case ARGUMENT_CHAIN:
		key = "chain";
		break;
	case ARGUMENT_NONE:
	case ARGUMENT_FILE:
	case ARGUMENT_FILES:
		break;
	}
	if (key != NULL && options->argument != NULL)
		jval_add_string(args, key, options->argument);
	if (options->target != NULL)
		jval_add_string(args, "target", options->target);
	if (options->kind != NULL)
		jval_add_string(args, "kind", options->kind);
	if (options->format != NULL)
		jval_add_string(args, "format", options->format);
	if (options->verify)
		jval_add_bool(args, "verify", true);
	if (options->shared)
		jval_add_bool(args, "shared", true);
	if (options->urgent)
		jval_add_bool(args, "urgent", true);
	if (options->replace != NULL)
		jval_add_string(args, "replace", options->replace);
	if (options->boot_info != NULL)
		jval_add(args, "boot_info", jval_copy(options->boot_info));
	if (options->kms)
		jval_add_bool(args, "kms", true);
	return args;
}

static enum exit_code unreachable(const struct error *error)
{
	run_complain("%s", error->text);
	return EXIT_UNREACHABLE;
}

/* True for the last line; *code is then what it says. */
static bool is_last(const struct jval *line, enum exit_code *code)
{
	int64_t number;

	if (jval_get_int(line, "exit", &number) != 0)
		return false;
	*code = (enum exit_code)number;
	return true;
}

static void complain_of(const struct jval *line)
{
	const char *text = jval_get_string(line, "error");

	if (text != NULL)
		run_complain("%s", text);
}

/* The whole answer of a command that has one line; notes before it are told. The connection stays
 * open for its descriptor. */
static int ask(struct connection **connection, struct jval **answer,
               const struct ctl_options *options, struct error *error)
{
	*answer = NULL;
	int rc = connection_open(connection, options->socket, options->command->name,
	                         arguments_of(options), error);
	if (rc != 0)
		return rc;
	while ((rc = connection_next(*connection, answer, (struct mono){0}, error)) == 0) {
		const char *note = jval_get_string(*answer, "note");
		if (note == NULL)
			return 0;
		run_complain("%s", note);
		jval_free(*answer);
		*answer = NULL;
	}
	connection_close(*connection);
	*connection = NULL;
	return rc;
}

static void render_in_full(struct buf *out, const struct jval *list, bool measurements)
{
	for (size_t i = 0; i < jval_count(list); i++) {
		if (i > 0)
			buf_append_text(out, "\n");
		if (measurements)
			render_measurement_after(out, jval_at(list, i),
			                         i > 0 ? jval_at(list, i - 1) : NULL);
		else
			render_proposal(out, jval_at(list, i));
	}
}

static void render_answer(struct buf *out, const struct ctl_options *options,
                          const struct jval *json)
{
	const char *name = options->command->name;

	if (strcmp(name, "status") == 0)
		render_status(out, json);
	else if (strcmp(name, "measurements") == 0 && options->argument == NULL)
		render_measurements(out, json);
	else if (strcmp(name, "measurements") == 0)
		render_in_full(out, json, true);
	else if (strcmp(name, "proposals") == 0 && options->argument == NULL)
		render_proposals(out, json);
	else if (strcmp(name, "proposals") == 0)
		render_in_full(out, json, false);
	else if (strcmp(name, "check") == 0)
		render_check_and_preflight(out, json);
	else if (strcmp(name, "drift") == 0)
		render_drift(out, json);
	else if (strcmp(name, "doctor") == 0)
		render_doctor(out, json);
	else if (strcmp(name, "export") == 0)
		buf_append_text(out, jval_get_string(json, "content") != NULL
		                             ? jval_get_string(json, "content")
		                             : "");
	else if (strcmp(name, "revoke") == 0)
		render_revoked(out, json);
	else
		render_decided(out, json);
}

enum exit_code run_remote(const struct ctl_options *options)
{
	enum exit_code code = EXIT_UNREACHABLE;
	struct connection *connection;
	struct jval *answer;
	struct error error = {0};
	struct buf out = {0};

	if (ask(&connection, &answer, options, &error) != 0)
		return unreachable(&error);
	const struct jval *json = jval_get(answer, "json");
	if (!is_last(answer, &code)) {
		run_complain("the daemon's answer is not one");
	} else {
		complain_of(answer);
		if (options->json && !jval_is_null(json)) {
			run_print_json(json);
		} else if (!options->json && !jval_is_null(json) && code != EXIT_USAGE) {
			render_answer(&out, options, json);
			run_print(&out);
		}
	}
	jval_free(answer);
	connection_close(connection);
	return code;
}

/* --- wait ------------------------------------------------------------------------------------ */

static void pause_ms(int ms)
{
	poll(NULL, 0, ms);
}

/* Listens until the last line. ERR_UNAVAILABLE: the daemon went away, ERR_NOT_FOUND: the time is
 * up. */
static int follow_wait(struct connection *connection, const struct ctl_options *options,
                       struct mono until, enum exit_code *code, struct error *error)
{
	for (;;) {
		struct jval *line;
		struct buf out = {0};
		int rc = connection_next(connection, &line, until, error);
		if (rc != 0)
			return rc;
		const char *note = jval_get_string(line, "note");
		const struct jval *json = jval_get(line, "json");
		if (note != NULL)
			run_complain("%s", note);
		bool last = is_last(line, code);
		if (last) {
			complain_of(line);
			if (options->json && !jval_is_null(json))
				run_print_json(json);
			else if (!jval_is_null(json))
				render_check(&out, json);
			run_print(&out);
		}
		jval_free(line);
		if (last)
			return 0;
	}
}

enum exit_code run_wait(const struct ctl_options *options)
{
	int64_t began = clock_mono().ms;
	struct mono until = {began + options->timeout_ms};
	bool reached = false;

	for (;;) {
		struct connection *connection;
		struct error error = {0};
		enum exit_code code;
		int rc = connection_open(&connection, options->socket, "wait",
		                         arguments_of(options), &error);
		if (rc == 0) {
			reached = true;
			rc = follow_wait(connection, options, until, &code, &error);
			connection_close(connection);
			if (rc == 0 && code != EXIT_UNREACHABLE)
				return code;
		}
		int64_t now = clock_mono().ms;
		if (rc == ERR_DENIED || rc == ERR_INVALID ||
		    (!reached && now - began >= FIRST_CONTACT_MS))
			return unreachable(&error);
		if (now >= until.ms) {
			run_complain("timed out");
			return reached ? EXIT_NO : EXIT_UNREACHABLE;
		}
		pause_ms(until.ms - now < RECONNECT_MS ? (int)(until.ms - now) : RECONNECT_MS);
	}
}

/* --- log ------------------------------------------------------------------------------------- */

static enum exit_code run_verify(const struct ctl_options *options)
{
	enum exit_code code = EXIT_UNREACHABLE;
	struct connection *connection;
	struct jval *answer;
	struct error error = {0};
	int64_t checked;

	if (ask(&connection, &answer, options, &error) != 0)
		return unreachable(&error);
	if (is_last(answer, &code)) {
		complain_of(answer);
		const struct jval *json = jval_get(answer, "json");
		if (options->json)
			run_print_json(json);
		else if (code == EXIT_YES && jval_get_int(json, "checked", &checked) == 0)
			printf("%lld events, the chain is intact\n", (long long)checked);
	}
	jval_free(answer);
	connection_close(connection);
	return code;
}

/* One array, unless it has no end: then a line for each. */
static void print_event(const struct ctl_options *options, const struct jval *event, bool first)
{
	struct buf out = {0};

	if (!options->json) {
		render_event(&out, event);
	} else {
		if (!options->follow)
			buf_append_text(&out, first ? "[\n" : ",\n");
		jval_write(&out, event, JVAL_COMPACT);
		if (options->follow)
			buf_append_text(&out, "\n");
	}
	fwrite(buf_text(&out), 1, out.len, stdout);
	buf_free(&out);
	if (options->follow)
		fflush(stdout);
}

enum exit_code run_log(const struct ctl_options *options)
{
	enum exit_code code = EXIT_UNREACHABLE;
	struct connection *connection;
	struct error error = {0};
	bool first = true, last = false;

	if (options->verify)
		return run_verify(options);
	struct jval *args = arguments_of(options);
	jval_add_bool(args, "follow", options->follow);
	if (connection_open(&connection, options->socket, "log", args, &error) != 0)
		return unreachable(&error);
	while (!last) {
		struct jval *line;
		if (connection_next(connection, &line, (struct mono){0}, &error) != 0)
			break;
		last = is_last(line, &code);
		if (!last && jval_get(line, "item") != NULL) {
			print_event(options, jval_get(line, "item"), first);
			first = false;
		}
		if (last)
			complain_of(line);
		jval_free(line);
	}
	connection_close(connection);
	if (!last)
		return unreachable(&error);
	if (options->json && !options->follow)
		puts(first ? "[]" : "\n]");
	fflush(stdout);
	return code;
}

/* --- backup ---------------------------------------------------------------------------------- */

static int copy_all(int to, int from, const char *path, struct error *error)
{
	static const size_t size = 1 << 16;
	char *chunk = xmalloc(size);
	int rc = 0;

	for (;;) {
		ssize_t got = read(from, chunk, size);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			rc = error_set_errno(error, "the daemon's copy");
		for (ssize_t done = 0; rc == 0 && done < got;) {
			ssize_t put = write(to, chunk + done, (size_t)(got - done));
			if (put < 0 && errno != EINTR)
				rc = error_set_errno(error, "%s", path);
			else if (put > 0)
				done += put;
		}
		if (rc != 0 || got == 0)
			break;
	}
	free(chunk);
	if (rc == 0 && fsync(to) != 0 && errno != EINVAL && errno != EROFS)
		rc = error_set_errno(error, "%s", path);
	return rc;
}

enum exit_code run_backup(const struct ctl_options *options)
{
	const char *path = options->argument;
	enum exit_code code = EXIT_UNREACHABLE;
	struct connection *connection;
	struct jval *answer;
	struct error error = {0};

	int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (to < 0) {
		run_complain("%s: %s", path, strerror(errno));
		return EXIT_NO;
	}
	if (ask(&connection, &answer, options, &error) != 0) {
		close(to);
		unlink(path);
		return unreachable(&error);
	}
	int from = connection_take_fd(connection);
	bool last = is_last(answer, &code);
	if (last)
		complain_of(answer);
	if (last && code == EXIT_YES && (from < 0 || copy_all(to, from, path, &error) != 0)) {
		run_complain("%s", from < 0 ? "the daemon sent no copy" : error.text);
		code = EXIT_NO;
	}
	if (from >= 0)
		close(from);
	if (close(to) != 0 && code == EXIT_YES) {
		run_complain("%s: %s", path, strerror(errno));
		code = EXIT_NO;
	}
	if (code != EXIT_YES)
		unlink(path);
	else
		printf("written: %s\n", path);
	jval_free(answer);
	connection_close(connection);
	return code;
}
