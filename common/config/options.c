/* The option table. Every option of the product has its one row here, also those that this version
 * knows but does not do yet: they are refused by name instead of being ignored. */
#include "common/config/options.h"

#include "common/measure/sigstore.h"

#define SIZE_OF(type, member) sizeof(((type *)NULL)->member)
#define FIELD(type, member) .offset = offsetof(type, member), .size = SIZE_OF(type, member)
#define ALSO(type, member) .also = offsetof(type, member), .also_size = SIZE_OF(type, member)
#define CHOICES(table) .choices = (table), .choice_count = ARRAY_LEN(table)
#define SECTION(table) .options = (table), .count = ARRAY_LEN(table)

enum { MS = 1, SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };
#define DAY (24ULL * HOUR)

/* --- chains ------------------------------------------------------------------------------- */

static const struct choice finality_choices[] = {
        {"finalized", FINALITY_FINALIZED, false},
        {"safe", FINALITY_SAFE, false},
        {"latest", FINALITY_LATEST, false},
        {NULL, FINALITY_DEPTH, false},
};
static const struct choice start_choices[] = {{"auto", true, false}, {NULL, false, false}};

static const struct option chain_options[] = {
        {.name = "chain_id",
         .type = OPTION_NUMBER,
         .flags = OPTION_REQUIRED,
         .min = 1,
         .max = INT64_MAX,
         FIELD(struct config_chain, chain_id),
         .help = "The chain's EIP-155 id. An endpoint that answers with another one is never "
                 "used."},
        {.name = "rpc",
         .type = OPTION_URL_LIST,
         .flags = OPTION_REQUIRED,
         .min = 1,
         .max = 16,
         FIELD(struct config_chain, rpc),
         .help = "JSON-RPC endpoints of this chain."},
        {.name = "quorum",
         .type = OPTION_NUMBER,
         .min = 1,
         .max = 16,
         .fallback_doc = "a majority of `rpc`",
         .unit = "endpoints",
         FIELD(struct config_chain, quorum),
         .help = "How many endpoints must agree on an answer that decides something."},
        {.name = "confirmations",
         .type = OPTION_CHOICE_OR_NUMBER,
         .min = 1,
         .max = 100000,
         .fallback = "finalized",
         .unit = "blocks",
         FIELD(struct config_chain, finality),
         ALSO(struct config_chain, depth),
         CHOICES(finality_choices),
         .help = "Which block counts as final: the chain's own tag, or so many blocks behind the "
                 "latest."},
        {.name = "poll",
         .type = OPTION_DURATION,
         .min = 50 * MS,
         .max = HOUR,
         .fallback = "12s",
         FIELD(struct config_chain, poll_ms),
         .help = "How often the chain is looked at."},
        {.name = "start_block",
         .type = OPTION_CHOICE_OR_NUMBER,
         .min = 0,
         .max = INT64_MAX,
         .fallback = "auto",
         FIELD(struct config_chain, start_auto),
         ALSO(struct config_chain, start_block),
         CHOICES(start_choices),
         .help = "Where the history that matters begins. Older blocks are not searched."},
        {.name = "max_fee_gwei",
         .type = OPTION_NUMBER,
         .min = 1,
         .max = 1000000,
         .fallback = "50",
         .unit = "gwei",
         FIELD(struct config_chain, max_fee_gwei),
         .help = "What the executor or scheduler key may spend per gas."},
        {.name = "max_gas",
         .type = OPTION_NUMBER,
         .min = 21000,
         .max = 100000000,
         .fallback = "2000000",
         .unit = "gas",
         FIELD(struct config_chain, max_gas),
         .help = "What one transaction of the executor or scheduler key may use. Batches are cut "
                 "to it, "
                 "and to half a block of the chain."},
        {.name = "no_block",
         .type = OPTION_DURATION,
         .min = SECOND,
         .max = 7 * DAY,
         .fallback = "10m",
         FIELD(struct config_chain, no_block_ms),
         .help = "An alarm is raised when no new block was seen for this long."},
        {.name = "multicall_code",
         .type = OPTION_HASH_LIST,
         .max = 16,
         FIELD(struct config_chain, multicall_code),
         .help = "Code hashes (keccak) that are trusted at Multicall3's address beside the "
                 "well-known one. Other code there is not used: reads are made singly."},
        {.name = "resend",
         .type = OPTION_DURATION,
         .min = 100 * MS,
         .max = DAY,
         .fallback = "3m",
         FIELD(struct config_chain, resend_ms),
         .help = "A transaction of these keys not mined for this long is sent again with a "
                 "higher fee."},
};
static const struct section chain_section = {
        SECTION(chain_options),
        .struct_size = sizeof(struct config_chain),
        .name_offset = offsetof(struct config_chain, name),
        .check = check_chain,
};

/* --- targets ------------------------------------------------------------------------------ */

static const struct choice model_choices[] = {
        {"safe+timelock", MODEL_SAFE_TIMELOCK, false},
        {"safe", MODEL_SAFE, false},
        {"timelock", MODEL_TIMELOCK, false},
        {"delay", MODEL_DELAY, false},
        {"direct", MODEL_DIRECT, false},
};
static const struct choice check_choices[] = {
        {"auto", CHECK_MODE_AUTO, false},
        {"isAuthorized", CHECK_MODE_IS_AUTHORIZED, false},
        {"mapping", CHECK_MODE_MAPPING, false},
};
static const struct choice execute_choices[] = {
        {"safe", EXECUTE_SAFE, false},
        {"direct", EXECUTE_DIRECT, false},
        {"manual", EXECUTE_MANUAL, false},
};
static const struct choice level_choices[] = {
        {"claimed", LEVEL_CLAIMED, false},
        {"recomputed", LEVEL_RECOMPUTED, false},
        {"attested", LEVEL_ATTESTED, false},
};
static const struct choice compose_choices[] = {{"app", false, false}, {"kms", true, false}};
static const struct choice service_choices[] = {
        {"none", SERVICE_NONE, false},
        {"tx-service", SERVICE_TX_SERVICE, false},
        {"queue", SERVICE_QUEUE, false},
};

static const struct option timelock_options[] = {
        {.name = "address",
         .type = OPTION_ADDRESS,
         .flags = OPTION_REQUIRED,
         FIELD(struct config_target, named.timelock),
         ALSO(struct config_target, named.has_timelock),
         .help = "The OpenZeppelin TimelockController (4.x or 5.x) that owns the registry "
                 "contracts."},
};
static const struct section timelock_section = {SECTION(timelock_options)};

static const struct option delay_options[] = {
        {.name = "address",
         .type = OPTION_ADDRESS,
         .flags = OPTION_REQUIRED,
         FIELD(struct config_target, named.delay),
         ALSO(struct config_target, named.has_delay),
         .help = "The Delay module (1.0.x or 1.1.x), enabled on the Safe that owns the registry "
                 "contracts."},
        {.name = "enqueuer",
         .type = OPTION_ADDRESS,
         .flags = OPTION_REQUIRED,
         FIELD(struct config_target, named.enqueuer),
         ALSO(struct config_target, named.has_enqueuer),
         .help = "The account enabled on the module that adds to its queue: another Safe, in whose "
                 "queue transactions are proposed, or with `service: {kind: none}` any account, "
                 "for which files are written."},
};
static const struct section delay_section = {SECTION(delay_options)};

static const struct option batch_options[] = {
        {.name = "quiet",
         .type = OPTION_DURATION,
         .min = 0,
         .max = 7 * DAY,
         .fallback = "60s",
         FIELD(struct config_target, quiet_ms),
         .help = "Measurements are gathered until none came for this long; then they are drafted "
                 "together."},
        {.name = "max_calls",
         .type = OPTION_NUMBER,
         .min = 1,
         .max = 100,
         .fallback = "20",
         .unit = "calls",
         FIELD(struct config_target, max_calls),
         .help = "A batch with so many calls is drafted at once; none has more, and fewer where "
                 "their gas would take more than half a block."},
};
static const struct section batch_section = {SECTION(batch_options)};

static const struct option service_options[] = {
        {.name = "kind",
         .type = OPTION_CHOICE,
         .flags = OPTION_REQUIRED,
         .fallback = "none",
         FIELD(struct config_target, service.kind),
         CHOICES(service_choices),
         .help = "`tx-service`: a Safe Transaction Service (v2 API). `queue`: the Safe Queue "
                 "Service (v1 API), on chains that Safe has moved to it. `none`: drafts are files "
                 "only, and the chain is followed all the same."},
        {.name = "url",
         .type = OPTION_URL,
         FIELD(struct config_target, service.url),
         .help = "Its base address, without `/api/...`."},
        {.name = "api_key_file",
         .type = OPTION_SECRET_FILE,
         .flags = OPTION_SECRET,
         FIELD(struct config_target, service.api_key_file),
         .help = "A file with the service's API key on one line."},
        {.name = "poll",
         .type = OPTION_DURATION,
         .min = 100 * MS,
         .max = DAY,
         .fallback = "60s",
         FIELD(struct config_target, service.poll_ms),
         .help = "The shortest time between two questions about one pending transaction."},
        {.name = "budget",
         .type = OPTION_NUMBER,
         .min = 1,
         .max = 100000000,
         .fallback = "1600",
         .unit = "requests",
         FIELD(struct config_target, service.budget),
         .help = "How often it is asked in a day (UTC) at most. The hosted service's free plan "
                 "allows 50,000 a month for all Safes of an account together: divide it."},
};
static const struct section service_section = {SECTION(service_options)};

static const struct option sigstore_options[] = {
        {.name = "issuer",
         .type = OPTION_TEXT,
         .max = 500,
         .fallback_doc = "`" SIGSTORE_GITHUB "`",
         FIELD(struct config_target, signing.issuer),
         .help = "Who vouched for the signer's identity, in full."},
        {.name = "workflow",
         .type = OPTION_TEXT,
         .flags = OPTION_REQUIRED,
         .max = 500,
         FIELD(struct config_target, signing.workflow),
         .help = "The workflow that signs: the URI in its certificate in full, or its beginning up "
                 "to a `/` or `@`, at least `https://<host>/<owner>/<repository>/` and a path: "
                 "`https://github.com/acme/enclave/.github/workflows/release.yml@refs/tags/`."},
        {.name = "trusted_root_file",
         .type = OPTION_PATH,
         .flags = OPTION_REQUIRED,
         FIELD(struct config_target, trusted_root_file),
         .help = "A Sigstore `trusted_root.json` (`cosign trusted-root create`, or from the TUF "
                 "repository): authorities and logs that are believed. Read once at the start."},
        {.name = "predicate_type",
         .type = OPTION_TEXT,
         .max = 500,
         .fallback_doc = "`" SIGSTORE_MEASUREMENTS_TYPE "`",
         FIELD(struct config_target, signing.predicate_type),
         .help = "What must be attested about the artifact. Attestations of other types are not "
                 "looked at; `https://slsa.dev/provenance/v1` is what GitHub's own action makes."},
};
static const struct section sigstore_section = {SECTION(sigstore_options), .check = check_sigstore};

static const struct option ed25519_options[] = {
        {.name = "public_keys",
         .type = OPTION_KEY_LIST,
         .flags = OPTION_REQUIRED,
         .min = 1,
         .max = SIGNING_MAX_KEYS,
         FIELD(struct config_target, signing.keys),
         .help = "Public keys as minisign prints them; the signature `FILE.minisig` beside FILE is "
                 "by one of them."},
};
static const struct section ed25519_section = {SECTION(ed25519_options)};

static const struct option signed_options[] = {
        {.name = "sigstore",
         .type = OPTION_SECTION,
         .section = &sigstore_section,
         .help = "An attestation in a Sigstore bundle (`measurements.sigstore.json`)."},
        {.name = "ed25519",
         .type = OPTION_SECTION,
         .section = &ed25519_section,
         .help = "A detached Ed25519 signature as minisign makes it."},
};
static const struct section signed_section = {SECTION(signed_options), .check = check_signing};

static const struct option target_options[] = {
        {.name = "chain",
         .type = OPTION_CHAIN,
         .flags = OPTION_REQUIRED,
         FIELD(struct config_target, chain),
         .help = "The name of one of `chains`."},
        {.name = "kms",
         .type = OPTION_ADDRESS,
         .flags = OPTION_REQUIRED,
         FIELD(struct config_target, kms),
         .help = "The DstackKms contract."},
        {.name = "app",
         .type = OPTION_ADDRESS,
         FIELD(struct config_target, app),
         ALSO(struct config_target, has_app),
         .help = "The DstackApp contract. With it a Nitro build is registered in both contracts, "
                 "in one batch."},
        {.name = "model",
         .type = OPTION_CHOICE,
         .fallback = "safe+timelock",
         FIELD(struct config_target, model),
         CHOICES(model_choices),
         .help = "How the registry contracts are governed: by a Safe behind a timelock, a Safe "
                 "alone, a timelock whose proposer is an ordinary account, a Safe with a Delay "
                 "module, or an ordinary account (`direct`, for development). GOVERNANCE.md says "
                 "what each of them means."},
        {.name = "safe",
         .type = OPTION_ADDRESS,
         FIELD(struct config_target, named.safe),
         ALSO(struct config_target, named.has_safe),
         .help = "The Safe (1.3.0, 1.4.1 or 1.5.0) that proposes, or with the models `safe` and "
                 "`delay` owns the contracts. Needed by every model with a Safe."},
        {.name = "timelock",
         .type = OPTION_SECTION,
         .flags = OPTION_SHORT,
         .section = &timelock_section,
         .help = "Needed by every model with a timelock; may also be written `timelock: 0x...`."},
        {.name = "delay",
         .type = OPTION_SECTION,
         .section = &delay_section,
         .help = "A Zodiac Delay module; needed by model `delay`. It does not bind the Safe's own "
                 "owners."},
        {.name = "check",
         .type = OPTION_CHOICE,
         .fallback = "auto",
         FIELD(struct config_target, check),
         CHOICES(check_choices),
         .help = "Which getter says that a value is authorized; `auto` finds out per contract."},
        {.name = "compose_registry",
         .type = OPTION_CHOICE,
         .fallback = "app",
         FIELD(struct config_target, compose_registry_kms),
         CHOICES(compose_choices),
         .help = "Where compose hashes are registered: in the DstackApp, or (`kms`) as OS images "
                 "in the DstackKms."},
        {.name = "execute",
         .type = OPTION_CHOICE,
         .fallback = "safe",
         FIELD(struct config_target, execute),
         CHOICES(execute_choices),
         .fallback_doc = "`safe`; without a Safe `direct` where there is an executor key, else "
                         "`manual`",
         .help = "What happens when the timelock's delay is over: `safe` proposes a second Safe "
                 "transaction, `direct` "
                 "sends it with the executor key, `manual` waits for somebody else."},
        {.name = "batch",
         .type = OPTION_SECTION,
         .section = &batch_section,
         .help = "How measurements are gathered into one proposal."},
        {.name = "blocked_after",
         .type = OPTION_DURATION,
         .min = SECOND,
         .max = 3650 * DAY,
         .fallback = "1d",
         FIELD(struct config_target, blocked_after_ms),
         .help = "A Safe transaction that waits so long for the same lower nonce is an alarm."},
        {.name = "expire",
         .type = OPTION_DURATION,
         .min = SECOND,
         .max = 3650 * DAY,
         .fallback = "14d",
         FIELD(struct config_target, expire_ms),
         .help = "A draft never posted ends after this long."},
        {.name = "min_evidence",
         .type = OPTION_CHOICE,
         .fallback = "recomputed",
         FIELD(struct config_target, min_evidence),
         CHOICES(level_choices),
         .help = "Measurements with weaker evidence are held until `registrarctl approve`."},
        {.name = "known_os",
         .type = OPTION_HASH_LIST,
         .max = 256,
         FIELD(struct config_target, known_os),
         .help = "The dstack OS images whose machines are believed when a TDX quote speaks for "
                 "them: SHA-256 of MRTD, RTMR0, RTMR1 and RTMR2 (192 raw bytes) as 64 hex digits, "
                 "as `registrarctl inspect --known-os` prints it for a machine that you trust. "
                 "RTMR0 depends on the number of CPUs and the memory: one entry per shape. Without "
                 "an entry a quote stays `claimed`."},
        {.name = "require_signed",
         .type = OPTION_SECTION,
         .section = &signed_section,
         .help = "Who must have signed a build: `sigstore` or `ed25519`. Measurements without such "
                 "a signature over a file of their build are held until it comes or `registrarctl "
                 "approve`; a wrong one refuses the build."},
        {.name = "service",
         .type = OPTION_SECTION,
         .section = &service_section,
         .help = "Where Safe transactions are proposed."},
        {.name = "proposer_key_file",
         .type = OPTION_SECRET_FILE,
         .flags = OPTION_SECRET,
         FIELD(struct config_target, proposer.file),
         .help = "The key of a Safe delegate: one 0x-hex line or a web3 v3 keystore. Without it "
                 "drafts are files."},
        {.name = "proposer_key_password_file",
         .type = OPTION_SECRET_FILE,
         .flags = OPTION_SECRET,
         FIELD(struct config_target, proposer.password_file),
         .help = "The password of that keystore, on one line."},
        {.name = "proposer_may_confirm",
         .type = OPTION_BOOL,
         .fallback = "no",
         FIELD(struct config_target, proposer_may_confirm),
         .help = "Accept an owner's key as proposer key although its signature is already a "
                 "confirmation. Never "
                 "accepted when the Safe's threshold is 1."},
        {.name = "executor_key_file",
         .type = OPTION_SECRET_FILE,
         .flags = OPTION_SECRET,
         FIELD(struct config_target, executor.file),
         .help = "The key that sends approved and mature operations with `execute: direct`; the "
                 "same two forms."},
        {.name = "executor_key_password_file",
         .type = OPTION_SECRET_FILE,
         .flags = OPTION_SECRET,
         FIELD(struct config_target, executor.password_file),
         .help = "The password of that keystore, on one line."},
        {.name = "token_file",
         .type = OPTION_SECRET_FILE,
         .flags = OPTION_SECRET,
         FIELD(struct config_target, token_file),
         .help = "A file with a token of 16 characters or more on one line: who shows it may drop "
                 "builds for this target by HTTP."},
        {.name = "scheduler_key_file",
         .type = OPTION_SECRET_FILE,
         .flags = OPTION_SECRET,
         FIELD(struct config_target, scheduler.file),
         .help = "Dangerous. With model `timelock`: the key of the timelock's proposer, so that "
                 "operations are scheduled without anybody's signature. Whoever has it can "
                 "schedule anything on the timelock: only its delay and its cancellers are left. "
                 "With CANCELLER_ROLE it also cancels what is taken back. "
                 "The same two forms; never the executor's key."},
        {.name = "scheduler_key_password_file",
         .type = OPTION_SECRET_FILE,
         .flags = OPTION_SECRET,
         FIELD(struct config_target, scheduler.password_file),
         .help = "The password of that keystore, on one line."},
};
static const struct section target_section = {
        SECTION(target_options),
        .struct_size = sizeof(struct config_target),
        .name_offset = offsetof(struct config_target, name),
        .check = check_target,
};

/* --- watch -------------------------------------------------------------------------------- */

static const struct choice rescan_choices[] = {{"auto", RESCAN_AUTO, false},
                                               {NULL, RESCAN_EVERY, false}};

static const struct option watch_options[] = {
        {.name = "path",
         .type = OPTION_PATH,
         .flags = OPTION_REQUIRED,
         FIELD(struct config_watch, path),
         .help = "The folder into which builds are dropped."},
        {.name = "target",
         .type = OPTION_TARGET,
         .flags = OPTION_REQUIRED,
         FIELD(struct config_watch, target),
         .help = "The name of one of `targets`: whom its builds are for."},
        {.name = "recursive",
         .type = OPTION_BOOL,
         .fallback = "yes",
         FIELD(struct config_watch, recursive),
         .help = "Whether folders inside it are watched too."},
        {.name = "settle",
         .type = OPTION_DURATION,
         .min = 1,
         .max = HOUR,
         .fallback = "500ms",
         FIELD(struct config_watch, settle_ms),
         .help = "A file is read when it has not changed for this long."},
        {.name = "build_settle",
         .type = OPTION_DURATION,
         .min = 0,
         .max = DAY,
         .fallback = "10s",
         FIELD(struct config_watch, build_settle_ms),
         .help = "A build whose files contradict each other is refused when its folder has not "
                 "changed for this long."},
        {.name = "rescan",
         .type = OPTION_CHOICE_OR_DURATION,
         .min = 100 * MS,
         .max = DAY,
         .fallback = "auto",
         FIELD(struct config_watch, rescan),
         ALSO(struct config_watch, rescan_ms),
         CHOICES(rescan_choices),
         .help = "How often the whole tree is read again; `auto`: often where inotify sees nothing "
                 "(NFS, FUSE), rarely "
                 "elsewhere."},
};
static const struct section watch_section = {
        SECTION(watch_options),
        .struct_size = sizeof(struct config_watch),
        .check = check_watch,
};

/* --- endpoints ---------------------------------------------------------------------------- */

static const struct choice propose_choices[] = {{"hold", false, false}, {"auto", true, false}};

static const struct option endpoint_options[] = {
        {.name = "url",
         .type = OPTION_URL,
         .flags = OPTION_REQUIRED,
         FIELD(struct config_endpoint, url),
         .help = "Where a dstack guest agent answers: `.../prpc/Info`, or `.../prpc/Worker.Info` "
                 "before dstack 0.5; or a KMS while it is set up: "
                 "`.../prpc/Onboard.GetAttestationInfo`. `?json` may follow."},
        {.name = "target",
         .type = OPTION_TARGET,
         .flags = OPTION_REQUIRED,
         FIELD(struct config_endpoint, target),
         .help = "The name of one of `targets`. It has an `app`, which must be the endpoint's; a "
                 "KMS "
                 "is nobody's app."},
        {.name = "every",
         .type = OPTION_DURATION,
         .min = 100 * MS,
         .max = 7 * DAY,
         .fallback = "60s",
         FIELD(struct config_endpoint, every_ms),
         .help = "How often it is asked, give or take a tenth; less often while it fails."},
        {.name = "propose",
         .type = OPTION_CHOICE,
         .fallback = "hold",
         FIELD(struct config_endpoint, propose_auto),
         CHOICES(propose_choices),
         .help = "What happens to a value known only from endpoints: `hold` until `registrarctl "
                 "approve`, or `auto`, which proposes it if the target's `min_evidence` and "
                 "`require_signed` "
                 "allow. "
                 "`auto` needs https, or an address of this machine."},
        {.name = "ca_file",
         .type = OPTION_PATH,
         FIELD(struct config_endpoint, ca_file),
         .help = "Certificates (PEM) of the authorities that are believed for this endpoint "
                 "instead "
                 "of the system's; with https."},
};
static const struct section endpoint_section = {
        SECTION(endpoint_options),
        .struct_size = sizeof(struct config_endpoint),
        .check = check_endpoint,
};

/* --- HTTP ----------------------------------------------------------------------------------- */

static const struct option http_options[] = {
        {.name = "listen",
         .type = OPTION_LISTEN,
         .flags = OPTION_REQUIRED,
         .fallback = "off",
         FIELD(struct config, http.listen),
         .help = "Address and port. Without TLS only an address of this machine itself "
                 "(127.0.0.0/8 or ::1) is accepted."},
        {.name = "tls_cert_file",
         .type = OPTION_PATH,
         FIELD(struct config, http.tls_cert_file),
         .help = "The server's certificate and the chain above it, as PEM."},
        {.name = "tls_key_file",
         .type = OPTION_SECRET_FILE,
         .flags = OPTION_SECRET,
         FIELD(struct config, http.tls_key_file),
         .help = "Its key, as PEM without a password."},
        {.name = "max_file_mib",
         .type = OPTION_NUMBER,
         .min = 1,
         .max = 1024 * 1024,
         .fallback = "4096",
         .unit = "MiB",
         FIELD(struct config, http.max_file_mib),
         .help = "The largest file that may be dropped."},
        {.name = "quota_mib",
         .type = OPTION_NUMBER,
         .min = 1,
         .max = 1024 * 1024 * 1024,
         .fallback = "20480",
         .unit = "MiB",
         FIELD(struct config, http.quota_mib),
         .help = "What all builds dropped for one target may take in `state_dir`, finished ones "
                 "included."},
        {.name = "unfinished",
         .type = OPTION_DURATION,
         .min = SECOND,
         .max = 365 * DAY,
         .fallback = "24h",
         FIELD(struct config, http.unfinished_ms),
         .help = "A build that was begun, not completed, and not touched for so long is removed."},
        {.name = "keep",
         .type = OPTION_DURATION,
         .min = SECOND,
         .max = 3650 * DAY,
         .fallback = "30d",
         FIELD(struct config, http.keep_ms),
         .help = "The files of a completed build are removed so long after they came, once they "
                 "are "
                 "measured and judged. What is recorded of them stays."},
};
static const struct section http_section = {SECTION(http_options), .check = check_http};

/* --- the file ----------------------------------------------------------------------------- */

/* Order matters: targets refer to chains, watches and endpoints to targets. */
static const struct option config_options[] = {
        {.name = "state_dir",
         .type = OPTION_PATH,
         .fallback = "/var/lib/registrard",
         FIELD(struct config, state_dir),
         .help = "Database, drafts and lock."},
        {.name = "control_socket",
         .type = OPTION_PATH,
         .max = 107,
         .fallback = "/run/registrard/control.sock",
         FIELD(struct config, control_socket),
         .help = "Where `registrarctl` finds the daemon. Who may open it may approve."},
        {.name = "measurers",
         .type = OPTION_NUMBER,
         .min = 1,
         .max = 16,
         .fallback = "2",
         .unit = "processes",
         FIELD(struct config, measurers),
         .help = "How many sandboxed processes measure artifacts."},
        {.name = "http",
         .type = OPTION_SECTION,
         .section = &http_section,
         .help = "Where builds are dropped by HTTP. Without it the daemon does not listen on any "
                 "network."},
        {.name = "chains",
         .type = OPTION_NAMED,
         .flags = OPTION_REQUIRED,
         .min = 1,
         .max = 64,
         FIELD(struct config, chains),
         ALSO(struct config, chain_count),
         .section = &chain_section,
         .help = "The chains on which targets live, each under a name of its own."},
        {.name = "targets",
         .type = OPTION_NAMED,
         .flags = OPTION_REQUIRED,
         .min = 1,
         .max = 256,
         FIELD(struct config, targets),
         ALSO(struct config, target_count),
         .section = &target_section,
         .help = "The governed registries, each under a name of its own."},
        {.name = "watch",
         .type = OPTION_ITEMS,
         .max = 256,
         FIELD(struct config, watches),
         ALSO(struct config, watch_count),
         .section = &watch_section,
         .help = "The folders that are watched."},
        {.name = "endpoints",
         .type = OPTION_ITEMS,
         .max = 10000,
         FIELD(struct config, endpoints),
         ALSO(struct config, endpoint_count),
         .section = &endpoint_section,
         .help = "dstack status endpoints that are asked."},
        {.name = "notify", .type = OPTION_ABSENT, .help = "Webhook and Slack messages."},
};
const struct section config_section = {
        SECTION(config_options),
        .struct_size = sizeof(struct config),
        .check = check_config,
};
