/* disas.c: disassembly from the .isa rows, in the form of the architecture's assembly without aliases. */
#include "a32-decode.h"
#include "arm-decode.h"
#include "target/arm/cpu.h"
#include "target/arm/disas.h"

typedef struct Insn { vaddr pc; uint32_t word; } Insn;

static void reg(char *out, size_t size, size_t *at, bool wide, int n, const char *r31)
{
    if (n == 31) {
        decode_append(out, size, at, "%s%s", wide || *r31 != 's' ? "" : "w", *r31 == 's' ? r31 : wide ? "xzr" : "wzr");
    } else {
        decode_append(out, size, at, "%c%d", wide ? 'x' : 'w', n);
    }
}

/* Kinds: see isa/a64-base.isa. opaque: the Insn. */
static void operand(char *out, size_t size, size_t *at, char kind, int value, void *opaque)
{
    static const char *const conditions[16] = { "eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le", "al", "nv" };
    const Insn *insn = opaque;

    switch (kind) {
    case 'g':
        reg(out, size, at, insn->word >> 31, value, "z");
        break;
    case 's':
        reg(out, size, at, insn->word >> 31, value, "sp");
        break;
    case 'w':
        reg(out, size, at, false, value, "z");
        break;
    case 'x':
        reg(out, size, at, true, value, "z");
        break;
    case 'X':
        reg(out, size, at, true, value, "sp");
        break;
    case 'd':
    case 'n':
        decode_append(out, size, at, "%d", value);
        break;
    case 'h':
        decode_append(out, size, at, "%#x", (unsigned)value);
        break;
    case 'p':
        decode_append(out, size, at, "0x%" PRIx64, insn->pc + (int64_t)value);
        break;
    case 'c':
        decode_append(out, size, at, "%s", conditions[value & 15]);
        break;
    case 'v':
        decode_append(out, size, at, "v%d", value);
        break;
    case 'S':
    case 'O':
        decode_append(out, size, at, "s%d_%d_c%d_c%d_%d", value >> 14 & 3, value >> 11 & 7, value >> 7 & 15, value >> 3 & 15, value & 7);
        break;
    default:
        decode_append(out, size, at, "%d", value);
        break;
    }
}

size_t arm_disas(vaddr pc, const uint8_t *bytes, size_t n, uint64_t mode, char *out, size_t out_size)
{
    static bool ext[ARM_N_EXTS];
    ArmArgs args;
    size_t at = 0;

    if (n < 4) {
        return 0;
    }
    memset(ext, true, sizeof(ext)); /* threads write the same */
    Insn insn = { pc, ldle32(bytes) };
    int row = arm_decode32(insn.word, ext);
    if (row < 0) {
        decode_append(out, out_size, &at, ".inst\t0x%08x", insn.word);
        return 4;
    }
    arm_extract(row, insn.word, &args);
    decode_disas(&arm_rows[row], args.v, out, out_size, operand, &insn);
    if (!*arm_rows[row].syntax) {
        at = strlen(out);
        arm_disas_simd(pc, insn.word, out, out_size, &at);
    }
    return 4;
}

/* -- AArch32 ------------------------------------------------------------------------------------------------ */

static void operand32(char *out, size_t size, size_t *at, char kind, int value, void *opaque)
{
    static const char *const names[4] = { "r12", "sp", "lr", "pc" };
    const Insn *insn = opaque;

    switch (kind) {
    case 'g':
        if (value >= 12 && value < 16) {
            decode_append(out, size, at, "%s", names[value - 12]);
        } else {
            decode_append(out, size, at, "r%d", value);
        }
        break;
    case 'h':
        decode_append(out, size, at, "%#x", (unsigned)value);
        break;
    case 'p':
        decode_append(out, size, at, "0x%x", (uint32_t)((insn->pc & ~(vaddr)1) + (insn->pc & 1 ? 4 : 8)) + (uint32_t)value);
        break;
    case 'l':
        decode_append(out, size, at, "{");
        for (int i = 0, n = 0; i < 16; i++) {
            if (value >> i & 1) {
                decode_append(out, size, at, "%s", n++ ? "," : "");
                operand32(out, size, at, 'g', i, opaque);
            }
        }
        decode_append(out, size, at, "}");
        break;
    default:
        decode_append(out, size, at, "%d", value);
        break;
    }
}

/* Of an IT group the first instruction. The condition of an A32 word is behind the operands. */
size_t arm32_disas(vaddr pc, const uint8_t *bytes, size_t n, uint64_t mode, char *out, size_t out_size)
{
    static const char *const conditions[16] = { "eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le", "", "" };
    static bool ext[ARM_N_EXTS];
    A32Args args;
    size_t at = 0, length = 4;
    Insn insn = { pc, 0 };
    int row;

    if (n < (pc & 1 ? 2 : 4)) {
        return 0;
    }
    memset(ext, true, sizeof(ext)); /* threads write the same */
    if (!(pc & 1)) {
        insn.word = ldle32(bytes);
        row = insn.word >> 28 == 15 ? a32_uncond_decode32(insn.word, ext) : a32_decode32(insn.word, ext);
    } else if ((insn.word = ldle16(bytes)) >> 11 < 0x1d) {
        length = 2;
        row = a32_t32_decode16(insn.word, ext);
    } else if (n < 4) {
        return 0;
    } else {
        insn.word = insn.word << 16 | ldle16(bytes + 2);
        row = (insn.word & 0xec000000) != 0xec000000 ? a32_t32_decode32(insn.word, ext)
              : insn.word >> 28 == 15 ? a32_uncond_decode32(insn.word, ext) : a32_decode32(insn.word, ext);
    }
    if (row < 0) {
        decode_append(out, out_size, &at, ".inst\t0x%08x", insn.word);
        return length;
    }
    a32_extract(row, insn.word, &args);
    decode_disas(&a32_rows[row], args.v, out, out_size, operand32, &insn);
    if (!(pc & 1) && *conditions[insn.word >> 28]) {
        at = strlen(out);
        decode_append(out, out_size, &at, "  ; %s", conditions[insn.word >> 28]);
    }
    return length;
}
