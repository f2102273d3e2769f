/* govern_doctor: whether every chain answers. */
#include "daemon/govern/lane.h"

#include <stdlib.h>

struct govern_op {
	void (*cancel)(struct govern_op *op);
};

struct doctor {
	struct govern_op op;
	struct loop_timer *timer;
	struct govern *govern;
	govern_doctor_fn *done;
	void *arg;
};

static void doctor_free(struct govern_op *op)
{
	struct doctor *doctor = (struct doctor *)op;

	loop_timer_free(doctor->timer);
	free(doctor);
}

static void fired(void *arg)
{
	struct doctor *doctor = arg;
	struct jval *report = jval_array();
	struct jval *status = govern_status(doctor->govern);

	for (size_t i = 0; i < jval_count(status); i++) {
		const struct jval *chain = jval_at(status, i);
		bool answers = jval_is_int(jval_get(chain, "head"));
		struct jval *row = jval_object();
		jval_add_string(row, "target", jval_get_string(chain, "chain"));
		jval_add_string(row, "check", "rpc");
		jval_add_string(row, "result", answers ? "ok" : "failure");
		jval_add_string(row, "found",
		                answers ? "answers" : jval_get_string(chain, "error"));
		jval_add_string(row, "fix", answers ? "" : "check `rpc` of the chain");
		jval_push(report, row);
	}
	jval_free(status);
	doctor->done(report, doctor->arg);
	doctor_free(&doctor->op);
}

struct govern_op *govern_doctor(struct govern *govern, govern_doctor_fn *done, void *arg)
{
	struct doctor *doctor = xcalloc(1, sizeof(*doctor));

	doctor->op.cancel = doctor_free;
	doctor->govern = govern;
	doctor->done = done;
	doctor->arg = arg;
	doctor->timer = loop_timer_new(govern_loop(govern), fired, doctor);
	loop_timer_set(doctor->timer, 0);
	return &doctor->op;
}
