#include "daemon/ctl/options.h"

#include "common/base/buf.h"
#include "common/base/clock.h"

#include <getopt.h>
#include <string.h>

const struct ctl_command ctl_commands[] = {
        {"status", ARGUMENT_NONE, 0, 0, "", "chains, targets, counts, and what waits for whom",
         NULL},
        {"measurements", ARGUMENT_VALUE_OR_ID, OPT_TARGET, 0, "[VALUE|ID] [--target T]",
         "list the measurements, or show one with its evidence", NULL},
        {"proposals", ARGUMENT_PROPOSAL_IF, 0, 0, "[ID]",
         "list the proposals, or show one with its whole history", NULL},
        {"inspect", ARGUMENT_FILES,
         OPT_KNOWN_OS | OPT_TRUSTED_ROOT | OPT_IDENTITY | OPT_ISSUER | OPT_PREDICATE |
                 OPT_PUBLIC_KEY,
         0, "FILE... [--known-os] [--trusted-root FILE --identity URI | --public-key KEY]",
         "measure local files; needs no daemon",
         "Reads enclave images (.eif), measurements.json, nitro-cli's JSON, logs, attestation "
         "documents, app-compose.json,\n"
         "TDX quotes, guest information and the rest of docs/MEASUREMENTS.md exactly as the daemon "
         "does. \"-\" is\n"
         "standard input. Exit 2 when a file is refused, 1 when one cannot be read.\n"
         "--known-os prints only what `known_os` of a target needs to believe such a machine: a "
         "line for each that a\n"
         "genuine TDX quote shows. Trust the machine first.\n"
         "Signatures among the files are verified over the others, as `require_signed` of a target "
         "does:\n"
         "--trusted-root FILE --identity URI  Sigstore; URI is the workflow, or its beginning up "
         "to "
         "a / or @.\n"
         "    --issuer URL (GitHub's), --predicate-type TYPE (the enclave template's)\n"
         "--public-key KEY  minisign's line RW..., or a file with it.\n"
         "With one of them, exit 0 only when a signature is verified and nothing refused.\n"},
        {"register", ARGUMENT_VALUE, OPT_TARGET | OPT_KIND, OPT_TARGET,
         "VALUE --target T [--kind K]", "have a value registered that no artifact brought",
         "Without --kind it is registered as a Nitro build is: os-image, and compose where the "
         "target has an app.\n"
         "Kinds: os-image, compose, kms-mr, kms-device, device. The value counts as approved by "
         "you.\n"},
        {"revoke", ARGUMENT_VALUE, OPT_TARGET | OPT_KIND | OPT_SHARED | OPT_URGENT | OPT_REPLACE,
         OPT_TARGET, "VALUE --target T [--kind K] [--shared] [--urgent] [--replace VALUE]",
         "have a value removed, or kept from being added",
         "Without --kind: every kind that the value is recorded as for the target. A value that is "
         "on chain gets a proposal\n"
         "that removes it, on the way of every other, and counts as revoked when the chain says "
         "so at finality. What is about to\n"
         "add it is withdrawn (see withdraw) and followed all the same: if it lands first, the "
         "removal is drafted at once; the\n"
         "other values in it are proposed again without this one. Nothing brings the value back "
         "but approve or register.\n"
         "--shared   also for other targets that want it in the same contract; refused without\n"
         "--urgent   before everything else: its Safe transaction takes the lowest nonce that is "
         "not executed, whatever\n"
         "           holds it. What it displaces is shown; of that, registrard proposes its own "
         "again.\n"
         "--replace  the value that should have been registered: added in the same batch\n"
         "Prints, a line each, what is drafted, who has to sign or send what, and what happens if "
         "they carry the addition\n"
         "to its end instead (with --json: `next`; what is displaced: `displaces`).\n"
         "Exit 0: recorded. 1: no such value is recorded for the target. 2: refused.\n"},
        {"approve", ARGUMENT_ID, 0, 0, "ID", "let a held measurement be proposed",
         "ID is a measurement (m12), or a proposal (p7) or build (b3) for all its measurements. "
         "What failed\n"
         "verification cannot be approved.\n"},
        {"hold", ARGUMENT_ID, 0, 0, "ID", "keep a measurement from being proposed, until approve",
         "ID as for approve. What is already in the Safe or the timelock goes on; see withdraw.\n"},
        {"withdraw", ARGUMENT_PROPOSAL, 0, 0, "ID", "give a proposal up",
         "What nobody has seen is cancelled at once. What is in the Safe's queue gets a rejection "
         "with the same nonce, what is\n"
         "in the timelock a cancellation: Safe transactions for the owners to sign. The proposal "
         "is followed until the chain\n"
         "says which came first. Its measurements are held, unless it was executed.\n"},
        {"fill", ARGUMENT_PROPOSAL, 0, 0, "ID", "have a hole in a Safe's nonces filled",
         "For the alarm nonce-hole: nothing holds a nonce below what waits for signatures. An "
         "empty transaction with that nonce\n"
         "is proposed for the owners to sign, after which the proposal goes on as it is. 2: "
         "no such nonce is known.\n"},
        {"wait", ARGUMENT_VALUE, OPT_TARGET | OPT_TIMEOUT, 0, "VALUE [--target T] [--timeout 72h]",
         "block until a value is authorized, also one not seen yet",
         "Exit 0: authorized, at finality and at the latest block, in a read made just now. 1: the "
         "time is up.\n"
         "2: it will not be unless somebody does something (held, revoked, only refused builds). "
         "64: there are\n"
         "several targets and --target is missing. 69: no daemon answered. Reconnects while the "
         "daemon restarts.\n"
         "The time is given as 500ms, 10s, 5m, 72h or 14d; 72h if missing.\n"},
        {"check", ARGUMENT_VALUE, OPT_TARGET | OPT_BOOT_INFO | OPT_KMS, OPT_TARGET,
         "VALUE --target T [--boot-info FILE [--kms]]", "ask the chain now",
         "Exit 0: authorized. 1: not. 3: the chain could not decide.\n"
         "--boot-info asks the KMS contract itself whether it would give keys: FILE is JSON with "
         "what the machine says\n"
         "about itself (appId, composeHash, instanceId, deviceId, mrAggregated, mrSystem, "
         "osImageHash, tcbStatus,\n"
         "advisoryIds; also in snake_case; \"-\" is standard input). The exit code is then its "
         "decision: 0 allowed, 1 not,\n"
         "with the contract's reason, 3 no answer. --kms, and a value recorded as kms-mr or "
         "kms-device: as a KMS\n"
         "(isKmsAllowed) instead of an app (isAppAllowed).\n"},
        {"drift", ARGUMENT_NONE, OPT_TARGET, 0, "[--target T]",
         "compare the chain's lists with what is recorded",
         "Rebuilds each list from the registry's own events, asks the chain for every value at the "
         "final block, and\n"
         "prints what differs: unknown-here (on chain, nobody here vouches for it), "
         "missing-on-chain, should-be-absent,\n"
         "undecided. --json: every value. Exit 0: no difference. 1: there is one. 3: the history "
         "is not all read, or the\n"
         "chain could not decide.\n"},
        {"export", ARGUMENT_PROPOSAL, OPT_FORMAT, 0, "ID [--format tx-builder|calldata|cast]",
         "print a draft for other tools",
         "tx-builder: a file for the Safe web app's Transaction Builder (the default). calldata: "
         "the contract and\n"
         "the call, in hex. cast: command lines for foundry's cast.\n"},
        {"doctor", ARGUMENT_NONE, 0, 0, "",
         "check contracts, roles, owners, keys, service and endpoints",
         "Exit 0: all fine, or warnings only. 2: something is wrong. 3: something could not be "
         "found out.\n"},
        {"log", ARGUMENT_NONE, OPT_FOLLOW | OPT_VERIFY, 0, "[--follow | --verify]",
         "the append-only event log",
         "--follow goes on with what comes; --verify checks the hash chain (exit 2 when it is "
         "broken).\n"},
        {"resume", ARGUMENT_CHAIN, 0, 0, "CHAIN",
         "go on with a chain of which a final block was replaced",
         "Until then nothing is decided on it. What was read of it is read again from the newest "
         "block on both\n"
         "chains on, and what was authorized is asked for again.\n"},
        {"backup", ARGUMENT_FILE, 0, 0, "FILE",
         "a consistent copy of the database, into a new file", NULL},
};
const size_t ctl_command_count = ARRAY_LEN(ctl_commands);

/* --- parsing -------------------------------------------------------------------------------- */

enum {
	LETTER_FIRST = 256,
	LETTER_SOCKET = LETTER_FIRST,
	LETTER_HELP,
	LETTER_VERSION,
	LETTER_JSON,
	LETTER_TARGET,
	LETTER_KIND,
	LETTER_TIMEOUT,
	LETTER_FORMAT,
	LETTER_FOLLOW,
	LETTER_VERIFY,
	LETTER_KNOWN_OS,
	LETTER_TRUSTED_ROOT,
	LETTER_IDENTITY,
	LETTER_ISSUER,
	LETTER_PREDICATE,
	LETTER_PUBLIC_KEY,
	LETTER_SHARED,
	LETTER_URGENT,
	LETTER_REPLACE,
	LETTER_BOOT_INFO,
	LETTER_KMS
};

static const struct option long_options[] = {
        {"socket", required_argument, NULL, LETTER_SOCKET},
        {"help", no_argument, NULL, LETTER_HELP},
        {"version", no_argument, NULL, LETTER_VERSION},
        {"json", no_argument, NULL, LETTER_JSON},
        {"target", required_argument, NULL, LETTER_TARGET},
        {"kind", required_argument, NULL, LETTER_KIND},
        {"timeout", required_argument, NULL, LETTER_TIMEOUT},
        {"format", required_argument, NULL, LETTER_FORMAT},
        {"follow", no_argument, NULL, LETTER_FOLLOW},
        {"verify", no_argument, NULL, LETTER_VERIFY},
        {"known-os", no_argument, NULL, LETTER_KNOWN_OS},
        {"trusted-root", required_argument, NULL, LETTER_TRUSTED_ROOT},
        {"identity", required_argument, NULL, LETTER_IDENTITY},
        {"issuer", required_argument, NULL, LETTER_ISSUER},
        {"predicate-type", required_argument, NULL, LETTER_PREDICATE},
        {"public-key", required_argument, NULL, LETTER_PUBLIC_KEY},
        {"shared", no_argument, NULL, LETTER_SHARED},
        {"urgent", no_argument, NULL, LETTER_URGENT},
        {"replace", required_argument, NULL, LETTER_REPLACE},
        {"boot-info", required_argument, NULL, LETTER_BOOT_INFO},
        {"kms", no_argument, NULL, LETTER_KMS},
        {NULL, 0, NULL, 0},
};

static const struct {
	unsigned bit;
	const char *name;
} option_names[] = {
        {OPT_TARGET, "--target"},
        {OPT_KIND, "--kind"},
        {OPT_TIMEOUT, "--timeout"},
        {OPT_FORMAT, "--format"},
        {OPT_FOLLOW, "--follow"},
        {OPT_VERIFY, "--verify"},
        {OPT_KNOWN_OS, "--known-os"},
        {OPT_TRUSTED_ROOT, "--trusted-root"},
        {OPT_IDENTITY, "--identity"},
        {OPT_ISSUER, "--issuer"},
        {OPT_PREDICATE, "--predicate-type"},
        {OPT_PUBLIC_KEY, "--public-key"},
        {OPT_SHARED, "--shared"},
        {OPT_URGENT, "--urgent"},
        {OPT_REPLACE, "--replace"},
        {OPT_BOOT_INFO, "--boot-info"},
        {OPT_KMS, "--kms"},
};

static const char **signing_option(struct ctl_options *out, int letter, unsigned *bit)
{
	switch (letter) {
	case LETTER_TRUSTED_ROOT:
		*bit = OPT_TRUSTED_ROOT;
		return &out->trusted_root;
	case LETTER_IDENTITY:
		*bit = OPT_IDENTITY;
		return &out->identity;
	case LETTER_ISSUER:
		*bit = OPT_ISSUER;
		return &out->issuer;
	case LETTER_PREDICATE:
		*bit = OPT_PREDICATE;
		return &out->predicate_type;
	case LETTER_PUBLIC_KEY:
		*bit = OPT_PUBLIC_KEY;
		return &out->public_key;
	}
	die("option %d", letter);
}

static int take_option(struct ctl_options *out, int letter, unsigned *given, struct error *error)
{
	switch (letter) {
	case LETTER_SOCKET:
		out->socket = optarg;
		return 0;
	case LETTER_HELP:
	case 'h':
		out->help = true;
		return 0;
	case LETTER_VERSION:
		out->version = true;
		return 0;
	case LETTER_JSON:
		out->json = true;
		return 0;
	case LETTER_TARGET:
		out->target = optarg;
		*given |= OPT_TARGET;
		return 0;
	case LETTER_KIND:
		out->kind = optarg;
		*given |= OPT_KIND;
		return 0;
	case LETTER_TIMEOUT:
		*given |= OPT_TIMEOUT;
		return duration_parse(&out->timeout_ms, optarg, error) != 0
		               ? error_prefix(error, "--timeout")
		               : 0;
	case LETTER_FORMAT:
		out->format = optarg;
		*given |= OPT_FORMAT;
		return 0;
	case LETTER_FOLLOW:
		out->follow = true;
		*given |= OPT_FOLLOW;
		return 0;
	case LETTER_VERIFY:
		out->verify = true;
		*given |= OPT_VERIFY;
		return 0;
	case LETTER_SHARED:
		out->shared = true;
		*given |= OPT_SHARED;
		return 0;
	case LETTER_URGENT:
		out->urgent = true;
		*given |= OPT_URGENT;
		return 0;
	case LETTER_REPLACE:
		out->replace = optarg;
		*given |= OPT_REPLACE;
		return 0;
	case LETTER_BOOT_INFO:
		out->boot_info_file = optarg;
		*given |= OPT_BOOT_INFO;
		return 0;
	case LETTER_KMS:
		out->kms = true;
		*given |= OPT_KMS;
		return 0;
	case LETTER_KNOWN_OS:
		out->known_os = true;
		*given |= OPT_KNOWN_OS;
		return 0;
	}
	unsigned bit;
	*signing_option(out, letter, &bit) = optarg;
	*given |= bit;
	return 0;
}

static int check_signing(unsigned given, struct error *error)
{
	unsigned root = given & OPT_TRUSTED_ROOT, identity = given & OPT_IDENTITY;

	if ((root != 0) != (identity != 0))
		return error_set(error, ERR_INVALID,
		                 "--trusted-root and --identity need each other");
	if (root == 0 && (given & (OPT_ISSUER | OPT_PREDICATE)))
		return error_set(error, ERR_INVALID,
		                 "--issuer and --predicate-type need --trusted-root");
	if (root != 0 && (given & OPT_PUBLIC_KEY))
		return error_set(error, ERR_INVALID,
		                 "--public-key and --trusted-root are two different things");
	return 0;
}

static int check_options(const struct ctl_command *command, unsigned given, struct error *error)
{
	for (size_t i = 0; i < ARRAY_LEN(option_names); i++) {
		unsigned bit = option_names[i].bit;
		if ((given & bit) && !(command->options & bit))
			return error_set(error, ERR_INVALID, "%s takes no %s", command->name,
			                 option_names[i].name);
		if ((command->required & bit) && !(given & bit))
			return error_set(error, ERR_INVALID, "%s needs %s", command->name,
			                 option_names[i].name);
	}
	if ((given & OPT_FOLLOW) && (given & OPT_VERIFY))
		return error_set(error, ERR_INVALID,
		                 "--follow and --verify are two different things");
	return check_signing(given, error);
}

static bool is_id(const char *text, const char *letters)
{
	return text[0] != '\0' && strchr(letters, text[0]) != NULL && text[1] >= '1' &&
	       text[1] <= '9' && strlen(text) <= 19 &&
	       strspn(text + 1, "0123456789") == strlen(text + 1);
}

static int check_argument(const struct ctl_command *command, const char *text, struct error *error)
{
	struct hash32 value;

	switch (command->argument) {
	case ARGUMENT_VALUE_OR_ID:
		if (is_id(text, "m"))
			return 0;
		/* fall through */
	case ARGUMENT_VALUE:
		if (hash32_parse(&value, text, error) != 0)
			return error_prefix(error, "value \"%s\"", text);
		return 0;
	case ARGUMENT_PROPOSAL_IF:
	case ARGUMENT_PROPOSAL:
		if (!is_id(text, "p"))
			return error_set(error, ERR_INVALID,
			                 "\"%s\" is no proposal; expected an id such as p7", text);
		return 0;
	case ARGUMENT_ID:
		if (!is_id(text, "mpb"))
			return error_set(error, ERR_INVALID,
			                 "\"%s\" is no id; expected one such as m12, p7 or b3",
			                 text);
		return 0;
	case ARGUMENT_NONE:
	case ARGUMENT_CHAIN:
	case ARGUMENT_FILE:
	case ARGUMENT_FILES:
		return 0;
	}
	return 0;
}

static int take_arguments(struct ctl_options *out, int count, char **arguments, struct error *error)
{
	enum argument kind = out->command->argument;
	bool may_lack = kind == ARGUMENT_NONE || kind == ARGUMENT_VALUE_OR_ID ||
	                kind == ARGUMENT_PROPOSAL_IF;
	int most = kind == ARGUMENT_NONE ? 0 : 1;

	if (count == 0 && !may_lack)
		return error_set(error, ERR_INVALID, "%s needs an argument", out->command->name);
	if (kind != ARGUMENT_FILES && count > most)
		return error_set(error, ERR_INVALID, "unexpected argument \"%s\"", arguments[most]);
	out->files = arguments;
	out->file_count = (size_t)count;
	if (count == 0)
		return 0;
	out->argument = arguments[0];
	return check_argument(out->command, out->argument, error);
}

static const struct ctl_command *find_command(const char *name)
{
	for (size_t i = 0; i < ctl_command_count; i++)
		if (strcmp(ctl_commands[i].name, name) == 0)
			return &ctl_commands[i];
	return NULL;
}

int ctl_options_parse(struct ctl_options *out, int argc, char **argv, struct error *error)
{
	unsigned given = 0;
	int letter;

	*out = (struct ctl_options){.socket = CTL_DEFAULT_SOCKET,
	                            .timeout_ms = (int64_t)72 * 3600 * 1000};
	opterr = 0;
	optind = 0;
	while ((letter = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
		if (letter == ':')
			return error_set(error, ERR_INVALID, "%s needs a value", argv[optind - 1]);
		if (letter == '?')
			return error_set(error, ERR_INVALID, "unknown option %s", argv[optind - 1]);
		int rc = take_option(out, letter, &given, error);
		if (rc != 0)
			return rc;
	}
	if (optind < argc && strcmp(argv[optind], "help") == 0) {
		out->help = true;
		optind++;
	}
	if (optind < argc) {
		out->command = find_command(argv[optind]);
		if (out->command == NULL)
			return error_set(error, ERR_INVALID, "unknown command \"%s\"",
			                 argv[optind]);
		optind++;
	}
	if (out->help || out->version)
		return 0;
	if (out->command == NULL)
		return error_set(error, ERR_INVALID, "which command?");
	int rc = check_options(out->command, given, error);
	return rc != 0 ? rc : take_arguments(out, argc - optind, argv + optind, error);
}

/* --- help ------------------------------------------------------------------------------------ */

void ctl_help(struct buf *out, const struct ctl_command *command)
{
	if (command != NULL) {
		buf_printf(out, "usage: registrarctl %s%s%s [--json]\n\n%s\n", command->name,
		           command->usage[0] != '\0' ? " " : "", command->usage, command->summary);
		if (command->help != NULL)
			buf_printf(out, "\n%s", command->help);
		return;
	}
	buf_append_text(out, "usage: registrarctl [--socket PATH] COMMAND [--json]\n\n");
	for (size_t i = 0; i < ctl_command_count; i++)
		buf_printf(out, "  %-13s %s\n", ctl_commands[i].name, ctl_commands[i].summary);
	buf_append_text(
	        out, "\n"
	             "  --socket PATH  default " CTL_DEFAULT_SOCKET "\n"
	             "  --json         for programs\n"
	             "  --help         of a command: registrarctl COMMAND --help, or help COMMAND\n"
	             "  --version\n"
	             "\n"
	             "Exit: 0 yes or done, 1 no, not found or timed out, 2 refused or will "
	             "not be, 3 unknown (the chain\n"
	             "could not decide), 64 usage, 69 daemon not reachable.\n");
}
