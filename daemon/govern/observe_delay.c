#include "daemon/govern/observe_delay.h"

/* --- what to ask -------------------------------------------------------------------------------
 */

static size_t add_numbered(struct reads *reads, const struct address *module,
                           void (*encode)(struct buf *out, uint64_t nonce), uint64_t nonce)
{
	struct buf data = {0};

	encode(&data, nonce);
	size_t index = reads_add(reads, module, buf_bytes(&data));
	buf_free(&data);
	return index;
}

static void ask_place(struct delay_place *place, struct reads *reads, const struct address *module)
{
	uint64_t nonce = place->added.nonce;

	place->hash_read = add_numbered(reads, module, delay_encode_tx_hash, nonce);
	place->created_read = add_numbered(reads, module, delay_encode_tx_created_at, nonce);
	for (size_t i = 0; i < DELAY_FRONT; i++)
		place->front_reads[i] =
		        i < nonce ? add_numbered(reads, module, delay_encode_tx_created_at,
		                                 nonce - 1 - i)
		                  : READS_NONE;
}

static void ask_places(struct observed *observed, const struct observe_context *context,
                       struct reads *reads)
{
	const struct proposal *proposal = observed->proposal;
	const struct address *module = &proposal->timelock;
	struct observed_delay *delay = observed->delay;
	const struct delay_log of = {context->store, proposal->chain_id, module};
	struct delay_added *list;
	size_t count = delay_added_same(&list, &of, context->arena, &proposal->operation_id,
	                                proposal->drafted_after);
	size_t first = count > DELAY_SAME ? count - DELAY_SAME : 0;

	for (size_t i = first; i < count; i++) {
		struct delay_place *place = &delay->places[delay->place_count++];
		place->added = list[i];
		ask_place(place, reads, module);
	}
	delay->was_added = count > 0;
	if (delay->was_added)
		delay->added = list[count - 1];
}

void observe_delay_ask(struct observed *observed, const struct observe_context *context,
                       struct reads *reads)
{
	const struct proposal *proposal = observed->proposal;
	const struct address *module = &proposal->timelock;
	struct observed_delay *delay = arena_alloc(context->arena, sizeof(*delay));

	*delay = (struct observed_delay){.final_next_read = READS_NONE};
	observed->delay = delay;
	delay->next_read = reads_add_view(reads, module, VIEW_DELAY_NONCE);
	delay->end_read = reads_add_view(reads, module, VIEW_DELAY_END);
	delay->cooldown_read = reads_add_view(reads, module, VIEW_DELAY_COOLDOWN);
	delay->expiration_read = reads_add_view(reads, module, VIEW_DELAY_EXPIRATION);
	ask_places(observed, context, reads);
}

/* --- what was answered --------------------------------------------------------------------------
 */

static bool take_queue(struct observed_delay *delay, const struct chain_read_result *results)
{
	struct delay_queue *queue = &delay->queue;

	return reads_u64(&queue->next, &results[delay->next_read]) == 0 &&
	       reads_u64(&queue->end, &results[delay->end_read]) == 0 &&
	       reads_u64(&queue->cooldown, &results[delay->cooldown_read]) == 0 &&
	       reads_u64(&queue->expiration, &results[delay->expiration_read]) == 0;
}

/* Whoever adds the entry once more takes nothing from the one that is first: it counts while it
 * waits and when it ran. What was passed over gives way to the next. */
static void choose_place(struct observed *observed, const struct observe_context *context)
{
	struct observed_delay *delay = observed->delay;
	struct seen_log run;

	for (size_t i = 0; i < delay->place_count; i++) {
		delay->place = &delay->places[i];
		if (delay->place->added.nonce >= delay->queue.next ||
		    delay_run_find(&run, context->store, context->arena, observed->proposal,
		                   &delay->place->added) == 0)
			break;
	}
	delay->added = delay->place->added;
}

/* The logs and the module's own state must speak of the same entry. */
static bool take_entry(struct observed_delay *delay, const struct chain_read_result *results)
{
	const struct chain_read_result *hash = &results[delay->place->hash_read];

	return delay->added.nonce < delay->queue.end && hash->success &&
	       bytes_equal(hash->returned,
	                   bytes_of(delay->added.hash.b, sizeof(delay->added.hash.b))) &&
	       reads_u64(&delay->created_at, &results[delay->place->created_read]) == 0 &&
	       delay->created_at != 0;
}

static void take_front(struct observed_delay *delay, const struct chain_read_result *results)
{
	uint64_t before = delay->added.nonce - delay->queue.next;

	delay->has_front = true;
	delay->front = delay->queue.next;
	if (before <= DELAY_FRONT &&
	    reads_u64(&delay->front_created_at, &results[delay->place->front_reads[before - 1]]) !=
	            0)
		delay->front_created_at = 0;
}

static void observe_waiting(struct observed *observed, const struct chain_read_result *results)
{
	struct observed_delay *delay = observed->delay;
	struct observation *seen = &observed->seen;

	seen->operation = OPERATION_PENDING;
	seen->ready_at = delay_ready_at(&delay->queue, delay->created_at);
	if (delay->added.nonce > delay->queue.next)
		take_front(delay, results);
	if (seen->chain_now > delay_last_at(&delay->queue, delay->created_at))
		seen->turn = TURN_OVER;
	else
		seen->turn = delay->has_front ? TURN_OTHERS : TURN_OURS;
}

/* Its turn is over: either it ran, or it was passed over. Who passed over it, a module before 1.1
 * does not tell; then it is what its time says. */
static void observe_passed(struct observed *observed, const struct observe_context *context)
{
	const struct proposal *proposal = observed->proposal;
	struct observed_delay *delay = observed->delay;
	struct observation *seen = &observed->seen;
	struct seen_log veto;

	if (delay_run_find(&delay->run, context->store, context->arena, proposal, &delay->added) ==
	    0) {
		seen->operation = OPERATION_DONE;
		observed->has_executed_tx = true;
		observed->executed_tx = delay->run.tx_hash;
		return;
	}
	seen->operation = OPERATION_UNSET;
	/* Without the target nobody follows its avatar: what ran would leave no log here. */
	if (observed->target == NULL) {
		seen->operation = OPERATION_UNKNOWN;
		return;
	}
	seen->cancelled_latest = true;
	observed->has_ended_tx = delay_veto_find(&veto, context->store, context->arena,
	                                         proposal->chain_id, &delay->added) == 0;
	if (observed->has_ended_tx)
		observed->ended_tx = veto.tx_hash;
	else if (seen->chain_now > delay_last_at(&delay->queue, delay->created_at))
		seen->turn = TURN_OVER;
}

void observe_delay_take(struct observed *observed, const struct observe_context *context,
                        const struct chain_read_result *results)
{
	struct observed_delay *delay = observed->delay;
	struct observation *seen = &observed->seen;

	seen->operation = OPERATION_UNKNOWN;
	if (!take_queue(delay, results))
		return;
	if (!delay->was_added) {
		seen->operation = OPERATION_UNSET;
		return;
	}
	choose_place(observed, context);
	if (!take_entry(delay, results))
		return;
	observed->has_scheduled_tx = true;
	observed->scheduled_tx = delay->added.log.tx_hash;
	if (delay->added.nonce >= delay->queue.next)
		observe_waiting(observed, results);
	else
		observe_passed(observed, context);
}

void observe_delay_ask_final(struct observed *observed, struct reads *reads)
{
	observed->delay->final_next_read =
	        reads_add_view(reads, &observed->proposal->timelock, VIEW_DELAY_NONCE);
}

void observe_delay_take_final(struct observed *observed, const struct observe_context *context,
                              const struct chain_read_result *results)
{
	const struct observed_delay *delay = observed->delay;
	struct observation *seen = &observed->seen;
	uint64_t next;

	if (reads_u64(&next, &results[delay->final_next_read]) != 0)
		return;
	bool passed = delay->was_added && delay->added.log.block_number <= context->final.number &&
	              next > delay->added.nonce;
	seen->executed_final = passed && seen->operation == OPERATION_DONE &&
	                       delay->run.block_number <= context->final.number;
	seen->cancelled_final = passed && seen->cancelled_latest;
}
