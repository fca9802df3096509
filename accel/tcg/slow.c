/*
 * slow.c: the slow paths generated code and the interpreter call, handed on to system mode (ldst.c), which
 * the user-mode program does not contain. In user mode the only way here is an access that must be
 * aligned and is not.
 */
#include "internal.h"

static noreturn void user_unaligned(Vcpu *vcpu, vaddr addr, MmuAccess access, const IrMem *mem,
                                    const void *frame, uintptr_t site)
{
    if (frame) {
        tcg_restore_state(vcpu, frame, site);
    }
    vcpu->target->unaligned(vcpu, addr, access, mem->mmu_index);
    vcpu_loop_exit(vcpu, VCPU_EXIT_EXCEPTION);
}

uint64_t tcg_slow_load(Vcpu *vcpu, vaddr addr, const IrMem *mem, void *frame, uintptr_t site)
{
    if (unlikely(!vcpu->softmmu)) {
        user_unaligned(vcpu, addr, MMU_READ, mem, frame, site);
    }
    return tcg_system->slow_load(vcpu, addr, mem, frame, site);
}

void tcg_slow_store(Vcpu *vcpu, vaddr addr, uint64_t value, const IrMem *mem, void *frame, uintptr_t site)
{
    if (unlikely(!vcpu->softmmu)) {
        user_unaligned(vcpu, addr, MMU_WRITE, mem, frame, site);
    }
    tcg_system->slow_store(vcpu, addr, value, mem, frame, site);
}

void tcg_slow_load_vec(Vcpu *vcpu, vaddr addr, void *ret, const IrMem *mem, void *frame, uintptr_t site)
{
    if (unlikely(!vcpu->softmmu)) {
        user_unaligned(vcpu, addr, MMU_READ, mem, frame, site);
    }
    tcg_system->slow_load_vec(vcpu, addr, ret, mem, frame, site);
}

void tcg_slow_store_vec(Vcpu *vcpu, vaddr addr, const void *value, const IrMem *mem, void *frame,
                        uintptr_t site)
{
    if (unlikely(!vcpu->softmmu)) {
        user_unaligned(vcpu, addr, MMU_WRITE, mem, frame, site);
    }
    tcg_system->slow_store_vec(vcpu, addr, value, mem, frame, site);
}

void tcg_slow_x87(Vcpu *vcpu, vaddr addr, uint64_t code, const IrMem *mem, void *frame, uintptr_t site)
{
    const TargetX87 *x87 = vcpu->target->x87;
    tcg_restore_state(vcpu, frame, site);
    x87->save(vcpu);
    x87->exec_mem(vcpu, (uint32_t)code, addr, mem->mmu_index);
    x87->load(vcpu);
}

void *tcg_slow_atomic(Vcpu *vcpu, vaddr addr, const IrMem *mem, void *frame, uintptr_t site)
{
    if (unlikely(!vcpu->softmmu)) {
        user_unaligned(vcpu, addr, MMU_WRITE, mem, frame, site);
    }
    return tcg_system->slow_atomic(vcpu, addr, mem, frame, site);
}
