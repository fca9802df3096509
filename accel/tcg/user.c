/*
 * user.c: user mode: host faults that belong to the guest, and guest memory for helpers.
 *
 * Guest memory is accessed directly at guest_base + address. A fault in generated code is placed by the
 * unit's snapshots; a fault in C code is the guest's only while vcpu->guest_access is set, and the state
 * is complete then because such helpers are declared RAISES.
 *
 * Threads: tcg_handle_fault() in the signal handler of the thread that runs the vCPU.
 */
#include "internal.h"

bool tcg_handle_fault(Vcpu *vcpu, uintptr_t host_pc, const HostFrame *frame)
{
    if (!vcpu) {
        return false;
    }
    if (tcg.host && code_contains(host_pc)) {
        const TransUnit *unit = code_find(host_pc);
        if (!unit || !snapshot_restore(unit->snapshots, unit->n_snapshot_bytes,
                                       host_pc - (uintptr_t)unit->code, frame, vcpu, NULL)) {
            return false;
        }
    } else if (!vcpu->guest_access) {
        return false;
    }
    if (vcpu->in_code && frame && vcpu->jit.fp_control_host && frame->fp_control) {
        vcpu->jit.fp_control_guest = frame->fp_control;
    }
    if (vcpu->jit.x87_live && frame) {
        /* The handler runs with a unit of its own. */
        vcpu->target->x87->save_frame(vcpu, frame->fxsave);
    }
    vcpu->guest_access = false;
    vcpu->in_code = false;
    return true;
}

static uint64_t user_load(Vcpu *vcpu, vaddr addr, unsigned size_bytes)
{
    const void *p = vcpu_user_ptr(vcpu, addr);
    bool swap = vcpu->target->big_endian;
    uint64_t value;
    vcpu->guest_access = true;
    atomic_signal_fence(memory_order_seq_cst);
    switch (size_bytes) {
    case 1:
        value = *(const volatile uint8_t *)p;
        break;
    case 2:
        value = swap ? ldbe16(p) : ldle16(p);
        break;
    case 4:
        value = swap ? ldbe32(p) : ldle32(p);
        break;
    default:
        value = swap ? ldbe64(p) : ldle64(p);
        break;
    }
    atomic_signal_fence(memory_order_seq_cst);
    vcpu->guest_access = false;
    return value;
}

static void user_store(Vcpu *vcpu, vaddr addr, uint64_t value, unsigned size_bytes)
{
    void *p = vcpu_user_ptr(vcpu, addr);
    bool swap = vcpu->target->big_endian;
    vcpu->guest_access = true;
    atomic_signal_fence(memory_order_seq_cst);
    switch (size_bytes) {
    case 1:
        *(volatile uint8_t *)p = value;
        break;
    case 2:
        swap ? stbe16(p, value) : stle16(p, value);
        break;
    case 4:
        swap ? stbe32(p, value) : stle32(p, value);
        break;
    default:
        swap ? stbe64(p, value) : stle64(p, value);
        break;
    }
    atomic_signal_fence(memory_order_seq_cst);
    vcpu->guest_access = false;
}

uint64_t guest_load(Vcpu *vcpu, vaddr addr, unsigned size_bytes, unsigned mmu_index)
{
    return vcpu->softmmu ? tcg_system->load(vcpu, addr, size_bytes, mmu_index)
                         : user_load(vcpu, addr, size_bytes);
}

void guest_store(Vcpu *vcpu, vaddr addr, uint64_t value, unsigned size_bytes, unsigned mmu_index)
{
    if (vcpu->softmmu) {
        tcg_system->store(vcpu, addr, value, size_bytes, mmu_index);
    } else {
        user_store(vcpu, addr, value, size_bytes);
    }
}

static void *user_ptr(Vcpu *vcpu, vaddr addr, unsigned size_bytes, MmuAccess access)
{
    addr &= vcpu->addr_mask;
    if (tcg.have_user_ops) {
        static const uint8_t need[] = { [MMU_READ] = PAGE_READ, [MMU_WRITE] = PAGE_WRITE,
                                        [MMU_FETCH] = PAGE_EXEC };
        int prot = tcg.user.page_prot(addr);
        if (prot < 0 || !(prot & need[access])
            || (addr ^ (addr + size_bytes - 1)) >> TCG_PAGE_BITS) {
            return NULL;
        }
        if (access == MMU_WRITE) {
            tcg_unprotect_range(addr, addr + size_bytes - 1);
        }
    }
    return vcpu_user_ptr(vcpu, addr);
}

gpa guest_page(Vcpu *vcpu, vaddr addr, MmuAccess access, unsigned mmu_index, uint8_t *ret_prot)
{
    return tcg_system->page(vcpu, addr, access, mmu_index, ret_prot);
}

void *guest_ptr_probe(Vcpu *vcpu, vaddr addr, unsigned size_bytes, MmuAccess access, unsigned mmu_index)
{
    return vcpu->softmmu ? tcg_system->ptr(vcpu, addr, size_bytes, access, mmu_index, true)
                         : user_ptr(vcpu, addr, size_bytes, access);
}

void *guest_ptr_access(Vcpu *vcpu, vaddr addr, unsigned size_bytes, MmuAccess access, unsigned mmu_index)
{
    return vcpu->softmmu ? tcg_system->ptr(vcpu, addr, size_bytes, access, mmu_index, false)
                         : user_ptr(vcpu, addr, size_bytes, access);
}
