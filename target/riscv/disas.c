/* disas.c: disassembly from the .isa rows, in the form of the RISC-V assembly manual without pseudo-instructions. */
#include "riscv-decode.h"
#include "target/riscv/cpu.h"

const char *const riscv_x_names[32] = {
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5",
    "a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
};

const char *const riscv_f_names[32] = {
    "ft0", "ft1", "ft2", "ft3", "ft4", "ft5", "ft6", "ft7", "fs0", "fs1", "fa0", "fa1", "fa2", "fa3", "fa4", "fa5",
    "fa6", "fa7", "fs2", "fs3", "fs4", "fs5", "fs6", "fs7", "fs8", "fs9", "fs10", "fs11", "ft8", "ft9", "ft10", "ft11",
};

static const char *const fli_names[32] = {
    "-1.0", "min", "1.52587890625e-05", "3.0517578125e-05", "0.00390625", "0.0078125", "0.0625", "0.125",
    "0.25", "0.3125", "0.375", "0.4375", "0.5", "0.625", "0.75", "0.875", "1.0", "1.25", "1.5", "1.75",
    "2.0", "2.5", "3.0", "4.0", "8.0", "16.0", "128.0", "256.0", "32768.0", "65536.0", "inf", "nan",
};

/* Kinds: see isa/base.isa. opaque: vaddr of the instruction. */
static void operand(char *out, size_t size, size_t *at, char kind, int value, void *opaque)
{
    static const char *const rounding[8] = { ",rne", ",rtz", ",rdn", ",rup", ",rmm", ",unknown", ",unknown", "" };
    const char *name;

    switch (kind) {
    case 'x':
        decode_append(out, size, at, "%s", riscv_x_names[value]);
        break;
    case 'f':
        decode_append(out, size, at, "%s", riscv_f_names[value]);
        break;
    case 's': /* s0, s1, s2 … s7 */
        decode_append(out, size, at, "s%d", value);
        break;
    case 'd':
        decode_append(out, size, at, "%d", value);
        break;
    case 'h':
        decode_append(out, size, at, "%#x", (unsigned)value);
        break;
    case 'u': /* upper immediate */
        decode_append(out, size, at, "%#x", (unsigned)value >> 12 & 0xfffff);
        break;
    case 'p':
        decode_append(out, size, at, "0x%" PRIx64, *(vaddr *)opaque + (int64_t)value);
        break;
    case 'c':
        name = riscv_csr_name(value);
        if (name) {
            decode_append(out, size, at, "%s", name);
        } else {
            decode_append(out, size, at, "%#x", (unsigned)value);
        }
        break;
    case 'r':
        decode_append(out, size, at, "%s", rounding[value]);
        break;
    case 'a':
        decode_append(out, size, at, "%s", (const char *[]){ "", ".rl", ".aq", ".aqrl" }[value]);
        break;
    case 'n':
        decode_append(out, size, at, ".%d", value);
        break;
    case 'V':
        decode_append(out, size, at, "v%d", value);
        break;
    case 'm':
        decode_append(out, size, at, "%s", value ? "" : ",v0.t");
        break;
    case 't':
        if (value >> 8 || (value & 7) == 4 || (value >> 3 & 7) > 3) {
            decode_append(out, size, at, "%d", value);
            break;
        }
        decode_append(out, size, at, "e%u,m%s%u,t%c,m%c", 8u << (value >> 3 & 7), value & 4 ? "f" : "",
                      value & 4 ? 1u << (-value & 7) % 4 : 1u << (value & 3), value & 64 ? 'a' : 'u',
                      value & 128 ? 'a' : 'u');
        break;
    case 'v':
        decode_append(out, size, at, "%s", fli_names[value]);
        break;
    case 'i':
        if (!value) {
            decode_append(out, size, at, "unknown");
        }
        for (int i = 0; i < 4; i++) {
            if (value & 8 >> i) {
                decode_append(out, size, at, "%c", "iorw"[i]);
            }
        }
        break;
    case 'l':
        decode_append(out, size, at, value < 4 ? "{?}" : value == 4 ? "{ra}" : value == 5 ? "{ra,s0}" : "{ra,s0-s%d}",
                      value == 15 ? 11 : value - 5);
        break;
    default:
        decode_append(out, size, at, "?%c%d", kind, value);
        break;
    }
}

static size_t disas(bool rv64, vaddr pc, const uint8_t *bytes, size_t n, char *out, size_t out_size)
{
    static bool ext[2][RISCV_N_EXTS];
    RiscvArgs args;

    if (!ext[1][RISCV_EXT_rv64]) { /* idempotent: threads write the same */
        for (int i = 0; i < 2; i++) {
            for (unsigned e = 0; e < RISCV_N_EXTS; e++) {
                ext[i][e] = e != RISCV_EXT_Zcmp && e != RISCV_EXT_Zcmt;
            }
            ext[i][i ? RISCV_EXT_rv32 : RISCV_EXT_rv64] = false;
        }
        ext[1][RISCV_EXT_Zcf] = false;
    }
    size_t length = n && (bytes[0] & 3) == 3 ? 4 : 2, at = 0;
    if (n < length) {
        return 0;
    }
    uint32_t w = length == 4 ? ldle32(bytes) : ldle16(bytes);
    int row = length == 4 ? riscv_decode32(w, ext[rv64]) : riscv_decode16(w, ext[rv64]);
    if (row < 0) {
        decode_append(out, out_size, &at, length == 4 ? ".4byte\t%#x" : ".2byte\t%#x", w);
        return length;
    }
    riscv_extract(row, w, &args);
    decode_disas(&riscv_rows[row], args.v, out, out_size, operand, &pc);
    return length;
}

size_t riscv64_disas(vaddr pc, const uint8_t *bytes, size_t n, uint64_t mode, char *out, size_t out_size)
{
    return disas(true, pc, bytes, n, out, out_size);
}

size_t riscv32_disas(vaddr pc, const uint8_t *bytes, size_t n, uint64_t mode, char *out, size_t out_size)
{
    return disas(false, pc, bytes, n, out, out_size);
}
