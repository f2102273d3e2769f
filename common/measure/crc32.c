#include "common/measure/crc32.h"

/* A table entry is linear in its index: eight entries per table are enough to write all 256. */
#define BITS(i, a, b, c, d, e, f, g, h)                                                            \
	(((i)&1 ? a : 0) ^ ((i)&2 ? b : 0) ^ ((i)&4 ? c : 0) ^ ((i)&8 ? d : 0) ^                   \
	 ((i)&16 ? e : 0) ^ ((i)&32 ? f : 0) ^ ((i)&64 ? g : 0) ^ ((i)&128 ? h : 0))
#define FOUR(i, ...)                                                                               \
	BITS(i, __VA_ARGS__), BITS((i) + 1, __VA_ARGS__), BITS((i) + 2, __VA_ARGS__),              \
	        BITS((i) + 3, __VA_ARGS__)
#define SIXTEEN(i, ...)                                                                            \
	FOUR(i, __VA_ARGS__), FOUR((i) + 4, __VA_ARGS__), FOUR((i) + 8, __VA_ARGS__),              \
	        FOUR((i) + 12, __VA_ARGS__)
#define SIXTY_FOUR(i, ...)                                                                         \
	SIXTEEN(i, __VA_ARGS__), SIXTEEN((i) + 16, __VA_ARGS__), SIXTEEN((i) + 32, __VA_ARGS__),   \
	        SIXTEEN((i) + 48, __VA_ARGS__)
#define ROW(...)                                                                                   \
	{                                                                                          \
		SIXTY_FOUR(0, __VA_ARGS__), SIXTY_FOUR(64, __VA_ARGS__),                           \
		        SIXTY_FOUR(128, __VA_ARGS__), SIXTY_FOUR(192, __VA_ARGS__)                 \
	}

/* table[k][b]: what byte b does to the register k bytes later. */
static const uint32_t table[8][256] = {
        ROW(0x77073096u, 0xee0e612cu, 0x076dc419u, 0x0edb8832u, 0x1db71064u, 0x3b6e20c8u,
            0x76dc4190u, 0xedb88320u),
        ROW(0x191b3141u, 0x32366282u, 0x646cc504u, 0xc8d98a08u, 0x4ac21251u, 0x958424a2u,
            0xf0794f05u, 0x3b83984bu),
        ROW(0x01c26a37u, 0x0384d46eu, 0x0709a8dcu, 0x0e1351b8u, 0x1c26a370u, 0x384d46e0u,
            0x709a8dc0u, 0xe1351b80u),
        ROW(0xb8bc6765u, 0xaa09c88bu, 0x8f629757u, 0xc5b428efu, 0x5019579fu, 0xa032af3eu,
            0x9b14583du, 0xed59b63bu),
        ROW(0x3d6029b0u, 0x7ac05360u, 0xf580a6c0u, 0x30704bc1u, 0x60e09782u, 0xc1c12f04u,
            0x58f35849u, 0xb1e6b092u),
        ROW(0xcb5cd3a5u, 0x4dc8a10bu, 0x9b914216u, 0xec53826du, 0x03d6029bu, 0x07ac0536u,
            0x0f580a6cu, 0x1eb014d8u),
        ROW(0xa6770bb4u, 0x979f1129u, 0xf44f2413u, 0x33ef4e67u, 0x67de9cceu, 0xcfbd399cu,
            0x440b7579u, 0x8816eaf2u),
        ROW(0xccaa009eu, 0x4225077du, 0x844a0efau, 0xd3e51bb5u, 0x7cbb312bu, 0xf9766256u,
            0x299dc2edu, 0x533b85dau),
};

static uint32_t le32_get(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Works on the inverted register. */
static uint32_t by_table(uint32_t state, const uint8_t *at, size_t len)
{
	for (; len >= 8; at += 8, len -= 8) {
		uint32_t low = state ^ le32_get(at), high = le32_get(at + 4);
		state = table[7][low & 255] ^ table[6][low >> 8 & 255] ^ table[5][low >> 16 & 255] ^
		        table[4][low >> 24] ^ table[3][high & 255] ^ table[2][high >> 8 & 255] ^
		        table[1][high >> 16 & 255] ^ table[0][high >> 24];
	}
	for (; len > 0; at++, len--)
		state = state >> 8 ^ table[0][(state ^ *at) & 255];
	return state;
}

uint32_t crc32_update_portable(uint32_t crc, struct bytes in)
{
	return ~by_table(~crc, in.data, in.len);
}

#if defined(__x86_64__)
#include <immintrin.h>

enum { FOLD_SIZE = 64 };

static __attribute__((target("pclmul,sse4.1"))) __m128i fold(__m128i state, __m128i keys,
                                                             __m128i next)
{
	__m128i low = _mm_clmulepi64_si128(state, keys, 0x00);
	__m128i high = _mm_clmulepi64_si128(state, keys, 0x11);
	return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

/* "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction" (Gopal et al., Intel
 * 2009), with the constants for the reflected polynomial. len is a multiple of 16, at least 64. */
static __attribute__((target("pclmul,sse4.1"))) uint32_t by_folding(uint32_t state,
                                                                    const uint8_t *at, size_t len)
{
	const __m128i by_512 = _mm_set_epi64x(0x01c6e41596, 0x0154442bd4);
	const __m128i by_128 = _mm_set_epi64x(0x00ccaa009e, 0x01751997d0);
	const __m128i by_64 = _mm_set_epi64x(0, 0x0163cd6124);
	const __m128i barrett = _mm_set_epi64x(0x01f7011641, 0x01db710641);
	const __m128i low_32 = _mm_setr_epi32(-1, 0, -1, 0);
	const __m128i *in = (const __m128i *)(const void *)at;
	__m128i x[4];

	for (int i = 0; i < 4; i++)
		x[i] = _mm_loadu_si128(in + i);
	x[0] = _mm_xor_si128(x[0], _mm_cvtsi32_si128((int)state));
	for (in += 4, len -= 64; len >= 64; in += 4, len -= 64)
		for (int i = 0; i < 4; i++)
			x[i] = fold(x[i], by_512, _mm_loadu_si128(in + i));
	for (int i = 1; i < 4; i++)
		x[0] = fold(x[0], by_128, x[i]);
	for (; len >= 16; in++, len -= 16)
		x[0] = fold(x[0], by_128, _mm_loadu_si128(in));

	/* 128 bits to 64, to 32, then Barrett's reduction. */
	__m128i rest = _mm_clmulepi64_si128(x[0], by_128, 0x10);
	x[0] = _mm_xor_si128(_mm_srli_si128(x[0], 8), rest);
	rest = _mm_srli_si128(x[0], 4);
	x[0] = _mm_clmulepi64_si128(_mm_and_si128(x[0], low_32), by_64, 0x00);
	x[0] = _mm_xor_si128(x[0], rest);
	rest = _mm_clmulepi64_si128(_mm_and_si128(x[0], low_32), barrett, 0x10);
	rest = _mm_clmulepi64_si128(_mm_and_si128(rest, low_32), barrett, 0x00);
	return (uint32_t)_mm_extract_epi32(_mm_xor_si128(x[0], rest), 1);
}

uint32_t crc32_update(uint32_t crc, struct bytes in)
{
	uint32_t state = ~crc;

	if (in.len >= FOLD_SIZE && __builtin_cpu_supports("pclmul") &&
	    __builtin_cpu_supports("sse4.1")) {
		size_t folded = in.len / 16 * 16;
		state = by_folding(state, in.data, folded);
		in = bytes_of(in.data + folded, in.len - folded);
	}
	return ~by_table(state, in.data, in.len);
}

#else

uint32_t crc32_update(uint32_t crc, struct bytes in)
{
	return crc32_update_portable(crc, in);
}

#endif
