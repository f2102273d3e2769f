/* Revert data: one line of printable ASCII of bounded length, whatever a contract returned; the
 * text of an Error(string) is in it, and its name when the error is known. */
#include "common/eth/abi.h"
#include "common/eth/revert.h"
#include "tests/fuzz/fuzz.h"

enum { LONGEST = 4096 };

static void check_line(const char *text)
{
	size_t len = strlen(text);

	PROPERTY(len > 0 && len < LONGEST);
	for (size_t i = 0; i < len; i++)
		PROPERTY(text[i] >= ' ' && text[i] <= '~');
}

/* The input as the text of an error: printable and short, it stands in the line as it is. */
static void check_as_string(struct arena *arena, struct bytes text)
{
	static const uint8_t error_string[ABI_SELECTOR] = {0x08, 0xc3, 0x79, 0xa0};
	struct buf data = {0};
	bool plain = text.len > 0 && text.len <= 100;

	for (size_t i = 0; plain && i < text.len; i++)
		plain = text.data[i] >= ' ' && text.data[i] <= '~' && text.data[i] != '\\';
	buf_append(&data, error_string, sizeof(error_string));
	struct abi_writer arguments = abi_begin(&data, 1);
	abi_put_bytes(&arguments, text);
	const char *line = revert_text(arena, buf_bytes(&data));
	check_line(line);
	PROPERTY(!plain || strstr(line, arena_text(arena, text)) != NULL);
	buf_free(&data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes input = bytes_of(data, size);
	struct arena arena = {0};
	const char *line = revert_text(&arena, input);
	const char *signature = revert_signature(input);

	check_line(line);
	PROPERTY(signature == NULL || input.len >= ABI_SELECTOR);
	check_as_string(&arena, input);
	arena_free(&arena);
	return 0;
}
