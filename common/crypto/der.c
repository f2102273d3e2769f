#include "common/crypto/der.h"

int der_next(struct bytes *rest, uint8_t *tag, struct bytes *content, struct error *error)
{
	size_t at = 2, len;

	*tag = 0;
	*content = bytes_of(NULL, 0);
	if (rest->len < 2)
		return error_set(error, ERR_INVALID, "the DER ends early");
	if ((rest->data[0] & 0x1f) == 0x1f)
		return error_set(error, ERR_INVALID, "a DER tag of several bytes");
	len = rest->data[1];
	if (len >= 0x80) {
		size_t count = len & 0x7f;
		if (count == 0 || count > 4 || rest->len < 2 + count)
			return error_set(error, ERR_INVALID, "a DER length of %zu bytes", count);
		len = 0;
		for (size_t i = 0; i < count; i++)
			len = len << 8 | rest->data[at++];
		if (len < 0x80 || len >> (8 * (count - 1)) == 0)
			return error_set(error, ERR_INVALID, "a DER length that is not shortest");
	}
	if (len > rest->len - at)
		return error_set(error, ERR_INVALID, "a DER element of %zu bytes in the last %zu",
		                 len, rest->len - at);
	*tag = rest->data[0];
	*content = bytes_of(rest->data + at, len);
	*rest = bytes_of(rest->data + at + len, rest->len - at - len);
	return 0;
}

int der_expect(struct bytes *rest, enum der_tag tag, struct bytes *content, struct error *error)
{
	uint8_t found;
	int rc = der_next(rest, &found, content, error);

	if (rc == 0 && found != tag) {
		*content = bytes_of(NULL, 0);
		rc = error_set(error, ERR_INVALID, "DER tag 0x%02x, expected 0x%02x", found, tag);
	}
	return rc;
}

int der_only(struct bytes der, enum der_tag tag, struct bytes *content, struct error *error)
{
	struct bytes rest = der;
	int rc = der_expect(&rest, tag, content, error);

	if (rc == 0 && rest.len != 0) {
		*content = bytes_of(NULL, 0);
		rc = error_set(error, ERR_INVALID, "%zu bytes behind the DER", rest.len);
	}
	return rc;
}
