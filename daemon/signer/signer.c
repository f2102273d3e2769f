#include "daemon/signer/signer.h"

#include "common/base/log.h"
#include "daemon/io/message.h"
#include "daemon/io/role.h"
#include "daemon/signer/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	START_MS = 60 * 1000,  /* several keystores with slow key derivation */
	ANSWER_MS = 20 * 1000, /* far above what a signature takes: the signer hangs */
	BACKOFF_MIN_MS = 100,
	BACKOFF_MAX_MS = 30 * 1000,
	STABLE_MS = 60 * 1000, /* after this long alive a death is not part of a series */
};

/* One question on its way. Answers find it by its id. */
struct request {
	struct request *next;
	uint32_t id;
	signer_signature_fn *signature; /* one of the two is set */
	signer_transaction_fn *transaction;
	void *arg;
	struct error failure; /* once it is among the failed ones */
};

struct signer {
	struct loop *loop;
	struct role role; /* pid -1: none */
	struct loop_io *io;
	struct loop_timer *restart;
	struct loop_timer *overdue; /* the role did not start, or does not answer */
	struct loop_timer *deliver; /* runs the callbacks of failed */
	struct request *waiting, *failed;
	uint32_t last_id;
	struct buf buffer;
	struct arena arena; /* holds hello and keys */
	struct buf hello;
	int descriptors[1 + WIRE_MAX_FILES];
	size_t descriptor_count;
	struct wire_ready keys;
	bool ready; /* the running role has said so */
	struct mono ready_at;
	int64_t backoff_ms;
};

/* --- files ----------------------------------------------------------------------------------- */

static int open_file(struct signer *signer, const char *path, struct error *error)
{
	/* Non-blocking: opening a pipe by mistake must not hang. The role insists on a file. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return error_set_errno(error, "%s", path);
	signer->descriptors[signer->descriptor_count++] = fd;
	return 0;
}

/* It works all the same; doctor says it, too. */
static void complain_of_mode(int fd, const char *path)
{
	struct stat info;

	if (fstat(fd, &info) == 0 && (info.st_mode & (S_IROTH | S_IWOTH)) != 0)
		log_unusual("signer",
		            "%s is open to everybody on this machine (mode %04o): chmod 0600", path,
		            info.st_mode & 07777u);
}

static int add_file(struct signer *signer, struct wire_hello *hello, const char *path,
                    struct error *error)
{
	if (path == NULL)
		return 0;
	for (size_t i = 0; i < hello->file_count; i++) {
		if (strcmp(hello->files[i], path) == 0)
			return 0;
	}
	if (hello->file_count == WIRE_MAX_FILES)
		return error_set(error, ERR_LIMIT, "more than %d key and password files",
		                 WIRE_MAX_FILES);
	hello->files[hello->file_count++] = path;
	int rc = open_file(signer, path, error);
	if (rc == 0)
		complain_of_mode(signer->descriptors[signer->descriptor_count - 1], path);
	return rc;
}

static int add_key(struct signer *signer, struct wire_hello *hello, const char *target,
                   const struct config_key *key, const char *option, struct error *error)
{
	int rc = add_file(signer, hello, key->file, error);

	if (rc != 0)
		return error_prefix(error, "targets.%s.%s_file", target, option);
	rc = add_file(signer, hello, key->password_file, error);
	if (rc != 0)
		return error_prefix(error, "targets.%s.%s_password_file", target, option);
	return 0;
}

/* Opens the configuration and every file of a key, and writes the message that names them. */
static int open_files(struct signer *signer, const struct config *config, struct error *error)
{
	struct wire_hello hello = {.config_name = config->path};

	int rc = open_file(signer, config->path, error);
	for (size_t i = 0; i < config->target_count && rc == 0; i++) {
		const struct config_target *target = &config->targets[i];
		rc = add_key(signer, &hello, target->name, &target->proposer, "proposer_key",
		             error);
		if (rc == 0)
			rc = add_key(signer, &hello, target->name, &target->executor,
			             "executor_key", error);
		if (rc == 0)
			rc = add_key(signer, &hello, target->name, &target->scheduler,
			             "scheduler_key", error);
	}
	if (rc == 0)
		wire_put_hello(&signer->hello, &hello);
	return rc;
}

static bool has_keys(const struct config *config)
{
	for (size_t i = 0; i < config->target_count; i++) {
		if (config->targets[i].proposer.file != NULL ||
		    config->targets[i].executor.file != NULL ||
		    config->targets[i].scheduler.file != NULL)
			return true;
	}
	return false;
}

/* --- the process ----------------------------------------------------------------------------- */

static void end_role(struct signer *signer)
{
	int status = 0;
	pid_t got;

	if (signer->role.pid < 0)
		return;
	loop_io_free(signer->io);
	signer->io = NULL;
	close(signer->role.socket);
	kill(signer->role.pid, SIGKILL);
	while ((got = waitpid(signer->role.pid, &status, 0)) < 0 && errno == EINTR)
		;
	if (got >= 0 && WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
		log_unusual("signer", "ended by signal %d", WTERMSIG(status));
	signer->role = (struct role){.pid = -1, .socket = -1};
	signer->ready = false;
}

static int start_role(struct signer *signer, struct error *error)
{
	struct message hello = {.kind = WIRE_HELLO, .body = buf_bytes(&signer->hello)};

	int rc = role_start(&signer->role, "signer", NULL, signer->descriptors,
	                    signer->descriptor_count, error);
	if (rc != 0)
		return rc;
	rc = message_send(signer->role.socket, &hello, -1, error);
	if (rc != 0)
		end_role(signer);
	return rc;
}

/* --- requests -------------------------------------------------------------------------------- */

static void finish(struct request *request, const struct error *error)
{
	static const uint8_t nothing[SAFE_SIGNATURE_SIZE];
	static const struct hash32 zero;

	if (request->signature != NULL)
		request->signature(error, nothing, &zero, request->arg);
	else
		request->transaction(error, (struct bytes){0}, &zero, request->arg);
	free(request);
}

static void deliver_failed(void *arg)
{
	struct signer *signer = arg;
	struct request *list = signer->failed;

	signer->failed = NULL;
	while (list != NULL) {
		struct request *request = list;
		list = request->next;
		finish(request, &request->failure);
	}
}

/* The callback comes from the loop, never from inside the call that failed. */
static void fail_later(struct signer *signer, struct request *request, const struct error *error)
{
	struct request **end = &signer->failed;

	while (*end != NULL)
		end = &(*end)->next;
	request->failure = *error;
	request->next = NULL;
	*end = request;
	loop_timer_set(signer->deliver, 0);
}

static struct request *take_request(struct signer *signer, uint32_t id)
{
	for (struct request **at = &signer->waiting; *at != NULL; at = &(*at)->next) {
		struct request *request = *at;
		if (request->id == id) {
			*at = request->next;
			return request;
		}
	}
	return NULL;
}

/* The role is gone or useless: nothing in hand will be answered; start it again, later each time
 * in a series of deaths. */
static void lose_role(struct signer *signer, const char *why)
{
	struct error error;

	if (signer->ready && loop_now(signer->loop).ms - signer->ready_at.ms > STABLE_MS)
		signer->backoff_ms = BACKOFF_MIN_MS;
	log_unusual("signer", "%s; starting it again in %lld ms", why,
	            (long long)signer->backoff_ms);
	end_role(signer);
	error_set(&error, ERR_UNAVAILABLE, "the signer ended with the request in hand");
	while (signer->waiting != NULL)
		fail_later(signer, take_request(signer, signer->waiting->id), &error);
	loop_timer_cancel(signer->overdue);
	loop_timer_set(signer->restart, signer->backoff_ms);
	signer->backoff_ms *= 2;
	if (signer->backoff_ms > BACKOFF_MAX_MS)
		signer->backoff_ms = BACKOFF_MAX_MS;
}

/* While anything is awaited of the role, a timer runs. */
static void expect_more(struct signer *signer)
{
	if (!signer->ready)
		loop_timer_set(signer->overdue, START_MS);
	else if (signer->waiting != NULL)
		loop_timer_set(signer->overdue, ANSWER_MS);
	else
		loop_timer_cancel(signer->overdue);
}

static void role_is_overdue(void *arg)
{
	lose_role(arg, "the signer does not answer");
}

/* --- what the role says ---------------------------------------------------------------------- */

static bool same_keys(const struct wire_ready *a, const struct wire_ready *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		const struct wire_key *one = &a->keys[i], *other = &b->keys[i];
		if (strcmp(one->target, other->target) != 0 || one->key != other->key ||
		    !address_equal(&one->address, &other->address))
			return false;
	}
	return true;
}

/* After a restart. Main has checked the first addresses against the chain; others would need that
 * again. */
static void role_is_ready(struct signer *signer, const struct message *message)
{
	struct arena arena = {0};
	struct wire_ready keys;

	if (wire_get_ready(&arena, &keys, message->body) != 0) {
		lose_role(signer, "the signer's first message is malformed");
	} else if (!same_keys(&keys, &signer->keys)) {
		log_broken("signer", "the key files have changed: restart registrard");
		lose_role(signer, "the signer has other keys than before");
	} else {
		signer->ready = true;
		signer->ready_at = loop_now(signer->loop);
		log_info("signer", "running again");
		expect_more(signer);
	}
	arena_free(&arena);
}

static void answer_signature(struct request *request, struct bytes body)
{
	struct wire_signature answer;
	struct error error;

	if (request->signature == NULL || wire_get_signature(&answer, body) != 0) {
		error_set(&error, ERR_UNAVAILABLE, "the signer's answer is malformed");
		finish(request, &error);
		return;
	}
	request->signature(NULL, answer.signature, &answer.hash, request->arg);
	free(request);
}

static void answer_transaction(struct request *request, struct bytes body)
{
	struct wire_transaction answer;
	struct error error;

	if (request->transaction == NULL || wire_get_transaction(&answer, body) != 0) {
		error_set(&error, ERR_UNAVAILABLE, "the signer's answer is malformed");
		finish(request, &error);
		return;
	}
	request->transaction(NULL, answer.raw, &answer.hash, request->arg);
	free(request);
}

static void answer_refused(struct request *request, struct bytes body)
{
	struct error error;

	if (wire_get_refused(&error, body) != 0)
		error_set(&error, ERR_UNAVAILABLE, "the signer's answer is malformed");
	finish(request, &error);
}

static void handle_answer(struct signer *signer, const struct message *message)
{
	struct request *request = take_request(signer, message->id);

	if (request == NULL) {
		log_unusual("signer", "an answer to no question (kind %u, id %u)", message->kind,
		            message->id);
		return;
	}
	expect_more(signer);
	if (message->kind == WIRE_SIGNATURE)
		answer_signature(request, message->body);
	else if (message->kind == WIRE_TRANSACTION)
		answer_transaction(request, message->body);
	else
		answer_refused(request, message->body);
}

/* A restart failed where the start did not: somebody has to look. */
static void role_gave_up(struct signer *signer, const struct message *message)
{
	struct error error;

	if (wire_get_refused(&error, message->body) != 0)
		error_set(&error, ERR_UNAVAILABLE, "it gave no reason");
	log_broken("signer", "it does not start again: %s", error.text);
	lose_role(signer, "the signer did not start");
}

static void handle_message(struct signer *signer, const struct message *message)
{
	switch (message->kind) {
	case WIRE_READY:
		role_is_ready(signer, message);
		return;
	case WIRE_REFUSED:
		if (message->id == 0) {
			role_gave_up(signer, message);
			return;
		}
		handle_answer(signer, message);
		return;
	case WIRE_SIGNATURE:
	case WIRE_TRANSACTION:
		handle_answer(signer, message);
		return;
	default:
		lose_role(signer, "the signer says what no signer says");
	}
}

/* One message per turn: a callback may do anything, and the loop comes back for the rest. */
static void role_speaks(int fd, int events, void *arg)
{
	struct signer *signer = arg;
	struct message message;
	struct error error;
	int passed;

	(void)events;
	int rc = message_receive(fd, &message, &signer->buffer, &passed, &error);
	if (passed >= 0)
		close(passed);
	if (rc == 0)
		handle_message(signer, &message);
	else if (rc == ERR_UNAVAILABLE)
		lose_role(signer, "the signer ended");
	else if (rc != ERR_NOT_FOUND)
		lose_role(signer, "the signer sent no message");
}

static void watch_role(struct signer *signer)
{
	signer->io = loop_io_new(signer->loop, signer->role.socket, LOOP_READ, role_speaks, signer);
	expect_more(signer);
}

static void restart_role(void *arg)
{
	struct signer *signer = arg;
	struct error error;

	if (start_role(signer, &error) == 0)
		watch_role(signer);
	else
		lose_role(signer, error.text);
}

/* --- start and end --------------------------------------------------------------------------- */

static int wait_readable(int fd, struct error *error)
{
	struct mono begin = clock_mono();

	for (;;) {
		struct pollfd entry = {.fd = fd, .events = POLLIN};
		int64_t left = START_MS - (clock_mono().ms - begin.ms);
		int rc = left > 0 ? poll(&entry, 1, (int)left) : 0;
		if (rc > 0)
			return 0;
		if (rc == 0)
			return error_set(error, ERR_UNAVAILABLE, "the signer does not start");
		if (errno != EINTR)
			return error_set_errno(error, "waiting for the signer");
	}
}

/* Before the loop runs: the role's first message, or why there is none. */
static int await_ready(struct signer *signer, struct error *error)
{
	struct message message;
	int fd;

	int rc = wait_readable(signer->role.socket, error);
	if (rc != 0)
		return rc;
	rc = message_receive(signer->role.socket, &message, &signer->buffer, &fd, error);
	if (fd >= 0)
		close(fd);
	if (rc != 0)
		return error_set(error, ERR_UNAVAILABLE, "the signer ended before it was ready");
	if (message.kind == WIRE_REFUSED) {
		struct error reason;
		if (wire_get_refused(&reason, message.body) != 0)
			return error_set(error, ERR_INVALID,
			                 "the signer's first message is malformed");
		return error_set(error, reason.code, "%s", reason.text);
	}
	if (message.kind != WIRE_READY ||
	    wire_get_ready(&signer->arena, &signer->keys, message.body) != 0)
		return error_set(error, ERR_INVALID, "the signer's first message is malformed");
	signer->ready = true;
	signer->ready_at = clock_mono();
	return 0;
}

int signer_start(struct signer **out, struct loop *loop, const struct config *config,
                 struct error *error)
{
	*out = NULL;
	if (!has_keys(config))
		return 0;
	struct signer *signer = xcalloc(1, sizeof(*signer));
	signer->loop = loop;
	signer->role = (struct role){.pid = -1, .socket = -1};
	signer->backoff_ms = BACKOFF_MIN_MS;
	signer->restart = loop_timer_new(loop, restart_role, signer);
	signer->overdue = loop_timer_new(loop, role_is_overdue, signer);
	signer->deliver = loop_timer_new(loop, deliver_failed, signer);
	int rc = open_files(signer, config, error);
	if (rc == 0)
		rc = start_role(signer, error);
	if (rc == 0)
		rc = await_ready(signer, error);
	if (rc != 0) {
		signer_free(signer);
		return rc;
	}
	watch_role(signer);
	*out = signer;
	return 0;
}

static void free_requests(struct request *list)
{
	while (list != NULL) {
		struct request *next = list->next;
		free(list);
		list = next;
	}
}

void signer_free(struct signer *signer)
{
	if (signer == NULL)
		return;
	end_role(signer);
	for (size_t i = 0; i < signer->descriptor_count; i++)
		close(signer->descriptors[i]);
	loop_timer_free(signer->restart);
	loop_timer_free(signer->overdue);
	loop_timer_free(signer->deliver);
	free_requests(signer->waiting);
	free_requests(signer->failed);
	buf_free(&signer->buffer);
	buf_free(&signer->hello);
	arena_free(&signer->arena);
	free(signer);
}

bool signer_address(const struct signer *signer, const char *target, enum signer_key key,
                    struct address *out)
{
	*out = (struct address){0};
	for (size_t i = 0; signer != NULL && i < signer->keys.count; i++) {
		const struct wire_key *known = &signer->keys.keys[i];
		if (known->key == (uint8_t)key && strcmp(known->target, target) == 0) {
			*out = known->address;
			return true;
		}
	}
	return false;
}

pid_t signer_pid(const struct signer *signer)
{
	return signer != NULL ? signer->role.pid : -1;
}

/* --- asking ---------------------------------------------------------------------------------- */

static uint32_t next_id(struct signer *signer)
{
	if (++signer->last_id == 0) /* 0 is the hello's */
		signer->last_id = 1;
	return signer->last_id;
}

static void ask(struct signer *signer, uint16_t kind, const struct buf *body,
                struct request *request)
{
	struct message message = {.kind = kind, .id = next_id(signer), .body = buf_bytes(body)};
	struct error error;

	request->id = message.id;
	if (signer->role.pid < 0) {
		error_set(&error, ERR_UNAVAILABLE, "the signer is being started again");
		fail_later(signer, request, &error);
		return;
	}
	if (message_send(signer->role.socket, &message, -1, &error) != 0) {
		fail_later(signer, request, &error);
		return;
	}
	request->next = signer->waiting;
	signer->waiting = request;
	if (!loop_timer_pending(signer->overdue))
		expect_more(signer);
}

static struct request *new_request(signer_signature_fn *signature,
                                   signer_transaction_fn *transaction, void *arg)
{
	struct request *request = xcalloc(1, sizeof(*request));

	request->signature = signature;
	request->transaction = transaction;
	request->arg = arg;
	return request;
}

void signer_sign_safe_tx(struct signer *signer, const char *target, enum purpose purpose,
                         const struct safe_tx *tx, signer_signature_fn *done, void *arg)
{
	struct wire_safe_tx question = {.target = target, .purpose = purpose, .tx = *tx};
	struct buf body = {0};

	wire_put_safe_tx(&body, &question);
	ask(signer, WIRE_SIGN_SAFE_TX, &body, new_request(done, NULL, arg));
	buf_free(&body);
}

void signer_sign_delete(struct signer *signer, const char *target,
                        const struct hash32 *safe_tx_hash, uint64_t totp, signer_signature_fn *done,
                        void *arg)
{
	struct wire_delete question = {
	        .target = target, .safe_tx_hash = *safe_tx_hash, .totp = totp};
	struct buf body = {0};

	wire_put_delete(&body, &question);
	ask(signer, WIRE_SIGN_DELETE, &body, new_request(done, NULL, arg));
	buf_free(&body);
}

static void ask_transaction(struct signer *signer, enum wire_kind kind,
                            const struct wire_execution *question, struct request *request)
{
	struct buf body = {0};

	wire_put_execution(&body, question);
	ask(signer, kind, &body, request);
	buf_free(&body);
}

void signer_sign_execution(struct signer *signer, const char *target,
                           const struct eth_transaction *tx, signer_transaction_fn *done, void *arg)
{
	ask_transaction(signer, WIRE_SIGN_EXECUTION,
	                &(struct wire_execution){.target = target, .tx = *tx},
	                new_request(NULL, done, arg));
}

void signer_sign_schedule(struct signer *signer, const char *target,
                          const struct eth_transaction *tx, signer_transaction_fn *done, void *arg)
{
	ask_transaction(signer, WIRE_SIGN_SCHEDULE,
	                &(struct wire_execution){.target = target, .tx = *tx},
	                new_request(NULL, done, arg));
}

void signer_sign_cancel(struct signer *signer, const char *target, const struct eth_transaction *tx,
                        signer_transaction_fn *done, void *arg)
{
	ask_transaction(signer, WIRE_SIGN_CANCEL,
	                &(struct wire_execution){.target = target, .tx = *tx},
	                new_request(NULL, done, arg));
}
