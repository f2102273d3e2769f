#include "common/store/alarm.h"

#include "common/base/log.h"
#include "common/store/store_event.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
        [ALARM_ALREADY_IN_EFFECT] = "already-in-effect",
        [ALARM_BUILD_REFUSED] = "build-refused",
        [ALARM_CANCELLED] = "cancelled",
        [ALARM_CANNOT_RUN] = "cannot-run",
        [ALARM_CHECKS_DISAGREE] = "checks-disagree",
        [ALARM_CLOCK] = "clock",
        [ALARM_CODE_CONTRADICTS] = "code-contradicts",
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
        [ALARM_LEFT_IN_QUEUE] = "left-in-queue",
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
        [ALARM_QUEUE_LOST] = "queue-lost",
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

int alarm_parse(enum alarm *out, const char *name)
{
	for (size_t i = 1; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i], name) == 0) {
			*out = (enum alarm)i;
			return 0;
		}
	*out = 0;
	return ERR_NOT_FOUND;
}

/* In the words of docs/RUNBOOK.md. What is not here happened once, and lasts no longer. */
static const struct remedy {
	enum alarm alarm;
	const char *text;
} remedies[] = {
        {ALARM_CANNOT_RUN,
         "repair what it names and execute it as it is; or registrarctl withdraw %s"},
        {ALARM_CHECKS_DISAGREE, "registrarctl doctor; option `check` of the target"},
        {ALARM_CLOCK, "timedatectl"},
        {ALARM_CONFIRMATIONS_LOST, "have other owners sign it as it is: registrarctl proposals %s"},
        {ALARM_CONFIRMATIONS_UNREADABLE, "registrarctl doctor"},
        {ALARM_CONFIRMATION_DENIED, "registrarctl doctor"},
        {ALARM_CONTESTED, "have the other one rejected in the Safe or cancelled in the timelock"},
        {ALARM_DELAY_BLOCKED, "send the file that it names"},
        {ALARM_DELAY_EXPIRED, "send the file that it names, then registrarctl approve %s"},
        {ALARM_DRAFT_FILE, "free the space, or repair the rights of drafts/"},
        {ALARM_EXECUTOR_FUNDS, "send coin to %s"},
        {ALARM_NONCE_HOLE, "registrarctl fill pN (what waits), and have owners sign it"},
        {ALARM_NOT_EXECUTED, "registrarctl doctor"},
        {ALARM_NOT_PROPOSED, "registrarctl doctor"},
        {ALARM_NOT_WITHDRAWN, "registrarctl doctor"},
        {ALARM_NO_NEW_BLOCK, "registrarctl doctor"},
        {ALARM_OWNER_ELSEWHERE, "registrarctl doctor"},
        {ALARM_QUEUE_BLOCKED, "have the owners execute or reject what is in front"},
        {ALARM_QUEUE_LOST, "bring it there again with its nonce, or registrarctl withdraw %s"},
        {ALARM_SAFE_UNREADABLE, "registrarctl doctor"},
        {ALARM_SERVICE_BUDGET, "wait until midnight UTC, or raise service.budget"},
        {ALARM_SERVICE_CONTRADICTS, "registrarctl doctor"},
        {ALARM_SERVICE_UNUSABLE, "repair what it names and restart"},
};

const char *alarm_remedy(enum alarm alarm)
{
	for (size_t i = 0; i < ARRAY_LEN(remedies); i++)
		if (remedies[i].alarm == alarm)
			return remedies[i].text;
	return NULL;
}

char *alarm_remedy_for(struct arena *arena, enum alarm alarm, const char *subject)
{
	const char *text = alarm_remedy(alarm);
	const char *mark = text != NULL ? strstr(text, "%s") : NULL;

	if (mark == NULL)
		return text != NULL ? arena_strdup(arena, text) : NULL;
	return arena_printf(arena, "%.*s%s%s", (int)(mark - text), text, subject, mark + 2);
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
