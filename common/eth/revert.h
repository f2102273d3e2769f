/* Revert data in words for people. */
#ifndef ETH_REVERT_H
#define ETH_REVERT_H

#include "common/base/arena.h"

/* One line: the error with its arguments and, where it is known, what it means. Knows Error(string)
 * (with the Safe's GSxxx codes and OpenZeppelin 4.x texts), Panic(uint256) and the custom errors of
 * the contracts on the governance path. Anything else is shown as hex, cut when long. Characters
 * from outside that are not printable ASCII are shown as \xNN. */
const char *revert_text(struct arena *arena, struct bytes data);

/* The error's name and argument types ("FailedCall()"), NULL when not known. */
const char *revert_signature(struct bytes data);

#endif
