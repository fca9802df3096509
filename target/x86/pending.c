/*
 * pending.c: what the parts of this room that are still being written are called for: the least that user mode needs. Each
 * function goes from here when the file that owns it comes.
 */
#include "accel/tcg.h"
#include "target/x86/translate.h"

noreturn void x86_raise(Vcpu *vcpu, unsigned vector)
{
    vcpu_raise(vcpu, (int32_t)vector, 0);
}

noreturn void x86_raise_code(Vcpu *vcpu, unsigned vector, uint32_t code)
{
    vcpu_raise(vcpu, (int32_t)(vector | X86_CAUSE_HAS_CODE), code);
}

void x86_helper_seg_check(Vcpu *vcpu, uint64_t offset, uint32_t how)
{
    const X86State *s = x86_state(vcpu);
    unsigned seg = how & 0xff, size = how >> 8 & 0xff;

    if (offset + size - 1 > s->seg_limit[seg]) {
        x86_raise_code(vcpu, seg == X86_SS ? X86_EXC_SS : X86_EXC_GP, 0);
    }
}

void x86_helper_fpu_check(Vcpu *vcpu, uint32_t unit)
{
    const X86State *s = x86_state(vcpu);
    x86_raise(vcpu, unit != X86_UNIT_X87 && s->cr0 & X86_CR0_EM ? X86_EXC_UD : X86_EXC_NM);
}

void x86_seg_set(Vcpu *vcpu, X86SegId seg, uint16_t sel, uint64_t base, uint32_t limit, uint32_t attr)
{
    X86State *s = x86_state(vcpu);
    s->seg_sel[seg] = sel;
    s->seg_base[seg] = base;
    s->seg_limit[seg] = limit;
    s->seg_attr[seg] = attr;
    s->seg_check = (uint8_t)((s->seg_check & ~BIT(seg)) | (uint8_t)((limit != UINT32_MAX) << seg));
}

void x86_fp_sync(Vcpu *vcpu) { }
uint32_t x86_mxcsr_get(Vcpu *vcpu) { return x86_state(vcpu)->mxcsr; }
void x86_mxcsr_set(Vcpu *vcpu, uint32_t mxcsr) { x86_state(vcpu)->mxcsr = mxcsr; }

void x86_cpu_reset(Vcpu *vcpu)
{
    X86State *s = x86_state(vcpu);
    memset(s->gpr, 0, sizeof(s->gpr));
    s->eflags = 2;
    s->cc_op = X86_CC_FLAGS;
    s->cc_src = 0;
    s->mxcsr = 0x1f80;
    s->fcw = 0x37f;
    s->fempty = 0xff;
}

unsigned x86_mmu_index(const Vcpu *vcpu, MmuAccess access)
{
    return x86_cpl(vcpu) == 3 ? X86_MMU_USER : X86_MMU_K_AC;
}

bool x86_tlb_fill(Vcpu *vcpu, vaddr addr, MmuAccess access, unsigned size_bytes, unsigned mmu_index, bool probe, TlbFill *ret)
{
    *ret = (TlbFill){ .phys = addr & 0xfffff000, .prot = PAGE_READ | PAGE_WRITE | PAGE_EXEC, .page_bits = 12 };
    return true;
}

bool x86_tlb_fill_debug(Vcpu *vcpu, vaddr addr, TlbFill *ret)
{
    return x86_tlb_fill(vcpu, addr, MMU_READ, 1, 0, true, ret);
}

bool x86_mappings(Vcpu *vcpu, TargetMapping *emit, void *opaque) { return false; }

void x86_unaligned(Vcpu *vcpu, vaddr addr, MmuAccess access, unsigned mmu_index)
{
    vcpu->exception = (VcpuException){ .cause = X86_EXC_AC | X86_CAUSE_HAS_CODE };
}

void x86_bus_error(Vcpu *vcpu, vaddr addr, gpa phys, MmuAccess access) { }
bool x86_interrupt_pending(Vcpu *vcpu) { return false; }
bool x86_interrupt_take(Vcpu *vcpu) { return false; }
void x86_exception_enter(Vcpu *vcpu) { }
bool x86_before_insn(Vcpu *vcpu) { return false; }
bool x86_has_work(Vcpu *vcpu) { return vcpu->interrupt_request != 0; }
void x86_irq_set(Vcpu *vcpu, unsigned line, bool level) { }
const char *x86_gdb_feature(const char *group) { return NULL; }

const RegDesc *x86_regs(const Vcpu *vcpu, size_t *n)
{
    *n = 0;
    return NULL;
}

bool x86_reg_read(Vcpu *vcpu, const RegDesc *reg, void *out) { return false; }
bool x86_reg_write(Vcpu *vcpu, const RegDesc *reg, const void *in) { return false; }

void x86_dump(Vcpu *vcpu, FILE *out, unsigned log_items)
{
    const X86State *s = x86_state(vcpu);
    for (unsigned i = 0; i < 16; i++) {
        fprintf(out, "r%-2u=%016" PRIx64 "%c", i, s->gpr[i], i % 4 == 3 ? '\n' : ' ');
    }
    fprintf(out, "pc=%016" PRIx64 " eflags=%08x\n", s->pc, x86_eflags_get(vcpu));
}

void x86_mem_access(Vcpu *vcpu, const uint8_t *insn, size_t n, TargetTouch *touch, void *opaque) { }

void x86_trans_syscall(TransCtx *ctx, const X86Insn *in)
{
    trans_leave(ctx, VCPU_EXIT_SYSCALL, ctx->pc);
}

/* User mode: descriptors of Linux's own making. */
void x86_seg_load(Vcpu *vcpu, X86SegId seg, uint16_t sel)
{
    const X86State *s = x86_state(vcpu);

    if (!(sel & ~3)) {
        x86_seg_set(vcpu, seg, sel, 0, 0, 0);
        return;
    }
    uint64_t d = guest_load(vcpu, (sel & 4 ? s->ldt_base : s->gdt_base) + (sel & ~7u), 8, X86_MMU_KERNEL);
    uint32_t high = (uint32_t)(d >> 32), limit = ((uint32_t)d & 0xffff) | (high & 0xf0000);
    limit = high & X86_ATTR_G ? limit << 12 | 0xfff : limit;
    x86_seg_set(vcpu, seg, sel, (uint32_t)d >> 16 | (high & 0xff) << 16 | (high & 0xff000000), limit, high & 0xf0ff00);
}

/* fpu-state.c: the XMM registers only. */
uint32_t x86_xsave_size(uint64_t xcr0) { return xcr0 & 4 ? 832 : 576; }

void x86_xsave(Vcpu *vcpu, uint8_t *image, uint64_t mask, bool is64) { memcpy(image + 160, x86_state(vcpu)->xmm, 256); }

bool x86_xrstor(Vcpu *vcpu, const uint8_t *image, uint64_t mask, bool is64)
{
    memcpy(x86_state(vcpu)->xmm, image + 160, 256);
    return true;
}

void x86_fxsave(Vcpu *vcpu, uint8_t image[512], bool is64) { x86_xsave(vcpu, image, 3, is64); }
bool x86_fxrstor(Vcpu *vcpu, const uint8_t image[512], bool is64) { return x86_xrstor(vcpu, image, 3, is64); }
void x86_fsave(Vcpu *vcpu, uint8_t image[108], bool is32) { }
bool x86_frstor(Vcpu *vcpu, const uint8_t image[108], bool is32) { return true; }
void x86_fpu_init(Vcpu *vcpu) { }
