/*
 * helper-x87.c: x87 and MMX instructions outside generated code, and what saves and restores state.
 *
 * Pending exceptions: SDM volume 1, 8.7. With CR0.NE clear the processor tells the machine (FERR#, IRQ 13) in front of the waiting instruction and
 * goes on with it, as with IGNNE# asserted: the interrupt comes before the next one.
 */
#include <string.h>
#include "accel/tcg.h"
#include "target/x86/fpu-state.h"
#include "target/x86/translate.h"
#include "target/x86/x87.h"

/* In front of every instruction that waits. */
static void wait_pending(Vcpu *vcpu)
{
    X86State *s = x86_state(vcpu);

    x86_fpu_flush(vcpu);
    if (!(s->fsw & X87_ES)) {
        return;
    }
    if (s->cr0 & X86_CR0_NE || !s->platform) {
        x86_raise(vcpu, X86_EXC_MF);
    }
    if (s->platform->ferr) {
        s->platform->ferr(s->platform_opaque, true);
    }
}

/* fnclex, fninit, fnstsw, fnstcw. */
static bool waits(uint32_t code)
{
    unsigned opcode = ir_x87_opcode(code), modrm = ir_x87_modrm(code);
    if (ir_x87_map(code) != IR_X87_D8) {
        return true;
    }
    return !(opcode == 0xdb && (modrm == 0xe2 || modrm == 0xe3)) && !((opcode == 0xd9 || opcode == 0xdd) && modrm == 7 << 3);
}

uint64_t x86_helper_x87(Vcpu *vcpu, uint32_t code, uint64_t operand)
{
    X86State *s = x86_state(vcpu);

    x86_fpu_flush(vcpu);
    if (waits(code)) {
        wait_pending(vcpu);
    }
    s->x87_again = 0;
    return x86_x87_exec(vcpu, code, operand);
}

void x86_helper_x87_mem(Vcpu *vcpu, uint32_t code, uint64_t addr, uint32_t mmu_index)
{
    x86_fpu_flush(vcpu);
    if (waits(code)) {
        wait_pending(vcpu);
    }
    x86_x87_exec_mem(vcpu, code, addr, mmu_index);
}

void x86_helper_fwait(Vcpu *vcpu)
{
    X86State *s = x86_state(vcpu);

    if ((s->cr0 & (X86_CR0_MP | X86_CR0_TS)) == (X86_CR0_MP | X86_CR0_TS)) {
        x86_raise(vcpu, X86_EXC_NM);
    }
    wait_pending(vcpu);
}

void x86_helper_maskmovq(Vcpu *vcpu, uint64_t addr, uint64_t data, uint64_t mask, uint32_t mmu_index)
{
    for (unsigned i = 0; i < 8; i++) {
        if (mask >> 8 * i & 0x80) {
            guest_store(vcpu, addr + i, (uint8_t)(data >> 8 * i), 1, mmu_index);
        }
    }
}

/* ---- images in guest memory ---- */

static vaddr wrapped(const Vcpu *vcpu, vaddr addr)
{
    const X86State *s = x86_state(vcpu);
    return s->efer & X86_EFER_LMA && s->seg_attr[X86_CS] & X86_ATTR_L ? addr : (uint32_t)addr;
}

/* The part of [addr, addr + n) up to the end of a page. */
static size_t in_page(vaddr addr, size_t n)
{
    return MIN(n, 4096 - (addr & 4095));
}

static void read_bytes(Vcpu *vcpu, vaddr addr, uint8_t *to, size_t n, unsigned mmu_index)
{
    while (n) {
        addr = wrapped(vcpu, addr);
        size_t part = in_page(addr, n);
        const void *p = guest_ptr_access(vcpu, addr, (unsigned)part, MMU_READ, mmu_index);
        if (p) {
            memcpy(to, p, part);
        } else {
            for (size_t i = 0; i < part; i++) {
                to[i] = (uint8_t)guest_load(vcpu, addr + i, 1, mmu_index);
            }
        }
        addr += part;
        to += part;
        n -= part;
    }
}

/* Both pages are asked for before anything is written. */
static void write_bytes(Vcpu *vcpu, vaddr addr, const uint8_t *from, size_t n, unsigned mmu_index)
{
    addr = wrapped(vcpu, addr);
    size_t first = in_page(addr, n);
    if (first < n) {
        vaddr next = wrapped(vcpu, addr + first);
        guest_ptr_access(vcpu, addr, (unsigned)first, MMU_WRITE, mmu_index);
        guest_ptr_access(vcpu, next, (unsigned)(n - first), MMU_WRITE, mmu_index);
    }
    while (n) {
        addr = wrapped(vcpu, addr);
        size_t part = in_page(addr, n);
        void *p = guest_ptr_access(vcpu, addr, (unsigned)part, MMU_WRITE, mmu_index);
        if (p) {
            memcpy(p, from, part);
        } else {
            for (size_t i = 0; i < part; i++) {
                guest_store(vcpu, addr + i, from[i], 1, mmu_index);
            }
        }
        addr += part;
        from += part;
        n -= part;
    }
}

void x86_helper_fnstenv(Vcpu *vcpu, uint64_t addr, uint32_t is32, uint32_t mmu_index)
{
    uint8_t image[28];
    X86State *s = x86_state(vcpu);
    unsigned n = x86_fstenv(vcpu, image, is32);

    write_bytes(vcpu, addr, image, n, mmu_index);
    s->fcw |= X87_EXCEPTIONS;
    x87_summary(s);
}

void x86_helper_fldenv(Vcpu *vcpu, uint64_t addr, uint32_t is32, uint32_t mmu_index)
{
    uint8_t image[28];

    wait_pending(vcpu);
    read_bytes(vcpu, addr, image, is32 ? 28 : 14, mmu_index);
    x86_fldenv(vcpu, image, is32);
}

void x86_helper_fnsave(Vcpu *vcpu, uint64_t addr, uint32_t is32, uint32_t mmu_index)
{
    uint8_t image[108];

    x86_fsave_image(vcpu, image, is32);
    write_bytes(vcpu, addr, image, is32 ? 108 : 94, mmu_index);
    x86_fpu_init(vcpu); /* now that it is stored */
}

void x86_helper_frstor(Vcpu *vcpu, uint64_t addr, uint32_t is32, uint32_t mmu_index)
{
    uint8_t image[108];

    wait_pending(vcpu);
    read_bytes(vcpu, addr, image, is32 ? 108 : 94, mmu_index);
    x86_frstor(vcpu, image, is32);
}

void x86_helper_fxsave(Vcpu *vcpu, uint64_t addr, uint32_t is64, uint32_t mmu_index)
{
    uint8_t image[512];
    const X86State *s = x86_state(vcpu);
    bool in64 = s->efer & X86_EFER_LMA && s->seg_attr[X86_CS] & X86_ATTR_L;
    bool no_xmm = s->efer & X86_EFER_FFXSR && in64 && !x86_cpl(vcpu);

    if (addr & 15) {
        x86_raise_code(vcpu, X86_EXC_GP, 0);
    }
    x86_fxsave(vcpu, image, is64);
    write_bytes(vcpu, addr, image, 160 + (no_xmm ? 0 : in64 ? 256 : 128), mmu_index);
}

void x86_helper_fxrstor(Vcpu *vcpu, uint64_t addr, uint32_t is64, uint32_t mmu_index)
{
    uint8_t image[512];

    if (addr & 15) {
        x86_raise_code(vcpu, X86_EXC_GP, 0);
    }
    read_bytes(vcpu, addr, image, 512, mmu_index);
    if (!x86_fxrstor(vcpu, image, is64)) {
        x86_raise_code(vcpu, X86_EXC_GP, 0);
    }
}

/* ---- XSAVE ---- */

/* Only what the instruction writes may be written: parts of the area, in ascending order. */
static void write_area(Vcpu *vcpu, vaddr addr, const uint8_t *image, uint64_t wanted, X86XsaveKind kind, unsigned mmu_index)
{
    bool in64 = x86_state(vcpu)->efer & X86_EFER_LMA && x86_state(vcpu)->seg_attr[X86_CS] & X86_ATTR_L, compact = kind >= X86_XSAVEC;
    unsigned xmm_bytes = in64 ? 256 : 128, avx_at = 576, pkru_at = !compact ? 2688 : wanted & 4 ? 832 : 576;
    uint64_t written = kind == X86_XSAVE ? wanted : ldle64(image + 512) & wanted;

    if (written & 1) {
        write_bytes(vcpu, addr, image, 24, mmu_index);
    }
    if (compact ? written & 2 : wanted & 6) {
        write_bytes(vcpu, addr + 24, image + 24, 8, mmu_index);
    }
    if (written & 1) {
        write_bytes(vcpu, addr + 32, image + 32, 128, mmu_index);
    }
    if (written & 2) {
        write_bytes(vcpu, addr + 160, image + 160, xmm_bytes, mmu_index);
    }
    write_bytes(vcpu, addr + 512, image + 512, compact ? 64 : 8, mmu_index);
    if (written & 4) {
        write_bytes(vcpu, addr + avx_at, image + avx_at, xmm_bytes, mmu_index);
    }
    if (written & 0x200) {
        write_bytes(vcpu, addr + pkru_at, image + pkru_at, 8, mmu_index);
    }
}

static void check_xsave(Vcpu *vcpu, uint64_t addr)
{
    if (!(x86_state(vcpu)->cr4 & X86_CR4_OSXSAVE)) {
        x86_raise(vcpu, X86_EXC_UD);
    }
    if (addr & 63) {
        x86_raise_code(vcpu, X86_EXC_GP, 0);
    }
}

/* how: X86XsaveKind | REX.W << 8 */
void x86_helper_xsave(Vcpu *vcpu, uint64_t addr, uint64_t mask, uint32_t how, uint32_t mmu_index)
{
    uint8_t image[X86_XSAVE_MAX_BYTES];
    X86XsaveKind kind = (X86XsaveKind)(how & 0xff);

    check_xsave(vcpu, addr);
    if (kind < X86_XSAVEC) {
        stle64(image + 512, guest_load(vcpu, wrapped(vcpu, addr + 512), 8, mmu_index));
    }
    x86_xsave_by(vcpu, image, mask, kind, how >> 8);
    write_area(vcpu, addr, image, mask & x86_state(vcpu)->xcr0, kind, mmu_index);
}

void x86_helper_xrstor(Vcpu *vcpu, uint64_t addr, uint64_t mask, uint32_t how, uint32_t mmu_index)
{
    uint8_t image[X86_XSAVE_MAX_BYTES] = { 0 };
    const X86State *s = x86_state(vcpu);
    uint64_t wanted = mask & s->xcr0;

    check_xsave(vcpu, addr);
    read_bytes(vcpu, addr, image, 576, mmu_index);
    uint64_t bv = ldle64(image + 512), comp = ldle64(image + 520);
    bool compact = comp >> 63;
    /* XRSTORS takes the compacted form only. */
    if ((how & 0xff) == X86_XSAVES && !compact) {
        x86_raise_code(vcpu, X86_EXC_GP, 0);
    }
    if (bv & wanted & 4) {
        read_bytes(vcpu, addr + 576, image + 576, 256, mmu_index);
    }
    if (bv & wanted & 0x200) {
        unsigned at = !compact ? 2688 : comp & 4 ? 832 : 576;
        read_bytes(vcpu, addr + at, image + at, 8, mmu_index);
    }
    if (!x86_xrstor(vcpu, image, mask, how >> 8)) {
        x86_raise_code(vcpu, X86_EXC_GP, 0);
    }
}

/* SDM volume 2, XGETBV: register 1 is XCR0 & what is in use. */
uint64_t x86_helper_xgetbv(Vcpu *vcpu, uint32_t number)
{
    X86State *s = x86_state(vcpu);

    if (!(s->cr4 & X86_CR4_OSXSAVE)) {
        x86_raise(vcpu, X86_EXC_UD);
    }
    if (number == 0) {
        return s->xcr0;
    }
    if (number == 1 && x86_has(vcpu, X86_FEAT_XGETBV1)) {
        x86_fpu_flush(vcpu);
        return x86_xsave_in_use(s) & s->xcr0;
    }
    x86_raise_code(vcpu, X86_EXC_GP, 0);
}

void x86_helper_xgetbv_other(Vcpu *vcpu, uint32_t length)
{
    X86State *s = x86_state(vcpu);
    uint64_t v = x86_helper_xgetbv(vcpu, (uint32_t)s->gpr[X86_RCX]);

    s->gpr[X86_RAX] = (uint32_t)v;
    s->gpr[X86_RDX] = v >> 32;
    s->pc += length;
    vcpu_loop_exit(vcpu, VCPU_EXIT_NONE);
}

void x86_helper_xsetbv(Vcpu *vcpu, uint32_t number, uint64_t value)
{
    X86State *s = x86_state(vcpu);

    if (!(s->cr4 & X86_CR4_OSXSAVE)) {
        x86_raise(vcpu, X86_EXC_UD);
    }
    /* x87 always, AVX only with SSE */
    if (x86_cpl(vcpu) || number || !(value & 1) || value & ~x86_xcr0_supported(vcpu) || (value & 6) == 4) {
        x86_raise_code(vcpu, X86_EXC_GP, 0);
    }
    s->xcr0 = value;
}
