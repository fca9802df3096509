/*
 * disas.c: random words of every row of the A64 tables with their disassembly, for disas.py to compare with objdump's.
 *
 * usage: arm-disas COUNT SEED: "word<TAB>text" lines.
 */
#include <stdio.h>
#include <stdlib.h>
#include "arm-decode.h"
#include "target/arm/cpu.h"

int main(int argc, char **argv)
{
    uint64_t rng = argc == 3 ? strtoull(argv[2], NULL, 10) : 1;
    unsigned count = argc == 3 ? (unsigned)atoi(argv[1]) : 0;

    for (int row = 0; row < ARM_N_ROWS; row++) {
        for (unsigned k = 0; k < count; k++) {
            char text[128] = "";
            uint8_t bytes[4];
            rng = rng * 6364136223846793005u + 1442695040888963407u;
            uint32_t word = ((uint32_t)(rng >> 32) & ~arm_rows[row].mask & ~arm_rows[row].free) | arm_rows[row].match;
            stle32(bytes, word);
            arm_disas(0, bytes, sizeof(bytes), 0, text, sizeof(text));
            printf("%08x\t%s\n", word, text);
        }
    }
    return count ? 0 : 2;
}
