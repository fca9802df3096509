/*
 * sbox.h: substitution tables of the cryptographic instructions.
 */
#ifndef TARGET_RISCV_VECTOR_SBOX_H
#define TARGET_RISCV_VECTOR_SBOX_H

#include "util/base.h"

extern const uint8_t riscv_aes_sbox[256], riscv_aes_inv_sbox[256], riscv_sm4_sbox[256];

#endif
