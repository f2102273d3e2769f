/* Private keys as people keep them in files: one line of hex, or an encrypted keystore in the
 * "web3 secret storage" form, version 3 (scrypt or PBKDF2, AES-128-CTR, Keccak MAC). */
#ifndef CRYPTO_KEYFILE_H
#define CRYPTO_KEYFILE_H

#include "common/crypto/secret.h"

enum { KEYFILE_KEY_SIZE = 32, KEYFILE_MAX_SIZE = 16 * 1024 };

/* Reads the key of a file's content into new secret memory. password belongs to a keystore (one
 * line end behind it does not count); data NULL where none is configured. A keystore may ask for
 * at most 512 MiB of memory. ERR_INVALID: not a key file, or of a form not supported; ERR_DENIED:
 * the password is wrong, lacks, or is given for a plain key. No error text holds any content. */
int keyfile_read(struct secret *key, struct bytes content, struct bytes password,
                 struct error *error) MUST_USE;

#endif
