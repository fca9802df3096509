/*
 * tlbi.c: TLB maintenance instructions (Arm ARM DDI 0487, C5.5, D8.14).
 *
 * Only combined translations of both stages are cached, by virtual address in sets of (ASID and VMID, regime). What names a set
 * more closely than the TLB does is widened: all entries of a VMID are all entries, an address is flushed in every set.
 * Inner and outer shareable forms ask the other vCPUs; DSB waits for them (arm_helper_dsb).
 * Threads: the vCPU's own.
 */
#include "softmmu/machine.h"
#include "target/arm/mmu.h"
#include "target/arm/sysreg.h"
#include "target/arm/tlb.h"

static unsigned granule_bits_of(const Vcpu *vcpu, unsigned el, bool high)
{
    uint64_t tcr = arm_el_is_a32(vcpu, el) ? 0 : arm_state(vcpu)->tcr[el];
    unsigned tg = (unsigned)bits_get(tcr, high ? 30 : 14, 2);

    return high ? tg == 1 ? 14 : tg == 3 ? 16 : 12 : tg == 1 ? 16 : tg == 2 ? 14 : 12;
}

/* VMID and ASID as the sets have them. */
static uint32_t set_asid(const Vcpu *vcpu, unsigned el, uint64_t value)
{
    const ArmState *s = arm_state(vcpu);
    uint32_t asid = (uint32_t)(value >> 48) & (!arm_el_is_a32(vcpu, el) && (s->tcr[el] & TCR_AS) ? 0xffff : 0xff);

    if (el == 1 && arm_el2_enabled(vcpu)) {
        unsigned vmid = (unsigned)(s->vttbr_el2 >> 48) & (arm_has(vcpu, VMID16) && (s->vtcr_el2 & BIT(19)) ? 0xffff : 0xff);
        asid |= (uint32_t)vmid << 16;
    }
    return asid;
}

static TlbAsk range_of(const Vcpu *vcpu, unsigned el, uint64_t value)
{
    static const uint8_t bits[4] = { 12, 12, 14, 16 };
    unsigned granule = bits[bits_get(value, 46, 2)], scale = (unsigned)bits_get(value, 44, 2), num = (unsigned)bits_get(value, 39, 5);
    bool ds = arm_has(vcpu, LPA2) && (arm_state(vcpu)->tcr[el] & (el == 1 || (arm_state(vcpu)->hcr_el2 & HCR_E2H) ? TCR_DS : TCR2_DS));
    unsigned shift = ds ? 16 : granule;

    return (TlbAsk){ .kind = TLB_ASK_RANGE, .addr = (vaddr)bits_sext(bits_get(value, 0, 37), 37) << shift,
                     .size_bytes = (uint64_t)(num + 1) << (5 * scale + 1) << granule };
}

static TlbAsk ask_of(const Vcpu *vcpu, unsigned key, uint64_t value)
{
    unsigned op1 = arm_key_op1(key), crm = arm_key_crm(key), op2 = arm_key_op2(key);
    unsigned el = op1 == 6 ? 3 : op1 == 4 || (arm_state(vcpu)->el >= 2 && arm_is_host(arm_hcr(vcpu))) ? 2 : 1;
    bool ipas2 = op1 == 4 && (crm == 0 || crm == 4), by_range = crm == 2 || crm == 5 || crm == 6;

    if (ipas2) {
        return (TlbAsk){ .kind = TLB_ASK_ALL };
    }
    if (by_range) {
        return range_of(vcpu, el, value);
    }
    if (op1 == 0 && op2 == 2) {
        return (TlbAsk){ .kind = TLB_ASK_ASID, .asid = set_asid(vcpu, el, value) };
    }
    if (op2 & 1) { /* VA, VAA, VAL, VAAL */
        vaddr addr = (vaddr)bits_sext(value << 12, 56);
        uint64_t size = BIT(granule_bits_of(vcpu, el, addr >> 55 & 1));
        return (TlbAsk){ .kind = TLB_ASK_RANGE, .addr = addr & ~(size - 1), .size_bytes = size };
    }
    return (TlbAsk){ .kind = TLB_ASK_ALL };
}

static bool any_tagged(const Vcpu *vcpu)
{
    bool any = false;
    for (unsigned i = 0; i < vcpu->machine->n_vcpus && !any; i++) {
        any = __atomic_load_n(&arm_state(vcpu->machine->vcpus[i])->tagged_tlb, __ATOMIC_SEQ_CST);
    }
    return any;
}

bool arm_write_tlbi(Vcpu *vcpu, unsigned key, uint64_t value)
{
    ArmState *s = arm_state(vcpu);
    unsigned crm = arm_key_crm(key);
    bool ipas2 = arm_key_op1(key) == 4 && (crm == 0 || crm == 4);
    bool others = ipas2 ? crm == 0 || (arm_key_op2(key) & 3) == 0 || (arm_key_op2(key) & 3) == 3 : crm != 7 && crm != 6;
    TlbAsk ask = ask_of(vcpu, key, value);

    others |= s->el == 1 && (arm_hcr(vcpu) & BIT(9)); /* HCR_EL2.FB */
    if (ask.kind == TLB_ASK_RANGE && any_tagged(vcpu)) {
        ask.kind = TLB_ASK_ALL;
    }
    tlb_ask(vcpu, &ask);
    if (others && vcpu->parallel) {
        tlb_ask_others(vcpu, &ask);
        s->tlbi_pending = true;
    }
    return true;
}
