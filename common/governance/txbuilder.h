/* The file of Safe's Transaction Builder app (version "1.0"), with the checksum that the app
 * checks. */
#ifndef GOVERNANCE_TXBUILDER_H
#define GOVERNANCE_TXBUILDER_H

#include "common/base/buf.h"
#include "common/base/jval.h"
#include "common/governance/calls.h"

struct txbuilder_meta {
	uint64_t chain_id;
	struct address safe; /* zero: for no Safe of ours */
	const char *name;
	const char *description;
	int64_t created_ms; /* wall time of the draft */
};

/* Appends the file as indented JSON with a newline. Registry calls and cancel(bytes32) are written
 * with their method and argument, so that the app shows them by name; others as calldata. */
void txbuilder_write(struct buf *out, const struct txbuilder_meta *meta,
                     const struct contract_call *calls, size_t count);

/* The checksum of a parsed file; meta.checksum and meta.name do not enter it. */
struct hash32 txbuilder_checksum(const struct jval *file);

#endif
