#include "daemon/signer/keyring.h"

#include "common/base/log.h"
#include "common/crypto/ecdsa.h"
#include "common/crypto/keyfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FILES = WIRE_MAX_FILES };

/* One key that was read; targets that name the same files share it. */
struct key {
	const char *file, *password_file;
	struct secret secret;
};

struct keyring {
	struct arena arena;
	struct key keys[MAX_FILES];
	size_t key_count;
	struct wire_key names[WIRE_MAX_KEYS];  /* which target has which key... */
	const struct key *held[WIRE_MAX_KEYS]; /* ...and where it is */
	size_t name_count;
};

static int find_descriptor(int *fd, const struct keyring_files *files, const char *name,
                           struct error *error)
{
	*fd = -1;
	for (size_t i = 0; i < files->count; i++) {
		if (strcmp(files->files[i], name) == 0) {
			*fd = files->first_fd + (int)i;
			return 0;
		}
	}
	return error_set(
	        error, ERR_CONFLICT,
	        "was not opened at start; restart registrard after changing its configuration");
}

static int check_file(int fd, const char *name, struct error *error)
{
	struct stat info;

	if (fstat(fd, &info) != 0)
		return error_set_errno(error, "cannot be examined");
	if (!S_ISREG(info.st_mode))
		return error_set(error, ERR_INVALID, "not a regular file");
	if (info.st_size > KEYFILE_MAX_SIZE)
		return error_set(error, ERR_LIMIT, "larger than %d bytes", KEYFILE_MAX_SIZE);
	/* Not the group: for systemd's credentials those bits are the mask of an access list. */
	if ((info.st_mode & (S_IROTH | S_IWOTH)) != 0)
		log_unusual(NULL,
		            "%s: everybody on this machine can read or change this file (mode "
		            "%04o); chmod 600",
		            name, info.st_mode & 07777u);
	return 0;
}

/* The whole file into secret memory; content is the part of it that is filled. */
static int read_descriptor(struct secret *memory, struct bytes *content, int fd,
                           struct error *error)
{
	size_t used = 0;

	int rc = secret_new(memory, KEYFILE_MAX_SIZE + 1, error);
	if (rc != 0)
		return rc;
	while (used < memory->len) {
		ssize_t got = pread(fd, memory->data + used, memory->len - used, (off_t)used);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			rc = error_set_errno(error, "cannot be read");
			secret_free(memory);
			return rc;
		}
		if (got == 0)
			break;
		used += (size_t)got;
	}
	*content = bytes_of(memory->data, used);
	return 0;
}

static int read_file(struct secret *memory, struct bytes *content,
                     const struct keyring_files *files, const char *name, struct error *error)
{
	int fd;

	*memory = (struct secret){0};
	*content = (struct bytes){0};
	int rc = find_descriptor(&fd, files, name, error);
	if (rc == 0)
		rc = check_file(fd, name, error);
	return rc != 0 ? rc : read_descriptor(memory, content, fd, error);
}

struct key_source {
	const struct config_target *target;
	const struct config_key *key;
	const char *option; /* "proposer_key" */
};

static int name_error(struct error *error, const struct key_source *source, bool password)
{
	return error_prefix(error, "targets.%s.%s_%sfile: %s", source->target->name, source->option,
	                    password ? "password_" : "",
	                    password ? source->key->password_file : source->key->file);
}

static int read_key(struct secret *secret, const struct keyring_files *files,
                    const struct key_source *source, struct error *error)
{
	struct secret key_memory = {0}, password_memory = {0};
	struct bytes content, password = {0};
	int rc;

	if (source->key->password_file != NULL) {
		rc = read_file(&password_memory, &password, files, source->key->password_file,
		               error);
		if (rc != 0)
			return name_error(error, source, true);
	}
	rc = read_file(&key_memory, &content, files, source->key->file, error);
	if (rc == 0)
		rc = keyfile_read(secret, content, password, error);
	if (rc != 0)
		name_error(error, source, false);
	secret_free(&key_memory);
	secret_free(&password_memory);
	return rc;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static const struct key *find_read(const struct keyring *keyring, const struct config_key *wanted)
{
	for (size_t i = 0; i < keyring->key_count; i++) {
		const struct key *key = &keyring->keys[i];
		if (same_text(key->file, wanted->file) &&
		    same_text(key->password_file, wanted->password_file))
			return key;
	}
	return NULL;
}

static int add_key(struct keyring *keyring, const struct keyring_files *files,
                   const struct key_source *source, enum signer_key which, struct error *error)
{
	const struct key *held = find_read(keyring, source->key);

	if (source->key->file == NULL)
		return 0;
	if (keyring->name_count == WIRE_MAX_KEYS ||
	    (held == NULL && keyring->key_count == MAX_FILES))
		return error_set(error, ERR_LIMIT, "more keys than one signer holds");
	if (held == NULL) {
		struct key *key = &keyring->keys[keyring->key_count];
		int rc = read_key(&key->secret, files, source, error);
		if (rc != 0)
			return rc;
		key->file = arena_strdup(&keyring->arena, source->key->file);
		key->password_file = arena_strdup(&keyring->arena, source->key->password_file);
		keyring->key_count++;
		held = key;
	}
	struct wire_key *name = &keyring->names[keyring->name_count];
	name->target = arena_strdup(&keyring->arena, source->target->name);
	name->key = (uint8_t)which;
	ecdsa_key_address(name->address.b, held->secret.data);
	keyring->held[keyring->name_count++] = held;
	return 0;
}

/* Two powers that must not be in one hand: who schedules a thing must not be the one who pushes it
 * through. */
static int check_apart(const struct keyring *keyring, const struct config_target *target,
                       struct error *error)
{
	const uint8_t *scheduler = keyring_find(keyring, target->name, SIGNER_SCHEDULER);
	const uint8_t *executor = keyring_find(keyring, target->name, SIGNER_EXECUTOR);

	if (scheduler == NULL || executor == NULL || memcmp(scheduler, executor, 32) != 0)
		return 0;
	return error_set(error, ERR_DENIED,
	                 "targets.%s.scheduler_key_file: is the same key as executor_key_file; "
	                 "expected another one",
	                 target->name);
}

static int add_keys_of(struct keyring *keyring, const struct keyring_files *files,
                       const struct config_target *target, struct error *error)
{
	const struct {
		struct key_source source;
		enum signer_key which;
	} keys[] = {
	        {{target, &target->proposer, "proposer_key"}, SIGNER_PROPOSER},
	        {{target, &target->executor, "executor_key"}, SIGNER_EXECUTOR},
	        {{target, &target->scheduler, "scheduler_key"}, SIGNER_SCHEDULER},
	};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		int rc = add_key(keyring, files, &keys[i].source, keys[i].which, error);
		if (rc != 0)
			return rc;
	}
	return check_apart(keyring, target, error);
}

int keyring_read(struct keyring **out, const struct config *config,
                 const struct keyring_files *files, struct error *error)
{
	struct keyring *keyring = xcalloc(1, sizeof(*keyring));
	int rc = 0;

	*out = NULL;
	for (size_t i = 0; i < config->target_count && rc == 0; i++)
		rc = add_keys_of(keyring, files, &config->targets[i], error);
	if (rc != 0) {
		keyring_free(keyring);
		return rc;
	}
	*out = keyring;
	return 0;
}

void keyring_free(struct keyring *keyring)
{
	if (keyring == NULL)
		return;
	for (size_t i = 0; i < keyring->key_count; i++)
		secret_free(&keyring->keys[i].secret);
	arena_free(&keyring->arena);
	free(keyring);
}

const uint8_t *keyring_find(const struct keyring *keyring, const char *target, enum signer_key key)
{
	for (size_t i = 0; i < keyring->name_count; i++) {
		if (keyring->names[i].key == (uint8_t)key &&
		    strcmp(keyring->names[i].target, target) == 0)
			return keyring->held[i]->secret.data;
	}
	return NULL;
}

struct wire_ready keyring_addresses(const struct keyring *keyring)
{
	return (struct wire_ready){.keys = keyring->names, .count = keyring->name_count};
}
