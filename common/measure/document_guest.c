#include "common/measure/document.h"

#include "common/base/clock.h"
#include "common/measure/guest_info.h"
#include "common/measure/mr.h"

#include <string.h>

/* Details travel in one message; machines beyond that are counted. */
enum { DETAILS_MAX = 40 * 1024 };

static void add_hex(struct jval *object, const char *key, const void *data, size_t len)
{
	char text[2 * TDX_MR_SIZE + 1];

	jval_add_string(object, key, hex_encode(text, bytes_of(data, len)));
}

static struct hash32 os_of(const uint8_t mrtd[TDX_MR_SIZE],
                           const uint8_t rtmr[TDX_RTMRS][TDX_MR_SIZE])
{
	struct mr_tdx mr = {0};

	memcpy(mr.mrtd, mrtd, TDX_MR_SIZE);
	memcpy(mr.rtmr, rtmr, sizeof(mr.rtmr));
	return mr_tdx_os(&mr);
}

static void add_registers(struct jval *details, const uint8_t mrtd[TDX_MR_SIZE],
                          const uint8_t rtmr[TDX_RTMRS][TDX_MR_SIZE], bool quoted)
{
	static const char *const names[] = {"rtmr0", "rtmr1", "rtmr2", "rtmr3"};
	struct hash32 os = os_of(mrtd, rtmr);

	add_hex(details, "mrtd", mrtd, TDX_MR_SIZE);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		add_hex(details, names[i], rtmr[i], TDX_MR_SIZE);
	/* Registers that nobody signed are no ground to trust a machine. */
	if (quoted)
		add_hex(details, "known_os", os.b, sizeof(os.b));
}

/* --- machines ----------------------------------------------------------------------------------
 */

/* A gateway is somebody else's app: what it runs is shown and not taken. */
static bool is_taken(const struct guest_report *report)
{
	return strcmp(report->role, "gateway") != 0;
}

static void take_values(struct arena *arena, const struct guest_report *report,
                        struct measured *out)
{
	for (size_t i = 0; is_taken(report) && i < report->value_count; i++) {
		const struct guest_value *from = &report->values[i];
		struct measured_value value = {.kind = from->kind,
		                               .value = from->value,
		                               .level = LEVEL_CLAIMED,
		                               .is_quoted = from->candidate,
		                               .has_app_id = report->has_app_id};
		if (from->candidate)
			value.os = os_of(report->mrtd, (const uint8_t(*)[TDX_MR_SIZE])report->rtmr);
		memcpy(value.app_id, report->app_id, sizeof(value.app_id));
		if (!from->refused && !measured_add(out, &value))
			document_refuse(arena, out, "it states more than %d values",
			                MEASURED_VALUES);
	}
}

static struct jval *refused_values(const struct guest_report *report)
{
	struct jval *list = jval_array();

	for (size_t i = 0; i < report->value_count; i++) {
		const struct guest_value *value = &report->values[i];
		if (!value->refused)
			continue;
		struct jval *one = jval_object();
		jval_add_string(one, "kind", kind_name(value->kind));
		jval_add_hash32(one, "value", &value->value);
		jval_add_string(one, "reason", value->why);
		jval_push(list, one);
	}
	return list;
}

/* What a KMS would ask the registry about, under the names that a machine gives it. */
static void boot_details(struct jval *details, const struct guest_report *report)
{
	for (size_t i = 0; i < report->value_count; i++) {
		const struct guest_value *value = &report->values[i];
		if (!value->refused && value->kind == KIND_COMPOSE)
			add_hex(details, "compose_hash", value->value.b, sizeof(value->value.b));
		else if (!value->refused && value->kind == KIND_OS_IMAGE)
			add_hex(details, "os_image_hash", value->value.b, sizeof(value->value.b));
	}
	if (report->has_device_id)
		add_hex(details, "device_id", report->device_id.b, sizeof(report->device_id.b));
}

static void machine_details(struct jval *details, const struct guest_report *report)
{
	if (report->has_registers)
		add_registers(details, report->mrtd, (const uint8_t(*)[TDX_MR_SIZE])report->rtmr,
		              report->genuine);
	if (report->has_mr_aggregated)
		add_hex(details, "mr_aggregated", report->mr_aggregated.b,
		        sizeof(report->mr_aggregated.b));
	if (report->has_app_id)
		add_hex(details, "app_id", report->app_id, sizeof(report->app_id));
	if (report->has_instance_id)
		add_hex(details, "instance_id", report->instance_id, sizeof(report->instance_id));
	boot_details(details, report);
	jval_add_string(details, "role", report->role);
	if (report->missing != NULL)
		jval_add_string(details, "missing", report->missing);
	jval_add_bool(details, "quoted", report->genuine);
	struct jval *refused = refused_values(report);
	if (jval_count(refused) > 0)
		jval_add(details, "refused_values", refused);
	else
		jval_free(refused);
	jval_add(details, "checks", checks_json(&report->checks));
}

static size_t size_of(const struct jval *value)
{
	struct buf text = {0};

	jval_write(&text, value, JVAL_COMPACT);
	size_t size = text.len;
	buf_free(&text);
	return size;
}

static struct jval *machines_json(const struct guest_info *info, size_t *left_out)
{
	struct jval *list = jval_array();
	size_t size = 0;

	*left_out = 0;
	for (size_t i = 0; i < info->count; i++) {
		struct jval *machine = jval_object();
		jval_add_string(machine, "name", info->reports[i].name);
		machine_details(machine, &info->reports[i]);
		size += size_of(machine);
		if (size <= DETAILS_MAX) {
			jval_push(list, machine);
		} else {
			jval_free(machine);
			(*left_out)++;
		}
	}
	return list;
}

/* --- documents ---------------------------------------------------------------------------------
 */

static enum format format_of(enum guest_document document)
{
	switch (document) {
	case GUEST_NONE:
	case GUEST_ERROR: /* an answer, but a saved one says nothing about a build */
		return FORMAT_UNKNOWN;
	case GUEST_INFO:
	case GUEST_TCB_INFO:
		return FORMAT_GUEST_INFO;
	case GUEST_QUOTE:
	case GUEST_ATTESTATION:
		return FORMAT_TDX_QUOTE;
	case GUEST_PHALA_CVM:
	case GUEST_PHALA_APP:
		return FORMAT_PHALA;
	case GUEST_KMS_ONBOARD:
		return FORMAT_KMS_INFO;
	}
	return FORMAT_UNKNOWN;
}

static void take_machines(struct arena *arena, const struct guest_info *info, struct measured *out)
{
	for (size_t i = 0; i < info->count; i++) {
		const struct guest_report *report = &info->reports[i];
		if (report->refusal != NULL && is_taken(report) && info->count > 1)
			document_refuse(arena, out, "%s %s: %s", report->role, report->name,
			                report->refusal);
		else if (report->refusal != NULL && is_taken(report))
			document_refuse(arena, out, "%s", report->refusal);
		take_values(arena, report, out);
	}
}

void document_guest(struct arena *arena, struct bytes text, bool is_kms, struct measured *out)
{
	struct guest_options options = {
	        .now = clock_wall(), .root = tdx_intel_root(), .is_kms = is_kms};
	struct guest_info info;
	size_t left_out = 0;

	guest_info_read(arena, &info, text, &options);
	if (format_of(info.document) == FORMAT_UNKNOWN)
		return;
	*out = (struct measured){.format = format_of(info.document), .level = LEVEL_CLAIMED};
	if (info.refusal != NULL)
		document_refuse(arena, out, "%s", info.refusal);
	take_machines(arena, &info, out);
	struct jval *details = jval_object();
	jval_add_string(details, "document", guest_document_name(info.document));
	if (info.count == 1)
		machine_details(details, &info.reports[0]);
	else
		jval_add(details, "machines", machines_json(&info, &left_out));
	if (left_out > 0)
		jval_add_int(details, "machines_left_out", (int64_t)left_out);
	document_details(arena, out, details);
}

/* --- a quote alone -----------------------------------------------------------------------------
 */

bool document_is_tdx_quote(struct bytes head)
{
	static const uint8_t vendor[] = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
	                                 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};

	return head.len >= 28 && (head.data[0] == 4 || head.data[0] == 5) && head.data[1] == 0 &&
	       memcmp(head.data + 12, vendor, sizeof(vendor)) == 0;
}

void document_tdx_quote(struct arena *arena, struct bytes bytes, struct measured *out)
{
	struct tdx_verdict verdict;
	struct tdx_quote quote;
	struct error error;

	*out = (struct measured){.format = FORMAT_TDX_QUOTE, .level = LEVEL_CLAIMED};
	if (tdx_quote_parse(bytes, &quote, &error) != 0) {
		document_refuse(arena, out, "%s", error.text);
		return;
	}
	tdx_quote_verify(arena, &quote, tdx_intel_root(), clock_wall(), &verdict);
	const struct check *failed = checks_first_failed(&verdict.checks);
	if (failed != NULL)
		document_refuse(arena, out, "%s: %s", failed->name, failed->text);
	checks_add(&verdict.checks, "replay", CHECK_UNDECIDED,
	           "no event log is beside the quote: it does not say which application ran");
	struct jval *details = jval_object();
	add_registers(details, quote.mrtd, (const uint8_t(*)[TDX_MR_SIZE])quote.rtmr,
	              failed == NULL);
	jval_add(details, "checks", checks_json(&verdict.checks));
	document_details(arena, out, details);
}
