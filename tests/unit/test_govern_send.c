/* What our own keys send, when the chain did more than was looked at: what is mined meanwhile
 * reverts a second time, and is no trouble. */
#include "daemon/govern/send.h"

#include "common/crypto/hash.h"
#include "daemon/io/role.h"
#include "tests/unit/govern_steps.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* A public test key of anvil. */
static const char scheduler_key[] =
        "0x92db14e403b83dfe3df233f83dfa3a0d7096f21ca9b0d6d6b8d88b2b4ec1564e\n";
static const char scheduler_address[] = "0x976EA74026E726554dB657fA54763abd0C3a0aa9";
static const struct hash32 value = {{0xaa, 0xbb}};

enum { NONCE = 3 };

struct desk {
	struct govern_world *w;
	struct jval *(*method)(const char *name, const struct jval *params, void *arg);
	struct proposal_id proposal;
	struct address key;
	unsigned receipts, counts;
	const char *status; /* of every receipt; NULL: nothing is mined */
	bool silent;        /* about receipts */
};

/* What the node is given as its argument is the world. */
static struct desk *desk_of_node;

static struct jval *method(const char *name, const struct jval *params, void *arg)
{
	struct desk *desk = desk_of_node;

	if (strcmp(name, "eth_getTransactionCount") == 0)
		desk->counts++;
	if (strcmp(name, "eth_getTransactionReceipt") != 0)
		return desk->method(name, params, arg);
	desk->receipts++;
	if (desk->silent)
		return jval_new_string("no receipt at all");
	if (desk->status == NULL)
		return jval_new_null();
	struct jval *receipt = jval_object();
	jval_add_string(receipt, "status", desk->status);
	jval_add_hash32(receipt, "blockHash", &value);
	return receipt;
}

static int setup(void **state)
{
	struct desk *desk = xcalloc(1, sizeof(*desk));

	if (govern_world_setup((void **)&desk->w) != 0)
		return 1;
	desk->method = desk->w->node.method;
	desk->w->node.method = method;
	desk_of_node = desk;
	*state = desk;
	return 0;
}

static int teardown(void **state)
{
	struct desk *desk = *state;
	void *world = desk->w;

	free(desk);
	return govern_world_teardown(&world);
}

/* A timelock whose proposer is our key. */
static void prepare(struct desk *desk)
{
	struct govern_world *w = desk->w;
	const char *path = arena_printf(&w->arena, "%s/scheduler", w->folder);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, scheduler_key, strlen(scheduler_key)), strlen(scheduler_key));
	close(fd);
	assert_int_equal(address_parse(&desk->key, scheduler_address, NULL), 0);
	world_role(w, &timelock_role_proposer, &desk->key, true);
	govern_world_prepare(
	        w, &(struct world_options){.target = arena_printf(&w->arena,
	                                                          "    model: timelock\n"
	                                                          "    scheduler_key_file: %s\n",
	                                                          path),
	                                   .chain = "    resend: 100ms\n"});
}

/* The timelock has the operation already, as far as a simulation tells. */
static void schedule_reverts(struct desk *desk)
{
	struct govern_world *w = desk->w;
	struct proposal proposal = world_proposal(w, desk->proposal);
	struct timelock_batch batch = proposal_batch(&w->arena, &proposal);
	struct buf data = {0};

	timelock_encode_schedule(&data, &batch, WORLD_DELAY);
	world_reverts(w, &w->timelock, buf_bytes(&data));
	buf_free(&data);
}

/* A draft whose schedule was sent, and is not mined as far as anybody has looked. */
static void was_sent(struct desk *desk)
{
	struct govern_world *w = desk->w;
	struct call call = world_call(w, ACTION_ADD, &value);
	struct new_proposal draft = world_draft(w, &call);

	draft.model = MODEL_TIMELOCK;
	draft.safe = (struct address){{0}};
	desk->proposal = world_propose(w, &draft, world_record(w, KIND_OS_IMAGE, &value));
	struct sent_tx row = {.proposal = desk->proposal,
	                      .purpose = PURPOSE_SCHEDULE,
	                      .chain_id = WORLD_CHAIN,
	                      .nonce = NONCE,
	                      .from = desk->key,
	                      .raw = bytes_text("raw"),
	                      .tx_hash = {{0x55}},
	                      .max_fee = u256_from(1),
	                      .max_priority_fee = u256_from(1),
	                      .attempt = 1,
	                      .status = SENT_STORED,
	                      .sent_at = clock_wall()};
	store_begin(w->store);
	store_sent_tx_add(w->store, &row);
	store_commit(w->store);
	schedule_reverts(desk);
}

static enum sent_status status_of(struct desk *desk)
{
	struct sent_tx_list list;

	store_sent_tx_list(desk->w->store, &desk->w->arena, desk->proposal, &list);
	assert_int_equal(list.count, 1);
	return list.items[0].status;
}

static void until_asked(struct desk *desk)
{
	for (int i = 0; i < 500 && desk->receipts == 0; i++)
		world_run_for(desk->w, 10);
	world_run_for(desk->w, 50);
	assert_true(desk->receipts > 0);
}

static void test_what_was_mined_since_the_look_is_no_trouble(void **state)
{
	struct desk *desk = *state;

	prepare(desk);
	was_sent(desk);
	desk->status = "0x1";
	world_first_look(desk->w);
	until_asked(desk);
	assert_int_equal(world_alarms(desk->w, "[not-executed]").count, 0);
	assert_int_equal(status_of(desk), SENT_STORED); /* the tracker says what became of it */
	assert_int_equal(desk->counts, 0);
}

static void test_what_reverts_and_was_never_mined_is_told_once(void **state)
{
	struct desk *desk = *state;

	prepare(desk);
	was_sent(desk);
	world_first_look(desk->w);
	struct world_alarms told = world_until_alarm(desk->w, "[not-executed]");
	assert_contains(told.text, "cannot be scheduled by us: scheduleBatch reverts");
	assert_string_equal(told.subject, "p1");
	assert_true(desk->receipts > 0);
	assert_int_equal(status_of(desk), SENT_STORED);
}

static void test_what_was_mined_and_reverted_is_told(void **state)
{
	struct desk *desk = *state;

	prepare(desk);
	was_sent(desk);
	desk->status = "0x0";
	world_first_look(desk->w);
	world_until_alarm(desk->w, "scheduleBatch reverts");
	assert_int_equal(world_alarms(desk->w, "it is sent again").count, 0);
}

/* Nobody knows: it is tried again, and nothing is said of it yet. */
static void test_an_endpoint_that_says_nothing_of_it(void **state)
{
	struct desk *desk = *state;

	prepare(desk);
	was_sent(desk);
	desk->silent = true;
	world_first_look(desk->w);
	until_asked(desk);
	assert_int_equal(world_alarms(desk->w, "[not-executed]").count, 0);
	desk->silent = false;
	world_until_alarm(desk->w, "scheduleBatch reverts");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_what_was_mined_since_the_look_is_no_trouble),
	        TEST(test_what_reverts_and_was_never_mined_is_told_once),
	        TEST(test_what_was_mined_and_reverted_is_told),
	        TEST(test_an_endpoint_that_says_nothing_of_it),
	};

	if (argc > 1 && strcmp(argv[1], "--role=signer") == 0)
		return signer_role_main(ROLE_SOCKET);
	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
