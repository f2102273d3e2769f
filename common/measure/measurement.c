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

int evidence_level_parse(enum evidence_level *out, const char *name, struct error *error)
{
	*out = LEVEL_CLAIMED;
	for (int level = LEVEL_CLAIMED; level <= LEVEL_ATTESTED; level++)
		if (strcmp(name, level_names[level]) == 0) {
			*out = (enum evidence_level)level;
			return 0;
		}
	return error_set(
	        error, ERR_INVALID,
	        "\"%s\" is not an evidence level; expected claimed, recomputed or attested", name);
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
	}
	return "unknown";
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
