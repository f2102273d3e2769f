/* Follows one chain: reads the logs of the followed contracts into the store, block by block, with
 * a cursor that notices reorganisations, and the history below the first cursor beside it.
 *
 * One tick makes the same number of requests however much is in the store: the head, the block of
 * the cursor, one eth_getLogs; and only the head while it stands still. */
#ifndef CHAIN_FOLLOWER_H
#define CHAIN_FOLLOWER_H

#include "common/store/store.h"
#include "daemon/chain/chain.h"

struct follower;

/* None of them may free the follower or the chain. Each may be NULL. */
struct follower_callbacks {
	/* The store holds every log up to head. new_logs: how many of them it did not hold at the
	 * last tick, history included. The first tick, one after follower_tick_now, and one with
	 * new_logs come even when the head stands still. */
	void (*ticked)(const struct block_ref *head, const struct block_ref *final, size_t new_logs,
	               void *arg);
	/* Asked, and the head has not moved. */
	void (*unmoved)(const struct block_ref *head, const struct block_ref *final, void *arg);
	/* Logs above block common are gone from the store; comes before the tick that reads on. */
	void (*reorganised)(uint64_t common, uint64_t depth, void *arg);
	/* This tick did not get there; the next one tries again. */
	void (*failed)(const struct error *error, void *arg);
	/* A block that was final is another one now. The store says so (store_finality.h), an alarm
	 * was raised, and until follower_resume only unmoved and failed come. At the start of a
	 * follower that was stopped before, too, then without an alarm. */
	void (*stopped)(const char *why, void *arg);
};

struct follower *follower_new(struct loop *loop, struct chain *chain, struct store *store,
                              const struct follower_callbacks *callbacks, void *arg);
void follower_free(struct follower *follower);

/* The contracts whose logs are read (copied); also while running. Contracts that are new to the
 * store get their history read in the background. */
void follower_set_addresses(struct follower *follower, const struct address *addresses,
                            size_t count);
/* Ticks now and then every poll of the chain's configuration. */
void follower_start(struct follower *follower);
/* A tick as soon as possible, and ticked called even when the head stands still. */
void follower_tick_now(struct follower *follower);
/* Goes on after `stopped`, from the newest block that is on both chains; where none is known,
 * everything is read again. */
void follower_resume(struct follower *follower);
/* History is still being read: an absent log means nothing yet. */
bool follower_backfilling(const struct follower *follower);

#endif
