#include "tests/unit/patience.h"

#include "common/base/error.h"

#include <stdlib.h>

enum { DEADLINE_MS = 30000, TICK_MS = 2 };

struct patience {
	struct loop *loop;
	struct loop_timer *deadline, *tick, *pause;
	bool late;
};

static void stop(void *arg)
{
	loop_stop(arg);
}

static void too_late(void *arg)
{
	struct patience *patience = arg;

	patience->late = true;
	loop_stop(patience->loop);
}

static void look_again(void *arg)
{
	struct patience *patience = arg;

	loop_timer_set(patience->tick, TICK_MS);
	loop_stop(patience->loop);
}

struct patience *patience_new(struct loop *loop)
{
	struct patience *patience = xcalloc(1, sizeof(*patience));

	patience->loop = loop;
	patience->deadline = loop_timer_new(loop, too_late, patience);
	patience->pause = loop_timer_new(loop, stop, loop);
	patience->tick = loop_timer_new(loop, look_again, patience);
	return patience;
}

void patience_free(struct patience *patience)
{
	if (patience == NULL)
		return;
	loop_timer_free(patience->deadline);
	loop_timer_free(patience->tick);
	loop_timer_free(patience->pause);
	free(patience);
}

void patience_begin(struct patience *patience)
{
	loop_timer_set(patience->deadline, DEADLINE_MS);
	loop_timer_set(patience->tick, TICK_MS);
}

bool patience_wait(struct patience *patience)
{
	loop_run(patience->loop);
	return !patience->late;
}

void patience_end(struct patience *patience)
{
	loop_timer_cancel(patience->deadline);
	loop_timer_cancel(patience->tick);
}

void patience_pass(struct patience *patience, int64_t ms)
{
	loop_timer_set(patience->pause, ms);
	while (loop_timer_pending(patience->pause))
		loop_run(patience->loop);
}
