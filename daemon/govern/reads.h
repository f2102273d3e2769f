/* Lists of pinned reads, and the registry check made of them. */
#ifndef GOVERN_READS_H
#define GOVERN_READS_H

#include "common/config/config.h"
#include "common/governance/views.h"
#include "daemon/chain/chain.h"

/* Grows in an arena; an index into it is what finds the answer again. */
struct reads {
	struct arena *arena;
	struct chain_read *items;
	size_t count, room;
};

size_t reads_add(struct reads *reads, const struct address *to,
                 struct bytes data); /* copies data */
size_t reads_add_view(struct reads *reads, const struct address *to, enum view view);
/* When the timelock's operation is ready: 0 unset, 1 done. */
size_t reads_add_timestamp(struct reads *reads, const struct address *timelock,
                           const struct hash32 *id);
size_t reads_add_has_role(struct reads *reads, const struct address *timelock,
                          const struct hash32 *role, const struct address *account);
/* isModuleEnabled(module) of a Safe or of a Delay module. */
size_t reads_add_module_enabled(struct reads *reads, const struct address *to,
                                const struct address *module);
/* A getter with a single 32-byte argument. */
size_t reads_add_lookup(struct reads *reads, const struct address *to, const uint8_t selector[4],
                        const struct hash32 *key);

/* The answer as one uint256; ERR_UNAVAILABLE when it reverted, is not 32 bytes or does not fit. */
int reads_u64(uint64_t *out, const struct chain_read_result *result) MUST_USE;

/* The same of getTimestamp, which may be any number: what does not fit is never (UINT64_MAX), not
 * unknown. */
int reads_timestamp(uint64_t *out, const struct chain_read_result *result) MUST_USE;

/* The registry call of a measurement under a target: which contract, encoded as which kind.
 * ERR_NOT_FOUND when the target has no contract for the kind (compose without an app). */
struct registry_call {
	struct address contract;
	enum kind as; /* compose under `compose_registry: kms` is encoded like os-image */
};
int registry_call_for(struct registry_call *out, const struct config_target *target,
                      enum kind kind) MUST_USE;

/* One check: both getters are asked wherever the mode leaves it open, in the same pinned batch, so
 * that nothing has to be remembered when a proxy's implementation changes. */
struct check_slot {
	size_t is_authorized, mapping; /* READS_NONE: not asked */
	enum kind kind;
};
#define READS_NONE SIZE_MAX

void check_add(struct check_slot *slot, struct reads *reads, enum check_mode mode,
               const struct registry_call *call, const struct hash32 *value);
/* UNKNOWN when neither getter answers, or when both do and disagree (*disagree then is set).
 * *getter names the one that answered; disagree and getter may be NULL. */
enum check_answer check_answer_of(const struct check_slot *slot,
                                  const struct chain_read_result *results, const char **getter,
                                  bool *disagree);

#endif
