/* drift: the chain's lists against what is recorded. */
#include "daemon/api/client.h"
#include "daemon/api/report.h"
#include "daemon/govern/drift.h"

static enum exit_code code_of(const struct drift *drift)
{
	enum exit_code code = drift->unknown != NULL ? EXIT_UNKNOWN : EXIT_YES;

	for (size_t i = 0; i < drift->count; i++) {
		enum drift_verdict verdict = drift->rows[i].verdict;
		if (verdict == DRIFT_UNDECIDED && code == EXIT_YES)
			code = EXIT_UNKNOWN;
		else if (verdict != DRIFT_OK && verdict != DRIFT_UNDECIDED)
			code = EXIT_NO;
	}
	return code;
}

static void drift_answered(const struct drift *drift, void *arg)
{
	struct client *client = arg;
	struct jval *list = jval_array();

	client_set_op(client, NULL);
	for (size_t i = 0; i < drift->count; i++)
		jval_push(list, report_drift(client_parts(client)->store, &drift->rows[i]));
	client_done(client, code_of(drift), list, drift->unknown);
}

void command_drift(struct client *client, const struct jval *args)
{
	const struct config_target *target = NULL;

	if (jval_get_string(args, "target") != NULL) {
		target = client_get_target(client, args, false);
		if (target == NULL)
			return;
	}
	client_set_op(client,
	              govern_drift(client_parts(client)->govern, target, drift_answered, client));
}
