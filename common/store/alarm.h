/* Alarms: what people must look at. Each has a short name that never changes; docs/RUNBOOK.md has
 * an entry of that name, which says what it means and what to do (`make check-source` compares). */
#ifndef STORE_ALARM_H
#define STORE_ALARM_H

#include "common/store/store.h"

enum alarm {
	ALARM_ALREADY_IN_EFFECT = 1,
	ALARM_BUILD_REFUSED,
	ALARM_CANCELLED,
	ALARM_CANNOT_RUN,
	ALARM_CHECKS_DISAGREE,
	ALARM_CLOCK,
	ALARM_CODE_CONTRADICTS,
	ALARM_CONFIRMATIONS_LOST,
	ALARM_CONFIRMATIONS_UNREADABLE,
	ALARM_CONFIRMATION_DENIED,
	ALARM_CONTESTED,
	ALARM_CONTRADICTION,
	ALARM_DELAY_BLOCKED,
	ALARM_DELAY_CHANGED,
	ALARM_DELAY_EXPIRED,
	ALARM_DRAFT_FILE,
	ALARM_ENDPOINT,
	ALARM_EXECUTION_DISPLACED,
	ALARM_EXECUTION_REVERTED,
	ALARM_EXECUTOR_FUNDS,
	ALARM_EXPIRED,
	ALARM_FAILED,
	ALARM_FOREIGN,
	ALARM_GUARD_CHANGED,
	ALARM_IMPLEMENTATION_CHANGED,
	ALARM_FINAL_REPLACED,
	ALARM_LEFT_IN_QUEUE,
	ALARM_MIN_DELAY_RAISED,
	ALARM_MODULE_CHANGED,
	ALARM_MULTISEND,
	ALARM_NONCE_HOLE,
	ALARM_NO_NEW_BLOCK,
	ALARM_NOT_EXECUTED,
	ALARM_NOT_PROPOSED,
	ALARM_NOT_WITHDRAWN,
	ALARM_NO_CHECK,
	ALARM_OVERDUE,
	ALARM_OWNER_CHANGED,
	ALARM_OWNER_ELSEWHERE,
	ALARM_OWNER_UNREADABLE,
	ALARM_POLICY_CHANGED,
	ALARM_QUEUE_BLOCKED,
	ALARM_QUEUE_LOST,
	ALARM_REGISTRY_CHANGED,
	ALARM_REJECTED,
	ALARM_REMOVED_ON_CHAIN,
	ALARM_ROLE_CHANGED,
	ALARM_SAFE_CODE_CHANGED,
	ALARM_SAFE_UNREADABLE,
	ALARM_SCHEDULED_ELSEWHERE,
	ALARM_SERVICE_BUDGET,
	ALARM_SERVICE_CONTRADICTS,
	ALARM_SERVICE_UNUSABLE,
	ALARM_SIGNERS_CHANGED,
	ALARM_SIMULATION_REVERTS,
	ALARM_TOO_MUCH_GAS,
	ALARM_UNVERIFIED,
	ALARM_UNWANTED,
};

const char *alarm_name(enum alarm alarm); /* "nonce-hole" */
int alarm_parse(enum alarm *out, const char *name) MUST_USE;

/* What is to be done about trouble that lasts, NULL: the alarm tells of something that happened.
 * "%s" stands for the subject; alarm_remedy_for has put it there, in the arena. */
const char *alarm_remedy(enum alarm alarm);
char *alarm_remedy_for(struct arena *arena, enum alarm alarm, const char *subject);

/* A line of the journal and, in the caller's transaction, an event of type "alarm": "[name] text".
 */
void store_alarm(struct store *store, enum alarm alarm, const char *subject, const char *fmt, ...)
        PRINTF(4, 5);

#endif
