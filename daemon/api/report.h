/* Rows of the store as the JSON that registrarctl prints with --json. Field names are a contract:
 * scripts read them. Values are lower-case 0x hex, times RFC 3339 in UTC; what is not known is
 * null. What is returned is the caller's to free. */
#ifndef API_REPORT_H
#define API_REPORT_H

#include "common/config/config.h"
#include "common/store/store_build.h"
#include "common/store/store_event.h"
#include "common/store/store_proposal.h"
#include "common/store/store_safe_tx.h"
#include "daemon/govern/govern.h"

/* The arena holds what is read on the way; it may be freed as soon as the view is there. The fields
 * are those of the list, and `preflight` where the KMS was asked about machines that show it. */
struct jval *report_measurement(struct store *store, struct arena *arena,
                                const struct measurement *measurement);
struct jval *report_proposal(struct store *store, struct arena *arena,
                             const struct proposal *proposal);
struct jval *report_event(const struct event_row *event);

/* What the chain answered about one value: {value, target, authorized: yes|no|unknown, head, final,
 * checks[] {kind, contract, getter, latest, final}}. */
struct jval *report_check(const struct hash32 *value, const char *target,
                          const struct govern_check *checks, size_t count,
                          const struct block_ref *head, const struct block_ref *final);
/* Yes only if every answer is yes, no if any is no, else unknown. */
enum check_answer report_check_sum(const struct govern_check *checks, size_t count);

/* {call, contract, allowed: yes|no|unknown, latest {allowed, reason}, final {allowed, reason}}; and
 * what it comes to: yes only if both are. */
struct preflight;
struct jval *report_preflight(const struct preflight *preflight);
enum check_answer report_preflight_sum(const struct preflight *preflight);

/* A row of drift: {target, kind, value, contract, chain: present|absent|unknown, recorded (status or
 * null), measurement, wanted, pending, verdict, tx, block}. */
struct drift_row;
struct jval *report_drift(struct store *store, const struct drift_row *row);

/* The one screen: {version, started, chains[], folders, endpoints (or null), targets[] {target,
 * chain, model, measurements{}, proposals{}}, waiting[] {id, target, state, since, for}}. chains,
 * folders and endpoints (NULL: there are none) are taken. */
struct jval *report_status(struct store *store, const struct config *config, struct wall started,
                           struct jval *chains, struct jval *folders, struct jval *endpoints);

/* Whom or what a live proposal waits for, in words; in the arena. */
char *report_waiting_for(struct arena *arena, const struct config_target *target /* or NULL */,
                         const struct proposal *proposal, const struct safe_tx_list *safe_txs);

/* The Safe transaction that awaits signatures now, or NULL. */
const struct safe_tx_row *report_open_safe_tx(const struct safe_tx_list *safe_txs);

#endif
