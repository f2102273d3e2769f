/* Keccak-f[1600] with Ethereum's padding (0x01, not SHA-3's 0x06). Source: "The Keccak reference",
 * version 3.0. OpenSSL 3.0 has SHA-3 but not this. */
#include "common/crypto/hash.h"

#include <endian.h>
#include <string.h>

enum { RATE = 136, LANES = 25, RATE_LANES = RATE / 8 };

static const uint64_t round_constants[24] = {
        0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
        0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
        0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
        0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
        0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
        0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
};

static inline uint64_t rotate(uint64_t lane, unsigned by)
{
	return lane << by | lane >> (-by & 63);
}

/* One output row: theta's correction, rho's rotation and pi's move for its five lanes, then chi.
 * Lane numbers are written out so that every one of them stays in a register or a fixed slot. */
#define ROW(y, l0, r0, l1, r1, l2, r2, l3, r3, l4, r4)                                             \
	do {                                                                                       \
		uint64_t b0 = rotate(a[l0] ^ d[(l0) % 5], r0);                                     \
		uint64_t b1 = rotate(a[l1] ^ d[(l1) % 5], r1);                                     \
		uint64_t b2 = rotate(a[l2] ^ d[(l2) % 5], r2);                                     \
		uint64_t b3 = rotate(a[l3] ^ d[(l3) % 5], r3);                                     \
		uint64_t b4 = rotate(a[l4] ^ d[(l4) % 5], r4);                                     \
		e[5 * (y) + 0] = b0 ^ (~b1 & b2);                                                  \
		e[5 * (y) + 1] = b1 ^ (~b2 & b3);                                                  \
		e[5 * (y) + 2] = b2 ^ (~b3 & b4);                                                  \
		e[5 * (y) + 3] = b3 ^ (~b4 & b0);                                                  \
		e[5 * (y) + 4] = b4 ^ (~b0 & b1);                                                  \
	} while (0)

static inline void one_round(uint64_t e[LANES], const uint64_t a[LANES], uint64_t constant)
{
	uint64_t c[5], d[5];

	c[0] = a[0] ^ a[5] ^ a[10] ^ a[15] ^ a[20];
	c[1] = a[1] ^ a[6] ^ a[11] ^ a[16] ^ a[21];
	c[2] = a[2] ^ a[7] ^ a[12] ^ a[17] ^ a[22];
	c[3] = a[3] ^ a[8] ^ a[13] ^ a[18] ^ a[23];
	c[4] = a[4] ^ a[9] ^ a[14] ^ a[19] ^ a[24];
	d[0] = c[4] ^ rotate(c[1], 1);
	d[1] = c[0] ^ rotate(c[2], 1);
	d[2] = c[1] ^ rotate(c[3], 1);
	d[3] = c[2] ^ rotate(c[4], 1);
	d[4] = c[3] ^ rotate(c[0], 1);
	ROW(0, 0, 0, 6, 44, 12, 43, 18, 21, 24, 14);
	ROW(1, 3, 28, 9, 20, 10, 3, 16, 45, 22, 61);
	ROW(2, 1, 1, 7, 6, 13, 25, 19, 8, 20, 18);
	ROW(3, 4, 27, 5, 36, 11, 10, 17, 15, 23, 56);
	ROW(4, 2, 62, 8, 55, 14, 39, 15, 41, 21, 2);
	e[0] ^= constant;
}

static void permute(uint64_t state[LANES])
{
	uint64_t other[LANES];

	for (unsigned i = 0; i < 24; i += 2) {
		one_round(other, state, round_constants[i]);
		one_round(state, other, round_constants[i + 1]);
	}
}

static void absorb(uint64_t state[LANES], const uint8_t block[RATE])
{
	for (unsigned i = 0; i < RATE_LANES; i++) {
		uint64_t lane;
		memcpy(&lane, block + 8 * i, 8);
		state[i] ^= le64toh(lane);
	}
	permute(state);
}

struct hash32 keccak256(struct bytes in)
{
	uint64_t state[LANES] = {0};
	uint8_t last[RATE] = {0};
	struct hash32 out;

	while (in.len >= RATE) {
		absorb(state, in.data);
		in.data += RATE;
		in.len -= RATE;
	}
	if (in.len > 0)
		memcpy(last, in.data, in.len);
	last[in.len] ^= 0x01;
	last[RATE - 1] ^= 0x80;
	absorb(state, last);
	for (unsigned i = 0; i < sizeof(out.b) / 8; i++) {
		uint64_t lane = htole64(state[i]);
		memcpy(out.b + 8 * i, &lane, 8);
	}
	return out;
}
