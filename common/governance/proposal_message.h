/* What a service that keeps a Safe's queue says, whichever service it is. Nothing of it is believed
 * that can be computed here: hashes are recomputed, signatures recovered. */
#ifndef GOVERNANCE_PROPOSAL_MESSAGE_H
#define GOVERNANCE_PROPOSAL_MESSAGE_H

#include "common/base/buf.h"
#include "common/governance/safe_tx.h"

/* Whose queue is meant. */
struct proposal_place {
	uint64_t chain_id;
	struct address safe;
};

#define PROPOSAL_PAGE 100 /* entries, at most */
/* More owners than any Safe can count in one transaction; each costs a signature to be recovered.
 */
#define PROPOSAL_MAX_CONFIRMATIONS 256

struct proposal_confirmation {
	struct address owner;
	bool verified;    /* the signature recovers to owner (the chain says if that is an owner) */
	bool needs_chain; /* a contract's signature or an approved hash: only the chain can say */
	struct bytes signature; /* with needs_chain: as it was handed in */
};
struct proposal_tx {
	struct safe_tx tx;          /* of the chain and Safe that were asked about */
	struct hash32 safe_tx_hash; /* recomputed, and equal to what the service says */
	bool trusted, executed;
	bool has_proposer;
	struct address proposer;
	bool by_delegate;
	struct address delegate;
	unsigned confirmations_required;             /* the threshold the service knew; 0 unknown */
	struct proposal_confirmation *confirmations; /* one per owner */
	size_t confirmation_count;
	const char *origin; /* as text, NULL if none */
};

struct proposal_page {
	struct proposal_tx *items;
	size_t count;
	size_t refused;      /* entries left out because they contradict themselves */
	const char *refusal; /* why the first of them was, NULL if none */
	bool more; /* there is another page; ask for it by offset, never by the service's URL */
};

struct proposal_delegate {
	struct address delegate, delegator;
	bool every_safe;     /* of the delegator, not one alone */
	struct address safe; /* the one, unless every_safe */
	const char *label;
	const char *expires; /* RFC 3339 text, NULL: never */
};
int proposal_parse_delegates(struct arena *arena, struct proposal_delegate **out, size_t *count,
                             struct bytes body, struct error *error) MUST_USE;

/* A refusal as one readable line, whatever form its body has ("422: to: Address .. is not
 * checksumed"). */
void proposal_error(struct buf *out, int status, struct bytes body);

#endif
