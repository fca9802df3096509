/*
 * primecell.c: see primecell.h.
 */
#include "hw/primecell.h"

uint64_t primecell_id_read(Device *dev, const Register *reg, unsigned index)
{
    const uint32_t cell = 0xb105f00d;

    return (index < 4 ? reg->aux : cell) >> 8 * (index & 3) & 0xff;
}
