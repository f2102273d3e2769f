/* The configuration: what is accepted and dumped is accepted again, as the same configuration; what
 * is refused says in which line. */
#include "common/config/config.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *config, *second;
	struct buf dump = {0}, again = {0};
	struct error error = {0};

	if (config_parse(&config, "c", bytes_of(data, size), &error) != 0) {
		PROPERTY(config == NULL && strncmp(error.text, "c:", 2) == 0);
		return 0;
	}
	PROPERTY(config->chain_count > 0 && config->target_count > 0);
	config_dump(&dump, config);
	PROPERTY(config_parse(&second, "c", buf_bytes(&dump), NULL) == 0);
	config_dump(&again, second);
	PROPERTY(bytes_equal(buf_bytes(&dump), buf_bytes(&again)));
	config_free(second);
	config_free(config);
	buf_free(&dump);
	buf_free(&again);
	return 0;
}
