/* CRC-32 as zlib, Ethernet and EIF files use it (polynomial 0xEDB88320 reflected, initial value and
 * final xor ffffffff). Carry-less multiplication where the processor has it, tables elsewhere. */
#ifndef MEASURE_CRC32_H
#define MEASURE_CRC32_H

#include "common/base/bytes.h"

/* The CRC of everything so far and in; 0 is the CRC of nothing. */
uint32_t crc32_update(uint32_t crc, struct bytes in);
/* The same by tables alone, for processors without the instruction and for tests. */
uint32_t crc32_update_portable(uint32_t crc, struct bytes in);

#endif
