/* The configuration: one YAML file, read through one option table into one new struct, checked as
 * a whole. Nothing here is changed after loading; SIGHUP loads another one and swaps the pointer. */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "common/base/buf.h"
#include "common/eth/address.h"
#include "common/governance/lifecycle.h"
#include "common/governance/proposal_api.h"
#include "common/measure/measurement.h"

struct text_list {
	char **items;
	size_t count;
};

struct hash_list {
	struct hash32 *items;
	size_t count;
};

enum finality { FINALITY_FINALIZED, FINALITY_SAFE, FINALITY_LATEST, FINALITY_DEPTH };

struct config_chain {
	char *name;
	uint64_t chain_id;
	struct text_list rpc;      /* http(s) URLs */
	unsigned quorum;           /* 1..rpc.count */
	enum finality finality;
	uint64_t depth;            /* with FINALITY_DEPTH: blocks behind latest */
	int64_t poll_ms;
	bool start_auto;
	uint64_t start_block;      /* unless start_auto */
	uint64_t max_fee_gwei;     /* per gas, for transactions of our executor key */
	uint64_t max_gas;
	struct hash_list multicall_code; /* code hashes trusted at Multicall3's address beside the well-known one */
	int64_t no_block_ms;       /* no new block for this long is an alarm */
	int64_t resend_ms;         /* an executor transaction not mined for this long is sent again with a higher fee */
};

enum check_mode { CHECK_MODE_AUTO, CHECK_MODE_IS_AUTHORIZED, CHECK_MODE_MAPPING };
enum execute_mode { EXECUTE_SAFE, EXECUTE_DIRECT, EXECUTE_MANUAL };
struct config_service {
	enum service_kind kind;
	char *url;                 /* without trailing slash; NULL for SERVICE_NONE */
	char *api_key_file;        /* or NULL */
	uint64_t budget;           /* requests a day */
	int64_t poll_ms;           /* shortest interval between questions about one pending transaction */
};

struct config_key {            /* a private key's file: one 0x-hex line or a web3 v3 keystore */
	char *file;                /* NULL: not configured */
	char *password_file;       /* for a keystore, else NULL */
};

struct config_http {
	char *listen;              /* NULL: no HTTP at all */
	char *tls_cert_file, *tls_key_file; /* both or none */
	uint64_t max_file_mib, quota_mib;   /* of one dropped file; of all that a target dropped */
	int64_t unfinished_ms;     /* a dropped build not finished and not touched for so long is removed */
	int64_t keep_ms;           /* and so is one that is complete and recorded */
};

struct config_named {          /* accounts of the governance path as the file names them */
	struct address safe, timelock, delay, enqueuer;
	bool has_safe, has_timelock, has_delay, has_enqueuer;
};

struct config_target {
	char *name;
	const struct config_chain *chain;
	struct address kms, app;
	bool has_app;
	struct config_named named;
	struct address safe;       /* whose queue is used: named.safe, or who enqueues in a Delay module */
	struct address timelock;   /* what keeps calls waiting: named.timelock, or the Delay module */
	bool has_safe, has_timelock;
	struct address avatar;     /* model delay: named.safe, which the module makes act; else zero */
	enum model model;
	enum check_mode check;
	bool compose_registry_kms; /* compose_registry: kms */
	enum execute_mode execute;
	int64_t quiet_ms;          /* batch.quiet */
	unsigned max_calls;        /* batch.max_calls */
	int64_t expire_ms, blocked_after_ms;
	enum evidence_level min_evidence;
	struct hash_list known_os; /* SHA256(MRTD || RTMR0 || RTMR1 || RTMR2) */
	struct signing signing;    /* require_signed; its root is there after config_read_files */
	char *trusted_root_file;   /* or NULL */
	struct config_service service;
	struct config_key proposer, executor, scheduler;
	bool proposer_may_confirm;
	char *token_file;          /* who may drop builds by HTTP; NULL: nobody */
};

enum rescan_mode { RESCAN_AUTO, RESCAN_EVERY };

struct config_watch {
	char *path;
	const struct config_target *target;
	bool recursive;
	int64_t settle_ms, build_settle_ms;
	enum rescan_mode rescan;
	int64_t rescan_ms;         /* with RESCAN_EVERY */
};

struct config_endpoint {
	char *url;                 /* .../prpc/Info, .../prpc/Worker.Info, or of a KMS */
	bool is_kms;               /* .../prpc/Onboard.GetAttestationInfo */
	const struct config_target *target; /* has an app, unless is_kms */
	int64_t every_ms;
	bool propose_auto;         /* propose: auto */
	char *ca_file;             /* or NULL: the system's authorities */
};

struct config {
	char *path;                /* of the file it came from */
	char *state_dir, *control_socket;
	unsigned measurers;        /* size of the measurer pool */
	struct config_http http;
	struct config_chain *chains;
	size_t chain_count;
	struct config_target *targets;
	size_t target_count;
	struct config_watch *watches;
	size_t watch_count;
	struct config_endpoint *endpoints;
	size_t endpoint_count;
	struct arena arena;        /* owns everything above */
};

/* Loads and checks. On failure *out is NULL and the error reads "file:line: what is wrong and what
 * is expected". Opens no file but the configuration itself. */
int config_load(struct config **out, const char *path, struct error *error) MUST_USE;
/* The same from memory; name stands in for the file in errors. */
int config_parse(struct config **out, const char *name, struct bytes text, struct error *error) MUST_USE;
/* Reads the files that are part of the configuration: trusted roots, and looks at authorities of
 * endpoints. Once, before rights are given up. ERR_INVALID, ERR_IO with the option and the file. */
int config_read_files(struct config *config, struct error *error) MUST_USE;
void config_free(struct config *config); /* NULL is fine */

/* The whole effective configuration as YAML, defaults included; secrets are never in it. */
void config_dump(struct buf *out, const struct config *config);

const struct config_target *config_target_find(const struct config *config, const char *name);

#endif
