#include "daemon/govern/endpoint_preflight.h"

#include "common/base/log.h"
#include "common/store/store_event.h"
#include "common/store/store_preflight.h"
#include "daemon/govern/preflight.h"

#include <stdlib.h>
#include <string.h>

enum { DUE_AT_ONCE = 32, MAX_MACHINES = 16 };

/* One machine that shows the measurement. */
struct machine {
	const char *url;
	enum boot_role role;
	struct boot_info info;
	unsigned assumed; /* boot_fields that it did not state */
};

struct endpoint_preflight {
	struct lane *lane;
	struct loop_timer *timer;
	struct backoff backoff;
	/* The measurement at hand. */
	struct arena arena;
	struct measurement measurement;
	struct machine machines[MAX_MACHINES];
	size_t count, asked;
	struct preflight_row worst; /* of the answers so far */
	struct govern_op *op;       /* NULL: none is under way */
};

static void time_is_up(void *arg)
{
	endpoint_preflight_run(arg);
}

struct endpoint_preflight *endpoint_preflight_new(struct lane *lane)
{
	struct endpoint_preflight *preflight = xcalloc(1, sizeof(*preflight));

	preflight->lane = lane;
	preflight->timer = loop_timer_new(lane->parts->loop, time_is_up, preflight);
	return preflight;
}

void endpoint_preflight_free(struct endpoint_preflight *preflight)
{
	if (preflight == NULL)
		return;
	govern_cancel(preflight->op);
	loop_timer_free(preflight->timer);
	arena_free(&preflight->arena);
	free(preflight);
}

/* --- what is known of the machines --------------------------------------------------------------
 */

/* The boot information as far as the evidence has it. The TCB status is the verifier's, not the
 * machine's: a good one is assumed. */
static bool read_machine(struct machine *out, struct arena *arena, const struct evidence *evidence)
{
	struct jval *details;
	bool good;

	if (strcmp(evidence->source, "endpoint") != 0 || evidence->details == NULL ||
	    jval_parse(&details, bytes_text(evidence->details), NULL) != 0)
		return false;
	const char *role = jval_get_string(details, "role");
	*out = (struct machine){.url = evidence->artifact,
	                        .role = role != NULL && strcmp(role, "kms") == 0 ? BOOT_ROLE_KMS
	                                                                         : BOOT_ROLE_APP};
	good = boot_info_read(&out->info, arena, details, NULL) == 0;
	out->assumed = out->info.missing;
	if (good && (out->info.missing & BOOT_TCB_STATUS))
		out->info.tcb_status = "UpToDate";
	jval_free(details);
	return good;
}

/* The newest evidence of each endpoint. */
static void find_machines(struct endpoint_preflight *preflight)
{
	struct evidence_list evidence;

	preflight->count = preflight->asked = 0;
	store_evidence_list(preflight->lane->parts->store, &preflight->arena,
	                    preflight->measurement.id, &evidence);
	for (size_t i = evidence.count; i-- > 0 && preflight->count < MAX_MACHINES;) {
		struct machine *machine = &preflight->machines[preflight->count];
		bool seen = false;
		for (size_t k = 0; k < preflight->count; k++)
			seen |= strcmp(preflight->machines[k].url, evidence.items[i].artifact) == 0;
		if (!seen && read_machine(machine, &preflight->arena, &evidence.items[i]))
			preflight->count++;
	}
}

/* --- answers -----------------------------------------------------------------------------------
 */

/* A "no" about a machine of which something that decides is not known is no answer. */
static unsigned decisive(const struct machine *machine)
{
	unsigned fields = BOOT_OS_IMAGE_HASH | BOOT_DEVICE_ID;

	fields |= machine->role == BOOT_ROLE_KMS ? BOOT_MR_AGGREGATED
	                                         : BOOT_APP_ID | BOOT_COMPOSE_HASH;
	return fields & machine->assumed;
}

static void weigh(struct endpoint_preflight *preflight, const struct machine *machine,
                  const struct preflight *answer)
{
	static const int badness[] = {[CHECK_YES] = 1, [CHECK_UNKNOWN] = 2, [CHECK_NO] = 3};
	const struct preflight_answer *said =
	        answer->final.allowed == CHECK_YES ? &answer->latest : &answer->final;
	struct preflight_row row = {
	        .status = preflight->measurement.status,
	        .allowed = said->allowed,
	        .reason = arena_strdup(&preflight->arena, said->reason),
	        .call = boot_call_name(machine->role),
	        .source = machine->url,
	        .assumed = boot_fields_text(&preflight->arena, machine->assumed),
	        .block = answer->final_block.number,
	};

	if (row.allowed == CHECK_NO && decisive(machine) != 0) {
		row.allowed = CHECK_UNKNOWN;
		row.reason = arena_printf(&preflight->arena,
		                          "\"%s\", but the machine does not state %s", row.reason,
		                          boot_fields_text(&preflight->arena, decisive(machine)));
	}
	if (preflight->asked == 1 || badness[row.allowed] > badness[preflight->worst.allowed])
		preflight->worst = row;
}

static bool is_said_already(struct endpoint_preflight *preflight)
{
	struct preflight_row before;

	return store_preflight_get(preflight->lane->parts->store, &preflight->arena,
	                           preflight->measurement.id, &before) == 0 &&
	       before.status == MEASUREMENT_AUTHORIZED && before.allowed == CHECK_NO &&
	       strcmp(before.reason, preflight->worst.reason) == 0 &&
	       strcmp(before.source, preflight->worst.source) == 0;
}

static void store_answer(struct endpoint_preflight *preflight)
{
	struct store *store = preflight->lane->parts->store;
	const struct preflight_row *row = &preflight->worst;
	char subject[SUBJECT_SIZE];

	measurement_subject(subject, preflight->measurement.id);
	store_begin(store);
	/* Before it is on the list the answer can only be no; that is shown and no news. */
	if (row->status == MEASUREMENT_AUTHORIZED && row->allowed == CHECK_NO &&
	    !is_said_already(preflight)) {
		store_event_add(store, "warning", subject,
		                "authorized, and all the same the KMS would give no keys to the "
		                "machine at %s: %s",
		                row->source, row->reason);
		log_unusual(subject, "the KMS would give no keys to the machine at %s: %s",
		            row->source, row->reason);
	}
	store_preflight_put(store, preflight->measurement.id, row);
	store_commit(store);
	lane_changed(preflight->lane);
}

/* --- one machine after the other ---------------------------------------------------------------
 */

static void answered(const struct error *error, const struct preflight *answer, void *arg);

static void ask_next(struct endpoint_preflight *preflight)
{
	const struct lane *lane = preflight->lane;
	const struct config_target *target = lane_target(lane, preflight->measurement.target);
	const struct machine *machine = &preflight->machines[preflight->asked++];

	preflight->op = govern_preflight(lane->govern, target, machine->role, &machine->info,
	                                 answered, preflight);
}

static void answered(const struct error *error, const struct preflight *answer, void *arg)
{
	struct endpoint_preflight *preflight = arg;
	struct mono now = clock_mono();

	preflight->op = NULL;
	if (error != NULL) {
		backoff_failed(&preflight->backoff, now,
		               chain_retry_max_ms(preflight->lane->config));
		loop_timer_set(preflight->timer, backoff_wait_ms(&preflight->backoff, now));
		return;
	}
	backoff_worked(&preflight->backoff);
	weigh(preflight, &preflight->machines[preflight->asked - 1], answer);
	if (preflight->asked < preflight->count) {
		ask_next(preflight);
		return;
	}
	store_answer(preflight);
	endpoint_preflight_run(preflight);
}

/* What cannot be asked is written down, too, so that it is not looked at for ever. */
static void nothing_known(struct endpoint_preflight *preflight, const char *why)
{
	preflight->worst = (struct preflight_row){
	        .status = preflight->measurement.status,
	        .reason = why,
	        .call = boot_call_name(BOOT_ROLE_APP),
	        .source = "",
	        .assumed = "",
	        .block = preflight->lane->final.number,
	};
	store_answer(preflight);
}

void endpoint_preflight_run(struct endpoint_preflight *preflight)
{
	struct lane *lane = preflight->lane;
	struct measurement_list due;

	if (preflight->op != NULL || !lane->have_head ||
	    !backoff_ready(&preflight->backoff, clock_mono()))
		return;
	arena_free(&preflight->arena);
	store_preflight_due(lane->parts->store, &preflight->arena, lane->config->chain_id,
	                    lane->final.number, DUE_AT_ONCE, &due);
	for (size_t i = 0; i < due.count; i++) {
		const struct config_target *target = lane_target(lane, due.items[i].target);
		bool here = target != NULL && target->chain == lane->config;
		preflight->measurement = due.items[i];
		/* What nobody can be asked about must not take the place of the others. */
		if (here)
			find_machines(preflight);
		if (here && preflight->count > 0) {
			ask_next(preflight);
			return;
		}
		nothing_known(preflight,
		              here ? "no endpoint's evidence says enough about its machine"
		                   : "its target is not in the configuration");
	}
}
