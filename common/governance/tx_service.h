/* Messages of the Safe Transaction Service (v2 API): bodies, paths, answers. Pure text; nothing
 * that the service says is believed that can be computed here: hashes are recomputed, signatures
 * recovered. */
#ifndef GOVERNANCE_TX_SERVICE_H
#define GOVERNANCE_TX_SERVICE_H

#include "common/base/jval.h"
#include "common/governance/lifecycle.h"
#include "common/governance/registry.h"
#include "common/governance/safe_tx.h"

/* --- what is sent ---------------------------------------------------------------------------- */

/* Paths, to stand behind the service's base URL; each is appended to out. */
void tx_service_path_safe(struct buf *out, const struct address *safe);
void tx_service_path_propose(struct buf *out, const struct address *safe);
void tx_service_path_transaction(struct buf *out,
                                 const struct hash32 *safe_tx_hash); /* GET, DELETE */
/* What is not executed, from this nonce on, lowest first; at most TX_SERVICE_PAGE a page. */
void tx_service_path_pending(struct buf *out, const struct address *safe, uint64_t from_nonce,
                             uint64_t offset);
void tx_service_path_delegates(struct buf *out, const struct address *safe);
/* Every delegation to this account, for one Safe or for all of the delegator's. */
void tx_service_path_delegations(struct buf *out, const struct address *delegate);
#define TX_SERVICE_PAGE 100

/* What the signers read beside the proposal. */
struct tx_service_note {
	enum action action;
	enum kind kind;
	struct hash32 value;
	struct hash32 evidence; /* zero: none */
};
#define TX_SERVICE_ORIGIN_SIZE 201 /* with the NUL */
/* {"name":"registrard","note":"add os-image 0x.., evidence 0x.."}; values are shortened as far as
 * 200 characters ask for, and "+N more" stands for what does not fit. Returns text. */
char *tx_service_origin(char text[TX_SERVICE_ORIGIN_SIZE], enum purpose purpose,
                        const struct tx_service_note *notes, size_t count);

/* Appends the body of the POST; the hash is computed here. */
void tx_service_propose_body(struct buf *out, const struct safe_tx *tx,
                             const struct address *sender,
                             const uint8_t signature[SAFE_SIGNATURE_SIZE], const char *origin);

/* --- what comes back -------------------------------------------------------------------------- */

struct tx_service_safe {
	struct address safe;
	uint64_t nonce;
	unsigned threshold;
	struct address *owners;
	size_t owner_count;
	struct address guard;
	size_t module_count;
	const char *version; /* "1.4.1+L2"; NULL when the service does not know it */
};
int tx_service_parse_safe(struct arena *arena, struct tx_service_safe *out, struct bytes body,
                          struct error *error) MUST_USE;

struct tx_service_confirmation {
	struct address owner;
	bool verified;    /* the signature recovers to owner (the chain says if that is an owner) */
	bool needs_chain; /* a contract's signature or an approved hash: only the chain can say */
	struct bytes signature; /* with needs_chain: as it was handed in */
};
struct tx_service_tx {
	struct safe_tx tx;          /* of the chain and Safe that were asked about */
	struct hash32 safe_tx_hash; /* recomputed, and equal to what the service says */
	bool trusted, executed;
	bool has_proposer;
	struct address proposer;
	bool by_delegate;
	struct address delegate;
	unsigned confirmations_required; /* the threshold the service knew; 0 unknown */
	struct tx_service_confirmation *confirmations; /* one per owner */
	size_t confirmation_count;
	const char *origin; /* as text, NULL if none */
};
/* One transaction. ERR_DENIED when it is of another Safe or its hash is not the hash of its fields.
 */
int tx_service_parse_tx(struct arena *arena, struct tx_service_tx *out, uint64_t chain_id,
                        const struct address *safe, struct bytes body,
                        struct error *error) MUST_USE;

struct tx_service_page {
	struct tx_service_tx *items;
	size_t count;
	size_t refused;      /* entries left out because they contradict themselves */
	const char *refusal; /* why the first of them was, NULL if none */
	bool more; /* there is another page; ask for it by offset, never by the service's URL */
};
int tx_service_parse_page(struct arena *arena, struct tx_service_page *out, uint64_t chain_id,
                          const struct address *safe, struct bytes body,
                          struct error *error) MUST_USE;

struct tx_service_delegate {
	struct address delegate, delegator;
	bool every_safe; /* of the delegator, not one alone */
	struct address safe; /* the one, unless every_safe */
	const char *label;
	const char *expires; /* RFC 3339 text, NULL: never */
};
int tx_service_parse_delegates(struct arena *arena, struct tx_service_delegate **out, size_t *count,
                               struct bytes body, struct error *error) MUST_USE;

/* A refusal as one readable line, whatever form its body has ("422: to: Address .. is not
 * checksumed"). */
void tx_service_error(struct buf *out, int status, struct bytes body);

#endif
