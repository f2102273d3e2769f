#include "daemon/govern/draft_form.h"

#include "common/governance/cast.h"
#include "common/governance/safe_tx.h"
#include "common/governance/txbuilder.h"
#include "daemon/govern/proposers.h"
#include "daemon/govern/fill.h"

#include <string.h>

/* --- rendering ---------------------------------------------------------------------------------
 */

static void render_tx_builder(struct buf *out, const struct draft_form *form)
{
	struct txbuilder_meta meta = {
	        .chain_id = form->chain_id,
	        .safe = form->safe,
	        .name = form->name,
	        .description = form->description,
	        .created_ms = form->created_at.ms,
	};
	txbuilder_write(out, &meta, form->calls, form->count);
}

static void render_calldata(struct buf *out, const struct draft_form *form)
{
	char to[ADDRESS_TEXT_SIZE];

	for (size_t i = 0; i < form->step_count; i++) {
		if (form->steps[i].operation != 0)
			buf_append_text(out, "# operation 1: the Safe's delegatecall\n");
		buf_printf(out, "%s 0x", address_text(to, &form->steps[i].to));
		buf_append_hex(out, form->steps[i].data);
		buf_append_byte(out, '\n');
	}
}

static void render_cast(struct buf *out, const struct draft_form *form)
{
	const struct address *from = address_is_zero(&form->from) ? NULL : &form->from;

	if (form->note != NULL)
		buf_printf(out, "# %s\n", form->note);
	for (size_t i = 0; i < form->count; i++) {
		cast_send(out, &form->calls[i], from);
		buf_append_byte(out, '\n');
	}
}

int draft_form_render(struct buf *out, const struct draft_form *form, const char *format,
                      struct error *error)
{
	static const struct {
		const char *name;
		void (*render)(struct buf *out, const struct draft_form *form);
	} formats[] = {
	        {"tx-builder", render_tx_builder},
	        {"calldata", render_calldata},
	        {"cast", render_cast},
	};

	for (size_t i = 0; i < ARRAY_LEN(formats); i++)
		if (strcmp(format, formats[i].name) == 0) {
			formats[i].render(out, form);
			return 0;
		}
	return error_set(error, ERR_INVALID,
	                 "no export format \"%s\"; expected tx-builder, calldata or cast", format);
}

/* --- drafts ------------------------------------------------------------------------------------
 */

static char *describe(struct arena *arena, const struct proposal *proposal, const char *note)
{
	struct buf text = {0};
	char value[HASH32_TEXT_SIZE];

	for (size_t i = 0; i < proposal->call_count; i++)
		buf_printf(&text, "%s%s %s %s", i > 0 ? "; " : "",
		           action_name(proposal->calls[i].action),
		           kind_name(proposal->calls[i].kind),
		           hash32_text(value, &proposal->calls[i].value));
	if (note != NULL)
		buf_printf(&text, " (%s)", note);
	char *copy = arena_strdup(arena, buf_text(&text));
	buf_free(&text);
	return copy;
}

static const struct contract_call *calls_of_steps(struct arena *arena,
                                                  const struct path_step *steps, size_t count)
{
	struct contract_call *calls = arena_array(arena, count, sizeof(*calls));

	for (size_t i = 0; i < count; i++)
		calls[i] = (struct contract_call){.to = steps[i].to, .data = steps[i].data};
	return calls;
}

/* A form of these transactions; whose they are is the caller's to fill in. */
static struct draft_form form_of(struct arena *arena, const struct proposal *proposal,
                                 const struct path_step *steps, size_t count, unsigned attempt)
{
	struct draft_form form = {
	        .chain_id = proposal->chain_id,
	        .steps = steps,
	        .step_count = count,
	        .name = arena_printf(arena, "p%lld-%s-%u", (long long)proposal->id.n,
	                             purpose_name(steps[0].purpose), attempt),
	        .created_at =
	                proposal->delay_at.ms != 0 ? proposal->delay_at : proposal->created_at,
	};

	/* The Safe app puts several calls together by itself, in the same way. */
	if (steps[0].operation != 0) {
		struct path path = proposal_path(arena, proposal);
		form.calls = path.calls;
		form.count = path.count;
	} else {
		form.calls = calls_of_steps(arena, steps, count);
		form.count = count;
	}
	return form;
}

/* What a Safe transaction says of the calls that it is to prevent; NULL: it makes them. */
static const char *taking_back(struct arena *arena, const struct proposal *proposal,
                               const struct safe_tx_row *row)
{
	if (row->purpose == PURPOSE_CANCEL)
		return "cancelled";
	if (row->purpose == PURPOSE_REJECT && (proposal->flags & FLAG_WITHDRAWING) == 0)
		return arena_printf(arena, "an empty one in front: give it exactly nonce %llu",
		                    (unsigned long long)row->nonce);
	if (row->purpose == PURPOSE_REJECT)
		return arena_printf(arena, "rejected: give it exactly nonce %llu",
		                    (unsigned long long)row->nonce);
	return NULL;
}

struct draft_form draft_form_of_row(struct arena *arena, const struct proposal *proposal,
                                    const struct safe_tx_row *row)
{
	struct path_step *step = arena_alloc(arena, sizeof(*step));

	*step = (struct path_step){.purpose = row->purpose,
	                           .sender = PATH_SAFE,
	                           .to = row->to,
	                           .data = row->data,
	                           .operation = row->operation};
	struct draft_form form = form_of(arena, proposal, step, 1, row->attempt);
	form.safe = form.from = proposal->safe;
	form.description = describe(arena, proposal, taking_back(arena, proposal, row));
	return form;
}

struct draft_form draft_form_reject(struct arena *arena, const struct proposal *proposal,
                                    const struct safe_tx_row *row)
{
	struct path_step *step = arena_alloc(arena, sizeof(*step));
	struct safe_tx tx = safe_tx_rejection(row->chain_id, &row->safe, 0);
	const char *rejected = arena_printf(arena, "p%lld-%s-%u", (long long)proposal->id.n,
	                                    purpose_name(row->purpose), row->attempt);

	*step = (struct path_step){.purpose = PURPOSE_REJECT, .sender = PATH_SAFE, .to = tx.to};
	struct draft_form form = form_of(arena, proposal, step, 1, 1);
	form.safe = form.from = row->safe;
	form.name = arena_printf(arena, "p%lld-reject-%s-%u", (long long)proposal->id.n,
	                         purpose_name(row->purpose), row->attempt);
	form.note =
	        arena_printf(arena,
	                     "only if %s stands in the Safe's queue: its rejection, with exactly "
	                     "the nonce that it has there",
	                     rejected);
	form.description = describe(arena, proposal, form.note);
	return form;
}

static const char *note_of(struct arena *arena, const struct draft_form *form)
{
	enum path_account sender = form->steps[0].sender;
	char text[ADDRESS_TEXT_SIZE];
	bool known = !address_is_zero(&form->from);

	return arena_printf(arena, "to be sent by %s%s%s%s", path_account_name(sender),
	                    known ? " " : "", known ? address_text(text, &form->from) : "",
	                    form->step_count > 1 ? ", each in its own transaction" : "");
}

int draft_form_first(struct draft_form *out, struct arena *arena, const struct proposal *proposal)
{
	struct path path = proposal_path(arena, proposal);
	struct path_step *steps;

	*out = (struct draft_form){0};
	if (path_first_sender(path.model) == PATH_SAFE && !address_is_zero(&path.safe))
		return ERR_NOT_FOUND;
	size_t count = path_first(&steps, arena, &path);
	*out = form_of(arena, proposal, steps, count, 1);
	out->from = proposal->sender;
	out->note = note_of(arena, out);
	out->description = describe(arena, proposal, out->note);
	return 0;
}

int draft_form_then(struct draft_form *out, struct arena *arena, const struct proposal *proposal)
{
	struct path path = proposal_path(arena, proposal);
	struct path_step *step = arena_alloc(arena, sizeof(*step));

	*out = (struct draft_form){0};
	if (!path_then(step, arena, &path))
		return ERR_NOT_FOUND;
	*out = form_of(arena, proposal, step, 1, 1);
	if (step->sender == PATH_SAFE)
		out->safe = out->from = proposal->safe;
	else
		out->note = note_of(arena, out);
	out->description = describe(arena, proposal, out->note);
	return 0;
}

struct draft_form draft_form_aside(struct arena *arena, const struct proposal *proposal,
                                   const char *name, struct bytes data, const char *note)
{
	struct path_step *step = arena_alloc(arena, sizeof(*step));

	*step = (struct path_step){.purpose = PURPOSE_EXECUTE,
	                           .sender = PATH_ANYBODY,
	                           .to = proposal->timelock,
	                           .data = data};
	struct draft_form form = form_of(arena, proposal, step, 1, 1);
	form.name = name;
	form.note = note;
	form.description = describe(arena, proposal, note);
	return form;
}

void draft_form_cancel(struct draft_form *out, struct arena *arena, struct store *store,
                       const struct proposal *proposal)
{
	char text[ADDRESS_TEXT_SIZE];
	struct path_step *step = arena_alloc(arena, sizeof(*step));
	struct buf data = {0};

	timelock_encode_cancel(&data, &proposal->operation_id);
	*step = (struct path_step){.purpose = PURPOSE_CANCEL,
	                           .sender = PATH_PROPOSER,
	                           .to = proposal->timelock,
	                           .data = arena_copy(arena, buf_bytes(&data))};
	buf_free(&data);
	*out = form_of(arena, proposal, step, 1, 1);
	out->from = role_holder_of(store, proposal->chain_id, &proposal->timelock,
	                           &timelock_role_canceller);
	bool known = !address_is_zero(&out->from);
	out->note = arena_printf(arena,
	                         "to be sent by an account with the timelock's CANCELLER_ROLE%s%s",
	                         known ? ": " : "", known ? address_text(text, &out->from) : "");
	out->description = describe(arena, proposal, "cancelled");
}

/* Where an account cancels what it scheduled itself. */
static bool is_to_be_cancelled(const struct proposal *proposal)
{
	return (proposal->flags & FLAG_WITHDRAWING) != 0 && proposal->model == MODEL_TIMELOCK &&
	       (proposal->state == STATE_TIMELOCK || proposal->state == STATE_EXECUTE);
}

/* An empty one for a nonce before its own is of interest only until that is used. */
static const struct safe_tx_row *last_that_matters(const struct safe_tx_list *txs)
{
	for (size_t i = txs->count; i-- > 0;)
		if (txs->items[i].status <= SAFE_TX_QUEUED || !fill_is(txs, &txs->items[i]))
			return &txs->items[i];
	return NULL;
}

int draft_form_current(struct draft_form *out, struct arena *arena, struct store *store,
                       const struct proposal *proposal)
{
	struct safe_tx_list txs;

	*out = (struct draft_form){0};
	store_safe_tx_list(store, arena, proposal->id, &txs);
	const struct safe_tx_row *last = last_that_matters(&txs);
	bool ready = proposal->state == STATE_EXECUTE;
	if (last != NULL && (!ready || last->purpose != PURPOSE_SCHEDULE)) {
		*out = draft_form_of_row(arena, proposal, last);
		return 0;
	}
	if (is_to_be_cancelled(proposal)) {
		draft_form_cancel(out, arena, store, proposal);
		return 0;
	}
	if (ready)
		return draft_form_then(out, arena, proposal);
	return draft_form_first(out, arena, proposal);
}
