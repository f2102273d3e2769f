/* What dstack machines say about themselves, as JSON: the guest agent's Info of every generation,
 * GetQuote and Attest answers, Phala Cloud's attestation documents, and what a KMS answers while it
 * is set up. Every value is checked against everything else in the document; a quote in it, or in
 * its certificate, is verified and the event log replayed against it. Without one all of it is a
 * claim. */
#ifndef MEASURE_GUEST_INFO_H
#define MEASURE_GUEST_INFO_H

#include "common/governance/registry.h"
#include "common/measure/check.h"
#include "common/measure/tdx_quote.h"

enum { GUEST_MAX_TEXT = 8 * 1024 * 1024, GUEST_MAX_REPORTS = 256, GUEST_MAX_VALUES = 6 };

enum guest_document {
	GUEST_NONE = 0,        /* nothing of ours */
	GUEST_INFO = 1,        /* "guest-info": /prpc/Info, /prpc/Worker.Info */
	GUEST_TCB_INFO = 2,    /* "tcb-info": its tcb_info alone */
	GUEST_QUOTE = 3,       /* "quote": GetQuote and what is called quote report */
	GUEST_ATTESTATION = 4, /* "attestation": {"attestation": hex} */
	GUEST_PHALA_CVM = 5,   /* "phala-cvm": /api/v1/cvms/{id}/attestation */
	GUEST_PHALA_APP = 6,   /* "phala-app": /api/v1/apps/{id}/attestations */
	GUEST_KMS_ONBOARD = 7, /* "kms-onboard": Onboard.GetAttestationInfo */
	GUEST_ERROR = 8,       /* "error": {"error": text} */
};
const char *guest_document_name(enum guest_document document);

struct guest_value {
	enum kind kind;
	struct hash32 value;
	bool refused; /* why: a dummy that must never be registered */
	/* A genuine quote with its replayed log says it. With a list of known images (MRTD,
	 * RTMR0-2) and the right app id that makes it attested; without, it is claimed. */
	bool candidate;
	const char *why; /* where it stands, or why it is refused */
};

/* One machine. */
struct guest_report {
	const char *role; /* "app", "kms" or "gateway" */
	const char *name; /* instance id or name, as stated; "" */
	char *refusal;    /* NULL, or what contradicts itself or does not verify */
	char *missing;    /* NULL, or why there is nothing to see here (yet): not a contradiction */
	struct checks checks;
	struct guest_value values[GUEST_MAX_VALUES];
	size_t value_count;

	bool has_app_id, has_instance_id;
	uint8_t app_id[20], instance_id[20];
	bool has_device_id; /* stated, and no dummy */
	struct hash32 device_id;
	bool has_registers; /* TDX; from the quote where there is one */
	uint8_t mrtd[TDX_MR_SIZE], rtmr[TDX_RTMRS][TDX_MR_SIZE];
	bool has_mr_aggregated;
	struct hash32 mr_aggregated;
	bool has_quote; /* and whether it counts is genuine: verified, allowed, replayed, bound */
	bool genuine;
	struct hash32 device_of_user_data, device_of_ppid; /* of a genuine quote, else zero */
};

struct guest_info {
	enum guest_document document;
	char *refusal; /* the document as a whole cannot be read; no reports then */
	struct guest_report *reports;
	size_t count;
};

struct guest_options {
	struct wall now;
	struct bytes root; /* of quotes: tdx_intel_root() */
	bool is_kms;       /* the machine asked is a KMS: its values are kms-mr and kms-device */
};

/* Everything in *out lives in the arena. Text that is not JSON, or not one of the documents above,
 * is GUEST_NONE. Never fails otherwise: what is wrong is said inside. */
void guest_info_read(struct arena *arena, struct guest_info *out, struct bytes text,
                     const struct guest_options *options);

#endif
