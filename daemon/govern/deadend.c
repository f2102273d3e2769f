#include "daemon/govern/deadend.h"

#include "common/base/log.h"
#include "common/crypto/hash.h"
#include "common/governance/events.h"
#include "common/governance/path.h"
#include "daemon/govern/adopt.h"

#include <inttypes.h>
#include <string.h>

/* --- the timelock asks for a longer delay -------------------------------------------------------
 */

static const struct safe_tx_row *last_schedule(const struct safe_tx_list *txs)
{
	const struct safe_tx_row *last = NULL;

	for (size_t i = 0; i < txs->count; i++)
		if (txs->items[i].purpose == PURPOSE_SCHEDULE)
			last = &txs->items[i];
	return last;
}

static void tell_delay(struct lane *lane, const struct proposal *proposal, uint64_t min_delay,
                       const struct safe_tx_row *last)
{
	char subject[SUBJECT_SIZE];

	proposal_subject(subject, proposal->id);
	if (last == NULL)
		lane_alarm_once(lane, ALARM_MIN_DELAY_RAISED, subject,
		                "the timelock asks for a delay of %" PRIu64
		                " s now, its schedule for %" PRIu64
		                " s: sent as it was, it reverts; the draft files are written anew",
		                min_delay, proposal->delay);
	else
		lane_alarm_once(lane, ALARM_MIN_DELAY_RAISED, subject,
		                "the timelock asks for a delay of %" PRIu64
		                " s now, its schedule for %" PRIu64
		                " s: what was signed can only revert; schedule attempt %u%s is for "
		                "the same operation and is the one to sign%s",
		                min_delay, proposal->delay, last->attempt + 1,
		                last->has_nonce ? ", with the same nonce," : "",
		                last->has_nonce ? "; the old one dies with it" : "");
}

/* The delay is not in the operation's id: a new attempt schedules the same operation. It competes
 * for the nonce of the one that people have; one that nobody has is just replaced. */
static bool reschedule(struct lane *lane, struct arena *arena, const struct observed *observed,
                       const struct proposal *proposal)
{
	struct store *store = lane->parts->store;
	struct path path = proposal_path(arena, proposal);
	const struct safe_tx_row *last = NULL;
	struct safe_tx_list txs;
	struct path_step *steps;

	if (path_first_sender(proposal->model) == PATH_SAFE) {
		store_safe_tx_list(store, arena, proposal->id, &txs);
		last = last_schedule(&txs);
		/* While it is being posted nobody knows whether people have it. */
		if (last == NULL || last->status == SAFE_TX_POSTING)
			return false;
	}
	path.delay = observed->min_delay;
	path_first(&steps, arena, &path);
	tell_delay(lane, proposal, observed->min_delay, last);
	store_proposal_set_delay(store, proposal->id, observed->min_delay);
	if (last != NULL) {
		if (last->status == SAFE_TX_DRAFTED)
			store_safe_tx_set_status(store, last->id, SAFE_TX_WITHDRAWN, NULL, 0);
		const struct safe_tx_row fresh = {
		        .proposal = proposal->id,
		        .purpose = PURPOSE_SCHEDULE,
		        .safe = proposal->safe,
		        .to = steps[0].to,
		        .data = steps[0].data,
		        .operation = steps[0].operation,
		};
		store_safe_tx_add(store, &fresh);
	}
	return true;
}

/* --- others did it ------------------------------------------------------------------------------
 */

/* "by module 0x.. of the Safe " when the Safe was made to act by one, else "". */
static const char *module_of(struct lane *lane, struct arena *arena,
                             const struct proposal *proposal, const struct seen_log *log)
{
	struct seen_log_list logs;
	char module[ADDRESS_TEXT_SIZE];

	logs = store_log_of_tx(lane->parts->store, arena, lane->config->chain_id, log);
	for (size_t i = 0; i < logs.count; i++) {
		const struct seen_log *one = &logs.items[i];
		struct event event;
		if (address_equal(&one->address, &proposal->safe) &&
		    event_decode_stored(&event, &one->address, &one->topic0, one->data) == 0 &&
		    event.type == EVENT_MODULE_SUCCESS)
			return arena_printf(arena, "by module %s of the Safe ",
			                    address_text(module, &event.account));
	}
	return "";
}

/* Who brought a call into effect, as far as the registry's events tell. */
static const char *who_did_it(struct lane *lane, struct arena *arena,
                              const struct proposal *proposal)
{
	char hash[HASH32_TEXT_SIZE];

	for (size_t i = 0; i < proposal->call_count; i++) {
		const struct call *call = &proposal->calls[i];
		struct seen_log_list logs;
		logs = store_log_find(lane->parts->store, arena, lane->config->chain_id, &call->to,
		                      event_registry_topic0(call->kind, call->action),
		                      &call->value);
		if (logs.count == 0)
			continue;
		const struct seen_log *last = &logs.items[logs.count - 1];
		return arena_printf(arena, "%sin transaction %s",
		                    module_of(lane, arena, proposal, last),
		                    hash32_text(hash, &last->tx_hash));
	}
	return "in a transaction that is not known";
}

static void settle_measurements(struct store *store, struct arena *arena,
                                const struct proposal *proposal, const char *reason)
{
	struct measurement_list served;
	struct proposal_id *removals;

	store_proposal_measurements(store, arena, proposal->id, &served);
	for (size_t i = 0; i < served.count; i++)
		if (served.items[i].status == MEASUREMENT_PROPOSED && served.items[i].wanted)
			store_measurement_set_status(store, served.items[i].id,
			                             MEASUREMENT_AUTHORIZED, reason);
		else if (served.items[i].status == MEASUREMENT_PROPOSED &&
		         store_measurement_carriers(store, arena, served.items[i].id, ACTION_REMOVE,
		                                    &removals) > 0)
			store_measurement_set_status(store, served.items[i].id, MEASUREMENT_REVOKED,
			                             reason);
}

/* What others asked for is theirs to take back: it is not withdrawn, and so told of but once. */
static struct hash32 told_key(const struct proposal *proposal)
{
	struct buf text = {0};

	buf_printf(&text, "already in effect: p%" PRId64, proposal->id.n);
	struct hash32 key = keccak256(buf_bytes(&text));
	buf_free(&text);
	return key;
}

static bool is_superfluous(struct lane *lane, const struct proposal *proposal,
                           const struct observed *observed)
{
	if (!observed->in_effect)
		return false;
	if (!adopt_is_external(proposal))
		return true;
	const struct hash32 key = told_key(proposal);
	return !store_outside_known(lane->parts->store, lane->config->chain_id,
	                            &proposal->calls[0].to, &key);
}

/* Nothing here helps it on any more; whether it is still to run is for those who made it. */
static void tell_superfluous(struct lane *lane, const struct proposal *proposal,
                             const char *subject, const char *reason)
{
	const struct hash32 key = told_key(proposal);

	store_outside_note(lane->parts->store, lane->config->chain_id, &proposal->calls[0].to,
	                   &key);
	lane_alarm_once(lane, ALARM_ALREADY_IN_EFFECT, subject,
	                "%s: what it asks for stands on chain although it never ran; made by "
	                "others, it is neither withdrawn nor helped on: `registrarctl withdraw "
	                "%s`, for executed later it would bring back what may be removed by then",
	                reason, subject);
}

/* It is of no use any more, and executed later it might bring back what was removed meanwhile. */
static bool step_back(struct lane *lane, struct arena *arena, const struct proposal *proposal)
{
	struct store *store = lane->parts->store;
	const char *reason =
	        arena_printf(arena, "already in effect, %s", who_did_it(lane, arena, proposal));
	char subject[SUBJECT_SIZE];

	proposal_subject(subject, proposal->id);
	if (adopt_is_external(proposal)) {
		tell_superfluous(lane, proposal, subject, reason);
	} else {
		store_proposal_withdraw(store, proposal->id, false, reason);
		lane_alarm_once(lane, ALARM_ALREADY_IN_EFFECT, subject,
		                "%s: what it asks for stands on chain although it never ran; it is "
		                "withdrawn",
		                reason);
	}
	settle_measurements(store, arena, proposal, reason);
	lane_track(lane); /* what is to be told of one that is withdrawn */
	return true;
}

/* --- another owner has to send it ---------------------------------------------------------------
 */

/* None of its calls was made, and who has the file can make them no more: its values are drafted
 * again, for whoever owns the contracts now. */
static bool draft_for_owner(struct lane *lane, const struct proposal *proposal)
{
	static const char reason[] = "its contracts have another owner now: drafted again for it";
	char subject[SUBJECT_SIZE];
	struct error error;

	if (store_proposal_give_way(lane->parts->store, proposal->id, reason, &error) != 0)
		die("a draft does not give way: %s", error.text);
	log_unusual(proposal_subject(subject, proposal->id), "%s", reason);
	return true;
}

/* --- the look -----------------------------------------------------------------------------------
 */

bool deadend_waits(struct lane *lane, const struct observed *observed)
{
	const struct proposal *proposal = observed->proposal;

	if ((proposal->flags & FLAG_WITHDRAWING) != 0)
		return false;
	return observed->delay_too_short || observed->owner_moved ||
	       is_superfluous(lane, proposal, observed);
}

bool deadend_look(struct lane *lane, struct arena *arena, const struct observed *observed)
{
	struct proposal now;

	if (!deadend_waits(lane, observed) ||
	    store_proposal_get(lane->parts->store, arena, observed->proposal->id, &now) != 0 ||
	    (now.flags & FLAG_WITHDRAWING) != 0)
		return false;
	if (is_superfluous(lane, &now, observed) &&
	    observed->seen.checks_final == CHECKS_AS_WANTED && now.state > STATE_DRAFTED &&
	    now.state < STATE_EXECUTED)
		return step_back(lane, arena, &now);
	if (observed->owner_moved_final && now.state == STATE_DRAFTED)
		return draft_for_owner(lane, &now);
	if (observed->min_delay > now.delay && now.state <= STATE_MULTISIG)
		return reschedule(lane, arena, observed, &now);
	return false;
}
