/*
 * abi.c: x86_64 and i386 Linux as data, and the small functions that touch registers.
 *
 * The default layout is within 256 GiB, as for every 64-bit guest: what does not fit there is placed above it, up to
 * the 47 bits of the architecture.
 */
#include <elf.h>
#include <sys/mman.h>
#include "linux-user/x86/abi.h"

/* Second words of the descriptors of a flat user segment (SDM volume 3, 3.4.5). */
#define FLAT_DATA (X86_ATTR_P | X86_ATTR_DPL | X86_ATTR_S | X86_ATTR_W | X86_ATTR_A | X86_ATTR_B | X86_ATTR_G | 0xf0000)
#define FLAT_CODE32 (FLAT_DATA | X86_ATTR_CODE)
#define FLAT_CODE64 ((FLAT_CODE32 & ~X86_ATTR_B) | X86_ATTR_L)

/* Linux's descriptors, where segment loads look for them. */
static vaddr make_gdt(void)
{
    int64_t at = mm_mmap(0, mm.page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, 0);

    if (at < 0) {
        return 0;
    }
    store_guest_u64((vaddr)at + (X86_USER32_CS & ~7), (uint64_t)FLAT_CODE32 << 32 | 0xffff);
    store_guest_u64((vaddr)at + (X86_USER_DS & ~7), (uint64_t)FLAT_DATA << 32 | 0xffff);
    store_guest_u64((vaddr)at + (X86_USER_CS & ~7), (uint64_t)FLAT_CODE64 << 32 | 0xffff);
    return (vaddr)at;
}

void x86_user_copy_gdt(X86State *s)
{
    vaddr old = s->gdt_base, copy = make_gdt();

    for (unsigned i = X86_GDT_TLS_FIRST; copy && i < X86_GDT_TLS_FIRST + X86_GDT_N_TLS; i++) {
        uint64_t entry = 0;
        if (load_guest_u64(old + 8 * i, &entry)) {
            store_guest_u64(copy + 8 * i, entry);
        }
    }
    s->gdt_base = copy ? copy : old;
}

static void init_regs(Thread *t, vaddr entry, vaddr sp)
{
    bool is64 = t->abi->word_bytes == 8;
    Vcpu *vcpu = t->vcpu;
    X86State *s = x86_state(vcpu);
    bool xsave = x86_has(vcpu, X86_FEAT_XSAVE);

    s->cr0 = X86_CR0_PE | X86_CR0_MP | X86_CR0_ET | X86_CR0_NE | X86_CR0_WP | X86_CR0_AM | X86_CR0_PG;
    s->cr4 = X86_CR4_PAE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT | (xsave ? X86_CR4_OSXSAVE : 0) |
             (x86_has(vcpu, X86_FEAT_FSGSBASE) ? X86_CR4_FSGSBASE : 0);
    s->efer = (is64 ? X86_EFER_LME | X86_EFER_LMA : 0) | X86_EFER_SCE | X86_EFER_NXE;
    s->xcr0 = x86_user_xcr0(vcpu);
    s->gdt_base = make_gdt();
    s->gdt_limit = X86_GDT_ENTRIES * 8 - 1;
    x86_seg_set(vcpu, X86_CS, is64 ? X86_USER_CS : X86_USER32_CS, 0, UINT32_MAX, is64 ? FLAT_CODE64 : FLAT_CODE32);
    x86_seg_set(vcpu, X86_SS, X86_USER_DS, 0, UINT32_MAX, FLAT_DATA);
    for (X86SegId seg = X86_ES; seg < X86_N_SEGS; seg++) {
        if (seg == X86_DS || seg == X86_ES) {
            x86_seg_set(vcpu, seg, is64 ? 0 : X86_USER_DS, 0, UINT32_MAX, FLAT_DATA);
        } else if (seg == X86_FS || seg == X86_GS) {
            x86_seg_set(vcpu, seg, 0, 0, is64 ? UINT32_MAX : 0, is64 ? FLAT_DATA : 0); /* i386: a null selector */
        }
    }
    x86_eflags_set(vcpu, 2 | X86_IF);
    x86_debug_update(vcpu);
    memset(s->gpr, 0, sizeof(s->gpr));
    s->pc = entry;
    s->gpr[X86_RSP] = sp;
}

static void clone_regs(Thread *child, Thread *parent, vaddr sp, const vaddr *tls)
{
    x86_fp_sync(parent->vcpu);
    memcpy(child->vcpu->state, parent->vcpu->state, user.target->state_size_bytes);
    child->vcpu->jit.fp_control_guest = parent->vcpu->jit.fp_control_guest;
    X86State *s = x86_state(child->vcpu);
    s->gpr[X86_RAX] = 0;
    s->db_pending = 0;
    x86_debug_update(child->vcpu);
    if (sp) {
        s->gpr[X86_RSP] = sp;
    }
    if (tls && child->abi->word_bytes == 8) {
        s->seg_base[X86_FS] = *tls;
    } else if (tls) {
        /* i386: a struct user_desc for the child's descriptors. */
        x86_user_copy_gdt(s);
        sys_x86_set_thread_area(child, (const uint64_t[6]){ *tls });
        x86_user_load_data(child, X86_GS, s->seg_sel[X86_GS]);
    }
}

static void set_result(Thread *t, int64_t result)
{
    x86_state(t->vcpu)->gpr[X86_RAX] = t->abi->word_bytes == 8 ? (uint64_t)result : (uint32_t)result;
}

static vaddr get_sp(Thread *t)
{
    return x86_state(t->vcpu)->gpr[X86_RSP];
}

static uint64_t hwcap(Thread *t)
{
    return x86_hwcap(t->vcpu);
}

/* The vDSO's functions are system calls (clocks are read without entering the host's kernel all the same):
 * mov $nr, %eax; syscall; ret. */
#define CALLS(name, nr) { name, { 0xb8 | (uint32_t)(nr) << 8, 0xc3050f00 | (uint32_t)(nr) >> 24 }, 2, false }

static const VdsoFunction vdso64[] = {
    CALLS("__vdso_clock_gettime", 228),
    CALLS("__vdso_gettimeofday", 96),
    CALLS("__vdso_clock_getres", 229),
    CALLS("__vdso_time", 201),
    CALLS("__vdso_getcpu", 309),
};

/* int $0x80; ret. Frames of both kinds return to code that debuggers know by its bytes: pop %eax; mov $119, %eax; int $0x80
 * and mov $173, %eax; int $0x80. */
static const VdsoFunction vdso32[] = {
    [I386_VDSO_VSYSCALL] = { "__kernel_vsyscall", { 0xc3c380cd }, 1, false },
    [I386_VDSO_SIGRETURN] = { "__kernel_sigreturn", { 0x0077b858, 0x80cd0000 }, 2, false },
    [I386_VDSO_RT_SIGRETURN] = { "__kernel_rt_sigreturn", { 0x0000adb8, 0x0080cd00 }, 2, true },
};

static void proc_cpuinfo(Thread *t, FILE *out)
{
    static const struct { uint16_t feature; const char *name; } names[] = {
#define FEATURE_WORD(id, leaf)
#define FEATURE(word, id, name, bit) { X86_FEAT_##id, name },
#include "target/x86/features.def"
#undef FEATURE_WORD
#undef FEATURE
    };
    /* Linux's own spellings, where they differ from the manuals'. */
    static const char *const spelled[][2] = {
        { "sse4.1", "sse4_1" }, { "sse4.2", "sse4_2" }, { "tsc-deadline", "tsc_deadline_timer" }, { "fxsr-opt", "fxsr_opt" },
        { "lahf-lm", "lahf_lm" }, { "cmp-legacy", "cmp_legacy" }, { "sha-ni", "sha_ni" }, { "tsc-adjust", "tsc_adjust" },
    };
    const X86Model *m = x86_model(t->vcpu);
    long n = sysconf(_SC_NPROCESSORS_ONLN);

    for (long i = 0; i < n; i++) {
        fprintf(out, "processor\t: %ld\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\nmodel name\t: %s\nstepping\t: %u\n"
                "cpu MHz\t\t: 1000.000\ncache size\t: 512 KB\nphysical id\t: 0\nsiblings\t: %ld\ncore id\t\t: %ld\ncpu cores\t: %ld\n"
                "apicid\t\t: %ld\ninitial apicid\t: %ld\nfpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: %u\nwp\t\t: yes\nflags\t\t:",
                i, m->vendor, m->family, m->model, m->model_id, m->stepping, n, i, n, i, i, m->level);
        for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
            const char *name = names[k].name;
            for (size_t j = 0; j < ARRAY_SIZE(spelled); j++) {
                name = strcmp(name, spelled[j][0]) ? name : spelled[j][1];
            }
            if (x86_has(t->vcpu, names[k].feature)) {
                fprintf(out, " %s", name);
            }
        }
        fprintf(out, "\nbugs\t\t:\nbogomips\t: 2000.00\nclflush size\t: 64\ncache_alignment\t: 64\n"
                "address sizes\t: %u bits physical, %u bits virtual\npower management:\n\n", m->phys_bits, m->linear_bits);
    }
}

/* struct user_regs_struct. */
static void core_regs(Thread *t, void *out)
{
    const X86State *s = x86_state(t->vcpu);
    const uint64_t *g = s->gpr;
    const uint64_t regs[27] = {
        g[15], g[14], g[13], g[12], g[X86_RBP], g[X86_RBX], g[11], g[10], g[9], g[8], g[X86_RAX], g[X86_RCX], g[X86_RDX],
        g[X86_RSI], g[X86_RDI], UINT64_MAX, s->pc, s->seg_sel[X86_CS], x86_eflags_get(t->vcpu), g[X86_RSP], s->seg_sel[X86_SS],
        s->seg_base[X86_FS], s->seg_base[X86_GS], s->seg_sel[X86_DS], s->seg_sel[X86_ES], s->seg_sel[X86_FS], s->seg_sel[X86_GS],
    };

    for (unsigned i = 0; i < ARRAY_SIZE(regs); i++) {
        stle64((uint8_t *)out + 8 * i, regs[i]);
    }
}

/* The same of i386: bx cx dx si di bp ax ds es fs gs orig_ax ip cs flags sp ss. */
static void core_regs32(Thread *t, void *out)
{
    const X86State *s = x86_state(t->vcpu);
    const uint64_t *g = s->gpr;
    const uint64_t regs[17] = {
        g[X86_RBX], g[X86_RCX], g[X86_RDX], g[X86_RSI], g[X86_RDI], g[X86_RBP], g[X86_RAX], s->seg_sel[X86_DS], s->seg_sel[X86_ES],
        s->seg_sel[X86_FS], s->seg_sel[X86_GS], UINT32_MAX, s->pc, s->seg_sel[X86_CS], x86_eflags_get(t->vcpu), g[X86_RSP], s->seg_sel[X86_SS],
    };

    for (unsigned i = 0; i < ARRAY_SIZE(regs); i++) {
        stle32((uint8_t *)out + 4 * i, (uint32_t)regs[i]);
    }
}

const Abi abi_i386 = {
    .target = "i386", .uname_machine = "i686", .default_cpu = "max", .proc_isa = "i386", .word_bytes = 4, .align64 = 4, .elf_machine = EM_386,
    .has_restorer = true, .fault_address_lost = true, .flock32 = true, .platform = "i686",
    .syscall_numbers = i386_syscall_numbers, .structs = i386_structs,
    .stack_top = 0xffffd000, .mmap_top = 0xf7000000, .pie_base = 0x56555000, .task_size = 0xffffe000,
    .init_regs = init_regs, .cpu_loop = x86_user_cpu_loop, .clone_regs = clone_regs,
    .signal_frame = i386_user_signal_frame, .signal_return = i386_user_signal_return, .old_signal_return = i386_user_old_signal_return, .min_sigstack = i386_user_min_sigstack,
    .set_result = set_result, .get_sp = get_sp, .hwcap = hwcap,
    .vdso = vdso32, .n_vdso = ARRAY_SIZE(vdso32), .vdso_version = "LINUX_2.5", .vdso_has_syscall = true,
    .proc_cpuinfo = proc_cpuinfo, .core_regs_bytes = 17 * 4, .core_regs = core_regs32,
};

const Abi abi_x86_64 = {
    .target = "x86_64", .uname_machine = "x86_64", .default_cpu = "max", .proc_isa = "x86-64", .word_bytes = 8, .align64 = 8, .elf_machine = EM_X86_64,
    .has_restorer = true, .clone_tls_last = true, .has_map_32bit = true, .vsyscall_page = X86_VSYSCALL_PAGE, .fault_address_lost = true, .platform = "x86_64",
    .syscall_numbers = x86_64_syscall_numbers, .structs = x86_64_structs,
    .stack_top = 0x3ffffff000, .mmap_top = 0x3ff7000000, .pie_base = 0x2aaaaaa000, .task_size = 0x7ffffffff000,
    .init_regs = init_regs, .cpu_loop = x86_user_cpu_loop, .clone_regs = clone_regs,
    .signal_frame = x86_user_signal_frame, .signal_return = x86_user_signal_return, .min_sigstack = x86_user_min_sigstack,
    .set_result = set_result, .get_sp = get_sp, .hwcap = hwcap,
    .vdso = vdso64, .n_vdso = ARRAY_SIZE(vdso64), .vdso_version = "LINUX_2.6",
    .proc_cpuinfo = proc_cpuinfo, .core_regs_bytes = 27 * 8, .core_regs = core_regs,
};
