/* The signer as main uses it, with its real role: role_start runs this very program again, whose
 * main() then is the role. */
#include "daemon/signer/signer.h"

#include "common/base/log.h"
#include "common/crypto/ecdsa.h"
#include "common/crypto/hash.h"
#include "common/crypto/secret.h"
#include "common/governance/registry.h"
#include "common/governance/timelock.h"
#include "common/governance/proposal_api.h"
#include "daemon/io/message.h"
#include "daemon/io/role.h"
#include "daemon/sandbox/sandbox.h"
#include "daemon/signer/wire.h"
#include "tests/unit/fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

/* Public test keys of anvil: the first account and the second, which is in the keystore. */
static const char plain_key[] =
        "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80\n";
static const char plain_address[] = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
static const char keystore_address[] = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

static const char yaml[] =
        "state_dir: /var/lib/registrard\n"
        "control_socket: /run/registrard/control.sock\n"
        "chains:\n"
        "  base: {chain_id: 8453, rpc: [\"http://127.0.0.1:1\"]}\n"
        "targets:\n"
        "  pay:\n"
        "    chain: base\n"
        "    kms: \"0x1000000000000000000000000000000000000001\"\n"
        "    model: safe+timelock\n"
        "    safe: \"0x5000000000000000000000000000000000000001\"\n"
        "    timelock: {address: \"0x7000000000000000000000000000000000000001\"}\n"
        "    service: {kind: tx-service, url: \"http://127.0.0.1:2\"}\n"
        "    execute: direct\n"
        "    proposer_key_file: %s/proposer\n"
        "    executor_key_file: %s/executor\n"
        "    executor_key_password_file: %s/password\n"
        "  ship:\n"
        "    chain: base\n"
        "    kms: \"0x1000000000000000000000000000000000000002\"\n"
        "    model: safe+timelock\n"
        "    safe: \"0x5000000000000000000000000000000000000001\"\n"
        "    timelock: {address: \"0x7000000000000000000000000000000000000001\"}\n"
        "    proposer_key_file: %s/proposer\n";

struct world {
	char folder[64];
	struct config *config;
	struct loop *loop;
	struct arena arena;
	struct error error;
};

static const char *path_of(struct world *world, const char *name)
{
	return arena_printf(&world->arena, "%s/%s", world->folder, name);
}

static void write_file(struct world *world, const char *name, struct bytes content, mode_t mode)
{
	const char *path = path_of(world, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content.data, content.len), content.len);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static int set_up(void **state)
{
	struct world *world = xcalloc(1, sizeof(*world));
	const char *folder = world->folder;
	struct buf text = {0};

	snprintf(world->folder, sizeof(world->folder), "/tmp/registrard-signer-XXXXXX");
	assert_non_null(mkdtemp(world->folder));
	write_file(world, "proposer", bytes_text(plain_key), 0600);
	write_file(world, "executor",
	           fixture_bytes(&world->arena, "tests/fixtures/keyfile/generated_scrypt.json"),
	           0600);
	write_file(world, "password",
	           fixture_bytes(&world->arena, "tests/fixtures/keyfile/generated_scrypt.password"),
	           0600);
	buf_printf(&text, yaml, folder, folder, folder, folder);
	write_file(world, "registrard.yaml", buf_bytes(&text), 0600);
	buf_free(&text);
	if (config_load(&world->config, path_of(world, "registrard.yaml"), &world->error) != 0)
		die("%s", world->error.text);
	world->loop = loop_new();
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = {"proposer", "executor", "password", "registrard.yaml"};
	struct world *world = *state;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unlink(path_of(world, names[i]));
	rmdir(world->folder);
	loop_free(world->loop);
	config_free(world->config);
	arena_free(&world->arena);
	free(world);
	return 0;
}

static struct signer *started(struct world *world)
{
	struct signer *signer;

	if (signer_start(&signer, world->loop, world->config, &world->error) != 0)
		fail_msg("%s", world->error.text);
	assert_non_null(signer);
	return signer;
}

/* --- asking and waiting ---------------------------------------------------------------------- */

struct outcome {
	struct loop *loop;
	unsigned calls;
	struct error error;
	uint8_t signature[65];
	struct hash32 hash;
	struct buf raw;
};

static void note_error(struct outcome *outcome, const struct error *error)
{
	outcome->calls++;
	outcome->error = error != NULL ? *error : (struct error){0};
	loop_stop(outcome->loop);
}

static void got_signature(const struct error *error, const uint8_t signature[65],
                          const struct hash32 *hash, void *arg)
{
	struct outcome *outcome = arg;

	note_error(outcome, error);
	memcpy(outcome->signature, signature, sizeof(outcome->signature));
	outcome->hash = *hash;
}

static void got_transaction(const struct error *error, struct bytes raw, const struct hash32 *hash,
                            void *arg)
{
	struct outcome *outcome = arg;

	note_error(outcome, error);
	buf_append_bytes(&outcome->raw, raw);
	outcome->hash = *hash;
}

static struct safe_tx rejection(void)
{
	struct address safe = {{0x50, [19] = 1}};

	return safe_tx_rejection(8453, &safe, 3);
}

static void assert_signed_by(const struct outcome *outcome, const char *address)
{
	struct ecdsa_signature signature;
	struct address signer;
	char text[ADDRESS_TEXT_SIZE];

	memcpy(signature.r, outcome->signature, 32);
	memcpy(signature.s, outcome->signature + 32, 32);
	assert_in_range(outcome->signature[64], 27, 28);
	signature.recovery = (uint8_t)(outcome->signature[64] - 27);
	assert_int_equal(ecdsa_recover(signer.b, &outcome->hash, &signature, NULL), 0);
	assert_string_equal(address_text(text, &signer), address);
}

/* Asks for the rejection and waits for whatever comes. */
static struct outcome sign_rejection(struct world *world, struct signer *signer)
{
	struct outcome outcome = {.loop = world->loop};
	struct safe_tx tx = rejection();

	signer_sign_safe_tx(signer, "pay", PURPOSE_REJECT, &tx, got_signature, &outcome);
	assert_int_equal(outcome.calls, 0);
	loop_run(world->loop);
	assert_int_equal(outcome.calls, 1);
	return outcome;
}

static void stop_loop(void *arg)
{
	loop_stop(arg);
}

static void let_time_pass(struct world *world, int64_t ms)
{
	struct loop_timer *timer = loop_timer_new(world->loop, stop_loop, world->loop);

	loop_timer_set(timer, ms);
	loop_run(world->loop);
	loop_timer_free(timer);
}

/* --- the tests ------------------------------------------------------------------------------- */

static void the_signer_tells_its_addresses(void **state)
{
	struct world *world = *state;
	struct signer *signer = started(world);
	char text[ADDRESS_TEXT_SIZE];
	struct address address;

	assert_true(signer_address(signer, "pay", SIGNER_PROPOSER, &address));
	assert_string_equal(address_text(text, &address), plain_address);
	assert_true(signer_address(signer, "ship", SIGNER_PROPOSER, &address));
	assert_string_equal(address_text(text, &address), plain_address);
	assert_true(signer_address(signer, "pay", SIGNER_EXECUTOR, &address));
	assert_string_equal(address_text(text, &address), keystore_address);
	assert_false(signer_address(signer, "ship", SIGNER_EXECUTOR, &address));
	assert_true(address_is_zero(&address));
	assert_false(signer_address(signer, "nobody", SIGNER_PROPOSER, &address));
	assert_false(signer_address(NULL, "pay", SIGNER_PROPOSER, &address));
	assert_true(signer_pid(signer) > 0);
	signer_free(signer);
}

static void requests_are_signed_with_the_hash_of_their_fields(void **state)
{
	struct world *world = *state;
	struct signer *signer = started(world);
	struct safe_tx tx = rejection();

	struct outcome outcome = sign_rejection(world, signer);
	assert_int_equal(outcome.error.code, 0);
	struct hash32 hash = safe_tx_hash(&tx);
	assert_true(hash32_equal(&hash, &outcome.hash));
	assert_signed_by(&outcome, plain_address);

	uint64_t totp = (uint64_t)(clock_wall().ms / 1000 / 3600);
	outcome = (struct outcome){.loop = world->loop};
	signer_sign_delete(signer, "pay", &hash, totp, got_signature, &outcome);
	loop_run(world->loop);
	assert_int_equal(outcome.error.code, 0);
	const struct proposal_place place = {8453, tx.safe};
	struct hash32 want = proposal_delete_hash(&tx_service_api, &place, &hash, totp);
	assert_true(hash32_equal(&want, &outcome.hash));
	assert_signed_by(&outcome, plain_address);
	signer_free(signer);
}

static void what_is_not_in_the_table_is_denied(void **state)
{
	struct world *world = *state;
	struct signer *signer = started(world);
	struct outcome outcome = {.loop = world->loop};
	struct safe_tx tx = rejection();

	tx.to.b[19] = 2;
	signer_sign_safe_tx(signer, "pay", PURPOSE_REJECT, &tx, got_signature, &outcome);
	loop_run(world->loop);
	assert_int_equal(outcome.error.code, ERR_DENIED);
	assert_non_null(strstr(outcome.error.text, "empty call"));
	tx = rejection();
	signer_sign_safe_tx(signer, "pay", (enum purpose)77, &tx, got_signature, &outcome);
	loop_run(world->loop);
	assert_int_equal(outcome.error.code, ERR_DENIED);
	/* The signer is still there. */
	outcome = sign_rejection(world, signer);
	assert_int_equal(outcome.error.code, 0);
	signer_free(signer);
}

static void an_execution_comes_back_as_a_raw_transaction(void **state)
{
	struct world *world = *state;
	struct signer *signer = started(world);
	struct outcome outcome = {.loop = world->loop};
	uint8_t call[REGISTRY_CALL_SIZE];
	struct hash32 value = {{9}};
	struct buf calldata = {0};

	registry_encode_call(call, KIND_OS_IMAGE, ACTION_ADD, &value);
	struct contract_call calls[] = {
	        {.to = {{0x10, [19] = 2}}, .data = bytes_of(call, sizeof(call))}};
	struct timelock_batch batch = {.calls = calls, .count = 1, .salt = {{3}}};
	timelock_encode_execute(&calldata, &batch);
	struct eth_transaction tx = {.chain_id = 8453,
	                             .gas = 200000,
	                             .max_priority_fee = u256_from(1),
	                             .max_fee = u256_from(2),
	                             .to = {{0x70, [19] = 1}},
	                             .data = buf_bytes(&calldata)};
	signer_sign_execution(signer, "pay", &tx, got_transaction, &outcome);
	loop_run(world->loop);
	assert_int_equal(outcome.error.code, 0);
	assert_int_equal(outcome.raw.data[0], 2);
	struct hash32 hash = keccak256(buf_bytes(&outcome.raw));
	assert_true(hash32_equal(&hash, &outcome.hash));

	buf_clear(&outcome.raw);
	tx.value = u256_from(1);
	signer_sign_execution(signer, "pay", &tx, got_transaction, &outcome);
	loop_run(world->loop);
	assert_int_equal(outcome.error.code, ERR_DENIED);
	assert_int_equal(outcome.raw.len, 0);
	buf_free(&outcome.raw);
	buf_free(&calldata);
	signer_free(signer);
}

static void a_killed_signer_costs_the_request_in_hand_and_comes_back(void **state)
{
	struct world *world = *state;
	struct signer *signer = started(world);
	struct outcome outcome = {.loop = world->loop};
	struct safe_tx tx = rejection();
	pid_t first = signer_pid(signer);

	/* The key file may be gone or changed by name meanwhile: the descriptor counts. */
	assert_int_equal(unlink(path_of(world, "proposer")), 0);
	assert_int_equal(kill(first, SIGSTOP), 0);
	signer_sign_safe_tx(signer, "pay", PURPOSE_REJECT, &tx, got_signature, &outcome);
	assert_int_equal(kill(first, SIGKILL), 0);
	loop_run(world->loop);
	assert_int_equal(outcome.calls, 1);
	assert_int_equal(outcome.error.code, ERR_UNAVAILABLE);
	assert_int_equal(signer_pid(signer), -1);
	/* Between two lives: refused at once, by a callback all the same. */
	outcome = sign_rejection(world, signer);
	assert_int_equal(outcome.error.code, ERR_UNAVAILABLE);
	for (unsigned i = 0; i < 1000 && outcome.error.code == ERR_UNAVAILABLE; i++) {
		let_time_pass(world, 10);
		outcome = sign_rejection(world, signer);
	}
	assert_int_equal(outcome.error.code, 0);
	assert_signed_by(&outcome, plain_address);
	assert_true(signer_pid(signer) > 0);
	assert_int_not_equal(signer_pid(signer), first);
	signer_free(signer);
}

/* Main after it gave up its rights: it cannot open a key file any more, but a signer that died
 * comes back all the same. In a child, because there is no way back from it. */
static int confined_main(struct world *world)
{
	struct loop *loop = loop_new();
	struct signer *signer;
	struct error error;

	world->loop = loop;
	if (signer_start(&signer, loop, world->config, &error) != 0)
		return 1;
	if (sandbox_confine_files(NULL, 0, &error) != 0)
		return error.code == ERR_UNAVAILABLE ? 77 : 2;
	if (open(path_of(world, "proposer"), O_RDONLY | O_CLOEXEC) >= 0)
		return 3;
	kill(signer_pid(signer), SIGKILL);
	struct outcome outcome = sign_rejection(world, signer);
	for (unsigned i = 0; i < 1000 && outcome.error.code == ERR_UNAVAILABLE; i++) {
		let_time_pass(world, 10);
		outcome = sign_rejection(world, signer);
	}
	signer_free(signer);
	loop_free(loop);
	return outcome.error.code == 0 ? 0 : 4;
}

static void a_confined_main_still_gets_its_signer_back(void **state)
{
	int status;

	fflush(NULL);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(confined_main(*state));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- starts that fail ------------------------------------------------------------------------ */

static void refuse_start(struct world *world, int code, const char *option, const char *file,
                         const char *reason)
{
	struct signer *signer;

	assert_int_equal(signer_start(&signer, world->loop, world->config, &world->error), code);
	assert_null(signer);
	const char *text = world->error.text;
	if (strstr(text, option) == NULL || strstr(text, path_of(world, file)) == NULL ||
	    strstr(text, reason) == NULL)
		fail_msg("\"%s\" does not name %s, %s and \"%s\"", text, option, file, reason);
	assert_null(strstr(text, "ac0974"));
}

static void a_failed_start_names_option_file_and_reason(void **state)
{
	struct world *world = *state;

	write_file(world, "password", bytes_text("wrong"), 0600);
	refuse_start(world, ERR_DENIED, "targets.pay.executor_key_file", "executor",
	             "password is wrong");
	write_file(world, "proposer", bytes_text("ac0974bec39a"), 0600);
	refuse_start(world, ERR_INVALID, "targets.pay.proposer_key_file", "proposer",
	             "neither one line");
	assert_int_equal(unlink(path_of(world, "proposer")), 0);
	refuse_start(world, ERR_IO, "targets.pay.proposer_key_file", "proposer", "No such file");
	assert_int_equal(mkdir(path_of(world, "proposer"), 0700), 0);
	refuse_start(world, ERR_INVALID, "targets.pay.proposer_key_file", "proposer",
	             "regular file");
	assert_int_equal(rmdir(path_of(world, "proposer")), 0);
	write_file(world, "proposer", bytes_text(plain_key), 0600);
	assert_int_equal(unlink(path_of(world, "password")), 0);
	refuse_start(world, ERR_IO, "targets.pay.executor_key_password_file", "password",
	             "No such file");
}

static void a_file_open_to_everybody_is_a_warning(void **state)
{
	struct world *world = *state;

	write_file(world, "proposer", bytes_text(plain_key), 0644);
	signer_free(started(world));
}

static void without_keys_there_is_no_signer(void **state)
{
	struct world *world = *state;
	struct signer *signer;
	struct address address;

	for (size_t i = 0; i < world->config->target_count; i++) {
		world->config->targets[i].proposer.file = NULL;
		world->config->targets[i].executor.file = NULL;
	}
	assert_int_equal(signer_start(&signer, world->loop, world->config, &world->error), 0);
	assert_null(signer);
	assert_false(signer_address(signer, "pay", SIGNER_PROPOSER, &address));
	assert_int_equal(signer_pid(signer), -1);
	signer_free(signer);
}

static long status_number(pid_t pid, const char *name)
{
	char path[64], line[256];
	long number = -1;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL) {
		if (strncmp(line, name, strlen(name)) == 0)
			number = strtol(line + strlen(name), NULL, 10);
	}
	fclose(file);
	return number;
}

/* AddressSanitizer makes mlock do nothing. */
static bool locking_works(void)
{
	struct secret secret;

	assert_int_equal(secret_new(&secret, 1, NULL), 0);
	long locked = status_number(getpid(), "VmLck:");
	secret_free(&secret);
	return locked > 0;
}

static void key_pages_are_locked_and_the_process_is_closed(void **state)
{
	struct world *world = *state;
	struct signer *signer = started(world);
	char path[64];

	assert_int_equal(status_number(signer_pid(signer), "Seccomp:"), 2);
	assert_int_equal(status_number(signer_pid(signer), "NoNewPrivs:"), 1);
	if (locking_works()) /* KiB: two keys, a page each */
		assert_int_equal(status_number(signer_pid(signer), "VmLck:"),
		                 2 * sysconf(_SC_PAGESIZE) / 1024);
	for (int fd = ROLE_SOCKET + 1; fd < ROLE_SOCKET + 8; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", signer_pid(signer), fd);
		assert_int_not_equal(access(path, F_OK), 0);
	}
	signer_free(signer);
}

/* --- the role without the client -------------------------------------------------------------- */

/* Sends one message and gives back the kind of the answer, 0 when the role ends instead. */
static unsigned say(const struct role *role, uint16_t kind, struct bytes body)
{
	struct message message = {.kind = kind, .id = 5, .body = body};
	struct pollfd entry = {.fd = role->socket, .events = POLLIN};
	struct buf buffer = {0};
	unsigned answer = 0;
	int fd;

	assert_int_equal(message_send(role->socket, &message, -1, NULL), 0);
	assert_int_equal(poll(&entry, 1, 60000), 1);
	if (message_receive(role->socket, &message, &buffer, &fd, NULL) == 0) {
		assert_int_equal(message.id, 5);
		answer = message.kind;
	}
	buf_free(&buffer);
	return answer;
}

static void start_bare(struct role *role)
{
	struct error error;

	assert_int_equal(role_start(role, "signer", NULL, NULL, 0, &error), 0);
}

/* How the role ended; it must end by itself. */
static int reap(struct role *role)
{
	int status;

	close(role->socket);
	assert_int_equal(waitpid(role->pid, &status, 0), role->pid);
	return status;
}

static void a_role_that_is_not_greeted_ends(void **state)
{
	struct role role;

	(void)state;
	start_bare(&role);
	assert_int_equal(say(&role, WIRE_SIGN_SAFE_TX, bytes_text("x")), 0);
	assert_int_equal(WEXITSTATUS(reap(&role)), 1);
	start_bare(&role);
	assert_int_equal(say(&role, WIRE_HELLO, bytes_text("nonsense")), 0);
	assert_int_equal(WEXITSTATUS(reap(&role)), 1);
	start_bare(&role);
	assert_int_equal(WEXITSTATUS(reap(&role)), 1);
}

static void nonsense_is_refused_and_costs_nothing(void **state)
{
	struct world *world = *state;
	const char *files[] = {path_of(world, "proposer"), path_of(world, "executor"),
	                       path_of(world, "password")};
	struct wire_hello hello = {.config_name = world->config->path,
	                           .file_count = ARRAY_LEN(files)};
	int descriptors[1 + ARRAY_LEN(files)];
	struct buf body = {0};
	struct role role;

	descriptors[0] = open(world->config->path, O_RDONLY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		hello.files[i] = files[i];
		descriptors[1 + i] = open(files[i], O_RDONLY | O_CLOEXEC);
	}
	wire_put_hello(&body, &hello);
	assert_int_equal(role_start(&role, "signer", NULL, descriptors, ARRAY_LEN(descriptors),
	                            &world->error),
	                 0);
	assert_int_equal(say(&role, WIRE_HELLO, buf_bytes(&body)), WIRE_READY);
	assert_int_equal(say(&role, WIRE_HELLO, buf_bytes(&body)), WIRE_REFUSED); /* once only */
	assert_int_equal(say(&role, 999, bytes_text("")), WIRE_REFUSED);
	for (uint16_t kind = WIRE_SIGN_SAFE_TX; kind <= WIRE_SIGN_CANCEL; kind++)
		assert_int_equal(say(&role, kind, bytes_text("\1\2\3")), WIRE_REFUSED);
	int status = reap(&role);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	for (size_t i = 0; i < ARRAY_LEN(descriptors); i++)
		close(descriptors[i]);
	buf_free(&body);
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	        WITH_WORLD(the_signer_tells_its_addresses),
	        WITH_WORLD(requests_are_signed_with_the_hash_of_their_fields),
	        WITH_WORLD(what_is_not_in_the_table_is_denied),
	        WITH_WORLD(an_execution_comes_back_as_a_raw_transaction),
	        WITH_WORLD(a_killed_signer_costs_the_request_in_hand_and_comes_back),
	        WITH_WORLD(a_confined_main_still_gets_its_signer_back),
	        WITH_WORLD(a_failed_start_names_option_file_and_reason),
	        WITH_WORLD(a_file_open_to_everybody_is_a_warning),
	        WITH_WORLD(without_keys_there_is_no_signer),
	        WITH_WORLD(key_pages_are_locked_and_the_process_is_closed),
	        cmocka_unit_test(a_role_that_is_not_greeted_ends),
	        WITH_WORLD(nonsense_is_refused_and_costs_nothing),
	};

	if (argc > 1 && strcmp(argv[1], "--role=signer") == 0)
		return signer_role_main(ROLE_SOCKET);
	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
