/*
 * system.h: what segmentation, gates, tasks, exceptions, SMM and debug registers share. Functions that raise are called from helpers
 * declared RAISES, or while an exception is delivered; either way CPU state in memory is complete.
 */
#ifndef TARGET_X86_SYSTEM_H
#define TARGET_X86_SYSTEM_H

#include "target/x86/cpu.h"
#include "accel/tcg.h"

/* Only the system emulator has a TLB; every caller runs with vcpu->softmmu. */
#pragma weak tlb_flush
#pragma weak tlb_flush_page
#pragma weak tlb_flush_asid
#pragma weak tlb_set_asid

static inline bool x86_is_real(const X86State *s) { return !(s->cr0 & X86_CR0_PE); }
static inline bool x86_is_vm86(const X86State *s) { return (s->cr0 & X86_CR0_PE) && (s->eflags & X86_VM); }
static inline bool x86_is_long(const X86State *s) { return s->efer & X86_EFER_LMA; }
static inline unsigned x86_iopl(const X86State *s) { return s->eflags >> 12 & 3; }
static inline bool x86_is_canonical(const X86State *s, uint64_t addr)
{
    return bits_sext(addr, s->cr4 & X86_CR4_LA57 ? 57 : 48) == (int64_t)addr;
}
/*
 * Registers and MSRs that hold linear addresses (bases of tables and segments, entry points, INVPCID's descriptor) take whatever is canonical
 * for the widest paging that the processor has, not for the one in use (Intel 335252, 5-level paging, 2.2).
 */
static inline bool x86_is_canonical_base(const Vcpu *vcpu, uint64_t addr)
{
    return bits_sext(addr, x86_has(vcpu, X86_FEAT_LA57) ? 57 : 48) == (int64_t)addr;
}
/* MMU index of implicit supervisor accesses: SMAP applies whatever AC says (SDM 4.6.1). */
static inline unsigned x86_mmu_implicit(const Vcpu *vcpu)
{
    return x86_state(vcpu)->cr4 & X86_CR4_SMAP ? X86_MMU_KERNEL : X86_MMU_K_AC;
}
/* Linear address of an instruction pointer: 32 bits wide outside 64-bit code. */
static inline uint64_t x86_linear_pc(const X86State *s, uint64_t ip)
{
    return x86_is_code64(s) ? ip : (uint32_t)(s->seg_base[X86_CS] + ip);
}

/* -- descriptors (SDM 3.4.5, 3.5) ------------------------------------------------------------------------ */

typedef struct X86Desc {
    uint32_t lo, hi;
} X86Desc;

enum { /* types of system descriptors */
    X86_SYS_TSS16 = 1, X86_SYS_LDT = 2, X86_SYS_TSS16_BUSY = 3, X86_SYS_CALL16 = 4, X86_SYS_TASK_GATE = 5, X86_SYS_INT16 = 6,
    X86_SYS_TRAP16 = 7, X86_SYS_TSS = 9, X86_SYS_TSS_BUSY = 11, X86_SYS_CALL = 12, X86_SYS_INT = 14, X86_SYS_TRAP = 15,
};
#define X86_ATTR_MASK 0x00f0ff00u

static inline uint32_t x86_desc_base(X86Desc d) { return d.lo >> 16 | (d.hi & 0xff) << 16 | (d.hi & 0xff000000u); }
static inline uint32_t x86_desc_limit(X86Desc d)
{
    uint32_t limit = (d.lo & 0xffff) | (d.hi & 0xf0000);
    return d.hi & X86_ATTR_G ? limit << 12 | 0xfff : limit;
}
static inline unsigned x86_desc_dpl(X86Desc d) { return d.hi >> 13 & 3; }
static inline unsigned x86_desc_type(X86Desc d) { return d.hi >> 8 & 15; }
static inline bool x86_desc_is_code(X86Desc d) { return (d.hi & X86_ATTR_S) && (d.hi & X86_ATTR_CODE); }
static inline bool x86_desc_is_data(X86Desc d) { return (d.hi & X86_ATTR_S) && !(d.hi & X86_ATTR_CODE); }
static inline bool x86_desc_is_conforming(X86Desc d) { return x86_desc_is_code(d) && (d.hi & X86_ATTR_E); }
static inline bool x86_desc_is_stack(X86Desc d) { return x86_desc_is_data(d) && (d.hi & X86_ATTR_W); }

/* segment.c: descriptor `sel` of the GDT or LDT; false: beyond the table's end. A page fault raises. */
bool x86_desc_fetch(Vcpu *vcpu, uint16_t sel, X86Desc *ret);
/* Long mode: the upper half of a 16-byte descriptor's base or offset; false as above. */
bool x86_desc_fetch_high(Vcpu *vcpu, uint16_t sel, uint32_t *ret);
/* Changes bits 8 to 15 of the second word in memory. */
void x86_desc_set_byte5(Vcpu *vcpu, uint16_t sel, uint8_t value);
/* Marks it accessed, in memory and in *d. */
void x86_desc_accessed(Vcpu *vcpu, uint16_t sel, X86Desc *d);
/* Segment register from a checked descriptor. */
void x86_seg_from_desc(Vcpu *vcpu, X86SegId seg, uint16_t sel, X86Desc d);
void x86_seg_null(Vcpu *vcpu, X86SegId seg, uint16_t sel);
void x86_seg_vm86(Vcpu *vcpu, X86SegId seg, uint16_t sel);
/* CS in real mode and VM86. */
void x86_cs_set_real(Vcpu *vcpu, uint16_t sel);
/* #TS, #NP, #SS, #GP of a selector; EXT is added. */
noreturn void x86_raise_sel(Vcpu *vcpu, unsigned vector, uint16_t sel);
/* Loads the stack segment of a new privilege level (TSS, far RET, IRET): the checks of SDM 6.12.1 with `vector` for bad ones. */
X86Desc x86_check_stack(Vcpu *vcpu, uint16_t sel, unsigned cpl, unsigned vector);
/* After a return to an outer level: data segments it may not have become null. */
void x86_drop_inner_segments(Vcpu *vcpu);
void x86_ldt_load(Vcpu *vcpu, uint16_t sel, unsigned vector);
/* Limit and rights of an access through a segment register (not in 64-bit code); raises #SS(0) or #GP(0). */
void x86_seg_check_access(Vcpu *vcpu, X86SegId seg, uint64_t offset, unsigned size_bytes, bool write);

/* -- stacks --------------------------------------------------------------------------------------------------- */

/* A stack that is pushed to or popped from without changing registers until all has worked. */
typedef struct X86Stack {
    Vcpu *vcpu;
    uint64_t base, sp, mask;     /* mask: width of the stack pointer */
    uint32_t limit, attr;
    uint16_t sel;                /* for #SS: 0 on the current stack */
    uint8_t mmu_index;
    bool is64;
} X86Stack;

X86Stack x86_stack_current(Vcpu *vcpu);
X86Stack x86_stack_new(Vcpu *vcpu, uint16_t sel, X86Desc ss, uint64_t sp, unsigned cpl);
void x86_stack_push(X86Stack *st, uint64_t value, unsigned size_bytes);
uint64_t x86_stack_pop(X86Stack *st, unsigned size_bytes);
/* RSP of its width becomes st->sp. */
void x86_stack_commit(const X86Stack *st);
/* MMU index of explicit accesses at this level. */
unsigned x86_mmu_at(const X86State *s, unsigned cpl);
/* Stack of privilege level `cpl` in the TSS; long mode: ist 1-7 takes that entry. */
X86Stack x86_stack_of_tss(Vcpu *vcpu, unsigned cpl, unsigned ist, uint16_t *ret_ss, X86Desc *ret_desc);

/* -- tasks (task.c, SDM 8) -------------------------------------------------------------------------------------- */

typedef enum X86TaskSource { X86_TASK_JMP, X86_TASK_CALL, X86_TASK_IRET, X86_TASK_INT } X86TaskSource;
/* To the TSS `sel`, whose descriptor was checked for kind, busy and privilege. next_ip: what the old task goes on with. Sets pc. */
void x86_task_switch(Vcpu *vcpu, uint16_t sel, X86Desc d, X86TaskSource source, uint64_t next_ip, const uint32_t *error_code);

/* -- events ------------------------------------------------------------------------------------------------------- */

/* exception.c: enters the handler; pc: what the handler returns to. Sets pc. */
void x86_deliver(Vcpu *vcpu, unsigned vector, bool soft, const uint32_t *error_code, bool external, uint64_t ip, bool set_rf);
/* Real mode's and VM86's own handlers through the table at the IDT base (VM86: linear 0). */
void x86_deliver_real(Vcpu *vcpu, unsigned vector, uint64_t base, uint64_t ip, uint32_t flags);
noreturn void x86_shutdown(Vcpu *vcpu);

/* smm.c */
void x86_smm_enter(Vcpu *vcpu);
bool x86_smm_leave(Vcpu *vcpu); /* RSM; false: the saved state is not possible */

/* debug.c (SDM 18.2, 18.3); cpu.h has x86_debug_update(). */
void x86_debug_step_by_new_tf(Vcpu *vcpu);
/* A port or a trap bit of a TSS: BT, or breakpoints on I/O. */
void x86_debug_io(Vcpu *vcpu, uint16_t port, unsigned size_bytes);
/* DR6, DR7.GD and BS as an entry into the #DB handler has them. */
void x86_debug_enter(Vcpu *vcpu, uint16_t dr6_bits);

/* EFLAGS bits an instruction may change replaced; lazy flags, TF and what hangs on them. */
void x86_flags_write(Vcpu *vcpu, uint32_t value, uint32_t mask);

/* sysreg.c */
void x86_cr0_write(Vcpu *vcpu, uint64_t value);
void x86_cr3_write(Vcpu *vcpu, uint64_t value);
void x86_cr4_write(Vcpu *vcpu, uint64_t value);
bool x86_msr_read(Vcpu *vcpu, uint32_t msr, uint64_t *ret);
bool x86_msr_write(Vcpu *vcpu, uint32_t msr, uint64_t value);
uint64_t x86_tsc(Vcpu *vcpu);
/* The paging mode, CR3 or the PCID in force changed without a flush being due. */
void x86_space_changed(Vcpu *vcpu);
/* PDPTEs from memory; false: reserved bits. */
bool x86_pdptes_load(Vcpu *vcpu, uint64_t cr3);

#endif
