#include "common/measure/measurement.h"

#include <string.h>

static const char *const level_names[] = {
        [LEVEL_CLAIMED] = "claimed",
        [LEVEL_RECOMPUTED] = "recomputed",
        [LEVEL_ATTESTED] = "attested",
};

const char *evidence_level_name(enum evidence_level level)
{
	return level_names[level];
}

const char *format_name(enum format format)
{
	switch (format) {
	case FORMAT_UNKNOWN:
		return "unknown";
	case FORMAT_EIF:
		return "eif";
	case FORMAT_MEASUREMENTS:
		return "measurements-json";
	case FORMAT_NITRO_BUILD:
		return "nitro-build-json";
	case FORMAT_NITRO_DESCRIBE:
		return "nitro-describe-eif";
	case FORMAT_NITRO_ENCLAVES:
		return "nitro-describe-enclaves";
	case FORMAT_BUILD_LOG:
		return "build-log";
	case FORMAT_NSM:
		return "nsm-document";
	case FORMAT_APP_COMPOSE:
		return "app-compose";
	case FORMAT_OS_DIGEST:
		return "os-image-digest";
	case FORMAT_OS_CHECKSUMS:
		return "os-image-checksums";
	case FORMAT_OS_FILE:
		return "os-image-file";
	case FORMAT_TDX_QUOTE:
		return "tdx-quote";
	case FORMAT_GUEST_INFO:
		return "guest-info";
	case FORMAT_PHALA:
		return "phala-attestation";
	case FORMAT_KMS_INFO:
		return "kms-attestation-info";
	case FORMAT_SIGSTORE:
		return "sigstore-bundle";
	case FORMAT_MINISIGN:
		return "minisign-signature";
	}
	return "unknown";
}

bool format_is_nitro(enum format format)
{
	return (format >= FORMAT_EIF && format <= FORMAT_BUILD_LOG) || format == FORMAT_NSM ||
	       format == FORMAT_SIGSTORE;
}

struct measured measured_copy(struct arena *arena, const struct measured *measured)
{
	struct measured copy = *measured;
	struct signature *signature = &copy.signature;

	copy.refusal = arena_strdup(arena, measured->refusal);
	copy.details = arena_strdup(arena, measured->details);
	signature->reason = arena_strdup(arena, signature->reason);
	signature->signer = arena_strdup(arena, signature->signer);
	for (size_t i = 0; i < signature->subject_count; i++)
		signature->subjects[i].name = arena_strdup(arena, signature->subjects[i].name);
	return copy;
}

void measured_fill(struct measured *measured)
{
	static const enum kind kinds[] = {KIND_OS_IMAGE, KIND_COMPOSE};

	if (!format_is_nitro(measured->format))
		return;
	measured->value_count = 0;
	for (size_t i = 0; i < ARRAY_LEN(kinds) && !hash32_is_zero(&measured->value); i++)
		measured->values[measured->value_count++] =
		        (struct measured_value){.kind = kinds[i],
		                                .value = measured->value,
		                                .level = measured->level,
		                                .is_signed = measured->is_signed};
}

bool measured_add(struct measured *measured, const struct measured_value *value)
{
	for (size_t i = 0; i < measured->value_count; i++) {
		struct measured_value *known = &measured->values[i];
		if (known->kind != value->kind || !hash32_equal(&known->value, &value->value))
			continue;
		if (value->level > known->level || (value->is_quoted && !known->is_quoted))
			*known = *value;
		return true;
	}
	if (measured->value_count == MEASURED_VALUES)
		return false;
	measured->values[measured->value_count++] = *value;
	return true;
}

const struct measured_value *measured_find(const struct measured *measured, enum kind kind)
{
	for (size_t i = 0; i < measured->value_count; i++)
		if (measured->values[i].kind == kind)
			return &measured->values[i];
	return NULL;
}

struct hash32 pcrs_value(const struct pcrs *pcrs)
{
	uint8_t all[3 * SHA384_SIZE];

	memcpy(all, pcrs->pcr0, SHA384_SIZE);
	memcpy(all + SHA384_SIZE, pcrs->pcr1, SHA384_SIZE);
	memcpy(all + 2 * SHA384_SIZE, pcrs->pcr2, SHA384_SIZE);
	return sha256(bytes_of(all, sizeof(all)));
}

bool pcrs_any_zero(const struct pcrs *pcrs)
{
	static const uint8_t zero[SHA384_SIZE];

	return memcmp(pcrs->pcr0, zero, SHA384_SIZE) == 0 ||
	       memcmp(pcrs->pcr1, zero, SHA384_SIZE) == 0 ||
	       memcmp(pcrs->pcr2, zero, SHA384_SIZE) == 0;
}

void pcrs_add(struct jval *object, const struct pcrs *pcrs)
{
	char text[2 * SHA384_SIZE + 1];

	jval_add_string(object, "pcr0", hex_encode(text, bytes_of(pcrs->pcr0, SHA384_SIZE)));
	jval_add_string(object, "pcr1", hex_encode(text, bytes_of(pcrs->pcr1, SHA384_SIZE)));
	jval_add_string(object, "pcr2", hex_encode(text, bytes_of(pcrs->pcr2, SHA384_SIZE)));
	if (pcrs->has_pcr8)
		jval_add_string(object, "pcr8",
		                hex_encode(text, bytes_of(pcrs->pcr8, SHA384_SIZE)));
}
