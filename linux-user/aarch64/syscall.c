/*
 * syscall.c: system calls of AArch64: the generic numbers, without those that are another architecture's own; prctl(2) (uapi linux/prctl.h,
 * Documentation/arch/arm64/pointer-authentication.rst). Refused as on kernels without them:
 * SVE and SME vector lengths, switching single keys off.
 */
#include "linux-user/aarch64/abi.h"
#include "linux-user/syscall/syscall.h"
#include "target/arm/mte.h"
#include "util/random.h"

#define NO -1
const uint16_t aarch64_syscall_numbers[SYSCALL_N] = {
#define SYS(name, nr64, nr32, how, ...) nr64 + 1,
#include "linux-user/syscall/table.def"
#undef SYS
    [SYSCALL_riscv_hwprobe] = 0,
    [SYSCALL_riscv_flush_icache] = 0,
};

enum { ALL_KEYS = 31, ADDRESS_KEYS = 15 };

bool aarch64_user_pauth_keys(Thread *t, unsigned which)
{
    uint64_t *key = arm_state(t->vcpu)->apkey;
    bool ok = true;

    for (unsigned i = 0; i < 5; i++) {
        ok &= !(which >> i & 1) || random_bytes(key + 2 * i, 16, true);
    }
    return ok;
}

/*
 * Documentation/arch/arm64/tagged-address-abi.rst, memory-tagging-extension.rst. Properties of the thread, which its children get. Of the modes
 * of checks asked for the kernel takes what each CPU prefers, which is asynchronous unless somebody says otherwise.
 */
enum { TAGGED_ADDR_ENABLE = 1, MTE_TCF_SYNC = 2, MTE_TCF_ASYNC = 4, MTE_TAG_SHIFT = 3 };

static int64_t set_tagged_addr_ctrl(Thread *t, uint64_t ctrl)
{
    ArmState *s = arm_state(t->vcpu);
    bool mte = arm_has(t->vcpu, MTE);

    if (ctrl & ~(uint64_t)(TAGGED_ADDR_ENABLE | (mte ? MTE_TCF_SYNC | MTE_TCF_ASYNC | 0xffff << MTE_TAG_SHIFT : 0))) {
        return -EINVAL;
    }
    t->tagged_addr = ctrl & TAGGED_ADDR_ENABLE;
    t->tag_modes = ctrl & (MTE_TCF_SYNC | MTE_TCF_ASYNC);
    s->tcf = ctrl & MTE_TCF_ASYNC ? ARM_TCF_ASYNC : ctrl & MTE_TCF_SYNC ? ARM_TCF_SYNC : ARM_TCF_NONE;
    t->checked_tags = s->tcf == ARM_TCF_SYNC;
    s->gcr_el1 = ~(ctrl >> MTE_TAG_SHIFT) & 0xffff;
    s->tagged_data |= s->tcf != ARM_TCF_NONE;
    return 0;
}

static int64_t tagged_addr_ctrl(Thread *t)
{
    uint64_t include = ~arm_state(t->vcpu)->gcr_el1 & 0xffff;
    return (t->tagged_addr ? TAGGED_ADDR_ENABLE : 0) | t->tag_modes | (int64_t)(arm_has(t->vcpu, MTE) ? include << MTE_TAG_SHIFT : 0);
}

int64_t aarch64_user_prctl(Thread *t, const uint64_t *a)
{
    enum { PAC_RESET_KEYS = 54, SET_TAGGED_ADDR_CTRL = 55, GET_TAGGED_ADDR_CTRL = 56, PAC_SET_ENABLED_KEYS = 60, PAC_GET_ENABLED_KEYS = 61 };
    bool pauth = arm_has(t->vcpu, PAuth);

    switch ((int)a[0]) {
    case PAC_RESET_KEYS:
        if (!pauth || a[1] & ~(uint64_t)ALL_KEYS || a[2] || a[3] || a[4]) {
            return -EINVAL;
        }
        return aarch64_user_pauth_keys(t, a[1] ? (unsigned)a[1] : ALL_KEYS) ? 0 : -EIO;
    case PAC_SET_ENABLED_KEYS: /* all are on */
        return pauth && a[1] && !(a[1] & ~(uint64_t)ADDRESS_KEYS) && (a[2] & a[1]) == a[1] && !a[3] && !a[4] ? 0 : -EINVAL;
    case PAC_GET_ENABLED_KEYS:
        return pauth && !a[1] && !a[2] && !a[3] && !a[4] ? ADDRESS_KEYS : -EINVAL;
    case SET_TAGGED_ADDR_CTRL:
        return a[2] || a[3] || a[4] ? -EINVAL : set_tagged_addr_ctrl(t, a[1]);
    case GET_TAGGED_ADDR_CTRL:
        return a[1] || a[2] || a[3] || a[4] ? -EINVAL : tagged_addr_ctrl(t);
    default:
        return -EINVAL;
    }
}
