#include "common/measure/guest_machine.h"

#include "common/measure/scale.h"

#include <string.h>

enum { MAX_QUOTE_HEX = 2 * TDX_QUOTE_MAX, MAX_ATTESTATION_HEX = 2 * 1024 * 1024 };

const char *guest_document_name(enum guest_document document)
{
	switch (document) {
	case GUEST_NONE:
		return "none";
	case GUEST_INFO:
		return "guest-info";
	case GUEST_TCB_INFO:
		return "tcb-info";
	case GUEST_QUOTE:
		return "quote";
	case GUEST_ATTESTATION:
		return "attestation";
	case GUEST_PHALA_CVM:
		return "phala-cvm";
	case GUEST_PHALA_APP:
		return "phala-app";
	case GUEST_KMS_ONBOARD:
		return "kms-onboard";
	case GUEST_ERROR:
		return "error";
	}
	return "none";
}

/* --- members -----------------------------------------------------------------------------------
 */

/* Text that is not empty, or NULL. Another type than text or null is a complaint. */
static const char *text_of(struct machine *machine, const struct jval *object, const char *key)
{
	const struct jval *value = jval_get(object, key);
	const char *text = jval_string(value);

	if (value != NULL && text == NULL && !jval_is_null(value))
		machine_broken(machine, "%s: expected text", key);
	return text != NULL && *text != '\0' ? text : NULL;
}

static bool fixed_hex(struct machine *machine, const struct jval *object, const char *key,
                      uint8_t *out, size_t size)
{
	const char *text = text_of(machine, object, key);
	struct error error;

	if (text == NULL)
		return false;
	if (hex_decode(out, size, text, &error) == 0)
		return true;
	machine_broken(machine, "%s: %s", key, error.text);
	return false;
}

static void state_hex(struct machine *machine, struct subject *subject, const char *source,
                      const struct jval *object, const char *key, size_t size)
{
	uint8_t *raw = arena_alloc(machine->arena, size);

	if (fixed_hex(machine, object, key, raw, size))
		machine_state(subject, source, bytes_of(raw, size));
}

/* Hex of any length up to max digits; empty when absent. */
static struct bytes long_hex(struct machine *machine, const struct jval *object, const char *key,
                             size_t max)
{
	const char *text = text_of(machine, object, key);
	struct error error;

	if (text == NULL)
		return bytes_of(NULL, 0);
	size_t digits = strlen(text);
	if (digits >= 2 && text[0] == '0' && (text[1] | 0x20) == 'x')
		digits -= 2;
	if (digits % 2 != 0 || digits > max) {
		machine_broken(machine, "%s: %zu hex digits, expected an even number up to %zu",
		               key, digits, max);
		return bytes_of(NULL, 0);
	}
	uint8_t *raw = arena_alloc(machine->arena, digits / 2 + 1);
	if (hex_decode(raw, digits / 2, text, &error) == 0)
		return bytes_of(raw, digits / 2);
	machine_broken(machine, "%s: %s", key, error.text);
	return bytes_of(NULL, 0);
}

/* A member that is JSON, or text that holds JSON. *owned must be freed; NULL when the member is
 * absent, empty or (with a complaint) broken. */
static const struct jval *json_of(struct machine *machine, const struct jval *object,
                                  const char *key, struct jval **owned)
{
	const struct jval *value = jval_get(object, key);
	struct error error;

	*owned = NULL;
	if (jval_is_object(value) || jval_is_array(value))
		return value;
	const char *text = text_of(machine, object, key);
	if (text == NULL)
		return NULL;
	if (jval_parse(owned, bytes_text(text), &error) != 0)
		machine_broken(machine, "%s: %s", key, error.text);
	return *owned;
}

/* --- parts of a machine ------------------------------------------------------------------------
 */

static void read_log(struct machine *machine, const struct jval *array, const char *key)
{
	struct error error;

	/* On other platforms the log is there and empty. */
	if (machine->has_log || (jval_is_array(array) && jval_count(array) == 0))
		return;
	machine->has_log = event_log_read(machine->arena, &machine->log, array, &error) == 0;
	if (!machine->has_log)
		machine_broken(machine, "%s: %s", key, error.text);
}

static void read_registers(struct machine *machine, const struct jval *tcb)
{
	static const char *const keys[] = {"rtmr0", "rtmr1", "rtmr2", "rtmr3"};
	int found = fixed_hex(machine, tcb, "mrtd", machine->mrtd, TDX_MR_SIZE) ? 1 : 0;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		found += fixed_hex(machine, tcb, keys[i], machine->rtmr[i], TDX_MR_SIZE) ? 1 : 0;
	machine->has_registers = found == 5;
	if (found != 0 && found != 5)
		machine_broken(machine,
		               "tcb_info: %d of mrtd and rtmr0 to rtmr3, expected all or none",
		               found);
}

static void read_tcb(struct machine *machine, const struct jval *tcb)
{
	if (!jval_is_object(tcb)) {
		machine_broken(machine, "tcb_info: expected an object");
		return;
	}
	read_registers(machine, tcb);
	state_hex(machine, &machine->compose, "tcb_info.compose_hash", tcb, "compose_hash", 32);
	state_hex(machine, &machine->os_image, "tcb_info.os_image_hash", tcb, "os_image_hash", 32);
	state_hex(machine, &machine->device, "tcb_info.device_id", tcb, "device_id", 32);
	state_hex(machine, &machine->aggregated, "tcb_info.mr_aggregated", tcb, "mr_aggregated",
	          32);
	if (jval_get(tcb, "event_log") != NULL && !jval_is_null(jval_get(tcb, "event_log")))
		read_log(machine, jval_get(tcb, "event_log"), "tcb_info.event_log");
	const char *app_compose = text_of(machine, tcb, "app_compose");
	if (app_compose != NULL) {
		struct hash32 hash = sha256(bytes_text(app_compose));
		machine_state(&machine->compose, "SHA-256 of app_compose",
		              arena_copy(machine->arena, bytes_of(hash.b, sizeof(hash.b))));
	}
}

/* The measurement material of the OS image, for TDX alone: the rest is about other machines. */
static void read_material(struct machine *machine, const struct jval *config)
{
	const struct jval *material = jval_get(config, "tdx_measurement");
	struct jval *wanted;
	struct buf text = {0};
	struct error error;

	if (!jval_is_object(material))
		return;
	wanted = jval_object();
	if (jval_get(config, "os_image_hash") != NULL)
		jval_add(wanted, "os_image_hash", jval_copy(jval_get(config, "os_image_hash")));
	jval_add(wanted, "tdx_measurement", jval_copy(material));
	jval_write(&text, wanted, JVAL_COMPACT);
	if (os_image_config_read(machine->arena, buf_bytes(&text), &machine->image, &error) == 0)
		machine->has_image = true;
	else
		machine_broken(machine, "%s", error.text);
	buf_free(&text);
	jval_free(wanted);
}

static void read_config(struct machine *machine, const struct jval *object, const char *key)
{
	struct jval *owned, *inner = NULL;
	const struct jval *config = json_of(machine, object, key, &owned);

	/* The configuration inside an attestation holds vm_config as text once more. */
	if (jval_get(config, "os_image_hash") == NULL && jval_get(config, "vm_config") != NULL)
		config = json_of(machine, config, "vm_config", &inner);
	state_hex(machine, &machine->os_image, "vm_config.os_image_hash", config, "os_image_hash",
	          32);
	read_material(machine, config);
	jval_free(inner);
	jval_free(owned);
}

/* Events as they stand in an attestation blob, boot and runtime in one list. */
static bool log_of_attestation(struct machine *machine, const struct scale_attestation *from,
                               struct event_log *out, struct error *error)
{
	size_t count = from->boot_event_count, runtime = 0;
	struct event *events = arena_array(machine->arena, count + 1, sizeof(*events));

	if (count > EVENT_LOG_MAX) {
		error_set(error, ERR_LIMIT, "%zu events, at most %d", count, EVENT_LOG_MAX);
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		const struct scale_boot_event *event = &from->boot_events[i];
		if (event->name.len > 0 && memchr(event->name.data, 0, event->name.len) != NULL) {
			error_set(error, ERR_INVALID, "event %zu: NUL in its name", i);
			return false;
		}
		events[i] = (struct event){
		        .imr = event->imr,
		        .type = event->type,
		        .version = 1,
		        .name = arena_text(machine->arena, event->name),
		        .payload = event->payload,
		        .stated = event->digest,
		};
		if (event->imr != 3)
			continue;
		if (runtime >= from->event_count ||
		    !bytes_equal(event->name, from->events[runtime].name) ||
		    !bytes_equal(event->payload, from->events[runtime].payload)) {
			error_set(error, ERR_INVALID,
			          "event %zu is not number %zu of the runtime events", i, runtime);
			return false;
		}
		runtime++;
	}
	if (runtime != from->event_count) {
		error_set(error, ERR_INVALID, "%zu runtime events in the log, %zu beside it",
		          runtime, from->event_count);
		return false;
	}
	return event_log_build(out, events, count, error) == 0;
}

/* Takes quote, log and configuration from an attestation blob. */
static void read_attestation(struct machine *machine, struct bytes blob, bool in_certificate)
{
	struct scale_attestation attestation;
	struct error error;
	struct event_log *log = in_certificate ? &machine->quote_log : &machine->log;
	bool *has = in_certificate ? &machine->has_quote_log : &machine->has_log;

	if (blob.len > 0 && blob.data[0] != 0) {
		checks_add(&machine->report->checks, "attestation", CHECK_UNDECIDED,
		           "an attestation of form 0x%02x (MessagePack): not read", blob.data[0]);
		machine->report->missing =
		        in_certificate ? machine->report->missing
		                       : arena_strdup(machine->arena,
		                                      "its form (MessagePack) is not read");
		return;
	}
	if (scale_attestation_read(machine->arena, blob, &attestation, &error) != 0) {
		machine_broken(machine, "attestation: %s", error.text);
		return;
	}
	if (attestation.platform != SCALE_TDX) {
		machine->report->missing =
		        arena_printf(machine->arena, "an attestation of platform %d, not of TDX",
		                     (int)attestation.platform);
		return;
	}
	if (!log_of_attestation(machine, &attestation, log, &error)) {
		machine_broken(machine, "attestation: %s", error.text);
		return;
	}
	*has = true;
	machine->quote_bytes = attestation.evidence;
	machine->stated_report_data = attestation.report_data;
	if (in_certificate || attestation.config.len == 0)
		return;
	struct jval *wrapper = jval_object();
	jval_add_string(wrapper, "config", arena_text(machine->arena, attestation.config));
	read_config(machine, wrapper, "config");
	jval_free(wrapper);
}

static void read_certificate(struct machine *machine, const struct jval *object)
{
	const char *pem = text_of(machine, object, "app_cert");
	struct checks *checks = &machine->report->checks;
	struct error error;

	if (pem == NULL)
		return;
	struct ra_tls *certificate = &machine->certificate;
	if (ra_tls_read(machine->arena, certificate, bytes_text(pem), &error) != 0) {
		machine_broken(machine, "app_cert: %s", error.text);
		return;
	}
	machine->has_certificate = true;
	int rc = ra_tls_check_chain(certificate, machine->options->now.ms / 1000, &error);
	checks_add(checks, "cert-chain", rc == 0 ? CHECK_PASSED : CHECK_UNDECIDED, "%s",
	           rc == 0 ? "signed by its own KMS CA, which nobody here vouches for"
	                   : error.text);
	machine_state(&machine->app_id, "app_cert", certificate->app_id);
	if (certificate->quote.len > 0) {
		machine->quote_bytes = certificate->quote;
		machine->has_quote_log = event_log_parse(machine->arena, &machine->quote_log,
		                                         certificate->event_log, &error) == 0;
		if (!machine->has_quote_log && certificate->event_log.len > 0)
			machine_broken(machine, "event log in app_cert: %s", error.text);
	} else if (certificate->attestation.len > 0) {
		read_attestation(machine, certificate->attestation, true);
	}
}

/* Info of the guest agent, whatever its generation; also Phala's objects of that shape. */
static void read_info(struct machine *machine, const struct jval *info)
{
	struct jval *owned;

	state_hex(machine, &machine->app_id, "app_id", info, "app_id", 20);
	state_hex(machine, &machine->instance_id, "instance_id", info, "instance_id", 20);
	state_hex(machine, &machine->compose, "compose_hash", info, "compose_hash", 32);
	state_hex(machine, &machine->os_image, "os_image_hash", info, "os_image_hash", 32);
	state_hex(machine, &machine->device, "device_id", info, "device_id", 32);
	state_hex(machine, &machine->aggregated, "mr_aggregated", info, "mr_aggregated", 32);
	const struct jval *tcb = json_of(machine, info, "tcb_info", &owned);
	if (tcb != NULL)
		read_tcb(machine, tcb);
	read_config(machine, info, "vm_config");
	read_certificate(machine, info);
	jval_free(owned);
}

/* --- documents ---------------------------------------------------------------------------------
 */

struct reader {
	struct arena *arena;
	const struct guest_options *options;
	struct guest_info *out;
};

static struct guest_report *new_report(struct reader *reader, const char *role, const char *name)
{
	struct guest_report *report = &reader->out->reports[reader->out->count++];

	*report = (struct guest_report){.checks.arena = reader->arena, .role = role};
	report->name = arena_strdup(reader->arena, name != NULL ? name : "");
	return report;
}

static struct machine new_machine(struct reader *reader, const char *role, const char *name)
{
	return (struct machine){.arena = reader->arena,
	                        .options = reader->options,
	                        .report = new_report(reader, role, name)};
}

static void info_document(struct reader *reader, const struct jval *info, const char *role)
{
	struct machine machine = new_machine(reader, role, jval_get_string(info, "instance_id"));

	read_info(&machine, info);
	machine_judge(&machine);
}

static void tcb_document(struct reader *reader, const struct jval *tcb)
{
	struct machine machine = new_machine(reader, "app", NULL);

	read_tcb(&machine, tcb);
	machine_judge(&machine);
}

static void quote_document(struct reader *reader, const struct jval *object)
{
	struct machine machine = new_machine(reader, "app", NULL);
	struct jval *owned;

	machine.quote_bytes = long_hex(&machine, object, "quote", MAX_QUOTE_HEX);
	if (machine.quote_bytes.len == 0)
		machine_broken(&machine, "quote: it is empty");
	machine.stated_report_data = long_hex(&machine, object, "report_data", 128);
	const struct jval *log = json_of(&machine, object, "event_log", &owned);
	if (log != NULL)
		read_log(&machine, log, "event_log");
	read_config(&machine, object, "vm_config");
	jval_free(owned);
	machine_judge(&machine);
}

static void attestation_document(struct reader *reader, const struct jval *object)
{
	struct machine machine = new_machine(reader, "app", NULL);
	struct bytes blob = long_hex(&machine, object, "attestation", MAX_ATTESTATION_HEX);

	if (blob.len == 0)
		machine_broken(&machine, "attestation: it is empty");
	else
		read_attestation(&machine, blob, false);
	machine_judge(&machine);
}

/* The first quote among Phala's decoded certificates; their keys are not shown, so that what the
 * quote was made about stays open. */
static void read_certificates(struct machine *machine, const struct jval *list)
{
	for (size_t i = 0; i < jval_count(list) && machine->quote_bytes.len == 0; i++)
		machine->quote_bytes = long_hex(machine, jval_at(list, i), "quote", MAX_QUOTE_HEX);
	for (size_t i = 0; i < jval_count(list) && i < 2; i++)
		state_hex(machine, &machine->app_id, "app_certificates", jval_at(list, i), "app_id",
		          20);
}

static void phala_machine(struct reader *reader, const struct jval *object, const char *name,
                          const struct jval *document)
{
	struct machine machine = new_machine(reader, "app", name);
	struct jval *tcb_owned, *log_owned;
	const char *said = jval_get_string(object, "error");

	state_hex(&machine, &machine.app_id, "app_id", document, "app_id", 20);
	state_hex(&machine, &machine.instance_id, "instance_id", object, "instance_id", 20);
	state_hex(&machine, &machine.device, "device_id", object, "device_id", 32);
	const struct jval *tcb = json_of(&machine, object, "tcb_info", &tcb_owned);
	if (tcb != NULL)
		read_tcb(&machine, tcb);
	machine.quote_bytes = long_hex(&machine, object, "quote", MAX_QUOTE_HEX);
	read_certificates(&machine, jval_get(object, "app_certificates"));
	const struct jval *log = json_of(&machine, object, "eventlog", &log_owned);
	if (log != NULL)
		read_log(&machine, log, "eventlog");
	jval_free(tcb_owned);
	jval_free(log_owned);
	if (tcb == NULL && machine.quote_bytes.len == 0)
		machine.report->missing =
		        arena_printf(reader->arena, "nothing is published%s%.200s",
		                     said != NULL ? ": " : "", said != NULL ? said : "");
	machine_judge(&machine);
}

static void phala_app_document(struct reader *reader, const struct jval *document)
{
	const struct jval *instances = jval_get(document, "instances");
	const struct jval *kms = jval_get(document, "kms_guest_agent_info");
	const struct jval *gateway = jval_get(document, "gateway_guest_agent_info");

	for (size_t i = 0; i < jval_count(instances); i++) {
		const struct jval *one = jval_at(instances, i);
		const char *name = jval_get_string(one, "instance_id");
		phala_machine(reader, one, name != NULL ? name : jval_get_string(one, "name"),
		              document);
	}
	if (jval_is_object(kms))
		info_document(reader, kms, "kms");
	if (jval_is_object(gateway))
		info_document(reader, gateway, "gateway");
}

/* An instance id is what a CVM's attestation lacks; the name is all there is. */
static void phala_cvm_document(struct reader *reader, const struct jval *document)
{
	phala_machine(reader, document, jval_get_string(document, "name"), NULL);
}

static void kms_document(struct reader *reader, const struct jval *object)
{
	struct machine machine = new_machine(reader, "kms", jval_get_string(object, "site_name"));
	struct bytes ppid = long_hex(&machine, object, "ppid", 128);

	state_hex(&machine, &machine.device, "device_id", object, "device_id", 32);
	state_hex(&machine, &machine.aggregated, "mr_aggregated", object, "mr_aggregated", 32);
	state_hex(&machine, &machine.os_image, "os_image_hash", object, "os_image_hash", 32);
	if (ppid.len > 0 && machine.device.count > 0) {
		struct hash32 hash = sha256(ppid);
		bool same = bytes_equal(machine.device.items[0].value, bytes_of(hash.b, 32));
		checks_add(&machine.report->checks, "device-ppid",
		           same ? CHECK_PASSED : CHECK_UNDECIDED, "%s",
		           same ? "device_id is SHA-256 of ppid"
		                : "device_id is not SHA-256 of ppid");
	}
	machine_judge(&machine);
}

static void error_document(struct reader *reader, const struct jval *object)
{
	struct guest_report *report = new_report(reader, "app", NULL);

	report->missing =
	        arena_printf(reader->arena, "it answers: %.300s", jval_get_string(object, "error"));
}

/* --- which document ----------------------------------------------------------------------------
 */

static bool has(const struct jval *object, const char *key)
{
	return jval_get(object, key) != NULL;
}

static enum guest_document recognise(const struct jval *object)
{
	if (has(object, "instances") && has(object, "app_id"))
		return GUEST_PHALA_APP;
	if (has(object, "is_online") &&
	    (has(object, "tcb_info") || has(object, "app_certificates")))
		return GUEST_PHALA_CVM;
	if (has(object, "tcb_info") && has(object, "app_id"))
		return GUEST_INFO;
	if (has(object, "mrtd") && has(object, "rtmr3") && has(object, "event_log"))
		return GUEST_TCB_INFO;
	if (has(object, "quote") && has(object, "event_log"))
		return GUEST_QUOTE;
	if (jval_get_string(object, "attestation") != NULL)
		return GUEST_ATTESTATION;
	if (has(object, "device_id") && has(object, "mr_aggregated") &&
	    has(object, "os_image_hash"))
		return GUEST_KMS_ONBOARD;
	if (jval_get_string(object, "error") != NULL && jval_count(object) == 1)
		return GUEST_ERROR;
	return GUEST_NONE;
}

static bool contains(struct bytes text, const char *part)
{
	return memmem(text.data, text.len, part, strlen(part)) != NULL;
}

/* What text that is not JSON would have become: a file that was cut off, say. */
static enum guest_document resembles(struct bytes text)
{
	if (text.len == 0 || text.data[0] != '{')
		return GUEST_NONE;
	if (contains(text, "\"tcb_info\"") && contains(text, "\"app_id\""))
		return GUEST_INFO;
	if (contains(text, "\"quote\"") && contains(text, "\"event_log\""))
		return GUEST_QUOTE;
	return GUEST_NONE;
}

static void read_document(struct reader *reader, const struct jval *object)
{
	switch (reader->out->document) {
	case GUEST_NONE:
		break;
	case GUEST_INFO:
		info_document(reader, object, "app");
		break;
	case GUEST_TCB_INFO:
		tcb_document(reader, object);
		break;
	case GUEST_QUOTE:
		quote_document(reader, object);
		break;
	case GUEST_ATTESTATION:
		attestation_document(reader, object);
		break;
	case GUEST_PHALA_CVM:
		phala_cvm_document(reader, object);
		break;
	case GUEST_PHALA_APP:
		phala_app_document(reader, object);
		break;
	case GUEST_KMS_ONBOARD:
		kms_document(reader, object);
		break;
	case GUEST_ERROR:
		error_document(reader, object);
		break;
	}
}

void guest_info_read(struct arena *arena, struct guest_info *out, struct bytes text,
                     const struct guest_options *options)
{
	struct reader reader = {.arena = arena, .options = options, .out = out};
	struct jval *object;
	struct error error;

	*out = (struct guest_info){0};
	if (text.len > GUEST_MAX_TEXT)
		return;
	if (jval_parse(&object, text, &error) != 0) {
		out->document = resembles(text);
		if (out->document != GUEST_NONE)
			out->refusal = arena_strdup(arena, error.text);
		return;
	}
	out->document = recognise(object);
	size_t count = 1;
	if (out->document == GUEST_PHALA_APP)
		count = jval_count(jval_get(object, "instances")) + 2;
	if (count > GUEST_MAX_REPORTS) {
		out->refusal = arena_printf(arena, "instances: %zu, at most %d", count - 2,
		                            GUEST_MAX_REPORTS - 2);
	} else {
		out->reports = arena_array(arena, count, sizeof(*out->reports));
		read_document(&reader, object);
	}
	jval_free(object);
}
