/* Starting the other processes: fork and exec of /proc/self/exe with --role=NAME. */
#ifndef IO_ROLE_H
#define IO_ROLE_H

#include "common/base/error.h"

#include <stddef.h>
#include <sys/types.h>

enum { ROLE_SOCKET = 3 }; /* the descriptor of a role's socket in its own process */

struct role {
	pid_t pid;
	int socket; /* our end: AF_UNIX SOCK_SEQPACKET, non-blocking, close-on-exec */
};

/* Starts `--role=name` plus the given further arguments (NULL-terminated, may be NULL). The child
 * dies with its parent, inherits only stderr, its socket and the descriptors in inherit (which
 * become ROLE_SOCKET+1, +2, ...), and has the systemd variables unset. */
int role_start(struct role *out, const char *name, const char *const *arguments, const int *inherit,
               size_t inherit_count, struct error *error) MUST_USE;

#define ROLE_PROGRAM_SIZE 4096
/* What role_start executes: /proc/self/exe, which stays right when the file is replaced by an
 * upgrade - or, under valgrind, where that is valgrind itself, our own path. Returns path. */
const char *role_program(char path[ROLE_PROGRAM_SIZE]);

#endif
