#include "daemon/registrard/notify.h"

#include <systemd/sd-daemon.h>

void notify_ready(size_t targets, size_t folders)
{
	sd_notifyf(0, "READY=1\nSTATUS=following %zu targets, watching %zu folders", targets,
	           folders);
}

void notify_stopping(void)
{
	sd_notify(0, "STOPPING=1");
}

void notify_watchdog(void)
{
	sd_notify(0, "WATCHDOG=1");
}

int64_t notify_watchdog_interval_ms(void)
{
	uint64_t usec = 0;

	return sd_watchdog_enabled(0, &usec) > 0 ? (int64_t)(usec / 2000) : 0;
}
