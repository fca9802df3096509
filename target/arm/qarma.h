/* qarma.h: the block ciphers behind pointer authentication codes (R. Avanzi, The QARMA Block Cipher Family, ToSC 2017(1)). Pure functions. */
#ifndef TARGET_ARM_QARMA_H
#define TARGET_ARM_QARMA_H

#include "util/base.h"

typedef enum ArmQarma {
    ARM_QARMA5,  /* QARMA-64, five rounds, S-box sigma 2 (FEAT_PACQARMA5) */
    ARM_QARMA3,  /* three rounds, S-box sigma 1 (FEAT_PACQARMA3) */
} ArmQarma;

/* The encryption of `plain` under the tweak; w0 and k0 are the upper and the lower half of the key. */
uint64_t arm_qarma(ArmQarma variant, uint64_t plain, uint64_t tweak, uint64_t w0, uint64_t k0);
/* The same by definition, whatever the host; tests compare. */
uint64_t arm_qarma_plain(ArmQarma variant, uint64_t plain, uint64_t tweak, uint64_t w0, uint64_t k0);

#endif
