/* govern_doctor: every chain is examined at once, then the targets on it, each against a deadline.
 */
#include "daemon/govern/doctor.h"

#include "daemon/govern/op.h"

#include <stdio.h>
#include <stdlib.h>

enum { DEADLINE_MS = 60 * 1000 };

struct doctor {
	struct govern_op op; /* first: it is what the caller holds */
	const struct govern_parts *parts;
	int64_t deadline_ms;
	struct loop_timer *timer; /* the deadline; 0 once everything has ended */
	struct exam host;
	struct chain_exam *chains;
	size_t chain_count;
	struct target_exam *targets; /* in the configuration's order */
	size_t target_count;
	govern_doctor_fn *done;
	void *arg;
};

/* --- rows ------------------------------------------------------------------------------------- */

static const char *finding_name(enum finding finding)
{
	switch (finding) {
	case FINDING_OK:
		return "ok";
	case FINDING_WARNING:
		return "warning";
	case FINDING_FAILURE:
		return "failure";
	case FINDING_UNKNOWN:
		return "unknown";
	}
	die("no such finding: %d", (int)finding);
}

void exam_row(struct exam *exam, struct row row, const char *found, ...)
{
	struct jval *item = jval_object();
	char text[1024];
	va_list args;

	va_start(args, found);
	vsnprintf(text, sizeof(text), found, args);
	va_end(args);
	jval_add_string(item, "target", exam->subject);
	jval_add_string(item, "check", row.check);
	jval_add_string(item, "result", finding_name(row.result));
	jval_add_string(item, "found", text);
	jval_add_string(item, "fix", row.fix);
	exam->last = item;
	jval_push(exam->rows, item);
}

void exam_calls(struct exam *exam, struct jval *calls)
{
	jval_add(exam->last, "calls", calls);
}

static void exam_open(struct exam *exam, struct doctor *doctor, const char *subject)
{
	exam->doctor = doctor;
	exam->subject = subject;
	exam->rows = jval_array();
}

static void exam_close(struct exam *exam)
{
	chain_cancel(exam->op);
	service_cancel(exam->call);
	jval_free(exam->rows);
	arena_free(&exam->arena);
}

/* --- the end ----------------------------------------------------------------------------------
 */

static void doctor_free(struct doctor *doctor)
{
	exam_close(&doctor->host);
	for (size_t i = 0; i < doctor->target_count; i++) {
		target_exam_free(&doctor->targets[i]);
		exam_close(&doctor->targets[i].exam);
	}
	for (size_t i = 0; i < doctor->chain_count; i++)
		exam_close(&doctor->chains[i].exam);
	loop_timer_free(doctor->timer);
	free(doctor->targets);
	free(doctor->chains);
	free(doctor);
}

static void doctor_cancel(struct govern_op *op)
{
	doctor_free((struct doctor *)op);
}

static void add_rows(struct jval *report, const struct exam *exam)
{
	for (size_t i = 0; i < jval_count(exam->rows); i++)
		jval_push(report, jval_copy(jval_at(exam->rows, i)));
}

/* What has not ended by now does not end any more. */
static void cut_short(struct exam *exam)
{
	struct row row = {exam->started ? exam->asking : "examination", FINDING_UNKNOWN,
	                  "Ask again; when it stays so, look in the other rows for who does not "
	                  "answer."};

	if (exam->ended)
		return;
	exam_row(exam, row, "%s within %lld ms",
	         exam->started ? "no answer" : "its chain did not answer",
	         (long long)exam->doctor->deadline_ms);
}

static void deliver(void *arg)
{
	struct doctor *doctor = arg;
	struct jval *report = jval_array();
	govern_doctor_fn *done = doctor->done;
	void *done_arg = doctor->arg;

	add_rows(report, &doctor->host);
	for (size_t i = 0; i < doctor->chain_count; i++) {
		cut_short(&doctor->chains[i].exam);
		add_rows(report, &doctor->chains[i].exam);
	}
	for (size_t i = 0; i < doctor->target_count; i++) {
		cut_short(&doctor->targets[i].exam);
		add_rows(report, &doctor->targets[i].exam);
	}
	doctor_free(doctor);
	done(report, done_arg);
}

static bool all_ended(const struct doctor *doctor)
{
	for (size_t i = 0; i < doctor->chain_count; i++)
		if (!doctor->chains[i].exam.ended)
			return false;
	for (size_t i = 0; i < doctor->target_count; i++)
		if (!doctor->targets[i].exam.ended)
			return false;
	return true;
}

void exam_end(struct exam *exam)
{
	struct doctor *doctor = exam->doctor;

	exam->ended = true;
	for (size_t i = 0; i < doctor->target_count; i++) {
		struct target_exam *target = &doctor->targets[i];
		if (&target->chain->exam == exam)
			target_exam_start(target);
	}
	if (all_ended(doctor))
		loop_timer_set(doctor->timer, 0);
}

/* --- the beginning ----------------------------------------------------------------------------
 */

bool chain_exam_pays(const struct chain_exam *chain)
{
	const struct doctor *doctor = chain->exam.doctor;

	for (size_t i = 0; i < doctor->target_count; i++)
		if (doctor->targets[i].chain == chain &&
		    (doctor->targets[i].has_executor || doctor->targets[i].has_scheduler))
			return true;
	return false;
}

static void open_chains(struct doctor *doctor, struct govern *govern)
{
	const struct config *config = doctor->parts->config;

	doctor->chain_count = config->chain_count;
	doctor->chains = xcalloc(config->chain_count, sizeof(*doctor->chains));
	for (size_t i = 0; i < config->chain_count; i++) {
		struct exam *exam = &doctor->chains[i].exam;
		exam_open(exam, doctor, config->chains[i].name);
		exam->lane = govern_lane(govern, config->chains[i].chain_id);
	}
}

static void open_targets(struct doctor *doctor)
{
	const struct config *config = doctor->parts->config;
	struct signer *signer = doctor->parts->signer;

	doctor->target_count = config->target_count;
	doctor->targets = xcalloc(config->target_count, sizeof(*doctor->targets));
	for (size_t i = 0; i < config->target_count; i++) {
		struct target_exam *target = &doctor->targets[i];
		target->target = &config->targets[i];
		target->parts = doctor->parts;
		exam_open(&target->exam, doctor, target->target->name);
		target->chain = &doctor->chains[target->target->chain - config->chains];
		target->exam.lane = target->chain->exam.lane;
		target->has_proposer = signer_address(signer, target->target->name, SIGNER_PROPOSER,
		                                      &target->proposer);
		target->has_executor = signer_address(signer, target->target->name, SIGNER_EXECUTOR,
		                                      &target->executor);
		target->has_scheduler = signer_address(signer, target->target->name,
		                                       SIGNER_SCHEDULER, &target->scheduler);
	}
}

struct govern_op *govern_doctor(struct govern *govern, govern_doctor_fn *done, void *arg)
{
	return doctor_start(govern, DEADLINE_MS, done, arg);
}

struct govern_op *doctor_start(struct govern *govern, int64_t deadline_ms, govern_doctor_fn *done,
                               void *arg)
{
	struct doctor *doctor = xcalloc(1, sizeof(*doctor));

	doctor->op.cancel = doctor_cancel;
	doctor->parts = govern_parts(govern);
	doctor->deadline_ms = deadline_ms;
	doctor->done = done;
	doctor->arg = arg;
	doctor->timer = loop_timer_new(doctor->parts->loop, deliver, doctor);
	exam_open(&doctor->host, doctor, "registrard");
	open_chains(doctor, govern);
	open_targets(doctor);
	host_exam(&doctor->host, doctor->parts);
	loop_timer_set(doctor->timer, doctor->chain_count > 0 ? deadline_ms : 0);
	for (size_t i = 0; i < doctor->chain_count; i++)
		chain_exam_start(&doctor->chains[i]);
	return &doctor->op;
}
