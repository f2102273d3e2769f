/* What people must know about an entry of a Delay module that does not go on by itself. */
#ifndef GOVERN_DELAY_TELL_H
#define GOVERN_DELAY_TELL_H

#include "daemon/govern/observe.h"

/* Alarms, with the files that help, while another entry blocks it that could have gone, or while it
 * has expired itself; clears them when that is over. Opens its own transactions. */
void delay_tell(struct lane *lane, struct arena *arena, const struct observed *observed);

#endif
