/*
 * crypto-host.h: AES rounds and GHASH products on the host's instructions, and the same in plain C.
 *
 * AES: FIPS 197 in the byte order of registers. GHASH: SP 800-38D, 6.3, the bits within each byte reversed against the polynomial.
 */
#ifndef TARGET_RISCV_VECTOR_CRYPTO_HOST_H
#define TARGET_RISCV_VECTOR_CRYPTO_HOST_H

#include <string.h>
#include "util/base.h"

enum { AES_DM, AES_DF, AES_EM, AES_EF, AES_Z = 7 }; /* vs1 of vaes*: decrypt or encrypt, middle or final round; zero */

/* The state s becomes the next one. */
void rvv_aes_round(uint8_t s[16], const uint8_t key[16], unsigned kind);
void rvv_gf128_mul(uint8_t d[16], const uint8_t x[16], const uint8_t y[16]);

/* False: not done, the host has no such instructions. */
bool rvv_host_aes_round(uint8_t s[16], const uint8_t key[16], unsigned kind);
bool rvv_host_gf128_mul(uint8_t d[16], const uint8_t x[16], const uint8_t y[16]);

#endif
