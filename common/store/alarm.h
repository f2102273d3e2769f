/* Alarms: what people must look at. Each has a short name that never changes; docs/RUNBOOK.md has
 * an entry of that name, which says what it means and what to do (`make check-source` compares). */
#ifndef STORE_ALARM_H
#define STORE_ALARM_H

#include "common/store/store.h"

enum alarm {
	ALARM_ALREADY_IN_EFFECT = 1,
	ALARM_CANCELLED,
	ALARM_CHECKS_DISAGREE,
	ALARM_CONFIRMATIONS_UNREADABLE,
	ALARM_CONTRADICTION,
	ALARM_DELAY_CHANGED,
	ALARM_DRAFT_FILE,
	ALARM_ENDPOINT,
	ALARM_EXECUTION_DISPLACED,
	ALARM_EXECUTION_REVERTED,
	ALARM_EXECUTOR_FUNDS,
	ALARM_EXPIRED,
	ALARM_FAILED,
	ALARM_GUARD_CHANGED,
	ALARM_IMPLEMENTATION_CHANGED,
	ALARM_MIN_DELAY_RAISED,
	ALARM_MODULE_CHANGED,
	ALARM_MULTISEND,
	ALARM_NONCE_HOLE,
	ALARM_NOT_EXECUTED,
	ALARM_NOT_PROPOSED,
	ALARM_NO_CHECK,
	ALARM_OVERDUE,
	ALARM_OWNER_CHANGED,
	ALARM_OWNER_UNREADABLE,
	ALARM_POLICY_CHANGED,
	ALARM_REGISTRY_CHANGED,
	ALARM_REJECTED,
	ALARM_REMOVED_ON_CHAIN,
	ALARM_ROLE_CHANGED,
	ALARM_SAFE_CODE_CHANGED,
	ALARM_SAFE_UNREADABLE,
	ALARM_SCHEDULED_ELSEWHERE,
	ALARM_SERVICE_CONTRADICTS,
	ALARM_SERVICE_UNUSABLE,
	ALARM_SIGNERS_CHANGED,
	ALARM_SIMULATION_REVERTS,
	ALARM_TOO_MUCH_GAS,
};

const char *alarm_name(enum alarm alarm); /* "nonce-hole" */

/* A line of the journal and, in the caller's transaction, an event of type "alarm": "[name] text".
 */
void store_alarm(struct store *store, enum alarm alarm, const char *subject, const char *fmt, ...)
        PRINTF(4, 5);

#endif
