#include "daemon/chain/quorum.h"

#include <stdlib.h>
#include <string.h>

enum {
	BEHIND_WAIT_MS = 400, /* about the spread between the backends of one provider */
	BEHIND_ROUNDS = 4,
	PATIENCE_MS = 2500, /* then another endpoint is asked beside the slow one */
};

enum standing { NOT_ASKED, ASKED, ANSWERED, IS_BEHIND, GAVE_UP };

struct asked {
	struct question *question;
	size_t endpoint;
	enum standing standing;
	bool slow; /* while ASKED: nobody counts on it any more */
	struct rpc_call *call;
};

struct question {
	struct loop *loop;
	struct rpc *rpc;
	struct question_spec spec;
	struct asked *asked; /* one per endpoint */
	size_t endpoints, outstanding, slow;
	struct question_answer *answers;
	size_t answer_count;
	struct loop_timer *timer;    /* the start, and waiting for endpoints that are behind */
	struct loop_timer *patience; /* with those that were asked */
	unsigned behind_rounds;
	struct error last_error;
};

enum verdict verdict_without_result(const struct rpc_answer *answer, struct error *error)
{
	error_set(error, answer->outcome == RPC_ERROR ? ERR_DENIED : ERR_UNAVAILABLE, "%s",
	          answer->text);
	return answer->outcome == RPC_BEHIND ? VERDICT_BEHIND : VERDICT_ELSEWHERE;
}

static void question_free(struct question *question)
{
	for (size_t i = 0; i < question->endpoints; i++)
		rpc_cancel(question->asked[i].call);
	for (size_t i = 0; i < question->answer_count; i++)
		buf_free(&question->answers[i].canonical);
	loop_timer_free(question->timer);
	loop_timer_free(question->patience);
	free(question->answers);
	free(question->asked);
	free(question);
}

void question_cancel(struct question *question)
{
	if (question != NULL)
		question_free(question);
}

static bool say_the_same(const struct question *question, size_t i, size_t k)
{
	struct bytes a = buf_bytes(&question->answers[i].canonical);
	struct bytes b = buf_bytes(&question->answers[k].canonical);

	if (question->spec.gather)
		return true;
	return question->spec.same != NULL ? question->spec.same(a, b) : bytes_equal(a, b);
}

/* How many answers say the same as answer i. */
static unsigned agreeing(const struct question *question, size_t i)
{
	unsigned count = 0;

	for (size_t k = 0; k < question->answer_count; k++)
		count += say_the_same(question, i, k);
	return count;
}

static unsigned most_agreeing(const struct question *question, size_t *which)
{
	unsigned most = 0;

	*which = 0;
	for (size_t i = 0; i < question->answer_count; i++)
		if (agreeing(question, i) > most) {
			most = agreeing(question, i);
			*which = i;
		}
	return most;
}

static bool is_held(const struct question *question)
{
	return rpc_held(question->rpc) != NULL && !question->spec.even_held;
}

static void finish(struct question *question, const struct error *error,
                   const struct question_result *result)
{
	struct error held;

	/* Nothing that is still under way may speak during or after the callback. */
	for (size_t i = 0; i < question->endpoints; i++) {
		rpc_cancel(question->asked[i].call);
		question->asked[i].call = NULL;
	}
	loop_timer_cancel(question->timer);
	loop_timer_cancel(question->patience);
	if (is_held(question)) {
		error_set(&held, ERR_UNAVAILABLE, "%s", rpc_held(question->rpc));
		question->spec.done(&held, NULL, question->spec.arg);
	} else {
		question->spec.done(error, result, question->spec.arg);
	}
	question_free(question);
}

static void describe_disagreement(const struct question *question, struct error *error)
{
	struct buf names = {0};

	for (size_t i = 0; i < question->answer_count; i++)
		buf_printf(&names, "%s%s (as %u of %zu)", i > 0 ? ", " : "",
		           rpc_name(question->rpc, question->answers[i].endpoint),
		           agreeing(question, i), question->answer_count);
	error_set(error, ERR_UNAVAILABLE, "%s: the endpoints do not agree: %.380s",
	          question->spec.method, buf_text(&names));
	rpc_complain(question->rpc, error->text);
	buf_free(&names);
}

static void fail_disagreeing(struct question *question)
{
	struct error error;

	describe_disagreement(question, &error);
	finish(question, &error, NULL);
}

static void fail_unanswered(struct question *question, unsigned most)
{
	struct buf why = {0};
	struct error error;

	if (question->last_error.code != 0)
		buf_append_text(&why, question->last_error.text);
	else
		rpc_explain(question->rpc, &why);
	if (question->spec.need == 1)
		error_set(&error, ERR_UNAVAILABLE, "%.480s", buf_text(&why));
	else
		error_set(&error, ERR_UNAVAILABLE,
		          "%s: %u of the %u endpoints that must agree answered: %.380s",
		          question->spec.method, most, question->spec.need, buf_text(&why));
	/* Refused by the only one that was asked: not a matter of trying again. */
	if (question->last_error.code == ERR_DENIED && question->endpoints == 1)
		error.code = ERR_DENIED;
	buf_free(&why);
	finish(question, &error, NULL);
}

static void answered(const struct rpc_answer *answer, void *arg);

static void ask(struct question *question, size_t endpoint)
{
	struct asked *asked = &question->asked[endpoint];
	const struct question_spec *spec = &question->spec;

	asked->standing = ASKED;
	asked->slow = false;
	question->outstanding++;
	loop_timer_set(question->patience, PATIENCE_MS);
	asked->call = rpc_ask(question->rpc, endpoint,
	                      (struct jsonrpc_call){.method = spec->method,
	                                            .params = spec->params(endpoint, spec->arg)},
	                      answered, asked);
}

static bool wait_for_behind(struct question *question)
{
	bool any = false;

	for (size_t i = 0; i < question->endpoints; i++)
		any = any || question->asked[i].standing == IS_BEHIND;
	if (!any || question->behind_rounds >= BEHIND_ROUNDS)
		return false;
	question->behind_rounds++;
	loop_timer_set(question->timer, BEHIND_WAIT_MS);
	return true;
}

static void agreed(struct question *question, size_t best, const struct jsonrpc_answer *last)
{
	unsigned most = agreeing(question, best);
	struct error outvoted;

	if (question->answer_count > most)
		describe_disagreement(question, &outvoted);
	const struct question_result result = {
	        .canonical = buf_bytes(&question->answers[best].canonical),
	        .answers = question->answers,
	        .count = question->answer_count,
	        .last = last,
	};
	finish(question, NULL, &result);
}

/* Those who answered well lately first. True: as many are on their way as are wanted. */
static bool ask_more(struct question *question, unsigned most, unsigned wanted)
{
	for (int second_choice = 0; second_choice <= 1; second_choice++)
		for (size_t i = 0; i < question->endpoints; i++) {
			if (most + question->outstanding - question->slow >= wanted)
				return true;
			if (question->asked[i].standing == NOT_ASKED &&
			    rpc_usable(question->rpc, i) &&
			    rpc_second_choice(question->rpc, i) == (second_choice == 1))
				ask(question, i);
		}
	return most + question->outstanding - question->slow >= wanted;
}

/* Asks as many more endpoints as could complete the quorum; ends the question when none is left. */
static void advance(struct question *question, const struct jsonrpc_answer *last)
{
	const struct question_spec *spec = &question->spec;
	unsigned wanted = spec->want > spec->need ? spec->want : spec->need;
	size_t best;
	unsigned most = most_agreeing(question, &best);

	if (is_held(question)) {
		finish(question, NULL, NULL);
		return;
	}
	if (most >= wanted) {
		agreed(question, best, last);
		return;
	}
	if (ask_more(question, most, wanted))
		return;
	if (most >= spec->need && question->outstanding == question->slow) {
		agreed(question, best, last);
		return;
	}
	if (question->outstanding > 0 || wait_for_behind(question))
		return;
	if (question->answer_count > most)
		fail_disagreeing(question);
	else
		fail_unanswered(question, most);
}

static void add_answer(struct question *question, size_t endpoint, struct buf canonical)
{
	question->answers = xrealloc(question->answers,
	                             (question->answer_count + 1) * sizeof(*question->answers));
	question->answers[question->answer_count++] =
	        (struct question_answer){.endpoint = endpoint, .canonical = canonical};
	question->asked[endpoint].standing = ANSWERED;
}

static void answered(const struct rpc_answer *answer, void *arg)
{
	struct asked *asked = arg;
	struct question *question = asked->question;
	struct buf canonical = {0};
	struct error error = {0};
	enum verdict verdict = VERDICT_ELSEWHERE;

	asked->call = NULL;
	question->outstanding--;
	question->slow -= asked->slow;
	asked->standing = GAVE_UP;
	if (answer->outcome == RPC_UNAVAILABLE)
		error_set(&error, ERR_UNAVAILABLE, "%s", answer->text);
	else
		verdict = question->spec.reduce(&canonical, answer, &error, question->spec.arg);
	switch (verdict) {
	case VERDICT_ANSWER:
		add_answer(question, asked->endpoint, canonical);
		advance(question, &answer->json);
		return;
	case VERDICT_AGAIN:
		ask(question, asked->endpoint);
		break;
	case VERDICT_BEHIND:
		asked->standing = IS_BEHIND;
		question->last_error = error;
		advance(question, NULL);
		break;
	case VERDICT_ELSEWHERE:
		question->last_error = error;
		advance(question, NULL);
		break;
	case VERDICT_FINAL:
		finish(question, &error, NULL);
		break;
	}
	buf_free(&canonical);
}

static void time_is_up(void *arg)
{
	struct question *question = arg;

	for (size_t i = 0; i < question->endpoints; i++)
		if (question->asked[i].standing == IS_BEHIND)
			question->asked[i].standing = NOT_ASKED;
	advance(question, NULL);
}

/* Whoever has not answered by now is not counted on; it still may. */
static void patience_is_over(void *arg)
{
	struct question *question = arg;

	for (size_t i = 0; i < question->endpoints; i++) {
		struct asked *asked = &question->asked[i];
		if (asked->standing != ASKED || asked->slow)
			continue;
		asked->slow = true;
		question->slow++;
		rpc_put_off(question->rpc, i, "answers slowly");
	}
	advance(question, NULL);
}

struct question *question_start(struct loop *loop, struct rpc *rpc,
                                const struct question_spec *spec)
{
	struct question *question = xcalloc(1, sizeof(*question));

	question->loop = loop;
	question->rpc = rpc;
	question->spec = *spec;
	question->endpoints = rpc_count(rpc);
	question->asked = xcalloc(question->endpoints, sizeof(*question->asked));
	for (size_t i = 0; i < question->endpoints; i++) {
		question->asked[i].question = question;
		question->asked[i].endpoint = i;
	}
	for (size_t i = 0; i < spec->seed_count; i++) {
		struct buf copy = {0};
		buf_append_bytes(&copy, buf_bytes(&spec->seeds[i].canonical));
		add_answer(question, spec->seeds[i].endpoint, copy);
	}
	question->patience = loop_timer_new(loop, patience_is_over, question);
	question->timer = loop_timer_new(loop, time_is_up, question);
	loop_timer_set(question->timer, 0);
	return question;
}
