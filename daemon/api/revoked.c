#include "daemon/api/revoked.h"

#include "common/governance/path.h"
#include "common/store/store_safe_tx.h"
#include "daemon/api/report.h"

struct saying {
	struct store *store;
	struct arena *arena;
	const struct config_target *target; /* NULL: left the configuration */
	const struct measurement *measurement;
	struct jval *list;
};

static void say(struct saying *s, const char *text)
{
	jval_push(s->list, jval_new_string(text));
}

/* --- who does what ------------------------------------------------------------------------------
 */

/* How a removal comes about on this target's way. */
static const char *way_of(const struct saying *s)
{
	if (s->target == NULL)
		return "";
	switch (s->target->model) {
	case MODEL_SAFE_TIMELOCK:
		return s->target->execute == EXECUTE_SAFE
		               ? ": owners sign its schedule, and after the timelock's delay its "
		                 "execution"
		               : ": owners sign its schedule; it is executed after the timelock's "
		                 "delay";
	case MODEL_SAFE:
		return ": owners sign it; what they execute counts at once";
	case MODEL_TIMELOCK:
		return s->target->scheduler.file != NULL
		               ? ": the scheduler key schedules it; it is executed after the "
		                 "timelock's delay"
		               : ": the timelock's proposer sends its draft files; it is executed "
		                 "after the delay";
	case MODEL_DELAY:
		return ": the enqueuer enqueues it; it is executed after the cooldown, in its turn";
	case MODEL_DIRECT:
		return ": the contract's owner sends its draft files";
	}
	die("no such model: %d", (int)s->target->model);
}

/* How much was signed of what is in the queue; "" where nobody has counted. */
static const char *signed_text(struct saying *s, const struct safe_tx_row *open)
{
	if (open->threshold == 0)
		return "";
	return arena_printf(s->arena, ", %u of %u signed", open->confirmations, open->threshold);
}

/* The one of these purposes that waits in the queue; NULL: none does. */
static const struct safe_tx_row *queued(const struct safe_tx_list *txs, bool brings_forward)
{
	for (size_t i = txs->count; i-- > 0;) {
		enum purpose purpose = txs->items[i].purpose;
		bool forward = purpose == PURPOSE_SCHEDULE || purpose == PURPOSE_APPLY ||
		               purpose == PURPOSE_EXECUTE;
		if (txs->items[i].status == SAFE_TX_QUEUED && forward == brings_forward)
			return &txs->items[i];
	}
	return NULL;
}

/* --- an addition that is under way --------------------------------------------------------------
 */

static const char *in_queue(struct saying *s, const struct proposal *p,
                            const struct safe_tx_list *txs)
{
	const struct safe_tx_row *open = queued(txs, true);

	if (open == NULL)
		return arena_printf(s->arena,
		                    "p%lld, which would add it, is being proposed to the Safe: "
		                    "owners sign its rejection as soon as it is in the queue",
		                    (long long)p->id.n);
	return arena_printf(
	        s->arena,
	        "p%lld, which would add it, is in the Safe's queue with nonce %llu (%s%s): owners "
	        "sign its rejection, an empty transaction with the same nonce. If they execute "
	        "p%lld instead, %s",
	        (long long)p->id.n, (unsigned long long)open->nonce, purpose_name(open->purpose),
	        signed_text(s, open), (long long)p->id.n,
	        p->model == MODEL_SAFE ? "its removal is drafted at once"
	                               : "its cancellation is drafted");
}

static const char *who_cancels(struct saying *s, const struct proposal *p,
                               const struct safe_tx_list *txs)
{
	const struct safe_tx_row *run = queued(txs, true);

	if (p->model == MODEL_DELAY)
		return "the module's owner passes over it by setTxNonce (see the draft files)";
	if (p->model != MODEL_TIMELOCK)
		return run == NULL ? "owners sign its cancellation"
		                   : arena_printf(s->arena,
		                                  "owners sign its cancellation, which has nonce "
		                                  "%llu as its execution has",
		                                  (unsigned long long)run->nonce);
	if (s->target != NULL && s->target->scheduler.file != NULL)
		return "the scheduler key sends its cancellation";
	return arena_printf(s->arena, "an account with CANCELLER_ROLE sends drafts/p%lld-cancel-1",
	                    (long long)p->id.n);
}

static const char *in_timelock(struct saying *s, const struct proposal *p,
                               const struct safe_tx_list *txs)
{
	char ready[WALL_TEXT_SIZE];
	const char *from =
	        p->state == STATE_EXECUTE
	                ? "can be executed now"
	                : arena_printf(s->arena, "can be executed from %s on",
	                               p->ready_at != 0 ? wall_text_seconds(ready, p->ready_at)
	                                                : "the end of its delay");

	return arena_printf(s->arena,
	                    "p%lld, which would add it, %s: %s. If it is executed first, its "
	                    "removal is drafted at once",
	                    (long long)p->id.n, from, who_cancels(s, p, txs));
}

/* True when others share the batch, which nobody took back. */
static bool has_others(struct saying *s, const struct proposal *p)
{
	struct measurement_list served;

	store_proposal_measurements(s->store, s->arena, p->id, &served);
	for (size_t i = 0; i < served.count; i++)
		if (served.items[i].wanted)
			return true;
	return false;
}

static bool is_seen(const struct safe_tx_list *txs)
{
	for (size_t i = 0; i < txs->count; i++)
		if (txs->items[i].status == SAFE_TX_POSTING ||
		    txs->items[i].status == SAFE_TX_QUEUED)
			return true;
	return false;
}

static void say_addition(struct saying *s, const struct proposal *p)
{
	struct safe_tx_list txs;
	long long id = (long long)p->id.n;

	store_safe_tx_list(s->store, s->arena, p->id, &txs);
	switch (p->state) {
	case STATE_DRAFTED:
		if (is_seen(&txs)) /* its state follows with the next look */
			say(s, in_queue(s, p, &txs));
		else if (p->model == MODEL_DIRECT)
			say(s,
			    arena_printf(s->arena,
			                 "p%lld, which would add it, is given up; who has its "
			                 "files can send them all the same, and then its removal "
			                 "is drafted",
			                 id));
		else
			say(s, arena_printf(s->arena,
			                    "p%lld, which would add it, is given up before anybody "
			                    "signs it",
			                    id));
		break;
	case STATE_MULTISIG:
		say(s, in_queue(s, p, &txs));
		break;
	case STATE_TIMELOCK:
	case STATE_EXECUTE:
		say(s, in_timelock(s, p, &txs));
		break;
	case STATE_EXECUTED:
		say(s,
		    arena_printf(s->arena, "p%lld has just added it: its removal is drafted now%s",
		                 id, way_of(s)));
		return;
	case STATE_CONFIRMED:
	case STATE_REJECTED:
	case STATE_CANCELLED:
	case STATE_FAILED:
	case STATE_EXPIRED:
		return;
	}
	if (p->redraft && has_others(s, p))
		say(s, arena_printf(s->arena,
		                    "the other values of p%lld are proposed again without it, once "
		                    "p%lld can run no more",
		                    id, id));
}

/* --- the removal --------------------------------------------------------------------------------
 */

static const char stays[] = "until that is executed the value stays authorized on chain";

static void say_removal(struct saying *s, const struct proposal *p)
{
	struct safe_tx_list txs;

	store_safe_tx_list(s->store, s->arena, p->id, &txs);
	bool begins = p->state == STATE_DRAFTED || p->state == STATE_MULTISIG;
	char *whom = report_waiting_for(s->arena, s->target, p, &txs);
	say(s, arena_printf(s->arena, "p%lld removes it (%s)%s; it waits for %s",
	                    (long long)p->id.n, proposal_state_name(p->state),
	                    begins ? way_of(s) : "", whom != NULL ? whom : "nobody"));
	if (p->state < STATE_EXECUTED)
		say(s, stays);
}

static void say_draft(struct saying *s)
{
	char quiet[WALL_TEXT_SIZE];
	const struct measurement *m = s->measurement;

	if (m->status != MEASUREMENT_AUTHORIZED) {
		say(s,
		    "the chain is asked: what is not there counts as revoked when that is final, "
		    "and "
		    "nobody has to sign anything; what is there gets a proposal that removes it");
		return;
	}
	if (m->urgent)
		say(s, arena_printf(s->arena,
		                    "its removal is drafted now, alone, before everything else%s",
		                    way_of(s)));
	else
		say(s,
		    arena_printf(s->arena, "its removal is drafted when it was quiet for %s%s",
		                 duration_text(quiet, s->target != NULL ? s->target->quiet_ms : 0),
		                 way_of(s)));
	say(s, stays);
}

static size_t say_carriers(struct saying *s, enum action action,
                           void (*about)(struct saying *s, const struct proposal *p))
{
	struct proposal_id *ids;
	size_t count =
	        store_measurement_carriers(s->store, s->arena, s->measurement->id, action, &ids);

	for (size_t i = 0; i < count; i++) {
		struct proposal p;
		if (store_proposal_get(s->store, s->arena, ids[i], &p) == 0)
			about(s, &p);
	}
	return count;
}

static void say_revoked(struct saying *s)
{
	size_t additions = say_carriers(s, ACTION_ADD, say_addition);
	size_t removals = say_carriers(s, ACTION_REMOVE, say_removal);

	if (removals == 0 && (additions == 0 || s->measurement->status == MEASUREMENT_AUTHORIZED))
		say_draft(s);
}

static void say_replacement(struct saying *s)
{
	say(s, s->measurement->status == MEASUREMENT_AUTHORIZED
	               ? "what replaces it is authorized already"
	               : "what replaces it is approved by this, and added in the same proposal");
}

struct jval *revoked_next(struct store *store, struct arena *arena, const struct config *config,
                          const struct measurement *measurement)
{
	struct saying s = {.store = store,
	                   .arena = arena,
	                   .target = config_target_find(config, measurement->target),
	                   .measurement = measurement,
	                   .list = jval_array()};

	if (measurement->wanted)
		say_replacement(&s);
	else
		say_revoked(&s);
	return s.list;
}
