/* Which measurements somebody signed as a target's `require_signed` wants. */
#ifndef STORE_SIGNATURE_H
#define STORE_SIGNATURE_H

#include "common/store/store_measurement.h"

/* Remembers that a verified signature is over this value under that rule (struct signing's digest).
 * It stays: a signature that was verified once is not taken back by a file that goes. */
void store_signature_put(struct store *store, struct measurement_id id, const struct hash32 *rule);
bool store_signature_has(struct store *store, struct measurement_id id, const struct hash32 *rule);

/* What a target asks of evidence. */
struct evidence_demand {
	enum evidence_level level;
	const struct signing *signing; /* of kind SIGNING_NONE: no signature */
};
/* The reason to hold a measurement for, beginning with MEASUREMENT_HELD_FOR_EVIDENCE, or NULL when
 * its evidence suffices or a person approved it. undecided: why a signature was not verified, or
 * NULL. In the arena. */
const char *store_measurement_lacks(struct store *store, struct arena *arena,
                                    const struct measurement *measurement,
                                    const struct evidence_demand *demand, const char *undecided);

/* By which rule a target's files are measured. Another one than before forgets what was verified of
 * signature files, and has everything measured again that it may change: they, what was none of
 * ours, and for Ed25519 whatever has no BLAKE2b-512 yet. */
void store_artifact_rule(struct store *store, const char *target, const struct signing *signing);

#endif
