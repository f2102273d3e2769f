#include "common/store/alarm.h"

#include "common/base/log.h"
#include "common/store/store_event.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const names[] = {
        [ALARM_ALREADY_IN_EFFECT] = "already-in-effect",
        [ALARM_BUILD_REFUSED] = "build-refused",
        [ALARM_CANCELLED] = "cancelled",
        [ALARM_CANNOT_RUN] = "cannot-run",
        [ALARM_CHECKS_DISAGREE] = "checks-disagree",
        [ALARM_CLOCK] = "clock",
        [ALARM_CONFIRMATIONS_LOST] = "confirmations-lost",
        [ALARM_CONFIRMATIONS_UNREADABLE] = "confirmations-unreadable",
        [ALARM_CONFIRMATION_DENIED] = "confirmation-denied",
        [ALARM_CONTESTED] = "contested",
        [ALARM_CONTRADICTION] = "contradiction",
        [ALARM_DELAY_BLOCKED] = "delay-blocked",
        [ALARM_DELAY_CHANGED] = "delay-changed",
        [ALARM_DELAY_EXPIRED] = "delay-expired",
        [ALARM_DRAFT_FILE] = "draft-file",
        [ALARM_ENDPOINT] = "endpoint",
        [ALARM_EXECUTION_DISPLACED] = "execution-displaced",
        [ALARM_EXECUTION_REVERTED] = "execution-reverted",
        [ALARM_EXECUTOR_FUNDS] = "executor-funds",
        [ALARM_EXPIRED] = "expired",
        [ALARM_FAILED] = "failed",
        [ALARM_FOREIGN] = "foreign",
        [ALARM_GUARD_CHANGED] = "guard-changed",
        [ALARM_IMPLEMENTATION_CHANGED] = "implementation-changed",
        [ALARM_FINAL_REPLACED] = "final-replaced",
        [ALARM_MIN_DELAY_RAISED] = "min-delay-raised",
        [ALARM_MODULE_CHANGED] = "module-changed",
        [ALARM_MULTISEND] = "multisend",
        [ALARM_NONCE_HOLE] = "nonce-hole",
        [ALARM_NO_NEW_BLOCK] = "no-new-block",
        [ALARM_NOT_EXECUTED] = "not-executed",
        [ALARM_NOT_PROPOSED] = "not-proposed",
        [ALARM_NOT_WITHDRAWN] = "not-withdrawn",
        [ALARM_NO_CHECK] = "no-check",
        [ALARM_OVERDUE] = "overdue",
        [ALARM_OWNER_CHANGED] = "owner-changed",
        [ALARM_OWNER_ELSEWHERE] = "owner-elsewhere",
        [ALARM_OWNER_UNREADABLE] = "owner-unreadable",
        [ALARM_POLICY_CHANGED] = "policy-changed",
        [ALARM_QUEUE_BLOCKED] = "queue-blocked",
        [ALARM_REGISTRY_CHANGED] = "registry-changed",
        [ALARM_REJECTED] = "rejected",
        [ALARM_REMOVED_ON_CHAIN] = "removed-on-chain",
        [ALARM_ROLE_CHANGED] = "role-changed",
        [ALARM_SAFE_CODE_CHANGED] = "safe-code-changed",
        [ALARM_SAFE_UNREADABLE] = "safe-unreadable",
        [ALARM_SCHEDULED_ELSEWHERE] = "scheduled-elsewhere",
        [ALARM_SERVICE_BUDGET] = "service-budget",
        [ALARM_SERVICE_CONTRADICTS] = "service-contradicts",
        [ALARM_SERVICE_UNUSABLE] = "service-unusable",
        [ALARM_SIGNERS_CHANGED] = "signers-changed",
        [ALARM_SIMULATION_REVERTS] = "simulation-reverts",
        [ALARM_TOO_MUCH_GAS] = "too-much-gas",
        [ALARM_UNVERIFIED] = "unverified",
        [ALARM_UNWANTED] = "unwanted",
};

const char *alarm_name(enum alarm alarm)
{
	if (alarm < 1 || (size_t)alarm >= ARRAY_LEN(names) || names[alarm] == NULL)
		die("no such alarm: %d", (int)alarm);
	return names[alarm];
}

void store_alarm(struct store *store, enum alarm alarm, const char *subject, const char *fmt, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		die("out of memory");
	va_end(args);
	log_unusual(subject, "alarm: [%s] %s", alarm_name(alarm), text);
	store_event_add(store, "alarm", subject, "[%s] %s", alarm_name(alarm), text);
	free(text);
}
