/* The parts of an examination. Each exam asks its questions one after the other and writes what it
 * finds as rows; doctor.c runs them side by side and ends them all. Inside this room only. */
#ifndef GOVERN_DOCTOR_H
#define GOVERN_DOCTOR_H

#include "common/governance/multisend.h"
#include "daemon/govern/lane.h"
#include "daemon/govern/service.h"

enum finding { FINDING_OK, FINDING_WARNING, FINDING_FAILURE, FINDING_UNKNOWN };

struct doctor;

/* What govern_doctor does, with the time it gives everything together. */
struct govern_op *doctor_start(struct govern *govern, int64_t deadline_ms, govern_doctor_fn *done,
                               void *arg);

/* One chain or one target under examination. */
struct exam {
	struct doctor *doctor;
	struct arena arena;
	struct jval *rows;   /* an array */
	struct jval *last;   /* of them, borrowed */
	const char *subject; /* the chain's or target's name */
	struct lane *lane;
	bool started, ended;
	const char *asking; /* what the question under way is about */
	struct chain_op *op;
	struct service_call *call;
};

/* Adds a row. fix: what to do, "" with FINDING_OK. */
struct row {
	const char *check;
	enum finding result;
	const char *fix;
};
void exam_row(struct exam *exam, struct row row, const char *found, ...) PRINTF(3, 4);
/* Adds the transactions that repair what the last row found: an array, in their order; taken. */
void exam_calls(struct exam *exam, struct jval *calls);
/* The exam has no more questions. It may be freed soon after: nothing may follow. */
void exam_end(struct exam *exam);

/* The first member is the exam. */
struct chain_exam {
	struct exam exam;
	bool have_head;
	struct block_ref head;
	uint64_t base_fee; /* wei; 0 unknown */
};
void chain_exam_start(struct chain_exam *chain);
/* Whether a target on it sends transactions of its own. */
bool chain_exam_pays(const struct chain_exam *chain);

struct target_exam {
	struct exam exam;
	const struct config_target *target;
	const struct chain_exam *chain; /* ended before this starts */
	const struct govern_parts *parts;
	struct service *service;
	size_t next_code;  /* which contract's code is asked for */
	size_t next_payer; /* which key's money is */
	struct safe_view safe;
	bool have_safe;
	uint64_t delay; /* of the timelock or Delay module, seconds */
	bool has_proposer, has_executor, has_scheduler;
	struct address proposer, executor, scheduler;
	bool have_version;
	enum safe_version version; /* of the Safe that acts */
	struct target_slots *slots;
	struct owners_slots *owners_slots;
	struct delay_slots *delay_slots; /* model delay */
};
void target_exam_start(struct target_exam *target);
void target_exam_free(struct target_exam *target); /* what is not in the exam itself */

/* --- doctor_contracts.c: what one multicall tells about a target's contracts -------------------
 */

void contracts_ask(struct target_exam *target, struct reads *reads);
void contracts_judge(struct target_exam *target, const struct chain_read_result *results);

/* --- doctor_owners.c: whose the registries are --------------------------------------------------
 */

void owners_ask(struct target_exam *target, struct reads *reads);
/* After the delay is known. */
void owners_judge(struct target_exam *target, const struct chain_read_result *results);

/* --- doctor_delay.c: the same about a Delay module ----------------------------------------------
 */

void delay_exam_ask(struct target_exam *target, struct reads *reads);
void delay_exam_judge(struct target_exam *target, const struct chain_read_result *results);

/* --- doctor_multisend.c: the contract that makes several calls of a Safe -------------------------
 */

/* Where a Safe makes the calls; then goes on with done. */
void multisend_exam(struct target_exam *target, void (*done)(struct target_exam *target));

/* --- doctor_keys.c: the keys and the Safe's service; the last questions of a target ------------
 */

void keys_start(struct target_exam *target);

/* --- doctor_host.c: what needs no question ------------------------------------------------------
 */

void host_exam(struct exam *host, const struct govern_parts *parts);

#endif
