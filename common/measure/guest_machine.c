#include "common/measure/guest_machine.h"

#include "common/measure/mr.h"

#include <stdio.h>
#include <string.h>

#define SHA256_OF_NOTHING                                                                          \
	"\xe3\xb0\xc4\x42\x98\xfc\x1c\x14\x9a\xfb\xf4\xc8\x99\x6f\xb9\x24"                         \
	"\x27\xae\x41\xe4\x64\x9b\x93\x4c\xa4\x95\x99\x1b\x78\x52\xb8\x55"

void machine_state(struct subject *subject, const char *source, struct bytes value)
{
	if (value.len == 0)
		return;
	if (subject->count == SUBJECT_MAX)
		die("more than %d sources", SUBJECT_MAX);
	subject->items[subject->count].source = source;
	subject->items[subject->count++].value = value;
}

void machine_broken(struct machine *machine, const char *fmt, ...)
{
	struct error text;
	va_list args;

	if (machine->broken != NULL)
		return;
	va_start(args, fmt);
	vsnprintf(text.text, sizeof(text.text), fmt, args);
	va_end(args);
	machine->broken = arena_strdup(machine->arena, text.text);
}

static struct checks *checks_of(struct machine *machine)
{
	return &machine->report->checks;
}

static char *hex_of(struct machine *machine, struct bytes value)
{
	return hex_encode(arena_alloc(machine->arena, 2 * value.len + 1), value);
}

/* --- agreement ---------------------------------------------------------------------------------
 */

/* Adds the check and returns whether nobody disagrees. */
static bool agree(struct machine *machine, const char *check, const struct subject *subject)
{
	struct buf sources = {0};

	if (subject->count == 0)
		return true;
	for (size_t i = 1; i < subject->count; i++)
		if (!bytes_equal(subject->items[0].value, subject->items[i].value))
			return checks_add(
			        checks_of(machine), check, CHECK_FAILED, "%s is %s, %s is %s",
			        subject->items[0].source, hex_of(machine, subject->items[0].value),
			        subject->items[i].source, hex_of(machine, subject->items[i].value));
	for (size_t i = 0; i < subject->count; i++)
		buf_printf(&sources, "%s%s", i > 0 ? ", " : "", subject->items[i].source);
	if (subject->count > 1)
		checks_add(checks_of(machine), check, CHECK_PASSED, "the same in %s",
		           buf_text(&sources));
	else
		checks_add(checks_of(machine), check, CHECK_UNDECIDED, "stated by %s alone",
		           buf_text(&sources));
	buf_free(&sources);
	return true;
}

static bool hash_of(const struct subject *subject, struct hash32 *out)
{
	*out = (struct hash32){0};
	if (subject->count == 0 || subject->items[0].value.len != sizeof(out->b))
		return false;
	memcpy(out->b, subject->items[0].value.data, sizeof(out->b));
	return true;
}

/* --- the event log -----------------------------------------------------------------------------
 */

static void state_event(struct subject *subject, const struct event_log *log, const char *name,
                        const char *source, size_t size)
{
	const struct event *event = event_log_find(log, name);

	if (event != NULL && event->payload.len == size)
		machine_state(subject, source, event->payload);
}

static void state_events(struct machine *machine, const struct event_log *log, bool certificate)
{
	state_event(&machine->compose, log, "compose-hash",
	            certificate ? "compose-hash event in app_cert" : "compose-hash event", 32);
	state_event(&machine->app_id, log, "app-id",
	            certificate ? "app-id event in app_cert" : "app-id event", 20);
	state_event(&machine->instance_id, log, "instance-id",
	            certificate ? "instance-id event in app_cert" : "instance-id event", 20);
}

/* Whether the replay of log gives these registers: RTMR3 always, the others where the log has their
 * boot events. A quote may be older than the log's last entries: then RTMR3 after one of the
 * application's own events will do. */
static bool replays(struct machine *machine, const char *check, const struct event_log *log,
                    const uint8_t rtmr[TDX_RTMRS][TDX_MR_SIZE], bool may_be_older)
{
	bool whole = true;
	uint8_t both[2 * TDX_MR_SIZE] = {0};

	for (size_t i = 0; i < 3; i++) {
		whole = whole && log->has_boot[i];
		if (log->has_boot[i] && memcmp(log->rtmr[i], rtmr[i], TDX_MR_SIZE) != 0)
			return checks_add(checks_of(machine), check, CHECK_FAILED,
			                  "RTMR%zu is %s, the log gives %s", i,
			                  hex_of(machine, bytes_of(rtmr[i], TDX_MR_SIZE)),
			                  hex_of(machine, bytes_of(log->rtmr[i], TDX_MR_SIZE)));
	}
	const char *what = whole ? "RTMR0-3 replay"
	                         : "RTMR3 replays; the log has not all boot events for RTMR0-2";
	if (memcmp(log->rtmr[3], rtmr[3], TDX_MR_SIZE) == 0)
		return checks_add(checks_of(machine), check, CHECK_PASSED, "%s", what);
	for (size_t i = 0; may_be_older && log->is_ready && i < log->count; i++) {
		if (log->events[i].imr != 3)
			continue;
		memcpy(both + TDX_MR_SIZE, log->events[i].digest, TDX_MR_SIZE);
		sha384(both, bytes_of(both, sizeof(both)));
		if (i + 1 >= log->trusted && memcmp(both, rtmr[3], TDX_MR_SIZE) == 0)
			return checks_add(checks_of(machine), check, CHECK_PASSED,
			                  "%s, up to event %zu of %zu", what, i + 1, log->count);
	}
	return checks_add(checks_of(machine), check, CHECK_FAILED, "RTMR3 is %s, the log gives %s",
	                  hex_of(machine, bytes_of(rtmr[3], TDX_MR_SIZE)),
	                  hex_of(machine, bytes_of(log->rtmr[3], TDX_MR_SIZE)));
}

static bool judge_log(struct machine *machine)
{
	struct checks *checks = checks_of(machine);

	if (!machine->has_log) {
		checks_add(checks, "event-log", CHECK_UNDECIDED, "no event log is published");
		return false;
	}
	event_log_judge(&machine->log, checks);
	state_events(machine, &machine->log, false);
	if (!machine->has_registers && machine->quote_bytes.len == 0)
		checks_add(checks, "replay", CHECK_UNDECIDED,
		           "no TDX registers: nothing to replay");
	else if (machine->has_registers)
		replays(machine, "replay", &machine->log,
		        (const uint8_t(*)[TDX_MR_SIZE])machine->rtmr, false);
	return checks_passed(checks, "event-rules") && checks_passed(checks, "event-digests");
}

/* --- the quote ---------------------------------------------------------------------------------
 */

static void copy_checks(struct checks *to, const struct checks *from)
{
	for (size_t i = 0; i < from->count; i++)
		checks_add(to, from->items[i].name, from->items[i].result, "%s",
		           from->items[i].text);
}

/* The log inside the certificate, in one check. */
static bool judge_certificate_log(struct machine *machine)
{
	struct checks local = {.arena = machine->arena};

	event_log_judge(&machine->quote_log, &local);
	state_events(machine, &machine->quote_log, true);
	for (size_t i = 0; i < local.count; i++)
		if (local.items[i].result != CHECK_PASSED)
			return checks_add(checks_of(machine), "cert-event-log",
			                  local.items[i].result, "%s", local.items[i].text);
	return checks_add(checks_of(machine), "cert-event-log", CHECK_PASSED,
	                  "digests recomputed; one app-id, one compose-hash");
}

/* What the quote was made about. */
static bool judge_report_data(struct machine *machine, const struct tdx_quote *quote)
{
	struct checks *checks = checks_of(machine);

	if (machine->has_certificate) {
		bool bound = memcmp(quote->report_data, machine->certificate.report_data, 64) == 0;
		checks_add(
		        checks, "report-data", bound ? CHECK_PASSED : CHECK_FAILED, "%s",
		        bound ? "the quote names the certificate's key"
		              : "the quote in app_cert names another key than the certificate's");
		/* A damaged certificate is not refused for it, but it does not count either. */
		return bound && checks_passed(checks, "cert-chain");
	}
	if (machine->stated_report_data.len > 0) {
		uint8_t padded[64] = {0};
		memcpy(padded, machine->stated_report_data.data, machine->stated_report_data.len);
		bool same = memcmp(quote->report_data, padded, sizeof(padded)) == 0;
		return checks_add(checks, "report-data", same ? CHECK_PASSED : CHECK_FAILED, "%s",
		                  same ? "the quote holds the report_data beside it"
		                       : "the quote holds other report data than stated beside it");
	}
	checks_add(checks, "report-data", CHECK_UNDECIDED,
	           "nothing here says what the quote was made about");
	return true;
}

/* tcb_info beside a quote: RTMR3 grows, so it may differ; each has its own replay. */
static bool judge_registers(struct machine *machine, const struct tdx_quote *quote)
{
	bool same = memcmp(machine->mrtd, quote->mrtd, TDX_MR_SIZE) == 0;
	int differs = -1;

	if (!machine->has_registers)
		return true;
	for (int i = 0; i < 3 && differs < 0; i++)
		if (memcmp(machine->rtmr[i], quote->rtmr[i], TDX_MR_SIZE) != 0)
			differs = i;
	if (!same)
		return checks_add(checks_of(machine), "registers", CHECK_FAILED,
		                  "MRTD of the quote is not that of tcb_info");
	if (differs >= 0)
		return checks_add(checks_of(machine), "registers", CHECK_FAILED,
		                  "RTMR%d of the quote is not that of tcb_info", differs);
	return checks_add(checks_of(machine), "registers", CHECK_PASSED,
	                  "MRTD and RTMR0-2 of the quote are those of tcb_info");
}

/* The key provider as the log names it: its number in MRCONFIGID's second form, and its id. */
static bool key_provider(struct machine *machine, uint8_t *kind, struct bytes *id)
{
	static const char *const names[] = {"none", "local-sgx", "kms", "tpm"};
	const struct event_log *log = machine->has_quote_log ? &machine->quote_log : &machine->log;
	const struct event *event = event_log_find(log, "key-provider");
	struct jval *value;
	bool found = false;

	if (event == NULL || jval_parse(&value, event->payload, NULL) != 0)
		return false;
	const char *name = jval_get_string(value, "name"), *hex = jval_get_string(value, "id");
	for (uint8_t i = 0; name != NULL && hex != NULL && i < ARRAY_LEN(names); i++) {
		if (strcmp(name, names[i]) != 0)
			continue;
		size_t len = strlen(hex) / 2;
		uint8_t *raw = arena_alloc(machine->arena, len + 1);
		found = hex_decode(raw, len, hex, NULL) == 0;
		*kind = i;
		*id = bytes_of(raw, len);
	}
	jval_free(value);
	return found;
}

/* The firmware's own word for the compose hash, where the host set it. */
static void judge_config_id(struct machine *machine, const struct tdx_quote *quote)
{
	struct checks *checks = checks_of(machine);
	struct hash32 compose;
	struct bytes id;
	uint8_t first[MR_SIZE], second[MR_SIZE], kind;
	unsigned form = quote->mr_config_id[0];

	if (form == 0) {
		checks_add(checks, "mr-config-id", CHECK_UNDECIDED, "MRCONFIGID is not set");
		return;
	}
	bool known = hash_of(&machine->compose, &compose);
	mr_config_v1(first, &compose);
	if (known && memcmp(quote->mr_config_id, first, MR_SIZE) == 0) {
		checks_add(checks, "mr-config-id", CHECK_PASSED,
		           "MRCONFIGID holds the compose hash");
		return;
	}
	if (known && form == 1) {
		checks_add(checks, "mr-config-id", CHECK_FAILED,
		           "MRCONFIGID holds another compose hash");
		return;
	}
	if (known && form == 2 && machine->app_id.count > 0 && key_provider(machine, &kind, &id)) {
		mr_config_v2(second, &compose, machine->app_id.items[0].value.data, kind, id);
		if (memcmp(quote->mr_config_id, second, MR_SIZE) == 0) {
			checks_add(checks, "mr-config-id", CHECK_PASSED,
			           "MRCONFIGID binds compose hash, app id and key provider");
			return;
		}
	}
	checks_add(checks, "mr-config-id", CHECK_UNDECIDED,
	           "MRCONFIGID of form %u cannot be recomputed from this", form);
}

struct quoted {
	bool parsed, genuine;
	struct tdx_quote quote;
};

static void judge_quote(struct machine *machine, bool log_good, struct quoted *out)
{
	struct guest_report *report = machine->report;
	struct tdx_verdict verdict;
	struct error error;

	*out = (struct quoted){0};
	if (machine->quote_bytes.len == 0)
		return;
	report->has_quote = true;
	if (tdx_quote_parse(machine->quote_bytes, &out->quote, &error) != 0) {
		checks_add(checks_of(machine), "quote", CHECK_FAILED, "%s", error.text);
		return;
	}
	out->parsed = true;
	tdx_quote_verify(machine->arena, &out->quote, machine->options->root, machine->options->now,
	                 &verdict);
	copy_checks(checks_of(machine), &verdict.checks);
	bool good = verdict.genuine && verdict.allowed;
	good = judge_report_data(machine, &out->quote) && good;
	good = judge_registers(machine, &out->quote) && good;
	const struct event_log *log = NULL;
	if (machine->has_quote_log) {
		good = judge_certificate_log(machine) && good;
		log = &machine->quote_log;
	} else if (machine->has_log) {
		good = log_good && good;
		log = &machine->log;
	}
	good = log != NULL &&
	       replays(machine, "quote-replay", log, (const uint8_t(*)[TDX_MR_SIZE])out->quote.rtmr,
	               true) &&
	       good;
	out->genuine = good;
	if (good) {
		report->device_of_user_data = verdict.device_of_user_data;
		report->device_of_ppid = verdict.device_of_ppid;
	}
}

/* --- registers and mr_aggregated ---------------------------------------------------------------
 */

static void copy_registers(struct machine *machine, const struct quoted *quoted)
{
	struct guest_report *report = machine->report;

	report->has_registers = machine->has_registers || quoted->parsed;
	memcpy(report->mrtd, quoted->parsed ? quoted->quote.mrtd : machine->mrtd, TDX_MR_SIZE);
	memcpy(report->rtmr, quoted->parsed ? quoted->quote.rtmr : machine->rtmr,
	       sizeof(report->rtmr));
}

/* Registers of tcb_info where it has them (that is what was aggregated), and the quote's
 * MRCONFIGID. */
static struct hash32 aggregate(struct machine *machine, const struct quoted *quoted,
                               const uint8_t *config_id)
{
	struct mr_tdx mr = {0};

	memcpy(mr.mrtd, machine->has_registers ? machine->mrtd : quoted->quote.mrtd, MR_SIZE);
	memcpy(mr.rtmr, machine->has_registers ? machine->rtmr : quoted->quote.rtmr,
	       sizeof(mr.rtmr));
	if (quoted->parsed) {
		memcpy(mr.config_id, quoted->quote.mr_config_id, MR_SIZE);
		memcpy(mr.owner, quoted->quote.mr_owner, MR_SIZE);
		memcpy(mr.owner_config, quoted->quote.mr_owner_config, MR_SIZE);
	} else if (config_id != NULL) {
		memcpy(mr.config_id, config_id, MR_SIZE);
	}
	return mr_tdx_aggregated(&mr);
}

/* Whether stated is what the registers give; without a quote MRCONFIGID has to be guessed. */
static bool aggregates_to(struct machine *machine, const struct quoted *quoted,
                          const struct hash32 *stated)
{
	struct hash32 compose, plain = aggregate(machine, quoted, NULL);
	uint8_t config_id[MR_SIZE];

	if (hash32_equal(&plain, stated))
		return true;
	if (quoted->parsed || !hash_of(&machine->compose, &compose))
		return false;
	mr_config_v1(config_id, &compose);
	struct hash32 configured = aggregate(machine, quoted, config_id);
	return hash32_equal(&configured, stated);
}

/* Returns whether the aggregate is what a genuine quote gives. */
static bool judge_aggregated(struct machine *machine, const struct quoted *quoted)
{
	struct guest_report *report = machine->report;
	struct checks *checks = checks_of(machine);
	struct hash32 stated;

	bool is_stated = agree(machine, "mr-aggregated", &machine->aggregated) &&
	                 hash_of(&machine->aggregated, &stated);
	if (machine->aggregated.count > 0 && !is_stated)
		return false;
	if (!report->has_registers) {
		report->has_mr_aggregated = is_stated;
		if (is_stated)
			report->mr_aggregated = stated;
		return false;
	}
	bool current = quoted->genuine &&
	               (!machine->has_registers ||
	                memcmp(machine->rtmr[3], quoted->quote.rtmr[3], TDX_MR_SIZE) == 0);
	if (!is_stated) {
		report->has_mr_aggregated = quoted->genuine;
		if (quoted->genuine)
			report->mr_aggregated = aggregate(machine, quoted, NULL);
		return current;
	}
	report->has_mr_aggregated = true;
	report->mr_aggregated = stated;
	if (aggregates_to(machine, quoted, &stated))
		return checks_add(checks, "mr-aggregated-recomputed", CHECK_PASSED,
		                  "mr_aggregated is what the registers give") &&
		       current;
	checks_add(checks, "mr-aggregated-recomputed",
	           quoted->parsed ? CHECK_FAILED : CHECK_UNDECIDED,
	           quoted->parsed ? "mr_aggregated is not what the registers give"
	                          : "mr_aggregated cannot be recomputed: MRCONFIGID is not known");
	return false;
}

/* --- values ------------------------------------------------------------------------------------
 */

static void add_value(struct guest_report *report, enum kind kind, const struct hash32 *value,
                      bool candidate, const char *why)
{
	if (report->value_count == GUEST_MAX_VALUES)
		die("more than %d values", GUEST_MAX_VALUES);
	report->values[report->value_count++] = (struct guest_value){
	        .kind = kind, .value = *value, .candidate = candidate, .why = why};
}

static void refuse_value(struct guest_report *report, enum kind kind, const struct hash32 *value,
                         const char *why)
{
	add_value(report, kind, value, false, why);
	report->values[report->value_count - 1].refused = true;
}

static void add_device(struct machine *machine, enum kind kind, bool genuine)
{
	struct guest_report *report = machine->report;
	struct hash32 device;

	if (!hash_of(&machine->device, &device))
		return;
	if (memcmp(device.b, SHA256_OF_NOTHING, sizeof(device.b)) == 0) {
		refuse_value(report, kind, &device,
		             "a dummy: SHA-256 of nothing, which every machine would share");
		return;
	}
	if (hash32_is_zero(&device)) {
		refuse_value(report, kind, &device, "a dummy: zero");
		return;
	}
	report->has_device_id = true;
	report->device_id = device;
	bool same = genuine && (hash32_equal(&device, &report->device_of_user_data) ||
	                        hash32_equal(&device, &report->device_of_ppid));
	if (genuine)
		checks_add(checks_of(machine), "device-of-quote",
		           same ? CHECK_PASSED : CHECK_UNDECIDED,
		           same ? "device_id is that of the quote's platform"
		                : "device_id is neither hash of the quote's platform");
	add_value(report, kind, &device, same, same ? "hash of the quote's platform" : "stated");
}

static void add_values(struct machine *machine, bool genuine, bool aggregate_genuine)
{
	struct guest_report *report = machine->report;
	bool kms = machine->options->is_kms || strcmp(report->role, "kms") == 0;
	struct hash32 value;

	if (!kms && hash_of(&machine->compose, &value))
		add_value(report, KIND_COMPOSE, &value, genuine,
		          genuine ? "compose-hash event under the quote" : "stated");
	if (kms && report->has_mr_aggregated)
		add_value(report, KIND_KMS_MR, &report->mr_aggregated, aggregate_genuine,
		          aggregate_genuine ? "registers of the quote" : "stated");
	/* The os-image-hash event is what a KMS answered: no quote makes it more than a claim. */
	if (hash_of(&machine->os_image, &value)) {
		if (hash32_is_zero(&value))
			refuse_value(report, KIND_OS_IMAGE, &value, "zero");
		else
			add_value(report, KIND_OS_IMAGE, &value, false, "stated");
	}
	add_device(machine, kms ? KIND_KMS_DEVICE : KIND_DEVICE, genuine);
}

static void judge_os_image(struct machine *machine)
{
	const struct event *event =
	        machine->has_log ? event_log_find(&machine->log, "os-image-hash") : NULL;

	agree(machine, "os-image-hash", &machine->os_image);
	if (event == NULL || machine->os_image.count == 0)
		return;
	bool same = bytes_equal(event->payload, machine->os_image.items[0].value);
	checks_add(checks_of(machine), "os-image-event", same ? CHECK_PASSED : CHECK_UNDECIDED,
	           "%s",
	           same ? "the KMS answered the same os-image-hash"
	                : "the KMS answered another os-image-hash than the machine states");
}

static void append(struct checks *out, const struct checks *more)
{
	for (size_t i = 0; i < more->count; i++)
		checks_add(out, more->items[i].name, more->items[i].result, "%s",
		           more->items[i].text);
}

/* What the host says of the image, against itself and against the machine's first register. RTMR0-2
 * would take the image's whole boot to compute. */
static void judge_image(struct machine *machine)
{
	const struct os_image_material *tdx = &machine->image.materials[0];
	const struct guest_report *report = machine->report;
	struct bytes mrtd = bytes_of(report->mrtd, TDX_MR_SIZE);

	if (!machine->has_image)
		return;
	append(checks_of(machine), &machine->image.checks);
	if (!report->has_registers || !tdx->has_mrtd)
		return;
	bool same =
	        bytes_equal(mrtd, tdx->mrtd_single_pass) || bytes_equal(mrtd, tdx->mrtd_two_pass);
	checks_add(checks_of(machine), "image-mrtd", same ? CHECK_PASSED : CHECK_FAILED, "%s",
	           same ? "MRTD is one that this OS image has; RTMR0 to RTMR2 are not compared"
	                : "MRTD is none that the OS image named in vm_config can have");
}

static void copy_id(bool *has, uint8_t id[20], const struct subject *subject)
{
	*has = subject->count > 0;
	if (*has)
		memcpy(id, subject->items[0].value.data, 20);
}

void machine_judge(struct machine *machine)
{
	struct guest_report *report = machine->report;
	struct quoted quoted;

	if (machine->broken != NULL) {
		report->refusal = machine->broken;
		return;
	}
	bool log_good = judge_log(machine);
	judge_quote(machine, log_good, &quoted);
	copy_registers(machine, &quoted);
	if (quoted.parsed)
		judge_config_id(machine, &quoted.quote);
	agree(machine, "compose-hash", &machine->compose);
	agree(machine, "app-id", &machine->app_id);
	agree(machine, "instance-id", &machine->instance_id);
	agree(machine, "device-id", &machine->device);
	judge_os_image(machine);
	judge_image(machine);
	bool aggregate_genuine = judge_aggregated(machine, &quoted);
	copy_id(&report->has_app_id, report->app_id, &machine->app_id);
	copy_id(&report->has_instance_id, report->instance_id, &machine->instance_id);

	const struct check *failed = checks_first_failed(checks_of(machine));
	report->genuine = quoted.genuine && failed == NULL;
	add_values(machine, report->genuine, aggregate_genuine && report->genuine);
	if (failed != NULL)
		report->refusal =
		        arena_printf(machine->arena, "%s: %s", failed->name, failed->text);
	else if (report->value_count == 0 && report->missing == NULL)
		report->missing = arena_strdup(machine->arena,
		                               "the machine states nothing; it may be starting");
}
