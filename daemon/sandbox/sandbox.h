/* What a role gives up before it touches outside bytes or keys: system calls (seccomp), the file
 * system (Landlock), memory, time and descriptors (rlimits). The only includer of libseccomp. */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>

enum sandbox_profile {
	/* Reads descriptors it is handed and answers on its socket: no file, no network, no
	   process. */
	SANDBOX_MEASURER = 1,
	/* Answers on its socket, takes random numbers, keeps pages locked. Enter it after the
	 * configuration and the keys were read. */
	SANDBOX_SIGNER = 2,
};

/* Gives the rights up, for every thread of the process and for ever. Threads must be started, and
 * libraries that open files at first use (OpenSSL, jansson) must have been used, before. A system
 * call outside the profile ends the process with SIGSYS. Builds with a sanitizer keep memory
 * limits off and only lose exec and the network, because their runtime needs the rest. */
int sandbox_enter(enum sandbox_profile profile, struct error *error) MUST_USE;

/* No core dump and no debugger for this process: for whoever is about to read a key. */
void sandbox_forbid_dumps(void);

/* What the kernel offers, for doctor. */
bool sandbox_landlock_available(void);

struct sandbox_path {
	const char *path; /* a file or a tree; one that does not exist is left out */
	bool writable;    /* else files and folders can be read */
};
/* For main: from now on only these paths, the own program, and what the C library and TLS need
 * (system libraries, resolver files, certificates) can be opened. What is open stays open; roles
 * started later inherit it. ERR_UNAVAILABLE when the kernel has no Landlock. */
int sandbox_confine_files(const struct sandbox_path *paths, size_t count,
                          struct error *error) MUST_USE;

#endif
