/* The questions: commands that change nothing. */
#include "daemon/api/client.h"

#include "common/base/log.h"
#include "daemon/api/report.h"
#include "daemon/watch/intake.h"
#include "daemon/watch/poller.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- arguments ------------------------------------------------------------------------------ */

bool client_parse_id(const char *text, char *letter, int64_t *id)
{
	char *end;

	*letter = '\0';
	*id = 0;
	if (text == NULL || strchr("mpb", text[0]) == NULL || text[0] == '\0' || text[1] < '1' ||
	    text[1] > '9')
		return false;
	errno = 0;
	long long number = strtoll(text + 1, &end, 10);
	if (*end != '\0' || errno != 0)
		return false;
	*letter = text[0];
	*id = number;
	return true;
}

bool client_get_value(struct client *client, const struct jval *args, struct hash32 *value)
{
	struct error error = {0};
	const char *text = jval_get_string(args, "value");

	memset(value, 0, sizeof(*value));
	if (text == NULL) {
		client_fail(client, EXIT_USAGE, "which value? expected 0x and 64 hex digits");
		return false;
	}
	if (hash32_parse(value, text, &error) != 0) {
		client_fail(client, EXIT_USAGE, "value \"%s\": %s", text, error.text);
		return false;
	}
	return true;
}

const struct config_target *client_get_target(struct client *client, const struct jval *args,
                                              bool only_one_will_do)
{
	const struct config *config = client_parts(client)->config;
	const char *name = jval_get_string(args, "target");

	if (name != NULL) {
		const struct config_target *target = config_target_find(config, name);
		if (target == NULL)
			client_fail(client, EXIT_USAGE, "no target is called \"%s\"", name);
		return target;
	}
	if (only_one_will_do && config->target_count == 1)
		return &config->targets[0];
	client_fail(client, EXIT_USAGE,
	            "which target? say --target, one of the %zu in the configuration",
	            config->target_count);
	return NULL;
}

/* --- lists ----------------------------------------------------------------------------------- */

static void command_status(struct client *client, const struct jval *args)
{
	const struct control_parts *parts = client_parts(client);

	(void)args;
	client_done(client, EXIT_YES,
	            report_status(parts->store, parts->config, client_daemon_start(client),
	                          govern_status(parts->govern), intake_status(parts->intake),
	                          parts->poller != NULL ? poller_status(parts->poller) : NULL),
	            NULL);
}

static void list_measurements(struct client *client, const struct measurement_filter *filter)
{
	struct store *store = client_parts(client)->store;
	struct jval *list = jval_array();
	struct arena arena = {0};
	struct measurement_list found;

	store_measurement_list(store, &arena, filter, &found);
	for (size_t i = 0; i < found.count; i++)
		jval_push(list, report_measurement(store, &arena, &found.items[i]));
	arena_free(&arena);
	bool missing = filter->value != NULL && found.count == 0;
	client_done(client, missing ? EXIT_NO : EXIT_YES, list,
	            missing ? "no such measurement" : NULL);
}

static void one_measurement(struct client *client, int64_t id)
{
	struct store *store = client_parts(client)->store;
	struct arena arena = {0};
	struct measurement measurement;

	if (store_measurement_get(store, &arena, (struct measurement_id){id}, &measurement) == 0) {
		struct jval *list = jval_array();
		jval_push(list, report_measurement(store, &arena, &measurement));
		client_done(client, EXIT_YES, list, NULL);
	} else {
		client_done(client, EXIT_NO, jval_array(), "no such measurement");
	}
	arena_free(&arena);
}

static void command_measurements(struct client *client, const struct jval *args)
{
	const char *text = jval_get_string(args, "value");
	const char *target = jval_get_string(args, "target");
	struct hash32 value;
	char letter;
	int64_t id;

	if (client_parse_id(text, &letter, &id) && letter == 'm')
		one_measurement(client, id);
	else if (text == NULL)
		list_measurements(client, &(struct measurement_filter){.target = target});
	else if (client_get_value(client, args, &value))
		list_measurements(client,
		                  &(struct measurement_filter){.target = target, .value = &value});
}

static void command_proposals(struct client *client, const struct jval *args)
{
	struct store *store = client_parts(client)->store;
	const char *text = jval_get_string(args, "id");
	struct proposal_list found = {0};
	struct proposal one;
	struct arena arena = {0};
	char letter;
	int64_t id;

	if (text != NULL && (!client_parse_id(text, &letter, &id) || letter != 'p')) {
		client_fail(client, EXIT_USAGE, "\"%s\" is no proposal; expected an id such as p7",
		            text);
		return;
	}
	if (text == NULL)
		store_proposal_list(store, &arena, PROPOSALS_ALL, 0, &found);
	else if (store_proposal_get(store, &arena, (struct proposal_id){id}, &one) == 0)
		found = (struct proposal_list){&one, 1};
	struct jval *list = jval_array();
	for (size_t i = 0; i < found.count; i++)
		jval_push(list, report_proposal(store, &arena, &found.items[i]));
	bool missing = text != NULL && found.count == 0;
	client_done(client, missing ? EXIT_NO : EXIT_YES, list,
	            missing ? "no such proposal" : NULL);
	arena_free(&arena);
}

/* --- the event log --------------------------------------------------------------------------- */

enum { LOG_PAGE = 200, LOG_BACKLOG = 256 * 1024 };

struct log_reader {
	int64_t after;
	bool follow;
};

/* Sends pages until the client has enough to chew on; called again when it has taken them. */
static void log_more(struct client *client, void *state)
{
	struct log_reader *reader = state;

	while (client_backlog(client) < LOG_BACKLOG) {
		struct arena arena = {0};
		struct event_list events;
		store_event_list(client_parts(client)->store, &arena, reader->after, LOG_PAGE,
		                 &events);
		for (size_t i = 0; i < events.count; i++) {
			client_item(client, report_event(&events.items[i]));
			reader->after = events.items[i].id;
		}
		arena_free(&arena);
		if (events.count < LOG_PAGE) {
			if (!reader->follow)
				client_done(client, EXIT_YES, NULL, NULL);
			return;
		}
	}
}

static void verify_log(struct client *client)
{
	struct error error = {0};
	int64_t checked;

	int rc = store_event_verify(client_parts(client)->store, &checked, &error);
	if (rc != 0)
		log_broken("event log", "%s", error.text);
	struct jval *json = jval_object();
	jval_add_bool(json, "intact", rc == 0);
	jval_add_int(json, "checked", checked);
	client_done(client, rc == 0 ? EXIT_YES : EXIT_REFUSED, json, rc == 0 ? NULL : error.text);
}

void command_log(struct client *client, const struct jval *args)
{
	if (jval_is_true(jval_get(args, "verify"))) {
		verify_log(client);
		return;
	}
	struct log_reader *reader = xcalloc(1, sizeof(*reader));
	reader->follow = jval_is_true(jval_get(args, "follow"));
	if (jval_get_int(args, "after", &reader->after) != 0)
		reader->after = 0;
	client_keep(client, log_more, reader);
	log_more(client, reader);
}

/* --- questions to the chain ------------------------------------------------------------------- */

static void doctor_answered(struct jval *report, void *arg)
{
	struct client *client = arg;
	enum exit_code code = EXIT_YES;

	client_set_op(client, NULL);
	for (size_t i = 0; i < jval_count(report); i++) {
		const char *result = jval_get_string(jval_at(report, i), "result");
		if (result != NULL && strcmp(result, "failure") == 0)
			code = EXIT_REFUSED;
		else if (result != NULL && strcmp(result, "unknown") == 0 && code == EXIT_YES)
			code = EXIT_UNKNOWN;
	}
	client_done(client, code, report, NULL);
}

static void command_doctor(struct client *client, const struct jval *args)
{
	(void)args;
	client_set_op(client, govern_doctor(client_parts(client)->govern, doctor_answered, client));
}

/* --- files ------------------------------------------------------------------------------------ */

static void command_export(struct client *client, const struct jval *args)
{
	const char *text = jval_get_string(args, "id"), *format = jval_get_string(args, "format");
	struct error error = {0};
	struct buf content = {0};
	char letter;
	int64_t id;

	if (format == NULL)
		format = "tx-builder";
	if (strcmp(format, "tx-builder") != 0 && strcmp(format, "calldata") != 0 &&
	    strcmp(format, "cast") != 0) {
		client_fail(client, EXIT_USAGE,
		            "no format is called \"%s\"; expected tx-builder, calldata or cast",
		            format);
		return;
	}
	if (!client_parse_id(text, &letter, &id) || letter != 'p') {
		client_fail(client, EXIT_USAGE, "\"%s\" is no proposal; expected an id such as p7",
		            text != NULL ? text : "");
		return;
	}
	if (govern_export(client_parts(client)->govern, (struct proposal_id){id}, format, &content,
	                  &error) != 0) {
		client_fail_error(client, &error);
	} else {
		struct jval *json = jval_object();
		jval_add_string(json, "id", text);
		jval_add_string(json, "format", format);
		jval_add_string(json, "content", buf_text(&content));
		client_done(client, EXIT_YES, json, NULL);
	}
	buf_free(&content);
}

/* The copy is made where the daemon may write, and handed over as an open file that has no name any
 * more: the client writes it where the client may write. */
static void command_backup(struct client *client, const struct jval *args)
{
	const struct control_parts *parts = client_parts(client);
	struct arena arena = {0};
	struct error error = {0};
	char *path = arena_printf(&arena, "%s/backup.tmp", parts->config->state_dir);
	int fd = -1;

	(void)args;
	unlink(path); /* what a killed daemon left */
	int rc = store_backup(parts->store, path, &error);
	if (rc == 0)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (rc == 0 && fd < 0)
		rc = error_set_errno(&error, "%s", path);
	unlink(path);
	if (rc != 0)
		client_fail_error(client, &error);
	else
		client_done_fd(client, NULL, fd);
	arena_free(&arena);
}

const struct command commands[] = {
        {"status", command_status},       {"measurements", command_measurements},
        {"proposals", command_proposals}, {"wait", command_wait},
        {"drift", command_drift},
        {"check", command_check},         {"approve", command_approve},
        {"hold", command_hold},           {"withdraw", command_withdraw},
        {"register", command_register},   {"revoke", command_revoke},
        {"export", command_export},       {"log", command_log},
        {"doctor", command_doctor},       {"backup", command_backup},
        {"resume", command_resume},       {"fill", command_fill},
};
const size_t command_count = ARRAY_LEN(commands);
