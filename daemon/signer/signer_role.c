/* The signer's own process. In order: no dumps; the first message says which descriptor is what;
 * configuration and keys are read; everything not needed for answering is given up; then one
 * request after the other, each judged by policy.c and hashed here from its fields. */
#include "daemon/signer/signer.h"

#include "common/base/log.h"
#include "common/crypto/ecdsa.h"
#include "common/crypto/hash.h"
#include "daemon/io/message.h"
#include "daemon/io/role.h"
#include "daemon/sandbox/sandbox.h"
#include "daemon/signer/keyring.h"
#include "daemon/signer/policy.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
	MAX_CONFIG_SIZE = 4 * 1024 * 1024,
	CONFIG_FD = ROLE_SOCKET + 1,
	FIRST_FILE_FD = ROLE_SOCKET + 2
};

struct role_state {
	int socket;
	struct config *config;
	struct keyring *keyring;
};

/* One answer being made. */
struct answer {
	uint16_t kind;
	struct buf body;
};

/* --- starting -------------------------------------------------------------------------------- */

static int read_config(struct config **out, const char *name, struct error *error)
{
	struct buf text = {0};
	char chunk[4096];
	int rc = 0;

	*out = NULL;
	for (;;) {
		ssize_t got = pread(CONFIG_FD, chunk, sizeof(chunk), (off_t)text.len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			rc = error_set_errno(error, "%s", name);
		if (got <= 0)
			break;
		buf_append(&text, chunk, (size_t)got);
		if (text.len > MAX_CONFIG_SIZE) {
			rc = error_set(error, ERR_LIMIT, "%s: larger than %d bytes", name,
			               MAX_CONFIG_SIZE);
			break;
		}
	}
	if (rc == 0)
		rc = config_parse(out, name, buf_bytes(&text), error);
	buf_free(&text);
	return rc;
}

/* Makes the libraries open and allocate whatever they need once, while they still may. */
static void warm_up(void)
{
	static const uint8_t key[32] = {[31] = 1};
	struct ecdsa_signature signature;
	struct hash32 digest = keccak256((struct bytes){0});

	ecdsa_sign(&signature, &digest, key);
	(void)clock_wall();
}

static int prepare(struct role_state *state, const struct wire_hello *hello, struct error *error)
{
	struct keyring_files files = {hello->files, hello->file_count, FIRST_FILE_FD};

	int rc = read_config(&state->config, hello->config_name, error);
	if (rc == 0)
		rc = keyring_read(&state->keyring, state->config, &files, error);
	for (int fd = CONFIG_FD; fd < FIRST_FILE_FD + (int)hello->file_count; fd++)
		close(fd);
	warm_up();
	return rc != 0 ? rc : sandbox_enter(SANDBOX_SIGNER, error);
}

/* --- answering ------------------------------------------------------------------------------- */

static const char *key_name(enum signer_key key)
{
	switch (key) {
	case SIGNER_PROPOSER:
		return "proposer";
	case SIGNER_EXECUTOR:
		return "executor";
	case SIGNER_SCHEDULER:
		return "scheduler";
	}
	return "such";
}

static int get_key(const uint8_t **key, const struct role_state *state, const char *target,
                   enum signer_key which, struct error *error)
{
	*key = keyring_find(state->keyring, target, which);
	if (*key == NULL)
		return error_set(error, ERR_DENIED, "the target has no %s key", key_name(which));
	return 0;
}

/* r, s, v with v 27 or 28: an EIP-712 signature as Safes and their service want it. */
static void sign_typed(struct answer *answer, const struct hash32 *hash, const uint8_t *key)
{
	struct wire_signature out = {.hash = *hash};
	struct ecdsa_signature signature;

	ecdsa_sign(&signature, hash, key);
	memcpy(out.signature, signature.r, 32);
	memcpy(out.signature + 32, signature.s, 32);
	out.signature[64] = (uint8_t)(27 + signature.recovery);
	answer->kind = WIRE_SIGNATURE;
	wire_put_signature(&answer->body, &out);
}

static int malformed(struct error *error)
{
	return error_set(error, ERR_INVALID, "a request that is not well-formed");
}

static int answer_safe_tx(const struct role_state *state, struct arena *arena, struct bytes body,
                          struct answer *answer, struct error *error)
{
	char text[HASH32_TEXT_SIZE];
	struct wire_safe_tx request;
	const uint8_t *key;

	if (wire_get_safe_tx(arena, &request, body) != 0)
		return malformed(error);
	int rc = policy_safe_tx(state->config, request.target, request.purpose, &request.tx, error);
	if (rc == 0)
		rc = get_key(&key, state, request.target, SIGNER_PROPOSER, error);
	if (rc != 0) {
		log_unusual(request.target, "refused to sign a Safe transaction: %s", error->text);
		return rc;
	}
	struct hash32 hash = safe_tx_hash(&request.tx);
	sign_typed(answer, &hash, key);
	log_info(request.target, "signed the Safe transaction %s (%s)", hash32_text(text, &hash),
	         purpose_name(request.purpose));
	return 0;
}

static int answer_delete(const struct role_state *state, struct arena *arena, struct bytes body,
                         struct answer *answer, struct error *error)
{
	char text[HASH32_TEXT_SIZE];
	struct wire_delete request;
	const uint8_t *key;

	if (wire_get_delete(arena, &request, body) != 0)
		return malformed(error);
	int rc = policy_delete(state->config, request.target, request.totp, clock_wall(), error);
	if (rc == 0)
		rc = get_key(&key, state, request.target, SIGNER_PROPOSER, error);
	if (rc != 0) {
		log_unusual(request.target, "refused to sign a deletion: %s", error->text);
		return rc;
	}
	const struct config_target *target = config_target_find(state->config, request.target);
	const struct proposal_place place = {target->chain->chain_id, target->safe};
	struct hash32 hash = proposal_delete_hash(proposal_api_of(target->service.kind), &place,
	                                          &request.safe_tx_hash, request.totp);
	sign_typed(answer, &hash, key);
	log_info(request.target, "signed the deletion of the Safe transaction %s from the service",
	         hash32_text(text, &request.safe_tx_hash));
	return 0;
}

/* Judges the request and makes it what is signed; what it needs for that is in the buffer. */
typedef int judge_transaction_fn(struct buf *data, const struct config *config,
                                 struct wire_execution *request, struct error *error);
struct transaction_request {
	enum signer_key key;
	judge_transaction_fn *judge;
	const char *what;
};

static int judge_execution(struct buf *data, const struct config *config,
                           struct wire_execution *request, struct error *error)
{
	(void)data;
	return policy_execution(config, request->target, &request->tx, error);
}

static int judge_schedule(struct buf *data, const struct config *config,
                          struct wire_execution *request, struct error *error)
{
	(void)data;
	return policy_schedule(config, request->target, &request->tx, error);
}

static int judge_cancel(struct buf *data, const struct config *config,
                        struct wire_execution *request, struct error *error)
{
	int rc = policy_cancel(data, config, request->target, &request->tx, error);

	request->tx.data = buf_bytes(data);
	return rc;
}

static const struct transaction_request execution = {SIGNER_EXECUTOR, judge_execution,
                                                     "the execution"};
static const struct transaction_request schedule = {SIGNER_SCHEDULER, judge_schedule,
                                                    "the schedule"};
static const struct transaction_request cancellation = {SIGNER_SCHEDULER, judge_cancel,
                                                        "the cancellation"};

static int answer_transaction(const struct role_state *state,
                              const struct transaction_request *kind, struct bytes body,
                              struct answer *answer, struct error *error)
{
	struct arena arena = {0};
	char text[HASH32_TEXT_SIZE];
	struct ecdsa_signature signature;
	struct wire_execution request;
	struct wire_transaction out;
	struct buf raw = {0}, data = {0};
	const uint8_t *key;

	if (wire_get_execution(&arena, &request, body) != 0) {
		arena_free(&arena);
		return malformed(error);
	}
	int rc = kind->judge(&data, state->config, &request, error);
	if (rc == 0)
		rc = get_key(&key, state, request.target, kind->key, error);
	if (rc != 0) {
		log_unusual(request.target, "refused to sign %s: %s", kind->what, error->text);
		buf_free(&data);
		arena_free(&arena);
		return rc;
	}
	struct hash32 digest = eth_transaction_signing_hash(&request.tx);
	ecdsa_sign(&signature, &digest, key);
	out.hash = eth_transaction_encode_signed(&raw, &request.tx, &signature);
	out.raw = buf_bytes(&raw);
	answer->kind = WIRE_TRANSACTION;
	wire_put_transaction(&answer->body, &out);
	buf_free(&raw);
	buf_free(&data);
	log_info(request.target, "signed %s %s", kind->what, hash32_text(text, &out.hash));
	arena_free(&arena);
	return 0;
}

static int answer_request(const struct role_state *state, const struct message *request,
                          struct answer *answer, struct error *error)
{
	struct arena arena = {0};
	int rc;

	switch (request->kind) {
	case WIRE_SIGN_SAFE_TX:
		rc = answer_safe_tx(state, &arena, request->body, answer, error);
		break;
	case WIRE_SIGN_DELETE:
		rc = answer_delete(state, &arena, request->body, answer, error);
		break;
	case WIRE_SIGN_EXECUTION:
		rc = answer_transaction(state, &execution, request->body, answer, error);
		break;
	case WIRE_SIGN_SCHEDULE:
		rc = answer_transaction(state, &schedule, request->body, answer, error);
		break;
	case WIRE_SIGN_CANCEL:
		rc = answer_transaction(state, &cancellation, request->body, answer, error);
		break;
	default:
		rc = error_set(error, ERR_DENIED, "a request of kind %u, which is not in the table",
		               request->kind);
		log_unusual(NULL, "refused %s", error->text);
	}
	arena_free(&arena);
	return rc;
}

static int send_answer(int socket, uint32_t id, const struct answer *answer)
{
	struct message message = {.kind = answer->kind, .id = id, .body = buf_bytes(&answer->body)};
	struct error error = {0};

	return message_send(socket, &message, -1, &error);
}

static int send_refusal(int socket, uint32_t id, const struct error *reason)
{
	struct answer answer = {.kind = WIRE_REFUSED};

	wire_put_refused(&answer.body, reason);
	int rc = send_answer(socket, id, &answer);
	buf_free(&answer.body);
	return rc;
}

static int send_ready(const struct role_state *state, uint32_t id)
{
	struct answer answer = {.kind = WIRE_READY};
	struct wire_ready ready = keyring_addresses(state->keyring);

	wire_put_ready(&answer.body, &ready);
	int rc = send_answer(state->socket, id, &answer);
	buf_free(&answer.body);
	return rc;
}

/* Until main closes its end, or says something that is no message. */
static void serve(const struct role_state *state, struct buf *buffer)
{
	for (;;) {
		struct error error = {0};
		struct message request;
		struct answer answer = {0};
		int fd;

		if (message_receive(state->socket, &request, buffer, &fd, &error) != 0)
			return;
		if (fd >= 0)
			close(fd);
		int rc = answer_request(state, &request, &answer, &error);
		rc = rc == 0 ? send_answer(state->socket, request.id, &answer)
		             : send_refusal(state->socket, request.id, &error);
		buf_free(&answer.body);
		if (rc != 0)
			return;
	}
}

static int receive_hello(struct arena *arena, struct wire_hello *hello, uint32_t *id, int socket,
                         struct buf *buffer)
{
	struct error error = {0};
	struct message message;
	int fd;

	int rc = message_receive(socket, &message, buffer, &fd, &error);
	if (fd >= 0)
		close(fd);
	if (rc != 0)
		return rc;
	*id = message.id;
	if (message.kind != WIRE_HELLO)
		return ERR_INVALID;
	return wire_get_hello(arena, hello, message.body);
}

int signer_role_main(int socket)
{
	struct role_state state = {.socket = socket};
	struct arena arena = {0};
	struct error error = {0};
	struct buf buffer = {0};
	struct wire_hello hello;
	uint32_t id = 0;

	log_set_role("signer");
	sandbox_forbid_dumps();
	crypto_init();
	int rc = receive_hello(&arena, &hello, &id, socket, &buffer);
	if (rc == 0) {
		rc = prepare(&state, &hello, &error);
		if (rc != 0)
			rc = send_refusal(socket, id, &error) == 0 ? rc : ERR_UNAVAILABLE;
		else
			rc = send_ready(&state, id);
	}
	if (rc == 0)
		serve(&state, &buffer);
	keyring_free(state.keyring);
	config_free(state.config);
	buf_free(&buffer);
	arena_free(&arena);
	return rc == 0 ? 0 : 1;
}
