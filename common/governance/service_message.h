/* What the messages of both services have in common. Inside this room only. */
#ifndef GOVERNANCE_SERVICE_MESSAGE_H
#define GOVERNANCE_SERVICE_MESSAGE_H

#include "common/base/jval.h"
#include "common/governance/proposal_message.h"

/* Members of a body: a number as decimal text, an address with its checksum. */
void service_add_u256(struct jval *object, const char *key, const struct u256 *value);
void service_add_address(struct jval *object, const char *key, const struct address *address);

/* Reads what a service says beside the fields that are hashed and the confirmations, which are in
 * *out already. */
typedef int service_about_fn(struct arena *arena, struct proposal_tx *out, const struct jval *item,
                             struct error *error);

/* Who was asked about what, and how the rest of an entry is read. */
struct service_question {
	struct safe_tx asked; /* chain_id and safe */
	service_about_fn *read_about;
};

int service_parse_tx(struct arena *arena, struct proposal_tx *out,
                     const struct service_question *question, struct bytes body,
                     struct error *error) MUST_USE;
int service_parse_page(struct arena *arena, struct proposal_page *out,
                       const struct service_question *question, struct bytes body,
                       struct error *error) MUST_USE;

/* null and a missing key mean zero, and the zero address. */
int service_field_u64(uint64_t *out, const struct jval *object, const char *key,
                      struct error *error) MUST_USE;
int service_field_small(unsigned *out, const struct jval *object, const char *key, unsigned limit,
                        struct error *error) MUST_USE;
int service_field_address(struct address *out, const struct jval *object, const char *key,
                          struct error *error) MUST_USE;
/* A NULL or absent text stays NULL. */
const char *service_field_text(struct arena *arena, const struct jval *object, const char *key);

#endif
