/*
 * rows.c: every row of the instruction tables: random words that match a row decode to it (or to a more specific
 * one), and their disassembly is printed for rows.py to compare with objdump's.
 *
 * usage: rows 32|64 COUNT SEED FILE: writes the words to FILE, "row<TAB>word<TAB>text" lines to stdout.
 */
#include <stdio.h>
#include <stdlib.h>
#include "riscv-decode.h"
#include "target/riscv/cpu.h"

static uint64_t rng;

static uint32_t random32(void)
{
    rng = rng * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(rng >> 32);
}

int main(int argc, char **argv)
{
    static bool ext[RISCV_N_EXTS];
    char text[128];
    int failures = 0;

    if (argc != 5) {
        return 2;
    }
    bool rv64 = atoi(argv[1]) == 64;
    unsigned count = (unsigned)atoi(argv[2]);
    rng = (uint64_t)atoll(argv[3]);
    FILE *out = fopen(argv[4], "wb");
    for (unsigned pass = 0; pass < 2; pass++) { /* with Zcd, then with Zcmp and Zcmt */
        for (unsigned e = 0; e < RISCV_N_EXTS; e++) {
            ext[e] = true;
        }
        ext[rv64 ? RISCV_EXT_rv32 : RISCV_EXT_rv64] = false;
        ext[RISCV_EXT_Zcf] = !rv64;
        ext[RISCV_EXT_Zcmp] = ext[RISCV_EXT_Zcmt] = pass;
        ext[RISCV_EXT_Zcd] = !pass;
        for (int row = 0; row < RISCV_N_ROWS; row++) {
            const DecodeRow *r = &riscv_rows[row];
            for (unsigned k = 0; k < count && riscv_row_enabled(row, ext); k++) {
                uint32_t any = r->length == 2 ? 0xffff : UINT32_MAX;
                uint32_t w = ((random32() & ~r->mask) | r->match) & any & ~r->free;
                int got = r->length == 2 ? riscv_decode16(w, ext) : riscv_decode32(w, ext);
                if (got != row && (got < 0 || (riscv_rows[got].mask & r->mask) != r->mask)) {
                    fprintf(stderr, "%s: %0*x decodes as %s\n", r->name, r->length * 2, w,
                            got < 0 ? "nothing" : riscv_rows[got].name);
                    failures++;
                }
                uint8_t bytes[4];
                stle32(bytes, w);
                if (got != row || pass) {
                    continue; /* the other row's turn to be compared */
                }
                size_t n = (rv64 ? riscv64_disas : riscv32_disas)(0, bytes, r->length, 0, text, sizeof(text));
                if (n != r->length) {
                    fprintf(stderr, "%s: %x: length %zu\n", r->name, w, n);
                    failures++;
                }
                if (fwrite(bytes, r->length, 1, out) != 1) {
                    return 2;
                }
                printf("%s\t%0*x\t%s\n", r->name, r->length * 2, w, text);
            }
        }
    }
    fclose(out);
    /* Any word is an instruction or is not; nothing else may happen, and no output may overflow. */
    for (uint32_t k = 0; k < 0x10000 + 300000; k++) {
        uint32_t w = k < 0x10000 ? k : random32() | 3;
        uint8_t bytes[4];
        char small[12] = "";
        stle32(bytes, w);
        size_t n = (rv64 ? riscv64_disas : riscv32_disas)(k, bytes, k & 1 ? 4 : 3, 0, small, sizeof(small));
        if ((n != 0 && n != 2 && n != 4) || strlen(small) >= sizeof(small)) {
            fprintf(stderr, "%x: length %zu, '%s'\n", w, n, small);
            failures++;
        }
    }
    return failures != 0;
}
