/* Reading DER (ITU-T X.690): definite, shortest lengths and one-byte tags only. */
#ifndef CRYPTO_DER_H
#define CRYPTO_DER_H

#include "common/base/bytes.h"

enum der_tag {
	DER_INTEGER = 0x02,
	DER_OCTET_STRING = 0x04,
	DER_OID = 0x06,
	DER_SEQUENCE = 0x30,
};

/* Takes one element from the front of *rest: its tag and a view of its content. ERR_INVALID. */
int der_next(struct bytes *rest, uint8_t *tag, struct bytes *content, struct error *error) MUST_USE;
/* The same, and the tag must be that one. */
int der_expect(struct bytes *rest, enum der_tag tag, struct bytes *content,
               struct error *error) MUST_USE;
/* The content of the only element that der is. */
int der_only(struct bytes der, enum der_tag tag, struct bytes *content,
             struct error *error) MUST_USE;

#endif
