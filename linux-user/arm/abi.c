/*
 * abi.c: 32-bit Arm Linux (EABI, little-endian) as data, and the small functions that touch registers.
 */
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include "linux-user/arm/abi.h"

/*
 * The kernel's functions for user space, at addresses every program may know; A32 code that leaves all but r0 to r3, ip and the
 * flags alone.
 */
static const struct { uint16_t at; uint8_t n; uint32_t code[8]; } helpers[] = {
    { ARM_SIGRETURN, 2, { 0xe3a07077, 0xef000000 } },    /* mov r7, #119; svc 0 */
    { ARM_RT_SIGRETURN, 2, { 0xe3a070ad, 0xef000000 } }, /* mov r7, #173; svc 0 */
    { 0xfa0, 2, { 0xf57ff05b, 0xe12fff1e } },            /* memory_barrier: dmb ish; bx lr */
    /* cmpxchg(int old, int new, volatile int *at): 0 and C if it was exchanged */
    { 0xfc0, 8, { 0xf57ff05b, 0xe1923f9f /* ldrex r3, [r2] */, 0xe0533000 /* subs r3, r3, r0 */, 0x01823f91 /* strexeq r3, r1, [r2] */,
                  0x03330001 /* teqeq r3, #1 */, 0x0afffffa /* beq to the ldrex */, 0xe2730000 /* rsbs r0, r3, #0 */, 0xeaffffef /* b memory_barrier */ } },
    { 0xfe0, 2, { 0xee1d0f70, 0xe12fff1e } },            /* get_tls: mrc p15, 0, r0, c13, c0, 3; bx lr */
    { 0xffc, 1, { 5 } },                                 /* version: how many there are */
};

/* cmpxchg64(const int64_t *old, const int64_t *new, volatile int64_t *at), at f60: 0 and C if it was exchanged. */
static const uint32_t cmpxchg64[] = {
    0xe92d00f0, /* push {r4-r7} */
    0xe8900030, /* ldm r0, {r4, r5} */
    0xe89100c0, /* ldm r1, {r6, r7} */
    0xf57ff05b, /* dmb ish */
    0xe1b20f9f, /* ldrexd r0, [r2] */
    0xe0500004, /* subs r0, r0, r4 */
    0x00510005, /* subseq r0, r1, r5 */
    0x01a20f96, /* strexdeq r0, r6, [r2] */
    0x03300001, /* teqeq r0, #1 */
    0x0afffff9, /* beq to the ldrexd */
    0xf57ff05b, /* dmb ish */
    0xe2700000, /* rsbs r0, r0, #0: C if 0 */
    0xe8bd00f0, /* pop {r4-r7} */
    0xe12fff1e, /* bx lr */
};

static void make_vectors(const Thread *t)
{
    uint8_t page[4096] = { 0 };

    for (size_t i = 0; i < ARRAY_SIZE(helpers); i++) {
        for (unsigned k = 0; k < helpers[i].n; k++) {
            (helpers[i].at == 0xffc ? put32(page + 0xffc, helpers[i].code[k]) : put_code(t, page + helpers[i].at + 4 * k, helpers[i].code[k]));
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(cmpxchg64); i++) {
        put_code(t, page + 0xf60 + 4 * i, cmpxchg64[i]);
    }
    if (mm_mmap(ARM_VECTORS, sizeof(page), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0, 0) == ARM_VECTORS) {
        copy_to_guest(ARM_VECTORS, page, sizeof(page));
        mm_mprotect(ARM_VECTORS, sizeof(page), PROT_READ | PROT_EXEC);
    }
}

static void init_regs(Thread *t, vaddr entry, vaddr sp)
{
    ArmState *s = arm_state(t->vcpu);

    s->code_be = user.abi->big_endian && !(user.elf_flags & EF_ARM_BE8);
    make_vectors(t);
    s->pc = entry; /* bit 0: T32 */
    s->x[ARM_SP] = sp;
}

static void clone_regs(Thread *child, Thread *parent, vaddr sp, const vaddr *tls)
{
    arm_fp_sync(parent->vcpu);
    memcpy(child->vcpu->state, parent->vcpu->state, user.target->state_size_bytes);
    child->vcpu->jit.fp_control_guest = parent->vcpu->jit.fp_control_guest;
    ArmState *s = arm_state(child->vcpu);
    s->x[0] = 0;
    if (sp) {
        s->x[ARM_SP] = sp;
    }
    if (tls) {
        s->tpidrro_el0 = *tls;
    }
}

static void set_result(Thread *t, int64_t result)
{
    arm_state(t->vcpu)->x[0] = (uint32_t)result;
}

static vaddr get_sp(Thread *t)
{
    return (uint32_t)arm_state(t->vcpu)->x[ARM_SP];
}

/* Features by bit of AT_HWCAP and AT_HWCAP2, and by the name in /proc/cpuinfo (uapi asm/hwcap.h). -1: every processor here has it. */
static const struct { int8_t ext; uint8_t word, bit; const char *name; } hwcaps[] = {
    { -1, 1, 0, "swp" }, { -1, 1, 1, "half" }, { -1, 1, 2, "thumb" }, { -1, 1, 4, "fastmult" }, { ARM_EXT_FP, 1, 6, "vfp" }, { -1, 1, 7, "edsp" },
    { ARM_EXT_AdvSIMD, 1, 12, "neon" }, { ARM_EXT_VFP3, 1, 13, "vfpv3" }, { ARM_EXT_V6K, 1, 15, "tls" },
    { ARM_EXT_VFPFMA, 1, 16, "vfpv4" }, { ARM_EXT_IDIVA, 1, 17, "idiva" }, { ARM_EXT_IDIVT, 1, 18, "idivt" }, { ARM_EXT_VFPD32, 1, 19, "vfpd32" },
    { ARM_EXT_LPAE, 1, 20, "lpae" }, { ARM_EXT_FP16, 1, 22, "fphp" }, { ARM_EXT_FP16, 1, 23, "asimdhp" }, { ARM_EXT_DotProd, 1, 24, "asimddp" },
    { ARM_EXT_FHM, 1, 25, "asimdfhm" }, { ARM_EXT_BF16, 1, 26, "asimdbf16" }, { ARM_EXT_I8MM, 1, 27, "i8mm" },
    { ARM_EXT_AES, 2, 0, "aes" }, { ARM_EXT_PMULL, 2, 1, "pmull" }, { ARM_EXT_SHA1, 2, 2, "sha1" }, { ARM_EXT_SHA256, 2, 3, "sha2" },
    { ARM_EXT_CRC32, 2, 4, "crc32" }, { ARM_EXT_SB, 2, 5, "sb" }, { ARM_EXT_SSBS, 2, 6, "ssbs" },
};

static bool has_cap(Thread *t, size_t i)
{
    return hwcaps[i].ext < 0 || arm_model(t->vcpu)->ext[hwcaps[i].ext];
}

static uint64_t hwcap_word(Thread *t, unsigned word)
{
    uint64_t v = 0;

    for (size_t i = 0; i < ARRAY_SIZE(hwcaps); i++) {
        v |= hwcaps[i].word == word && has_cap(t, i) ? BIT(hwcaps[i].bit) : 0;
    }
    return v;
}

static uint64_t hwcap(Thread *t) { return hwcap_word(t, 1); }
static uint64_t hwcap2(Thread *t) { return hwcap_word(t, 2); }

/* What uname(2), AT_PLATFORM and /proc/cpuinfo call the architecture (linux/arch/arm/mm/proc-*.S). "max" is an Armv7 to programs of 32 bits. */
static const char *model_machine(Thread *t)
{
    const ArmModel *m = arm_model(t->vcpu);

    bool be = user.abi->big_endian;

    switch (arm_model_arch(m)) {
    case 5: return m->ext[ARM_EXT_Jazelle] ? (be ? "armv5tejb" : "armv5tejl") : be ? "armv5teb" : "armv5tel";
    case 6: return be ? "armv6b" : "armv6l";
    default: return be ? "armv7b" : "armv7l";
    }
}

static const char *model_platform(Thread *t)
{
    static const char *const names[2][4] = { { "v5l", "v6l", "v7l", "v7l" }, { "v5b", "v6b", "v7b", "v7b" } };
    return names[user.abi->big_endian][arm_model_arch(arm_model(t->vcpu)) - 5];
}

static void proc_cpuinfo(Thread *t, FILE *out)
{
    static const char *const architectures[] = { "5TE", "7", "7", "8" }; /* Armv6 with the new identification registers says 7 */
    const ArmModel *m = arm_model(t->vcpu);
    uint64_t midr = m->id[ARM_ID_MIDR];
    unsigned arch = arm_model_arch(m);
    const char *number = arch == 5 && m->ext[ARM_EXT_Jazelle] ? "5TEJ" : architectures[arch - 5];
    long n = sysconf(_SC_NPROCESSORS_ONLN);

    for (long i = 0; i < n; i++) {
        fprintf(out, "processor\t: %ld\nmodel name\t: ARMv%u Processor rev %u (v%ul)\nBogoMIPS\t: 100.00\nFeatures\t:", i, arch,
                (unsigned)bits_get(midr, 0, 4), arch);
        for (size_t k = 0; k < ARRAY_SIZE(hwcaps); k++) {
            if (has_cap(t, k)) {
                fprintf(out, " %s", hwcaps[k].name);
            }
        }
        fprintf(out, "\nCPU implementer\t: 0x%02x\nCPU architecture: %s\nCPU variant\t: 0x%x\nCPU part\t: 0x%03x\nCPU revision\t: %u\n\n",
                (unsigned)bits_get(midr, 24, 8), number, (unsigned)bits_get(midr, 20, 4), (unsigned)bits_get(midr, 4, 12),
                (unsigned)bits_get(midr, 0, 4));
    }
}

/* struct pt_regs: r0 to r15, cpsr, the first register as the system call had it. */
static void core_regs(Thread *t, void *out)
{
    const ArmState *s = arm_state(t->vcpu);
    uint8_t *p = out;

    for (unsigned i = 0; i < 15; i++) {
        put32(p + 4 * i, (uint32_t)s->x[i]);
    }
    put32(p + 4 * 15, (uint32_t)s->pc & ~1u);
    put32(p + 4 * 16, arm_cpsr_get(t->vcpu));
    put32(p + 4 * 17, (uint32_t)s->x[0]);
}

/* The vDSO's functions are system calls: mov ip, r7; movw r7, #nr; svc 0; mov r7, ip; bx lr. */
#define CALLS(name, nr) { name, { 0xe1a0c007, 0xe3007000 | (nr), 0xef000000, 0xe1a0700c, 0xe12fff1e }, 5, false }

static const VdsoFunction vdso[] = {
    CALLS("__vdso_gettimeofday", 78), CALLS("__vdso_clock_gettime", 263), CALLS("__vdso_clock_getres", 264), CALLS("__vdso_clock_gettime64", 403),
};

/* Arm's own numbers (uapi asm/fcntl.h). */
static const OpenFlag open_flags[] = {
    { 040000, O_DIRECTORY }, { 0100000, O_NOFOLLOW }, { 0200000, O_DIRECT }, { 0400000, 0100000 /* O_LARGEFILE */ }, { 0, 0 },
};

#define ABI_ARM \
    .model_machine = model_machine, .proc_isa = "Arm", .word_bytes = 4, .align64 = 8, .aligned_pairs = true, .elf_machine = EM_ARM, \
    .has_restorer = true, .flock32 = true, .model_platform = model_platform, .structs = arm_structs, .open_flags = open_flags, \
    .stack_top = 0xfffef000, .mmap_top = 0xf7000000, .pie_base = 0x56555000, .task_size = 0xffff1000, \
    .init_regs = init_regs, .cpu_loop = arm_user_cpu_loop, .clone_regs = clone_regs, \
    .signal_frame = arm_user_signal_frame, .signal_return = arm_user_signal_return, .old_signal_return = arm_user_signal_return, .min_sigstack = arm_user_min_sigstack, \
    .set_result = set_result, .get_sp = get_sp, .hwcap = hwcap, .hwcap2 = hwcap2, \
    .proc_cpuinfo = proc_cpuinfo, .core_regs_bytes = 18 * 4, .core_regs = core_regs,

const Abi abi_arm = {
    .target = "arm", .syscall_numbers = arm_syscall_numbers, ABI_ARM
    .vdso = vdso, .n_vdso = ARRAY_SIZE(vdso), .vdso_version = "LINUX_2.6", .vdso_elf_flags = 0x05000000,
};

/* The vDSO's code would have to have the byte order of the program's: there is none. */
const Abi abi_armeb = { .target = "armeb", .big_endian = true, .syscall_numbers = arm_syscall_numbers, ABI_ARM };
