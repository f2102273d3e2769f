/* Prints docs/LIFECYCLE.md from the table of legal transitions, for `make docs`. */
#include "common/base/macros.h"
#include "common/governance/lifecycle.h"

#include <stdio.h>

static const char introduction[] =
        "# Life of a proposal\n"
        "\n"
        "Made from the table in `common/governance/lifecycle.c` by `make docs`; `make check` "
        "fails\n"
        "when it is out of date. The numbers are stored and never change.\n"
        "\n"
        "| n | state | meaning |\n"
        "|---|---|---|\n";

/* In the order of the enum. */
static const char *const meanings[] = {
        "calls encoded, simulated and stored, files written; not in a queue yet",
        "the Safe transaction that schedules it is in the Safe's queue: n of m confirmations",
        "the operation is scheduled; waits until its ready time, by the chain's clock, in a Delay "
        "module also for its turn",
        "may be executed now",
        "executed; waits for finality and for the check of every call",
        "every call's check answers as wanted at finality",
        "its Safe nonce was used by another transaction, and the timelock does not know it",
        "the operation was cancelled or vetoed, or a draft that nobody saw was withdrawn",
        "the Safe transaction failed, or the check contradicts after finality",
        "a draft never posted grew too old, or its time in a Delay module ended",
};

static const char *const groups[] = {
        "## Forward\n\nSeveral steps at once when they happened while nobody looked.\n",
        "## Other ends\n\nA terminal state is for ever; so it waits for finality.\n",
        "## Back\n\nOnly what a reorganisation does; in a Delay module its settings and its clock, "
        "too. States 2\nto 5 follow the latest block.\n",
};

static size_t group_of(const struct lifecycle_rule *rule)
{
	if (rule->to < rule->from)
		return 2;
	return rule->to > STATE_CONFIRMED ? 1 : 0;
}

static void print_rules(const struct lifecycle_rule *rules, size_t count, size_t group)
{
	printf("\n%s\n| from | to | when | models |\n|---|---|---|---|\n", groups[group]);
	for (size_t i = 0; i < count; i++) {
		if (group_of(&rules[i]) != group)
			continue;
		printf("| %s | %s | %s |", proposal_state_name(rules[i].from),
		       proposal_state_name(rules[i].to), rules[i].why);
		for (int model = MODEL_SAFE_TIMELOCK; model <= MODEL_DIRECT; model++)
			if ((rules[i].models & 1u << model) != 0)
				printf(" %s", model_name((enum model)model));
		printf(" |\n");
	}
}

int main(void)
{
	size_t count;
	const struct lifecycle_rule *rules = lifecycle_rules(&count);

	fputs(introduction, stdout);
	for (size_t i = 0; i < ARRAY_LEN(meanings); i++)
		printf("| %zu | %s%s | %s |\n", i + 1,
		       proposal_state_name((enum proposal_state)(i + 1)),
		       lifecycle_is_terminal((enum proposal_state)(i + 1)) ? " (end)" : "",
		       meanings[i]);
	for (size_t group = 0; group < ARRAY_LEN(groups); group++)
		print_rules(rules, count, group);
	return fflush(stdout) == 0 ? 0 : 1;
}
