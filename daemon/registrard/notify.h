/* What the service manager is told (sd_notify). Without one, all of it does nothing. The only
 * includer of libsystemd. */
#ifndef REGISTRARD_NOTIFY_H
#define REGISTRARD_NOTIFY_H

#include <stddef.h>
#include <stdint.h>

void notify_ready(size_t targets, size_t folders); /* READY=1 and a STATUS line */
void notify_stopping(void);
void notify_watchdog(void);
/* Half of the interval the manager expects a sign of life in, 0: none expected. */
int64_t notify_watchdog_interval_ms(void);

#endif
