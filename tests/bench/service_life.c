/* service_life POLL_MS AGE_MS: how often the service is asked about a transaction that stays pending so long. */
#include "daemon/govern/service.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: %s POLL_MS AGE_MS\n", argv[0]);
		return 64;
	}
	int64_t poll_ms = strtoll(argv[1], NULL, 10), end_ms = strtoll(argv[2], NULL, 10);
	int64_t asked = 0;
	for (int64_t age_ms = 0; age_ms < end_ms; age_ms += service_interval_ms(poll_ms, age_ms))
		asked++;
	printf("%lld\n", (long long)asked);
	return 0;
}
