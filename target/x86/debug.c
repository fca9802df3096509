/*
 * debug.c: debug registers and single steps (SDM 18.2, 18.3).
 *
 * While TF, a breakpoint or a trap that waits asks for it, the vCPU runs one instruction at a time and x86_before_insn() looks at each:
 * code breakpoints are faults found here; what else hits is gathered in db_pending and becomes a trap after the instruction, before
 * interrupts are looked at (interrupt.c). An instruction that faults has no trap.
 *
 * DEVIATION: a repeated string instruction is one step, and traps once, after its last iteration.
 */
#include "target/x86/system.h"

enum { DR7_ENABLES = 0xff, BP_CODE = 0, BP_WRITE = 1, BP_IO = 2, BP_ACCESS = 3 };
#define DR6_B UINT64_C(15)
#define DR6_BS BIT(14)
#define DR7_GD BIT(13)

static bool enabled(uint64_t dr7, unsigned i) { return dr7 >> (2 * i) & 3; }
static unsigned kind(uint64_t dr7, unsigned i) { return dr7 >> (16 + 4 * i) & 3; }
static unsigned length(uint64_t dr7, unsigned i)
{
    static const uint8_t bytes[] = { 1, 2, 8, 4 };
    return bytes[dr7 >> (18 + 4 * i) & 3];
}

void x86_debug_update(Vcpu *vcpu)
{
    const X86State *s = x86_state(vcpu);
    vcpu->ask_before_insn = (s->eflags & X86_TF) || s->db_pending || (s->dr[7] & DR7_ENABLES);
}

void x86_debug_enter(Vcpu *vcpu, uint16_t dr6_bits)
{
    X86State *s = x86_state(vcpu);

    /* B0 to B3 tell of this exception, the other bits stay until software clears them (SDM 18.2.3). */
    s->dr[6] = (s->dr[6] & ~(uint64_t)DR6_B) | dr6_bits;
    s->dr[7] &= ~DR7_GD;
}

static bool overlaps(const X86State *s, unsigned i, uint64_t addr, uint64_t size_bytes)
{
    unsigned n = length(s->dr[7], i);
    uint64_t first = s->dr[i] & ~(uint64_t)(n - 1);
    return first < addr + size_bytes && addr < first + n;
}

void x86_debug_io(Vcpu *vcpu, uint16_t port, unsigned size_bytes)
{
    X86State *s = x86_state(vcpu);

    for (unsigned i = 0; i < 4 && (s->cr4 & X86_CR4_DE); i++) {
        if (enabled(s->dr[7], i) && kind(s->dr[7], i) == BP_IO && overlaps(s, i, port, size_bytes)) {
            s->db_pending |= 1u << i;
        }
    }
}

static void touched(void *opaque, vaddr addr, uint64_t size_bytes, bool read, bool write)
{
    X86State *s = opaque;

    for (unsigned i = 0; i < 4; i++) {
        unsigned k = kind(s->dr[7], i);
        bool wanted = (k == BP_WRITE && write) || (k == BP_ACCESS && (read || write));
        if (wanted && enabled(s->dr[7], i) && overlaps(s, i, addr, size_bytes)) {
            s->db_pending |= 1u << i;
        }
    }
}

static bool code_breakpoint(Vcpu *vcpu)
{
    X86State *s = x86_state(vcpu);
    uint16_t hit = 0;

    for (unsigned i = 0; i < 4; i++) {
        if (enabled(s->dr[7], i) && kind(s->dr[7], i) == BP_CODE && s->dr[i] == s->pc) {
            hit |= 1u << i;
        }
    }
    if (hit) {
        vcpu->exception = (VcpuException){ .cause = X86_EXC_DB, .value = hit };
    }
    return hit;
}

/* SYSCALL and SYSRET step by the TF that they load: a kernel that masks TF is not stepped into, a return to a stepped program traps at once. */
void x86_debug_step_by_new_tf(Vcpu *vcpu)
{
    X86State *s = x86_state(vcpu);

    s->db_pending = (uint16_t)((s->db_pending & ~DR6_BS) | (s->eflags & X86_TF ? DR6_BS : 0));
    x86_debug_update(vcpu);
}

bool x86_before_insn(Vcpu *vcpu)
{
    X86State *s = x86_state(vcpu);
    bool data = false;

    if (s->db_pending && !(s->inhibit & X86_INHIBIT_ALL)) {
        vcpu->exception = (VcpuException){ .cause = X86_EXC_DB, .value = s->db_pending };
        s->db_pending = 0;
        return true;
    }
    for (unsigned i = 0; i < 4; i++) {
        data |= enabled(s->dr[7], i) && (kind(s->dr[7], i) & 1);
    }
    if (s->eflags & X86_RF) {
        s->eflags &= ~X86_RF;
    } else if (!(s->inhibit & X86_INHIBIT_ALL) && code_breakpoint(vcpu)) {
        return true;
    }
    s->db_pending |= s->eflags & X86_TF ? DR6_BS : 0;
    if (data) {
        uint8_t insn[15];
        size_t n = x86_insn_bytes(vcpu, insn);
        x86_mem_access(vcpu, insn, n, touched, s);
    }
    return false;
}
