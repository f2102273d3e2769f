/* The control socket: what it answers, and what clients cannot do to it. */
#include "daemon/api/control.h"

#include "daemon/io/http.h"
#include "tests/unit/store_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

enum { PATIENCE_MS = 5000 };

struct house {
	struct store_fixture *f;
	struct loop *loop;
	struct http *http;
	struct config *config;
	struct govern *govern;
	struct control *control;
};

/* A connection whose answer is gathered on the loop. */
struct caller {
	struct house *house;
	int fd, passed_fd;
	struct loop_io *io;
	struct loop_timer *patience;
	struct buf in;
	const char *until; /* stop when this was read; NULL: when the daemon closes */
	bool closed, late;
};

static void caller_ready(int fd, int events, void *arg)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct caller *caller = arg;
	char chunk[4096];
	struct iovec part = {chunk, sizeof(chunk)};
	struct msghdr message = {.msg_iov = &part,
	                         .msg_iovlen = 1,
	                         .msg_control = control.room,
	                         .msg_controllen = sizeof(control.room)};

	(void)events;
	ssize_t got = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (got < 0 && errno == EAGAIN)
		return;
	if (got > 0) {
		struct cmsghdr *head = CMSG_FIRSTHDR(&message);
		if (head != NULL)
			memcpy(&caller->passed_fd, CMSG_DATA(head), sizeof(int));
		buf_append(&caller->in, chunk, (size_t)got);
	}
	caller->closed = got <= 0;
	if (caller->closed ||
	    (caller->until != NULL && strstr(buf_text(&caller->in), caller->until) != NULL))
		loop_stop(caller->house->loop);
}

static void caller_late(void *arg)
{
	struct caller *caller = arg;

	caller->late = true;
	loop_stop(caller->house->loop);
}

static void caller_open(struct caller *caller, struct house *house)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	*caller = (struct caller){.house = house, .passed_fd = -1};
	caller->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", house->config->control_socket);
	assert_int_equal(connect(caller->fd, (struct sockaddr *)&address, sizeof(address)), 0);
	caller->io = loop_io_new(house->loop, caller->fd, LOOP_READ, caller_ready, caller);
	caller->patience = loop_timer_new(house->loop, caller_late, caller);
}

static void caller_close(struct caller *caller)
{
	loop_io_free(caller->io);
	loop_timer_free(caller->patience);
	close(caller->fd);
	if (caller->passed_fd >= 0)
		close(caller->passed_fd);
	buf_free(&caller->in);
}

static void caller_say(struct caller *caller, const char *text)
{
	ssize_t sent = send(caller->fd, text, strlen(text), MSG_NOSIGNAL);

	assert_true(sent == (ssize_t)strlen(text));
}

/* Runs the loop until the daemon has closed, or until this text came. */
static void caller_listen(struct caller *caller, const char *until)
{
	caller->until = until;
	if (until != NULL && strstr(buf_text(&caller->in), until) != NULL)
		return;
	loop_timer_set(caller->patience, PATIENCE_MS);
	loop_run(caller->house->loop);
	loop_timer_cancel(caller->patience);
	if (caller->late)
		fail_msg("no answer; so far: %s", buf_text(&caller->in));
}

/* One request and its whole answer, freed by the caller of this. */
static char *ask(struct house *house, const char *request)
{
	struct caller caller;

	caller_open(&caller, house);
	caller_say(&caller, request);
	caller_say(&caller, "\n");
	caller_listen(&caller, NULL);
	char *answer = xstrdup(buf_text(&caller.in));
	caller_close(&caller);
	return answer;
}

static void assert_answer(struct house *house, const char *request, const char *expected)
{
	char *answer = ask(house, request);

	if (strncmp(answer, expected, strlen(expected)) != 0)
		fail_msg("%s\n   found: %s\nexpected: %s", request, answer, expected);
	assert_int_equal(answer[strlen(answer) - 1], '\n');
	free(answer);
}

static void assert_contains(struct house *house, const char *request, const char *part)
{
	char *answer = ask(house, request);

	if (strstr(answer, part) == NULL)
		fail_msg("%s\n   found: %s\nexpected in it: %s", request, answer, part);
	free(answer);
}

/* --- the house ---------------------------------------------------------------------------------
 */

static struct control_parts parts_of(struct house *house)
{
	return (struct control_parts){.loop = house->loop,
	                              .store = house->f->store,
	                              .config = house->config,
	                              .govern = house->govern};
}

static int setup(void **state)
{
	struct house *house = xcalloc(1, sizeof(*house));
	struct error error = {0};
	void *f;

	assert_int_equal(store_fixture_setup(&f), 0);
	house->f = f;
	char *text =
	        xasprintf("state_dir: %s\ncontrol_socket: %s/control.sock\n"
	                  "chains: {base: {chain_id: 8453, rpc: [http://127.0.0.1:9], poll: 1h}}\n"
	                  "targets:\n  payments: {chain: base, kms: "
	                  "'0x1111111111111111111111111111111111111111', "
	                  "safe: '0x3333333333333333333333333333333333333333', "
	                  "timelock: '0x4444444444444444444444444444444444444444'}\n",
	                  house->f->folder, house->f->folder);
	if (config_parse(&house->config, "lab.yaml", bytes_text(text), &error) != 0)
		fail_msg("%s", error.text);
	free(text);
	house->loop = loop_new();
	house->http = http_new(house->loop);
	house->govern = govern_new(&(struct govern_parts){.loop = house->loop,
	                                                  .http = house->http,
	                                                  .store = house->f->store,
	                                                  .config = house->config});
	struct control_parts parts = parts_of(house);
	if (control_listen(&house->control, &parts, &error) != 0)
		fail_msg("%s", error.text);
	*state = house;
	return 0;
}

static int teardown(void **state)
{
	struct house *house = *state;
	void *f = house->f;

	control_close(house->control);
	govern_free(house->govern);
	http_free(house->http);
	loop_free(house->loop);
	config_free(house->config);
	free(house);
	return store_fixture_teardown(&f);
}

/* --- tests -------------------------------------------------------------------------------------
 */

static void nonsense_is_answered_and_survived(void **state)
{
	struct house *house = *state;
	struct buf large = {0};

	assert_answer(house, "", "{\"exit\":64,\"json\":null,\"error\":\"request: not valid JSON");
	assert_answer(house, "{", "{\"exit\":64,");
	assert_answer(house, "[1,2]",
	              "{\"exit\":64,\"json\":null,\"error\":\"unknown command \\\"\\\"\"}");
	assert_answer(house, "{\"command\":7}", "{\"exit\":64,");
	assert_answer(house, "{\"command\":\"\xff\xfe\"}", "{\"exit\":64,");
	assert_answer(house, "{\"command\":\"dance\"}",
	              "{\"exit\":64,\"json\":null,\"error\":\"unknown command \\\"dance\\\"\"}");
	assert_answer(house, "{\"command\":\"measurements\",\"args\":[]}",
	              "{\"exit\":0,\"json\":[]");
	assert_answer(house, "{\"command\":\"approve\",\"args\":{\"id\":{}}}", "{\"exit\":64,");
	assert_answer(house,
	              "{\"command\":\"approve\",\"args\":{\"id\":\"m99999999999999999999\"}}",
	              "{\"exit\":64,");
	assert_answer(house, "{\"command\":\"check\",\"args\":{\"value\":\"0x12\"}}",
	              "{\"exit\":64,");
	for (size_t i = 0; i < 70 * 1024; i++)
		buf_append_byte(&large, 'x');
	assert_answer(house, buf_text(&large),
	              "{\"exit\":64,\"json\":null,\"error\":\"request over 65536 bytes\"}");
	buf_free(&large);
}

static void a_request_may_come_in_pieces(void **state)
{
	static const char request[] = "{\"command\":\"proposals\"}\n";
	struct house *house = *state;
	struct caller caller;

	caller_open(&caller, house);
	for (size_t i = 0; request[i] != '\0'; i++) {
		caller_say(&caller, (char[]){request[i], '\0'});
		if (i % 7 == 0)
			control_changed(house->control);
	}
	caller_listen(&caller, NULL);
	assert_string_equal(buf_text(&caller.in), "{\"exit\":0,\"json\":[],\"error\":null}\n");
	caller_close(&caller);
}

static void clients_may_leave_at_any_time(void **state)
{
	static const char request[] =
	        "{\"command\":\"wait\",\"args\":{\"value\":"
	        "\"0x1111111111111111111111111111111111111111111111111111111111111111\"}}\n";
	struct house *house = *state;
	struct caller caller;

	for (size_t len = 0; len < sizeof(request); len += 8) {
		caller_open(&caller, house);
		assert_true(send(caller.fd, request, len, MSG_NOSIGNAL) >= 0);
		caller_close(&caller);
	}
	caller_open(&caller, house);
	caller_say(&caller, request);
	caller_listen(&caller, "not seen yet");
	caller_close(&caller);
	control_changed(house->control);
	assert_answer(house, "{\"command\":\"proposals\"}",
	              "{\"exit\":0,\"json\":[],\"error\":null}\n");
}

static void not_found_is_one(void **state)
{
	struct house *house = *state;
	char unseen[160];

	snprintf(unseen, sizeof(unseen),
	         "{\"command\":\"measurements\",\"args\":{\"value\":\"0x%064d\"}}", 0);
	assert_answer(house, unseen, "{\"exit\":1,\"json\":[],");
	assert_answer(house, "{\"command\":\"measurements\",\"args\":{\"value\":\"m9\"}}",
	              "{\"exit\":1,");
	assert_answer(house, "{\"command\":\"proposals\",\"args\":{\"id\":\"p9\"}}",
	              "{\"exit\":1,");
	assert_answer(house, "{\"command\":\"approve\",\"args\":{\"id\":\"m9\"}}", "{\"exit\":1,");
	assert_answer(house, "{\"command\":\"hold\",\"args\":{\"id\":\"p9\"}}", "{\"exit\":1,");
	assert_answer(house, "{\"command\":\"approve\",\"args\":{\"id\":\"b9\"}}", "{\"exit\":1,");
	assert_answer(house, "{\"command\":\"export\",\"args\":{\"id\":\"p9\"}}", "{\"exit\":1,");
	assert_answer(house, "{\"command\":\"export\",\"args\":{\"id\":\"p9\",\"format\":\"xml\"}}",
	              "{\"exit\":64,");
	char revoke[200];
	snprintf(revoke, sizeof(revoke),
	         "{\"command\":\"revoke\",\"args\":{\"value\":\"0x%064d\",\"target\":"
	         "\"payments\"}}",
	         0);
	assert_answer(house, revoke, "{\"exit\":1,");
	assert_answer(house, "{\"command\":\"revoke\",\"args\":{}}", "{\"exit\":64,");
}

static void hold_and_approve(void **state)
{
	struct house *house = *state;
	struct measurement_id id = store_fixture_record(house->f, 1);
	struct measurement m;

	assert_contains(house, "{\"command\":\"hold\",\"args\":{\"id\":\"m1\"}}",
	                "\"status\":\"held\"");
	m = store_fixture_measurement(house->f, id);
	assert_int_equal(m.status, MEASUREMENT_HELD);
	assert_non_null(strstr(m.reason, "uid "));
	assert_contains(house, "{\"command\":\"approve\",\"args\":{\"id\":\"m1\"}}",
	                "\"status\":\"new\"");
	m = store_fixture_measurement(house->f, id);
	assert_true(m.approved && m.wanted);
}

static void a_proposal_stands_for_its_measurements(void **state)
{
	struct house *house = *state;
	struct measurement_id id = store_fixture_record(house->f, 1);

	store_fixture_propose(house->f, ACTION_ADD, 1, id);
	assert_contains(house, "{\"command\":\"hold\",\"args\":{\"id\":\"p1\"}}", "\"id\":\"m1\"");
	assert_int_equal(store_fixture_measurement(house->f, id).status, MEASUREMENT_HELD);
	assert_contains(house, "{\"command\":\"approve\",\"args\":{\"id\":\"p1\"}}",
	                "\"status\":\"proposed\"");
}

static void a_refused_build_cannot_be_approved(void **state)
{
	struct house *house = *state;

	store_begin(house->f->store);
	store_build_put(house->f->store, &(struct build){.target = "payments",
	                                                 .folder = "/srv/r1",
	                                                 .eif = "",
	                                                 .status = BUILD_REFUSED,
	                                                 .reason = "two values"});
	store_commit(house->f->store);
	assert_contains(house, "{\"command\":\"approve\",\"args\":{\"id\":\"b1\"}}", "two values");
	assert_answer(house, "{\"command\":\"approve\",\"args\":{\"id\":\"b1\"}}", "{\"exit\":2,");
}

static void register_records_and_approves(void **state)
{
	struct house *house = *state;
	char request[256];

	snprintf(request, sizeof(request),
	         "{\"command\":\"register\",\"args\":{\"value\":\"0x%064d\",\"target\":"
	         "\"payments\",\"kind\":\"kms-mr\"}}",
	         7);
	assert_contains(house, request, "\"kind\":\"kms-mr\"");
	struct measurement m = store_fixture_measurement(house->f, (struct measurement_id){1});
	assert_true(m.approved && m.wanted);
	assert_int_equal(m.kind, KIND_KMS_MR);
	/* Once more lifts a hold: it is the operator's word. */
	assert_contains(house, "{\"command\":\"hold\",\"args\":{\"id\":\"m1\"}}", "held");
	assert_contains(house, request, "\"status\":\"new\"");
	snprintf(request, sizeof(request),
	         "{\"command\":\"register\",\"args\":{\"value\":\"0x%064d\",\"target\":"
	         "\"payments\",\"kind\":\"device\"}}",
	         7);
	assert_answer(house, request, "{\"exit\":2,");
	snprintf(request, sizeof(request),
	         "{\"command\":\"register\",\"args\":{\"value\":\"0x%064d\"}}", 7);
	assert_answer(house, request, "{\"exit\":64,");
}

static void wait_hears_of_a_hold(void **state)
{
	struct house *house = *state;
	struct measurement_id id = store_fixture_record(house->f, 1);
	struct hash32 value = store_fixture_hash(1);
	struct caller caller;
	char text[HASH32_TEXT_SIZE], request[256];

	snprintf(request, sizeof(request), "{\"command\":\"wait\",\"args\":{\"value\":\"%s\"}}\n",
	         hash32_text(text, &value));
	caller_open(&caller, house);
	caller_say(&caller, request);
	caller_listen(&caller, "{\"note\":\"m1 (os-image) is new\"}\n");
	store_begin(house->f->store);
	store_measurement_set_status(house->f->store, id, MEASUREMENT_HELD, "no");
	store_commit(house->f->store);
	control_changed(house->control);
	caller_listen(&caller, NULL);
	assert_non_null(
	        strstr(buf_text(&caller.in),
	               "{\"exit\":2,\"json\":null,\"error\":\"m1 (os-image) is held: no\"}\n"));
	caller_close(&caller);
}

static void the_log_comes_whole_and_goes_on(void **state)
{
	struct house *house = *state;
	struct caller caller;
	size_t items = 0;

	store_begin(house->f->store);
	for (int i = 0; i < 5000; i++)
		store_event_add(house->f->store, "daemon", "test",
		                "number %d, and some more words to fill a line", i);
	store_commit(house->f->store);

	char *answer = ask(house, "{\"command\":\"log\"}");
	for (const char *at = answer; (at = strstr(at, "{\"item\":")) != NULL; at++)
		items++;
	assert_true(items >= 5000);
	assert_non_null(strstr(answer, "number 4999,"));
	assert_non_null(strstr(answer, "{\"exit\":0,\"json\":null,\"error\":null}\n"));
	free(answer);

	caller_open(&caller, house);
	caller_say(&caller, "{\"command\":\"log\",\"args\":{\"follow\":true,\"after\":4900}}\n");
	caller_listen(&caller, "number 4999,");
	assert_null(strstr(buf_text(&caller.in), "number 1,"));
	store_begin(house->f->store);
	store_event_add(house->f->store, "daemon", "test", "the newest");
	store_commit(house->f->store);
	control_changed(house->control);
	caller_listen(&caller, "the newest");
	caller_close(&caller);
	assert_contains(house, "{\"command\":\"log\",\"args\":{\"verify\":true}}",
	                "\"intact\":true");
}

static void a_backup_is_handed_over_without_a_name(void **state)
{
	struct house *house = *state;
	struct caller caller;
	struct stat st;
	char magic[16];

	store_fixture_record(house->f, 1);
	caller_open(&caller, house);
	caller_say(&caller, "{\"command\":\"backup\"}\n");
	caller_listen(&caller, NULL);
	assert_string_equal(buf_text(&caller.in), "{\"exit\":0,\"json\":null,\"error\":null}\n");
	assert_true(caller.passed_fd >= 0);
	assert_int_equal(fstat(caller.passed_fd, &st), 0);
	assert_int_equal(st.st_nlink, 0);
	assert_int_equal(fcntl(caller.passed_fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	assert_int_equal(read(caller.passed_fd, magic, sizeof(magic)), sizeof(magic));
	assert_memory_equal(magic, "SQLite format 3", 16);
	caller_close(&caller);
}

static void only_a_stale_socket_is_replaced(void **state)
{
	struct house *house = *state;
	struct control_parts parts = parts_of(house);
	const char *path = house->config->control_socket;
	struct control *second;
	struct error error = {0};
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_int_equal(control_listen(&second, &parts, &error), ERR_CONFLICT);
	assert_non_null(strstr(error.text, "another registrard answers there"));
	assert_answer(house, "{\"command\":\"proposals\"}", "{\"exit\":0,");

	/* What a killed daemon leaves: a name nobody listens on. */
	control_close(house->control);
	assert_int_not_equal(access(path, F_OK), 0);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_int_equal(control_listen(&house->control, &parts, &error), 0);
	assert_answer(house, "{\"command\":\"proposals\"}", "{\"exit\":0,");

	control_close(house->control);
	house->control = NULL;
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(control_listen(&house->control, &parts, &error), ERR_CONFLICT);
	assert_non_null(strstr(error.text, "is no socket"));
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
}

int main(void)
{
#define IN_HOUSE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
	        IN_HOUSE(nonsense_is_answered_and_survived),
	        IN_HOUSE(a_request_may_come_in_pieces),
	        IN_HOUSE(clients_may_leave_at_any_time),
	        IN_HOUSE(not_found_is_one),
	        IN_HOUSE(hold_and_approve),
	        IN_HOUSE(a_proposal_stands_for_its_measurements),
	        IN_HOUSE(a_refused_build_cannot_be_approved),
	        IN_HOUSE(register_records_and_approves),
	        IN_HOUSE(wait_hears_of_a_hold),
	        IN_HOUSE(the_log_comes_whole_and_goes_on),
	        IN_HOUSE(a_backup_is_handed_over_without_a_name),
	        IN_HOUSE(only_a_stale_socket_is_replaced),
	};
	return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
