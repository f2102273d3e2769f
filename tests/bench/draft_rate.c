/* draft_rate SECONDS: how many drafts of five calls one thread encodes, hashes and signs a second.
 * A draft is what it is in the daemon: five registry calls, their salt and operation id, the
 * scheduleBatch around them, the Safe transaction's EIP-712 hash and the signature over it. Prints
 * JSON with the rate and the last hash, so that somebody else can compute it, too. */
#include "common/base/clock.h"
#include "common/crypto/ecdsa.h"
#include "common/crypto/hash.h"
#include "common/governance/registry.h"
#include "common/governance/safe_tx.h"
#include "common/governance/timelock.h"

#include <stdio.h>
#include <stdlib.h>

enum { CALLS = 5, ROUND = 64 };

struct draft {
	struct address safe, timelock, kms;
	uint8_t key[32];
	struct hash32 hash;
	struct ecdsa_signature signature;
};

static void make(struct draft *draft, uint64_t nonce, struct buf *calldata)
{
	struct contract_call calls[CALLS];
	uint8_t data[CALLS][REGISTRY_CALL_SIZE];

	for (size_t i = 0; i < CALLS; i++) {
		struct hash32 value = {{(uint8_t)(i + 1)}};
		be64_put(value.b + 24, nonce);
		registry_encode_call(data[i], KIND_OS_IMAGE, ACTION_ADD, &value);
		calls[i] = (struct contract_call){.to = draft->kms,
		                                  .data = bytes_of(data[i], REGISTRY_CALL_SIZE)};
	}
	calls_order(calls, CALLS);
	struct timelock_batch batch = {.calls = calls, .count = CALLS};
	batch.salt = timelock_salt(&batch, 31337, &draft->timelock, 0);
	/* The daemon looks for the first attempt whose id the timelock does not know. */
	struct hash32 id = timelock_operation_id(&batch);
	if (hash32_is_zero(&id))
		die("an operation id of zero");
	buf_clear(calldata);
	timelock_encode_schedule(calldata, &batch, 3600);
	struct safe_tx tx = {.chain_id = 31337,
	                     .safe = draft->safe,
	                     .to = draft->timelock,
	                     .data = buf_bytes(calldata),
	                     .nonce = nonce};
	draft->hash = safe_tx_hash(&tx);
	ecdsa_sign(&draft->signature, &draft->hash, draft->key);
}

int main(int argc, char **argv)
{
	struct draft draft = {.safe = {{0x11}}, .timelock = {{0x22}}, .kms = {{0x33}}, .key = {1}};
	struct buf calldata = {0};
	uint64_t made = 0;
	char hash[HASH32_TEXT_SIZE];

	if (argc != 2) {
		fprintf(stderr, "usage: %s SECONDS\n", argv[0]);
		return 64;
	}
	crypto_init();
	int64_t begin = clock_mono().ms, until = begin + (int64_t)strtoul(argv[1], NULL, 10) * 1000;
	int64_t now = begin;
	for (; now < until; now = clock_mono().ms)
		for (size_t i = 0; i < ROUND; i++)
			make(&draft, made++, &calldata);
	printf("{\"per_second\": %.0f, \"nonce\": %llu, \"hash\": \"%s\"}\n",
	       (double)made * 1000 / (double)(now - begin), (unsigned long long)made - 1,
	       hash32_text(hash, &draft.hash));
	buf_free(&calldata);
	return 0;
}
