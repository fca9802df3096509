/*
 * abi.c: aarch64 Linux as data, and the small functions that touch registers.
 *
 * The default layout is the one of a kernel with 39 bits of address, so that addresses look as on boards; what does not fit there is
 * placed above it.
 */
#include <elf.h>
#include <fcntl.h>
#include "linux-user/aarch64/abi.h"
#include "target/arm/mte.h"
#include "util/random.h"

static void init_regs(Thread *t, vaddr entry, vaddr sp)
{
    ArmState *s = arm_state(t->vcpu);
    arm_set_pc(t->vcpu, entry, 0);
    s->gcr_el1 = 0xffff; /* no tag but 0 */
    if (!random_bytes(&s->rgsr_el1, sizeof(s->rgsr_el1), false) || !bits_get(s->rgsr_el1, 8, 16)) {
        s->rgsr_el1 = 0x1000; /* a seed of 0 stays 0 */
    }
    s->sp = sp;
    if (!aarch64_user_pauth_keys(t, 31)) {
        error_exit("no random numbers for the keys of pointer authentication");
    }
    /* Each program has keys of its own (Documentation/arch/arm64/pointer-authentication.rst); without entropy they are zero. */
    if (!random_bytes(s->apkey, sizeof(s->apkey), false)) {
        memset(s->apkey, 0, sizeof(s->apkey));
    }
}

static void clone_regs(Thread *child, Thread *parent, vaddr sp, const vaddr *tls)
{
    child->tagged_addr = parent->tagged_addr;
    child->tag_modes = parent->tag_modes;
    child->checked_tags = parent->checked_tags;
    memcpy(child->vcpu->state, parent->vcpu->state, user.target->state_size_bytes);
    child->vcpu->jit.fp_control_guest = parent->vcpu->jit.fp_control_guest;
    ArmState *s = arm_state(child->vcpu);
    s->x[0] = 0;
    if (sp) {
        s->sp = sp;
    }
    if (tls) {
        s->tpidr_el0 = *tls;
    }
}

enum { PROT_BTI = 0x10, PROT_MTE = 0x20 }; /* uapi asm/mman.h */

static unsigned prot_bits(Thread *t)
{
    if (arm_has(t->vcpu, MTE) && !arm_state(t->vcpu)->tags) {
        arm_state(t->vcpu)->tags = arm_tags_new();
    }
    return (arm_has(t->vcpu, BTI) ? PROT_BTI : 0) | (arm_has(t->vcpu, MTE) ? PROT_MTE : 0);
}

static unsigned page_of_prot(unsigned prot) { return (prot & PROT_BTI ? PAGE_GUARDED : 0) | (prot & PROT_MTE ? PAGE_TAGGED : 0); }

static void tags_change(TagsChange how, vaddr start, vaddr end, vaddr to)
{
    ArmTags *tags = arm_state(user_self->vcpu)->tags;

    switch (how) {
    case TAGS_ADD: arm_tags_add(tags, start, end); break;
    case TAGS_REMOVE: arm_tags_remove(tags, start, end); break;
    case TAGS_CLEAR: arm_tags_clear(tags, start, end); break;
    case TAGS_MOVE: arm_tags_move(tags, start, to, end - start); break;
    }
}

static bool tags_ok(Thread *t, vaddr addr, uint64_t size_bytes)
{
    vaddr where;
    return !arm_tags_mismatch(arm_state(t->vcpu)->tags, addr, size_bytes, &where);
}

static void pages_guarded(Thread *t) { arm_state(t->vcpu)->guarded = true; }

/* GNU_PROPERTY_AARCH64_FEATURE_1_AND, bit 0: all code has its landing pads (ELF for AArch64, "Program Property"). */
static unsigned elf_property_prot(Thread *t, uint32_t type, const uint8_t *data, uint32_t size_bytes)
{
    return type == 0xc0000000 && size_bytes >= 4 && (abi_get32(t->abi, data) & 1) && arm_has(t->vcpu, BTI) ? PROT_BTI : 0;
}

static void set_result(Thread *t, int64_t result)
{
    arm_state(t->vcpu)->x[0] = (uint64_t)result;
}

static vaddr get_sp(Thread *t)
{
    return arm_state(t->vcpu)->sp;
}

/* Features by bit of AT_HWCAP and AT_HWCAP2, and by the name in /proc/cpuinfo (uapi asm/hwcap.h). */
static const struct { uint8_t ext, word, bit; const char *name; } hwcaps[] = {
    { ARM_EXT_FP, 1, 0, "fp" }, { ARM_EXT_AdvSIMD, 1, 1, "asimd" }, { ARM_EXT_AES, 1, 3, "aes" }, { ARM_EXT_PMULL, 1, 4, "pmull" },
    { ARM_EXT_SHA1, 1, 5, "sha1" }, { ARM_EXT_SHA256, 1, 6, "sha2" }, { ARM_EXT_CRC32, 1, 7, "crc32" }, { ARM_EXT_LSE, 1, 8, "atomics" },
    { ARM_EXT_FP16, 1, 9, "fphp" }, { ARM_EXT_FP16, 1, 10, "asimdhp" }, { ARM_EXT_RDM, 1, 12, "asimdrdm" }, { ARM_EXT_JSCVT, 1, 13, "jscvt" },
    { ARM_EXT_FCMA, 1, 14, "fcma" }, { ARM_EXT_RCPC, 1, 15, "lrcpc" }, { ARM_EXT_DPB, 1, 16, "dcpop" }, { ARM_EXT_SHA3, 1, 17, "sha3" },
    { ARM_EXT_SM3, 1, 18, "sm3" }, { ARM_EXT_SM4, 1, 19, "sm4" }, { ARM_EXT_DotProd, 1, 20, "asimddp" }, { ARM_EXT_SHA512, 1, 21, "sha512" },
    { ARM_EXT_FHM, 1, 23, "asimdfhm" }, { ARM_EXT_DIT, 1, 24, "dit" }, { ARM_EXT_LSE2, 1, 25, "uscat" }, { ARM_EXT_RCPC2, 1, 26, "ilrcpc" }, { ARM_EXT_FlagM, 1, 27, "flagm" },
    { ARM_EXT_SSBS, 1, 28, "ssbs" }, { ARM_EXT_SB, 1, 29, "sb" }, { ARM_EXT_PAuth, 1, 30, "paca" }, { ARM_EXT_PAuth, 1, 31, "pacg" },
    { ARM_EXT_DPB2, 2, 0, "dcpodp" }, { ARM_EXT_FlagM2, 2, 7, "flagm2" }, { ARM_EXT_FRINTTS, 2, 8, "frint" }, { ARM_EXT_I8MM, 2, 13, "i8mm" },
    { ARM_EXT_BF16, 2, 14, "bf16" }, { ARM_EXT_RNG, 2, 16, "rng" }, { ARM_EXT_BTI, 2, 17, "bti" }, { ARM_EXT_MTE, 2, 18, "mte" }, { ARM_EXT_ECV, 2, 19, "ecv" }, { ARM_EXT_MTE3, 2, 22, "mte3" }, { ARM_EXT_WFxT, 2, 31, "wfxt" }, { ARM_EXT_CSSC, 2, 34, "cssc" },
    { ARM_EXT_MOPS, 2, 43, "mops" }, { ARM_EXT_HBC, 2, 44, "hbc" },
    { ARM_EXT_RCPC3, 2, 46, "lrcpc3" }, { ARM_EXT_LSE128, 2, 47, "lse128" },
};

static uint64_t hwcap_word(Thread *t, unsigned word)
{
    uint64_t v = 0;

    for (size_t i = 0; i < ARRAY_SIZE(hwcaps); i++) {
        if (hwcaps[i].word == word && arm_model(t->vcpu)->ext[hwcaps[i].ext]) {
            v |= BIT(hwcaps[i].bit);
        }
    }
    return v;
}

/* Bit 11: identification registers can be read, and "cpuid" in /proc/cpuinfo. */
static uint64_t hwcap(Thread *t) { return hwcap_word(t, 1) | BIT(11); }
static uint64_t hwcap2(Thread *t) { return hwcap_word(t, 2); }

static void proc_cpuinfo(Thread *t, FILE *out)
{
    uint64_t midr = arm_model(t->vcpu)->id[ARM_ID_MIDR];
    long n = sysconf(_SC_NPROCESSORS_ONLN);

    for (long i = 0; i < n; i++) {
        fprintf(out, "processor\t: %ld\nBogoMIPS\t: 100.00\nFeatures\t:", i);
        for (size_t k = 0, cpuid = 0; k < ARRAY_SIZE(hwcaps); k++) {
            if (!cpuid && (hwcaps[k].word == 2 || hwcaps[k].bit > 11)) {
                cpuid = 1;
                fprintf(out, " cpuid");
            }
            if (arm_model(t->vcpu)->ext[hwcaps[k].ext]) {
                fprintf(out, " %s", hwcaps[k].name);
            }
        }
        fprintf(out, "\nCPU implementer\t: 0x%02x\nCPU architecture: 8\nCPU variant\t: 0x%x\nCPU part\t: 0x%03x\nCPU revision\t: %u\n\n",
                (unsigned)bits_get(midr, 24, 8), (unsigned)bits_get(midr, 20, 4), (unsigned)bits_get(midr, 4, 12), (unsigned)bits_get(midr, 0, 4));
    }
}

/* struct user_pt_regs: x0 to x30, sp, pc, pstate. */
static void core_regs(Thread *t, void *out)
{
    const ArmState *s = arm_state(t->vcpu);
    uint8_t *p = out;

    for (unsigned i = 0; i < 31; i++) {
        abi_put64(t->abi, p + 8 * i, s->x[i]);
    }
    abi_put64(t->abi, p + 8 * 31, s->sp);
    abi_put64(t->abi, p + 8 * 32, arm_pc(t->vcpu));
    abi_put64(t->abi, p + 8 * 33, arm_nzcv_get(t->vcpu) | (uint64_t)arm_btype(t->vcpu) << 10);
}

/* struct user_fpsimd_state: V0 to V31, FPSR, FPCR. */
static void core_fp(Thread *t, void *out)
{
    uint8_t *p = out;

    for (unsigned i = 0; i < 32; i++) {
        const uint64_t *v = arm_state(t->vcpu)->v[i].d;
        bool big = t->abi->big_endian;
        abi_put64(t->abi, p + 16 * i, v[big]);
        abi_put64(t->abi, p + 16 * i + 8, v[!big]);
    }
    abi_put32(t->abi, p + 512, arm_fpsr_get(t->vcpu));
    abi_put32(t->abi, p + 516, arm_fpcr_get(t->vcpu));
}

static void core_tls(Thread *t, void *out) { abi_put64(t->abi, out, arm_state(t->vcpu)->tpidr_el0); }

/* Bits of codes in pointers to data and to code: those above 48 bits of address and below the tag and bit 55. */
static void core_pac_mask(Thread *t, void *out)
{
    uint64_t mask = arm_has(t->vcpu, PAuth) ? bits_mask(48, 7) : 0;
    abi_put64(t->abi, out, mask);
    abi_put64(t->abi, (uint8_t *)out + 8, mask);
}

/* uapi linux/elf.h: NT_PRFPREG, NT_ARM_TLS, NT_ARM_PAC_MASK. */
static const CoreNote core_notes[] = {
    { "CORE", 2, 528, core_fp }, { "LINUX", 0x401, 8, core_tls }, { "LINUX", 0x406, 16, core_pac_mask }, { NULL, 0, 0, NULL },
};

/*
 * The vDSO's functions are system calls (the clock is read without entering the host's kernel all the same): mov x8, #nr; svc #0; ret.
 * Unwinders know a signal frame by the first two instructions of the trampoline.
 */
#define MOV_X8(nr) (0xd2800008 | (uint32_t)(nr) << 5)
#define SVC 0xd4000001
#define RET 0xd65f03c0
#define CALLS(name, nr) { name, { MOV_X8(nr), SVC, RET }, 3, false }

static const VdsoFunction vdso[] = {
    { "__kernel_rt_sigreturn", { MOV_X8(139), SVC }, 2, true },
    CALLS("__kernel_gettimeofday", 169),
    CALLS("__kernel_clock_gettime", 113),
    CALLS("__kernel_clock_getres", 114),
};

/* Arm's own numbers (uapi asm/fcntl.h). */
static const OpenFlag open_flags[] = {
    { 040000, O_DIRECTORY }, { 0100000, O_NOFOLLOW }, { 0200000, O_DIRECT }, { 0400000, 0100000 /* O_LARGEFILE */ }, { 0, 0 },
};

#define AARCH64(name) \
    .target = name, .uname_machine = name, .proc_isa = "AArch64", .word_bytes = 8, .align64 = 8, .elf_machine = EM_AARCH64, \
    .has_restorer = true, .platform = name, .syscall_numbers = aarch64_syscall_numbers, .open_flags = open_flags, \
    .stack_top = 0x7ffffff000, .mmap_top = 0x7ff7000000, .pie_base = 0x5555550000, .task_size = 0x7ffffffff000, \
    .init_regs = init_regs, .cpu_loop = aarch64_user_cpu_loop, .clone_regs = clone_regs, \
    .signal_frame = aarch64_user_signal_frame, .signal_return = aarch64_user_signal_return, .min_sigstack = aarch64_user_min_sigstack, \
    .prot_bits = prot_bits, .page_of_prot = page_of_prot, .tags_change = tags_change, .tags_ok = tags_ok, .pages_guarded = pages_guarded, .elf_property_prot = elf_property_prot, \
    .addr_mask = AARCH64_ADDR_MASK, .other_addresses = aarch64_user_other_addresses, \
    .set_result = set_result, .get_sp = get_sp, .fault_addr = aarch64_user_fault_addr, .hwcap = hwcap, .hwcap2 = hwcap2, .prctl = aarch64_user_prctl, \
    .vdso = vdso, .n_vdso = ARRAY_SIZE(vdso), .vdso_version = "LINUX_2.6.39", \
    .proc_cpuinfo = proc_cpuinfo, .core_regs_bytes = 34 * 8, .core_regs = core_regs, .core_notes = core_notes

const Abi abi_aarch64 = { AARCH64("aarch64") };
const Abi abi_aarch64_be = { AARCH64("aarch64_be"), .big_endian = true, .code_is_little_endian = true };
