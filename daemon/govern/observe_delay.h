/* The part of an observation that only a Delay module has: its queue, whose turn it is, and how an
 * entry that was passed over ended. Filled in by observe.c. */
#ifndef GOVERN_OBSERVE_DELAY_H
#define GOVERN_OBSERVE_DELAY_H

#include "daemon/govern/delay_log.h"
#include "daemon/govern/observe.h"

/* So far before its own an entry's age is asked for. */
enum { DELAY_FRONT = 8 };
/* So many that are the same as its own are asked for, the latest. */
enum { DELAY_SAME = 4 };

/* Where the entry stands, or once more. */
struct delay_place {
	struct delay_added added;
	size_t hash_read, created_read;
	size_t front_reads[DELAY_FRONT]; /* of the entries before it, the nearest first */
};

struct observed_delay {
	struct delay_place places[DELAY_SAME];
	size_t place_count;
	const struct delay_place *place; /* the one that counts, once the queue is known */
	bool was_added;                  /* the logs tell of it, at this number of the queue */
	struct delay_added added;
	size_t next_read, end_read, cooldown_read, expiration_read;
	size_t final_next_read;

	struct delay_queue queue;
	uint64_t created_at;
	/* When it waits behind another entry: the one whose turn it is. */
	bool has_front;
	uint64_t front, front_created_at; /* 0: too far before it to be asked for */
	struct seen_log run;              /* with OPERATION_DONE */
};

/* The logs' part and what must be read at the head; sets observed->delay, in the arena. */
void observe_delay_ask(struct observed *observed, const struct observe_context *context,
                       struct reads *reads);
/* Takes the answers: the operation, its times and its turn. */
void observe_delay_take(struct observed *observed, const struct observe_context *context,
                        const struct chain_read_result *results);
void observe_delay_ask_final(struct observed *observed, struct reads *reads);
void observe_delay_take_final(struct observed *observed, const struct observe_context *context,
                              const struct chain_read_result *results);

#endif
