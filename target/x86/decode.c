/*
 * decode.c: from bytes to X86Insn by the generated tables (SDM volume 2, chapter 2 and appendix A).
 *
 * Prefixes may come in any order; the last segment override counts, of F2 and F3 the last one. REX counts only right before the opcode.
 */
#include "target/x86/x86-decode.h"

typedef struct Reader {
    const uint8_t *bytes;
    size_t n, at;
} Reader;

static bool more(const Reader *r, size_t k)
{
    return r->at + k <= r->n;
}

static X86DecodeResult missing(const Reader *r, size_t k)
{
    return r->at + k > X86_MAX_INSN_BYTES ? X86_DECODE_TOO_LONG : X86_DECODE_SHORT;
}

unsigned x86_operand_size(const X86Insn *in, unsigned size_spec)
{
    switch ((X86SizeSpec)size_spec) {
    case X86_SIZE_NONE: return 0;
    case X86_SIZE_B: return 1;
    case X86_SIZE_W: return 2;
    case X86_SIZE_D: case X86_SIZE_SS: return 4;
    case X86_SIZE_Q: case X86_SIZE_SD: return 8;
    case X86_SIZE_DQ: return 16;
    case X86_SIZE_QQ: return 32;
    case X86_SIZE_X: case X86_SIZE_PS: case X86_SIZE_PD: return 16u << in->vex_l;
    case X86_SIZE_H: return 8u << in->vex_l;
    case X86_SIZE_V: case X86_SIZE_BS: return in->opsize;
    case X86_SIZE_Z: return in->opsize == 2 ? 2 : 4;
    case X86_SIZE_Y: return in->rex_w && in->code == X86_CODE_64 ? 8 : 4;
    case X86_SIZE_P: return in->opsize + 2u;
    case X86_SIZE_A: return in->opsize * 2u;
    case X86_SIZE_S: return in->code == X86_CODE_64 ? 10 : 6;
    case X86_SIZE_T: return 10;
    case X86_SIZE_M: return in->code == X86_CODE_64 ? 8 : 4;
    }
    return 0;
}

static bool row_matches(const X86Row *row, const X86Insn *in, const X86Model *model, unsigned pp)
{
    if (!(row->pp >> pp & 1) || !(row->w >> in->rex_w & 1) || (in->vex && !(row->l >> in->vex_l & 1))) {
        return false;
    }
    if (row->attrs & (in->code == X86_CODE_64 ? X86_ATTR_ROW_I64 : X86_ATTR_ROW_O64)) {
        return false;
    }
    if (row->mod) {
        unsigned mod = in->modrm >> 6;
        if (!(row->mod & (mod == 3 ? 2 : 1)) || (row->reg >= 0 && row->reg != (in->modrm >> 3 & 7)) ||
            (row->rm >= 0 && row->rm != (in->modrm & 7))) {
            return false;
        }
    }
    if (row->any_feature) {
        bool any = false;
        for (unsigned i = 0; i < ARRAY_SIZE(row->feature) && row->feature[i] != X86_FEAT_NONE; i++) {
            any |= x86_model_has(model, row->feature[i]);
        }
        return any;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(row->feature); i++) {
        if (!x86_model_has(model, row->feature[i])) {
            return false;
        }
    }
    return true;
}

/* ModRM, SIB and displacement of a memory operand (SDM volume 2, 2.1.5). */
static bool read_address(Reader *r, X86Insn *in, X86DecodeResult *ret_error)
{
    unsigned mod = in->modrm >> 6, rm = in->modrm & 7, disp_bytes;

    in->has_mem = true;
    in->base = in->index = X86_NO_REG;
    if (in->addrsize == 2) {
        static const uint8_t bases[8] = { X86_RBX, X86_RBX, X86_RBP, X86_RBP, X86_RSI, X86_RDI, X86_RBP, X86_RBX };
        static const uint8_t indices[4] = { X86_RSI, X86_RDI, X86_RSI, X86_RDI };
        disp_bytes = mod == 1 ? 1 : mod == 2 ? 2 : 0;
        if (mod == 0 && rm == 6) {
            disp_bytes = 2;
        } else {
            in->base = bases[rm];
            in->index = rm < 4 ? indices[rm] : X86_NO_REG;
        }
    } else {
        disp_bytes = mod == 1 ? 1 : mod == 2 ? 4 : 0;
        if (rm == 4) {
            if (!more(r, 1)) {
                *ret_error = missing(r, 1);
                return false;
            }
            uint8_t sib = r->bytes[r->at++];
            in->scale_log2 = sib >> 6;
            unsigned index = (sib >> 3 & 7) | in->rex_x << 3, base = sib & 7;
            in->index = index == 4 ? X86_NO_REG : index;
            if (base == 5 && mod == 0) {
                disp_bytes = 4;
            } else {
                in->base = base | in->rex_b << 3;
            }
        } else if (rm == 5 && mod == 0) {
            disp_bytes = 4;
            in->base = in->code == X86_CODE_64 ? X86_REG_RIP : X86_NO_REG;
        } else {
            in->base = rm | in->rex_b << 3;
        }
    }
    if (!more(r, disp_bytes)) {
        *ret_error = missing(r, disp_bytes);
        return false;
    }
    const uint8_t *at = r->bytes + r->at;
    in->disp = disp_bytes == 1 ? (int8_t)*at : disp_bytes == 2 ? (int16_t)ldle16(at) : disp_bytes == 4 ? (int32_t)ldle32(at) : 0;
    r->at += disp_bytes;
    in->seg = in->base == X86_RSP || in->base == X86_RBP ? X86_SS : X86_DS;
    return true;
}

/* VEX and EVEX (SDM volume 2, 2.3 and 2.7); r->at is behind the C4, C5 or 62. */
static X86DecodeResult read_vex(Reader *r, uint8_t first, X86Insn *in, unsigned *ret_pp, unsigned *ret_map)
{
    unsigned n = first == 0xc5 ? 1 : first == 0xc4 ? 2 : 3;
    bool in64 = in->code == X86_CODE_64;

    if (!more(r, n)) {
        return missing(r, n);
    }
    const uint8_t *p = r->bytes + r->at;
    r->at += n;
    if (in->prefixes & (X86_PFX_66 | X86_PFX_LOCK | X86_PFX_REPE | X86_PFX_REPNE | X86_PFX_REX)) {
        return X86_DECODE_UD;
    }
    in->vex = true;
    in->rex_r = !(p[0] >> 7);
    if (first == 0xc5) {
        *ret_map = 1;
        in->vvvv = ~p[0] >> 3 & 15;
        in->vex_l = p[0] >> 2 & 1;
        *ret_pp = p[0] & 3;
    } else {
        in->rex_x = !(p[0] >> 6 & 1);
        in->rex_b = !(p[0] >> 5 & 1);
        *ret_map = first == 0xc4 ? p[0] & 31 : p[0] & 7;
        in->rex_w = p[1] >> 7;
        in->vvvv = ~p[1] >> 3 & 15;
        *ret_pp = p[1] & 3;
        if (first == 0xc4) {
            in->vex_l = p[1] >> 2 & 1;
        } else {
            in->evex.z = p[2] >> 7;
            in->evex.ll = p[2] >> 5 & 3;
            in->evex.b = p[2] >> 4 & 1;
            in->evex.aaa = p[2] & 7;
            in->vex_l = MIN(in->evex.ll, 2);
            if (!(p[1] & 4)) {
                return X86_DECODE_UD;
            }
        }
    }
    if (!in64) {
        in->rex_r = in->rex_x = in->rex_b = 0;
        in->rex_w &= first != 0xc5;
    }
    return *ret_map < X86_N_MAPS ? X86_DECODE_OK : X86_DECODE_UD;
}

static bool is_rm(unsigned spec)
{
    return spec == X86_SPEC_E || spec == X86_SPEC_M || spec == X86_SPEC_N || spec == X86_SPEC_Q || spec == X86_SPEC_R ||
           spec == X86_SPEC_U || spec == X86_SPEC_W;
}

static void byte_reg(const X86Insn *in, X86Operand *op)
{
    if (op->size == 1 && !(in->prefixes & X86_PFX_REX) && !in->vex && op->reg >= 4 && op->reg < 8) {
        op->reg -= 4;
        op->high = true;
    }
}

/* Reads an immediate of n bytes, sign-extended. */
static bool read_imm(Reader *r, unsigned n, int64_t *ret, X86DecodeResult *ret_error)
{
    if (!more(r, n)) {
        *ret_error = missing(r, n);
        return false;
    }
    const uint8_t *at = r->bytes + r->at;
    *ret = n == 1 ? (int8_t)*at : n == 2 ? (int16_t)ldle16(at) : n == 4 ? (int32_t)ldle32(at) : (int64_t)ldle64(at);
    r->at += n;
    return true;
}

static bool read_operand(Reader *r, X86Insn *in, const X86OpSpec *spec, X86Operand *op, X86DecodeResult *ret_error)
{
    unsigned reg_field = (in->modrm >> 3 & 7) | in->rex_r << 3, rm_field = (in->modrm & 7) | in->rex_b << 3;
    int64_t value = 0;
    unsigned n;

    op->size = x86_operand_size(in, spec->size);
    if (is_rm(spec->spec) && in->has_mem) {
        op->kind = X86_OP_MEM;
        op->size = x86_operand_size(in, spec->mem_size);
        return true;
    }
    switch ((X86Spec)spec->spec) {
    case X86_SPEC_E: case X86_SPEC_R: case X86_SPEC_M:
        op->kind = X86_OP_REG;
        op->reg = rm_field;
        byte_reg(in, op);
        break;
    case X86_SPEC_G:
        op->kind = X86_OP_REG;
        op->reg = reg_field;
        byte_reg(in, op);
        break;
    case X86_SPEC_Z:
        op->kind = X86_OP_REG;
        op->reg = (in->opcode & 7) | in->rex_b << 3;
        byte_reg(in, op);
        break;
    case X86_SPEC_B:
        op->kind = X86_OP_REG;
        op->reg = in->code == X86_CODE_64 ? in->vvvv : in->vvvv & 7;
        break;
    case X86_SPEC_C: case X86_SPEC_D:
        op->kind = spec->spec == X86_SPEC_C ? X86_OP_CR : X86_OP_DR;
        op->reg = reg_field;
        break;
    case X86_SPEC_S:
        op->kind = X86_OP_SEG;
        op->reg = in->modrm >> 3 & 7;
        if (op->reg >= X86_N_SEGS) {
            *ret_error = X86_DECODE_UD;
            return false;
        }
        break;
    case X86_SPEC_P: case X86_SPEC_N: case X86_SPEC_Q:
        op->kind = X86_OP_MMX;
        op->reg = spec->spec == X86_SPEC_P ? reg_field & 7 : rm_field & 7;
        break;
    case X86_SPEC_V: case X86_SPEC_U: case X86_SPEC_W:
        op->kind = X86_OP_VEC;
        op->reg = spec->spec == X86_SPEC_V ? reg_field : rm_field;
        break;
    case X86_SPEC_H:
        op->kind = X86_OP_VEC;
        op->reg = in->code == X86_CODE_64 ? in->vvvv : in->vvvv & 7;
        break;
    case X86_SPEC_L:
        if (!read_imm(r, 1, &value, ret_error)) {
            return false;
        }
        in->imm = (uint8_t)value;
        op->kind = X86_OP_VEC;
        op->reg = in->code == X86_CODE_64 ? (value >> 4 & 15) : (value >> 4 & 7);
        break;
    case X86_SPEC_I:
        n = spec->size == X86_SIZE_BS ? 1 : op->size;
        if (!read_imm(r, n, &value, ret_error)) {
            return false;
        }
        op->kind = X86_OP_IMM;
        if (spec->size == X86_SIZE_Z) {
            op->size = in->opsize;
        }
        if (spec->size == X86_SIZE_B || spec->size == X86_SIZE_W) {
            value &= spec->size == X86_SIZE_B ? 0xff : 0xffff;
        }
        /* ENTER, EXTRQ and INSERTQ have two. */
        *(in->n_ops && in->op[in->n_ops - 1].kind == X86_OP_IMM ? &in->imm2 : &in->imm) = (uint64_t)value;
        break;
    case X86_SPEC_J:
        if (!read_imm(r, op->size == 8 ? 4 : op->size, &value, ret_error)) {
            return false;
        }
        op->kind = X86_OP_REL;
        in->imm = (uint64_t)value;
        break;
    case X86_SPEC_A: {
        int64_t selector;
        if (!read_imm(r, in->opsize, &value, ret_error) || !read_imm(r, 2, &selector, ret_error)) {
            return false;
        }
        op->kind = X86_OP_FAR;
        in->imm = in->opsize == 2 ? (uint16_t)value : (uint32_t)value;
        in->imm2 = (uint16_t)selector;
        break;
    }
    case X86_SPEC_O:
        if (!read_imm(r, in->addrsize, &value, ret_error)) {
            return false;
        }
        op->kind = X86_OP_MEM;
        in->has_mem = true;
        in->base = in->index = X86_NO_REG;
        in->seg = in->seg_override != X86_NO_REG ? in->seg_override : X86_DS;
        in->disp = in->addrsize == 8 ? value : in->addrsize == 4 ? (uint32_t)value : (uint16_t)value;
        break;
    case X86_SPEC_X: case X86_SPEC_Y:
        op->kind = spec->spec == X86_SPEC_X ? X86_OP_STR_SRC : X86_OP_STR_DST;
        break;
    case X86_SPEC_STI:
        op->kind = X86_OP_ST;
        op->reg = in->modrm & 7;
        break;
    case X86_SPEC_ONE:
        op->kind = X86_OP_IMM;
        in->imm = 1;
        break;
    case X86_SPEC_FIXED_REG:
        op->kind = X86_OP_REG;
        op->reg = spec->fixed;
        break;
    case X86_SPEC_FIXED_SEG:
        op->kind = X86_OP_SEG;
        op->reg = spec->fixed;
        break;
    case X86_SPEC_FIXED_VEC:
        op->kind = X86_OP_VEC;
        op->reg = spec->fixed;
        break;
    case X86_SPEC_FIXED_ST:
        op->kind = X86_OP_ST;
        op->reg = spec->fixed;
        break;
    case X86_SPEC_NONE:
        break;
    }
    return true;
}

static X86DecodeResult read_prefixes(Reader *r, X86Insn *in)
{
    uint8_t rex = 0;

    for (;; r->at++) {
        if (!more(r, 1)) {
            return missing(r, 1);
        }
        uint8_t b = r->bytes[r->at];
        /* ES CS SS DS mean nothing in 64-bit code. */
        bool any_seg = in->code != X86_CODE_64;
        switch (b) {
        case 0x66: in->prefixes |= X86_PFX_66; break;
        case 0x67: in->prefixes |= X86_PFX_67; break;
        case 0xf0: in->prefixes |= X86_PFX_LOCK; break;
        case 0xf3: in->prefixes = (in->prefixes & ~X86_PFX_REPNE) | X86_PFX_REPE; break;
        case 0xf2: in->prefixes = (in->prefixes & ~X86_PFX_REPE) | X86_PFX_REPNE; break;
        case 0x26: in->seg_override = any_seg ? X86_ES : in->seg_override; break;
        case 0x2e: in->seg_override = any_seg ? X86_CS : in->seg_override; break;
        case 0x36: in->seg_override = any_seg ? X86_SS : in->seg_override; break;
        case 0x3e: in->seg_override = any_seg ? X86_DS : in->seg_override; break;
        case 0x64: in->seg_override = X86_FS; break;
        case 0x65: in->seg_override = X86_GS; break;
        default:
            if (in->code == X86_CODE_64 && (b & 0xf0) == 0x40) {
                rex = b;
                continue;
            }
            if (rex) {
                in->prefixes |= X86_PFX_REX;
                in->rex_w = rex >> 3 & 1;
                in->rex_r = rex >> 2 & 1;
                in->rex_x = rex >> 1 & 1;
                in->rex_b = rex & 1;
            }
            return X86_DECODE_OK;
        }
        rex = 0;
    }
}

/* The opcode map and byte; VEX counts as prefix. */
static X86DecodeResult read_opcode(Reader *r, X86Insn *in, unsigned *ret_enc, unsigned *ret_map, unsigned *ret_pp)
{
    uint8_t b = r->bytes[r->at++];

    *ret_enc = X86_ENC_LEGACY;
    *ret_map = 0;
    *ret_pp = in->prefixes & X86_PFX_REPE ? X86_PP_F3 : in->prefixes & X86_PFX_REPNE ? X86_PP_F2
              : in->prefixes & X86_PFX_66 ? X86_PP_66 : X86_PP_NONE;
    if (b == 0xc4 || b == 0xc5 || b == 0x62) {
        if (!more(r, 1)) {
            return missing(r, 1);
        }
        if (in->code == X86_CODE_64 || r->bytes[r->at] >= 0xc0) {
            *ret_enc = b == 0x62 ? X86_ENC_EVEX : X86_ENC_VEX;
            X86DecodeResult result = read_vex(r, b, in, ret_pp, ret_map);
            if (result != X86_DECODE_OK) {
                return result;
            }
            if (!more(r, 1)) {
                return missing(r, 1);
            }
            b = r->bytes[r->at++];
        }
    } else if (b == 0x0f) {
        for (*ret_map = 1;; *ret_map = b == 0x38 ? 2 : 3) {
            if (!more(r, 1)) {
                return missing(r, 1);
            }
            b = r->bytes[r->at++];
            if (*ret_map != 1 || (b != 0x38 && b != 0x3a)) {
                break;
            }
        }
    }
    in->opcode = b;
    return X86_DECODE_OK;
}

static bool uses_vvvv(const X86Row *row)
{
    for (unsigned i = 0; i < row->n_ops; i++) {
        if (row->op[i].spec == X86_SPEC_H || row->op[i].spec == X86_SPEC_B) {
            return true;
        }
    }
    return false;
}

static void find_sizes(X86Insn *in, const X86Row *row)
{
    bool in64 = in->code == X86_CODE_64, small = in->prefixes & X86_PFX_66;

    if (in64) {
        in->opsize = in->rex_w || (row->attrs & X86_ATTR_ROW_F64) ? 8 : small ? 2 : row->attrs & X86_ATTR_ROW_D64 ? 8 : 4;
    } else {
        in->opsize = (in->code == X86_CODE_32) != small ? 4 : 2;
    }
}

X86DecodeResult x86_decode(const X86Model *model, X86Code code, vaddr pc, const uint8_t *bytes, size_t n, X86Insn *in)
{
    Reader r = { bytes, MIN(n, X86_MAX_INSN_BYTES), 0 };
    unsigned enc, map, pp;

    *in = (X86Insn){ .pc = pc, .code = code, .seg_override = X86_NO_REG, .base = X86_NO_REG, .index = X86_NO_REG, .seg = X86_DS };
    X86DecodeResult result = read_prefixes(&r, in);
    if (result != X86_DECODE_OK) {
        return result;
    }
    bool a67 = in->prefixes & X86_PFX_67;
    in->addrsize = code == X86_CODE_64 ? (a67 ? 4 : 8) : (code == X86_CODE_32) != a67 ? 4 : 2;
    result = read_opcode(&r, in, &enc, &map, &pp);
    in->length = (uint8_t)r.at;
    if (result != X86_DECODE_OK) {
        return result;
    }
    const X86Cell *cell = &x86_cells[enc][map][in->opcode];
    if (cell->modrm) {
        if (!more(&r, 1)) {
            return missing(&r, 1);
        }
        in->modrm = bytes[r.at++];
        in->length = (uint8_t)r.at;
    }
    const X86Row *row = NULL;
    for (unsigned i = 0; i < cell->n && !row; i++) {
        const X86Row *candidate = &x86_rows[x86_candidates[cell->first + i]];
        row = row_matches(candidate, in, model, pp) ? candidate : NULL;
    }
    if (!row) {
        return X86_DECODE_UD;
    }
    in->row = row;
    find_sizes(in, row);
    bool always_reg = row->mod & 4; /* MOV to and from CR and DR: mod means nothing there */
    if (cell->modrm && in->modrm < 0xc0 && !always_reg) {
        if (!read_address(&r, in, &result)) {
            return result;
        }
        if (in->seg_override != X86_NO_REG) {
            in->seg = in->seg_override;
        }
    }
    bool has_vvvv = false;
    for (unsigned i = 0; i < row->n_ops; i++) {
        has_vvvv |= row->op[i].spec == X86_SPEC_H || row->op[i].spec == X86_SPEC_B;
    }
    if (in->vex && !has_vvvv && in->vvvv) {
        return X86_DECODE_UD; /* must be 1111 where it names nothing (SDM volume 2, 2.3.5.6) */
    }
    for (; in->n_ops < row->n_ops; in->n_ops++) {
        if (!read_operand(&r, in, &row->op[in->n_ops], &in->op[in->n_ops], &result)) {
            in->length = (uint8_t)r.at;
            return result;
        }
    }
    in->length = (uint8_t)r.at;
    if (enc == X86_ENC_VEX && in->vvvv && !uses_vvvv(row)) {
        return X86_DECODE_UD; /* SDM volume 2, 2.3.5.6 */
    }
    in->next_pc = code == X86_CODE_64 ? pc + r.at : (uint32_t)(pc + r.at);
    if (in->prefixes & X86_PFX_LOCK && !(row->attrs & X86_ATTR_ROW_LOCK && in->op[0].kind == X86_OP_MEM)) {
        return X86_DECODE_UD;
    }
    return X86_DECODE_OK;
}
