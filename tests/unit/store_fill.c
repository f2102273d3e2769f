#include "tests/unit/store_fill.h"

#include "common/store/store_build.h"
#include "common/store/store_chain.h"
#include "common/store/store_event.h"
#include "common/store/store_safe_tx.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH = 50, MAX_CALLS = 20 };

static const struct {
	const char *name;
	uint64_t chain_id;
} targets[] = {{"payments", 8453}, {"wallet", 8453}, {"ledger", 1}};

struct fill {
	struct store *store;
	struct arena arena;
	int64_t now;
	size_t pending; /* rows since the last commit */
	struct measurement_id *ids;
	size_t measurements, proposals;
	size_t used[ARRAY_LEN(targets)]; /* of each target's own measurements */
};

/* How a proposal of this turn ends: the states after drafted, 0 at the end. */
static const enum proposal_state confirmed[] = {STATE_MULTISIG, STATE_TIMELOCK,  STATE_EXECUTE,
                                                STATE_EXECUTED, STATE_CONFIRMED, 0};
static const enum proposal_state rejected[] = {STATE_MULTISIG, STATE_REJECTED, 0};
static const enum proposal_state cancelled[] = {STATE_MULTISIG, STATE_TIMELOCK, STATE_CANCELLED, 0};
static const enum proposal_state failed[] = {STATE_MULTISIG, STATE_FAILED, 0};
static const enum proposal_state expired[] = {STATE_EXPIRED, 0};
static const enum proposal_state in_multisig[] = {STATE_MULTISIG, 0};
static const enum proposal_state in_timelock[] = {STATE_MULTISIG, STATE_TIMELOCK, 0};
static const enum proposal_state in_execute[] = {STATE_MULTISIG, STATE_TIMELOCK, STATE_EXECUTE, 0};
static const enum proposal_state in_drafted[] = {0};

static const enum proposal_state *const live_ways[] = {in_drafted, in_multisig, in_multisig,
                                                       in_timelock, in_execute};
static const enum proposal_state *const ended_ways[] = {
        confirmed, confirmed, confirmed, rejected,  confirmed, confirmed, cancelled,
        confirmed, confirmed, confirmed, confirmed, failed,    confirmed, expired};

static struct hash32 number_hash(char purpose, size_t n)
{
	struct hash32 hash = {{(uint8_t)purpose}};

	be64_put(hash.b + 24, n);
	be64_put(hash.b + 8, n * 0x9e3779b97f4a7c15u);
	return hash;
}

static struct address number_address(char purpose, size_t n)
{
	struct address address = {{(uint8_t)purpose}};

	be64_put(address.b + 12, n + 1);
	return address;
}

static void pass(struct fill *fill)
{
	if (++fill->pending % BATCH == 0) {
		store_commit(fill->store);
		fill->now += 60000;
		store_set_now(fill->store, (struct wall){fill->now});
		store_begin(fill->store);
	}
}

static void add_build(struct fill *fill, size_t n, const char *target, const struct hash32 *value)
{
	char *folder = arena_printf(&fill->arena, "/srv/releases/%s/%06zu", target, n);
	struct artifact artifact = {.target = target,
	                            .path = arena_printf(&fill->arena, "%s/enclave.eif", folder),
	                            .folder = folder,
	                            .device = 2049,
	                            .inode = 100000 + n,
	                            .size = 48 << 20,
	                            .mtime_ns = fill->now * 1000000,
	                            .ctime_ns = fill->now * 1000000};
	struct build build = {.target = target,
	                      .folder = folder,
	                      .eif = "enclave.eif",
	                      .status = BUILD_ACCEPTED,
	                      .has_value = true,
	                      .value = *value};

	artifact.measured = (struct measured){.format = FORMAT_EIF,
	                                      .level = LEVEL_RECOMPUTED,
	                                      .value = *value,
	                                      .sha256 = number_hash('f', n),
	                                      .size = artifact.size,
	                                      .details = "{\"image_name\":\"enclave\"}"};
	memset(artifact.measured.pcrs.pcr0, (int)(n % 255) + 1, SHA384_SIZE);
	store_artifact_put(fill->store, &artifact);
	store_folder_judged(fill->store, target, folder);
	store_build_put(fill->store, &build);
}

static void add_measurement(struct fill *fill, size_t n)
{
	const char *target = targets[n % ARRAY_LEN(targets)].name;
	struct hash32 value = number_hash('v', n);
	struct evidence evidence = {
	        .level = n % 7 == 0 ? LEVEL_CLAIMED : LEVEL_RECOMPUTED,
	        .source = "folder",
	        .artifact =
	                arena_printf(&fill->arena, "/srv/releases/%s/%06zu/enclave.eif", target, n),
	        .artifact_sha256 = number_hash('f', n),
	        .details = "{\"format\":\"eif\",\"size\":50331648,\"image_name\":\"enclave\"}"};
	bool created;

	fill->ids[n] = store_measurement_record(fill->store, target, KIND_OS_IMAGE, &value,
	                                        &evidence, &created);
	add_build(fill, n, target, &value);
	pass(fill);
	arena_free(&fill->arena);
}

static void add_safe_txs(struct fill *fill, struct proposal_id proposal, size_t n, size_t states)
{
	struct address safe = number_address('s', n % ARRAY_LEN(targets));
	struct address to = number_address('t', n % ARRAY_LEN(targets));
	struct hash32 hash = number_hash('h', n), tx = number_hash('x', n);
	uint8_t data[1000] = {0x8f, 0x2a, 0x0b, 0xb0};
	const struct safe_tx_row fresh = {
	        .proposal = proposal,
	        .purpose = PURPOSE_SCHEDULE,
	        .safe = safe,
	        .to = to,
	        .data = bytes_of(data, sizeof(data)),
	};
	struct safe_tx_id id = store_safe_tx_add(fill->store, &fresh);

	if (states == 0)
		return;
	if (store_safe_tx_assign(fill->store, id, n, &hash, NULL) != 0)
		die("nonce %zu is taken", n);
	store_safe_tx_set_status(fill->store, id, SAFE_TX_QUEUED, NULL, 0);
	store_safe_tx_set_confirmations(fill->store, id, 1, 2);
	if (states == 1)
		return;
	store_safe_tx_set_confirmations(fill->store, id, 2, 2);
	store_safe_tx_set_status(fill->store, id, SAFE_TX_EXECUTED, &tx, 1000 + n);
}

static void add_log(struct fill *fill, uint64_t chain_id, size_t n)
{
	struct hash32 block = number_hash('b', n);
	struct seen_log log = {.block_number = 1000 + n,
	                       .block_hash = block,
	                       .tx_hash = number_hash('x', n),
	                       .address = number_address('t', n % ARRAY_LEN(targets)),
	                       .topic0 = number_hash('c', 0),
	                       .key = number_hash('o', n),
	                       .data = bytes_of("12345678901234567890123456789012", 32)};

	store_log_put(fill->store, chain_id, &log);
	store_cursor_set(fill->store, chain_id, 1000 + n, &block);
}

static void walk(struct fill *fill, struct proposal_id id, const enum proposal_state *way)
{
	enum proposal_state at = STATE_DRAFTED;
	struct error error = {0};

	for (; *way != 0; at = *way++) {
		const struct state_move move = {at, *way, "seen on chain", NULL};
		if (store_proposal_move(fill->store, id, &move, &error) != 0)
			die("%s", error.text);
	}
}

/* The calls of the next measurements of one target, and those measurements. */
static size_t take_calls(struct fill *fill, size_t target, size_t count, struct call *calls,
                         struct measurement_id *ids)
{
	size_t taken = 0;

	for (; taken < count; taken++) {
		size_t n = ARRAY_LEN(targets) * fill->used[target]++ + target;
		if (n >= fill->measurements)
			break;
		struct hash32 value = number_hash('v', n);
		uint8_t data[REGISTRY_CALL_SIZE];
		registry_encode_call(data, KIND_OS_IMAGE, ACTION_ADD, &value);
		calls[taken] = (struct call){
		        .to = number_address('k', target),
		        .data = arena_copy(&fill->arena, bytes_of(data, sizeof(data))),
		        .action = ACTION_ADD,
		        .kind = KIND_OS_IMAGE,
		        .value = value};
		ids[taken] = fill->ids[n];
	}
	return taken;
}

static void add_proposal(struct fill *fill, size_t n)
{
	size_t target = n % ARRAY_LEN(targets);
	size_t each = fill->measurements * 9 / 10 / fill->proposals;
	struct call calls[MAX_CALLS];
	struct measurement_id ids[MAX_CALLS];
	struct new_proposal proposal = {.target = targets[target].name,
	                                .origin = n % 40 == 7 ? "external" : "registrard",
	                                .chain_id = targets[target].chain_id,
	                                .model = MODEL_SAFE_TIMELOCK,
	                                .safe = number_address('s', target),
	                                .timelock = number_address('t', target),
	                                .salt = number_hash('z', n),
	                                .operation_id = number_hash('o', n),
	                                .delay = 86400,
	                                .drafted_after = 999 + n,
	                                .expires_at = {fill->now + 14 * 86400000LL},
	                                .calls = calls};
	struct proposal_id id;
	struct error error = {0};
	size_t states = 0;

	proposal.call_count = take_calls(fill, target,
	                                 each < 1           ? 1
	                                 : each > MAX_CALLS ? MAX_CALLS
	                                                    : each,
	                                 calls, ids);
	if (store_proposal_create(fill->store, &proposal, &id, &error) != 0)
		die("%s", error.text);
	for (size_t i = 0; i < proposal.call_count; i++)
		store_call_serve(fill->store, proposal.chain_id, &calls[i].to, calls[i].data,
		                 ids[i]);
	const enum proposal_state *way = n % 10 == 9 ? live_ways[n / 10 % ARRAY_LEN(live_ways)]
	                                             : ended_ways[n % ARRAY_LEN(ended_ways)];
	while (way[states] != 0)
		states++;
	add_safe_txs(fill, id, n, states);
	add_log(fill, proposal.chain_id, n);
	walk(fill, id, way);
	pass(fill);
	arena_free(&fill->arena);
}

void store_fill(struct store *store, size_t measurements, size_t proposals)
{
	struct fill fill = {.store = store,
	                    .now = 1767225600000, /* 2026-01-01 */
	                    .measurements = measurements,
	                    .proposals = proposals};

	fill.ids = xcalloc(measurements, sizeof(*fill.ids));
	store_set_now(store, (struct wall){fill.now});
	store_begin(store);
	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		struct address kms = number_address('k', i), app = number_address('a', i);
		store_target_put(store, targets[i].name, targets[i].chain_id, &kms,
		                 i > 0 ? &app : NULL);
	}
	for (size_t n = 0; n < measurements; n++)
		add_measurement(&fill, n);
	for (size_t n = 0; n < proposals; n++)
		add_proposal(&fill, n);
	store_commit(store);
	arena_free(&fill.arena);
	free(fill.ids);
}
