/*
 * timer.c: the generic timers of a processing element (Arm ARM DDI 0487, D11): the count, five comparators, their outputs.
 *
 * Leaves out: the memory-mapped view and the event stream (WFE never waits long here, translate-system.c), CNTPOFF_EL2, scaled counters.
 * Threads: registers belong to the vCPU's thread; a change of a comparator and arm_timer_expired() hold the device lock.
 */
#include "target/arm/system.h"
#include "target/arm/tlb.h"

enum { CTL_ENABLE = 1, CTL_IMASK = 2, CTL_ISTATUS = 4 };

static uint64_t mul_div(uint64_t a, uint64_t b, uint64_t c, bool up)
{
    unsigned __int128 n = (unsigned __int128)a * b + (up ? c - 1 : 0);
    n /= c;
    return n >> 64 ? UINT64_MAX : (uint64_t)n;
}

uint64_t arm_count(const Vcpu *vcpu)
{
    const ArmState *s = arm_state(vcpu);
    const ArmPlatform *p = s->platform;

    return p && p->guest_ns ? mul_div(p->guest_ns(s->platform_opaque), p->cntfrq_hz, 1000000000, false) : 0;
}

uint64_t arm_timer_offset(const Vcpu *vcpu, ArmTimer t)
{
    return t == ARM_TIMER_VIRT && arm_has(vcpu, EL2) ? arm_state(vcpu)->cntvoff_el2 : 0;
}

static bool due(const Vcpu *vcpu, ArmTimer t, uint64_t count)
{
    return count - arm_timer_offset(vcpu, t) >= arm_state(vcpu)->cnt_cval[t];
}

/* Output and alarm of a timer whose registers, or whose offset, changed. */
void arm_timer_update(Vcpu *vcpu, ArmTimer t)
{
    ArmState *s = arm_state(vcpu);
    const ArmPlatform *p = s->platform;

    if (!p) {
        return;
    }
    bool took = bql_enter();
    uint64_t count = arm_count(vcpu), at = UINT64_MAX;
    bool on = s->cnt_ctl[t] & CTL_ENABLE, fires = on && due(vcpu, t, count);
    if (on && !fires) {
        /* A sum past the top of the count is an age away, unless the offset is what wraps it. */
        uint64_t left = s->cnt_cval[t] - (count - arm_timer_offset(vcpu, t));
        uint64_t target = count + left < count ? UINT64_MAX : count + left;
        at = mul_div(target, 1000000000, p->cntfrq_hz, true);
    }
    if (p->timer_set) {
        p->timer_set(s->platform_opaque, vcpu, t, at);
    }
    if (p->output) {
        p->output(s->platform_opaque, vcpu, t, fires && !(s->cnt_ctl[t] & CTL_IMASK));
    }
    bql_leave(took);
}

void arm_timer_expired(Vcpu *vcpu, ArmTimer t)
{
    if (t == ARM_TIMER_PMU) {
        arm_pmu_sync(vcpu);
    } else {
        arm_timer_update(vcpu, t);
    }
}

uint64_t arm_timer_ctl(Vcpu *vcpu, ArmTimer t)
{
    const ArmState *s = arm_state(vcpu);
    bool fires = (s->cnt_ctl[t] & CTL_ENABLE) && due(vcpu, t, arm_count(vcpu));

    /* The status and the interrupt are one: who has seen it does not wait for the alarm's thread. */
    if (fires && !(s->cnt_ctl[t] & CTL_IMASK)) {
        arm_timer_update(vcpu, t);
    }
    return s->cnt_ctl[t] | (fires ? CTL_ISTATUS : 0);
}

void arm_timer_set_ctl(Vcpu *vcpu, ArmTimer t, uint64_t value)
{
    arm_state(vcpu)->cnt_ctl[t] = value & (CTL_ENABLE | CTL_IMASK);
    arm_timer_update(vcpu, t);
}

void arm_timer_set_cval(Vcpu *vcpu, ArmTimer t, uint64_t value)
{
    arm_state(vcpu)->cnt_cval[t] = value;
    arm_timer_update(vcpu, t);
}
