/* The keys of every configured target, in locked memory. Only ever in the signer's process. */
#ifndef SIGNER_KEYRING_H
#define SIGNER_KEYRING_H

#include "common/config/config.h"
#include "daemon/signer/signer.h"
#include "daemon/signer/wire.h"

struct keyring;

/* The files by their names in the configuration; files[i] is open as descriptor first_fd + i. They
 * are read from their beginning without moving the descriptors' positions, so that a signer
 * started later reads the same. */
struct keyring_files {
	const char *const *files;
	size_t count;
	int first_fd;
};

/* An error names the target, the option and the file. */
int keyring_read(struct keyring **out, const struct config *config,
                 const struct keyring_files *files, struct error *error) MUST_USE;
void keyring_free(struct keyring *keyring); /* NULL is fine; overwrites every key */

/* The 32 bytes of a key, NULL where the target has none. */
const uint8_t *keyring_find(const struct keyring *keyring, const char *target, enum signer_key key);

/* The addresses, for whoever may know them. Texts belong to the keyring. */
struct wire_ready keyring_addresses(const struct keyring *keyring);

#endif
