/*
 * fuzz-decode.c: any words against the RISC-V decoder and disassembler of both sizes: a word is one row or none, the
 * row's fixed bits are the word's, bits without meaning change nothing, and the text fits wherever it is written.
 *
 * Input: instruction bytes, four at a time; a last piece may be shorter.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "riscv-decode.h"
#include "target/riscv/cpu.h"
#include "tests/fuzz/fuzz.h"

enum { TEXT_BYTES = 128 };

/* One word of each major opcode; edits give the rest. Seeds have no zero bytes (driver.c takes them as strings). */
const char *const fuzz_seeds[] = {
    "\x03\x25\x81\x01\x07\x35\x81\x02\x0f\x10\x01\x01\x13\x05\x15\x01\x17\x05\x01\x01\x1b\x05\x15\x01",
    "\x23\x30\xa1\x01\x27\x30\xa1\x02\x2f\x25\xb5\x10\x33\x05\xb5\x02\x37\x05\x01\x80\x3b\x05\xb5\x40",
    "\x43\xf5\xc5\x68\x47\xf5\xc5\x68\x53\xf5\xc5\x02\x57\x75\x15\x0d\x57\x05\x15\x02\x63\x05\xb5\x01",
    "\x67\x80\x01\x01\x6f\x01\x10\x01\x73\x25\x20\x34\x73\x10\x20\x30\x07\x75\x05\x02\x77\x20\x15\xa2",
    "\x01\x45\x05\x65\x0d\x8d\x82\x80\x22\xe4\x41\x11\x02\xb8\x0e\xa0", NULL
};
const char *const fuzz_words[] = { "\xff\xff\xff\xff", "\x57", "\x53", "\x2f", "\x73\x23", "\x13\x15", "\x33", "\x80", NULL };

static void require(bool ok, const char *what, uint32_t w)
{
    if (!ok) {
        fprintf(stderr, "fuzz-decode: %s: %#x\n", what, w);
        abort();
    }
}

/* Written into buffers of every interesting size, on the heap so that the sanitizer sees their ends. */
static void disassemble(bool rv64, uint32_t w, const uint8_t *bytes, size_t n, char *text)
{
    size_t (*disas)(vaddr, const uint8_t *, size_t, uint64_t, char *, size_t) = rv64 ? riscv64_disas : riscv32_disas;
    uint8_t *exact = xmemdup(bytes, n);
    size_t length = disas(w, exact, n, 0, text, TEXT_BYTES);

    require(length == (n < 2 || ((w & 3) == 3 && n < 4) ? 0 : (w & 3) == 3 ? 4 : 2), "length", w);
    if (length) {
        require(memchr(text, 0, TEXT_BYTES) && strlen(text) > 1 && strlen(text) < TEXT_BYTES - 1, "text", w);
        for (const char *p = text; *p; p++) {
            require((*p >= ' ' && *p < 127) || *p == '\t', "text is printable", w);
        }
        for (size_t room = 1; room < 24; room++) {
            char *small = xmalloc(room);
            require(disas(w, exact, n, 0, small, room) == length && !strncmp(small, text, room - 1) && strlen(small) < room,
                    "text cut to its room", w);
            free(small);
        }
    }
    free(exact);
}

static void decode(bool rv64, bool zcmp, uint32_t w, const char *text)
{
    bool ext[RISCV_N_EXTS];
    unsigned length = (w & 3) == 3 ? 4 : 2;
    RiscvArgs args;

    for (unsigned e = 0; e < RISCV_N_EXTS; e++) {
        ext[e] = true;
    }
    ext[rv64 ? RISCV_EXT_rv32 : RISCV_EXT_rv64] = false;
    ext[RISCV_EXT_Zcf] = !rv64;
    ext[RISCV_EXT_Zcmp] = ext[RISCV_EXT_Zcmt] = zcmp;
    ext[RISCV_EXT_Zcd] = !zcmp;
    w &= length == 2 ? 0xffff : UINT32_MAX;
    int row = length == 2 ? riscv_decode16(w, ext) : riscv_decode32(w, ext);
    require(row >= -1 && row < RISCV_N_ROWS, "row", w);
    if (row < 0) {
        for (unsigned r = 0; r < RISCV_N_ROWS; r++) {
            require(riscv_rows[r].length != length || (w & riscv_rows[r].mask) != riscv_rows[r].match
                    || !riscv_row_enabled((int)r, ext), "a row matches, none is found", w);
        }
        return;
    }
    const DecodeRow *found = &riscv_rows[row];
    require(found->length == length && (w & found->mask) == found->match, "fixed bits", w);
    riscv_extract(row, w, &args);
    /* What the manual leaves without meaning says nothing. */
    uint32_t other = w ^ found->free;
    int again = length == 2 ? riscv_decode16(other, ext) : riscv_decode32(other, ext);
    require(again == row || (again >= 0 && (riscv_rows[again].mask & found->mask) == found->mask), "bits without meaning", w);
    /* With the disassembler's set of extensions the mnemonic is the row's. */
    if (!zcmp) {
        size_t n = strlen(found->name);
        require(!strncmp(text, found->name, n), "mnemonic", w);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (size_t at = 0; at < size; at += 4) {
        size_t n = MIN(size - at, 4);
        uint8_t bytes[4] = { 0 };
        memcpy(bytes, data + at, n);
        uint32_t w = ldle32(bytes);
        for (unsigned rv64 = 0; rv64 < 2; rv64++) {
            char text[TEXT_BYTES] = "";
            disassemble(rv64, w, bytes, n, text);
            if (n == 4) {
                decode(rv64, false, w, text);
                decode(rv64, true, w, text);
            }
        }
    }
    return 0;
}
