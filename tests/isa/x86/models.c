/*
 * models.c: CPU models: each can be made, properties do what they say, what cannot be done is an error where that is asked for, and CPUID
 * leaves are those of the reference (recorded for one Intel and one AMD model).
 */
#include <stdio.h>
#include "../../test.h"
#include "target/x86/cpu.h"
#include "util/alloc.h"

static Target target = { .name = "x86_64", .word_bits = 64, .default_cpu = "qemu64" };

static Vcpu *make(const char *model, const char *expected_error)
{
    Vcpu *vcpu = xmemalign(64, sizeof(Vcpu) + sizeof(X86State));
    Error *err = NULL;

    memset(vcpu, 0, sizeof(Vcpu) + sizeof(X86State));
    vcpu->target = &target;
    vcpu->softmmu = true;
    vcpu->index = 1; /* warnings are the first one's */
    bool ok = x86_model_init(vcpu, model, &err);
    CHECK(ok == !expected_error);
    if (expected_error && !ok) {
        if (strcmp(error_message(err), expected_error)) {
            fprintf(stderr, "%s: '%s', not '%s'\n", model, error_message(err), expected_error);
            CHECK(false);
        }
    } else if (!ok) {
        fprintf(stderr, "%s: %s\n", model, error_message(err));
    }
    if (err) {
        error_free(err);
    }
    return vcpu;
}

static void drop(Vcpu *vcpu)
{
    free((void *)vcpu->model);
    free(vcpu);
}

static void test_all(void)
{
    const char *const *names = x86_model_names();
    size_t n = 0;

    for (; names[n]; n++) {
        if (!strcmp(names[n], "host")) { /* known, but for KVM */
            drop(make(names[n], "CPU model 'host' requires KVM or HVF"));
            continue;
        }
        Vcpu *vcpu = make(names[n], NULL);
        const X86Model *m = x86_model(vcpu);
        uint32_t r[4];
        x86_cpuid(vcpu, 0, 0, r);
        CHECK_EQ(r[0], m->level);
        CHECK(m->phys_bits >= 32 && m->phys_bits <= 52);
        /* Nothing that the translator has no instructions for. */
        CHECK(!x86_has(vcpu, X86_FEAT_AVX512F) && !x86_has(vcpu, X86_FEAT_SVM) && !x86_has(vcpu, X86_FEAT_VMX));
        CHECK(!x86_has(vcpu, X86_FEAT_AVX) || x86_has(vcpu, X86_FEAT_XSAVE));
        drop(vcpu);
    }
    CHECK(n > 150);
}

static bool has(const char *model, X86Feature f)
{
    Vcpu *vcpu = make(model, NULL);
    bool yes = x86_has(vcpu, f);
    drop(vcpu);
    return yes;
}

static void test_properties(void)
{
    CHECK(!has("qemu64", X86_FEAT_PCID) && has("qemu64,+pcid", X86_FEAT_PCID) && has("qemu64,pcid=on", X86_FEAT_PCID));
    CHECK(has("qemu64", X86_FEAT_NX) && !has("qemu64,-nx", X86_FEAT_NX) && !has("qemu64,nx=off", X86_FEAT_NX));
    CHECK(!has("qemu64,+smap,-smap", X86_FEAT_SMAP) && has("qemu64,smap=off,+smap", X86_FEAT_SMAP));
    CHECK(has("qemu64,sse4_1=on,sse4-2=on", X86_FEAT_SSE41) && has("Haswell-IBRS", X86_FEAT_AVX2));
    CHECK(!has("max,xsave=off", X86_FEAT_AVX));
    Vcpu *vcpu = make("qemu64,vendor=GenuineIntel,family=6,model=42,stepping=7,phys-bits=46,level=13,model-id=Some name", NULL);
    const X86Model *m = x86_model(vcpu);
    uint32_t r[4];
    x86_cpuid(vcpu, 1, 0, r);
    CHECK_EQ(r[0], 0x206a7);
    CHECK(!strcmp(m->vendor, "GenuineIntel") && !strcmp(m->model_id, "Some name") && m->phys_bits == 46);
    drop(vcpu);
}

/* What only a hypervisor does: taken, and nothing the guest sees. */
static void test_kvm_only(void)
{
    uint32_t with[4], without[4];
    Vcpu *a = make("qemu64,check=off,hv-time=on,hv_relaxed,hv_spinlocks=0x1fff,hv-vendor-id=abc,pmu=on,host-phys-bits=on,lmce=off", NULL);
    Vcpu *b = make("qemu64", NULL);

    for (uint32_t leaf = 0; leaf < 0x10; leaf++) {
        x86_cpuid(a, leaf, 0, with), x86_cpuid(b, leaf, 0, without);
        CHECK(!memcmp(with, without, sizeof(with)));
        x86_cpuid(a, 0x40000000 + leaf, 0, with), x86_cpuid(b, 0x40000000 + leaf, 0, without);
        CHECK(!memcmp(with, without, sizeof(with)));
    }
    CHECK_EQ(x86_model(a)->phys_bits, x86_model(b)->phys_bits);
    drop(a);
    drop(b);
    Vcpu *c = make("qemu64,min-level=0x16,min-xlevel=0x8000001f", NULL);
    CHECK(x86_model(c)->level == 0x16 && x86_model(c)->xlevel == 0x8000001f);
    drop(c);
    drop(make("qemu64,hv-tim=on", "can't apply global qemu64-x86_64-cpu.hv-tim=on: Property 'qemu64-x86_64-cpu.hv-tim' not found"));
    drop(make("qemu64,hv-times=on", "can't apply global qemu64-x86_64-cpu.hv-times=on: Property 'qemu64-x86_64-cpu.hv-times' not found"));
}

static void test_errors(void)
{
    drop(make("foo", "unable to find CPU model 'foo'"));
    drop(make("host", "CPU model 'host' requires KVM or HVF"));
    drop(make("qemu64,+foo", "Property 'qemu64-x86_64-cpu.foo' not found"));
    drop(make("qemu64,foo=1", "can't apply global qemu64-x86_64-cpu.foo=1: Property 'qemu64-x86_64-cpu.foo' not found"));
    drop(make("qemu64,avx=maybe", "can't apply global qemu64-x86_64-cpu.avx=maybe: Parameter 'avx' expects 'on' or 'off'"));
    drop(make("qemu64,family=abc", "can't apply global qemu64-x86_64-cpu.family=abc: Parameter 'family' expects a number"));
    drop(make("qemu64,family=271", "can't apply global qemu64-x86_64-cpu.family=271: Parameter 'family' expects a number up to 270"));
    drop(make("qemu64,vendor=abc", "can't apply global qemu64-x86_64-cpu.vendor=abc: value of property 'vendor' must consist of exactly 12 characters"));
    drop(make("qemu64,phys-bits=31", "phys-bits should be at least 32 (but is 31)"));
    drop(make("qemu64,enforce", NULL));
    drop(make("max,enforce", NULL));
    drop(make("pentium3,enforce", NULL));
    drop(make("Skylake-Server,enforce,check=off", "TCG doesn't support requested features"));
}

typedef struct Leaf { uint32_t leaf, subleaf, r[4]; } Leaf;

static void check_leaves(const char *model, const Leaf *leaves, size_t n)
{
    Vcpu *vcpu = make(model, NULL);
    for (size_t i = 0; i < n; i++) {
        uint32_t r[4];
        x86_cpuid(vcpu, leaves[i].leaf, leaves[i].subleaf, r);
        for (unsigned k = 0; k < 4; k++) {
            if (r[k] != leaves[i].r[k]) {
                fprintf(stderr, "%s: leaf %x.%u register %u is %08x, not %08x\n", model, leaves[i].leaf, leaves[i].subleaf, k, r[k], leaves[i].r[k]);
                CHECK(false);
            }
        }
    }
    drop(vcpu);
}

static void test_cpuid(void)
{
    static const Leaf haswell[] = {
        { 0, 0, { 0xd, 0x756e6547, 0x6c65746e, 0x49656e69 } }, { 2, 0, { 1, 0, 0, 0xff } },
        { 4, 0, { 0x121, 0x1c0003f, 0x3f, 1 } }, { 4, 2, { 0x143, 0x3c0003f, 0xfff, 1 } }, { 4, 3, { 0x163, 0x3c0003f, 0x3fff, 6 } },
        { 5, 0, { 0, 0, 3, 0 } }, { 6, 0, { 4, 0, 0, 0 } }, { 7, 0, { 0, 0x7a9, 0, 0 } }, { 0xb, 0, { 0, 1, 0x100, 0 } },
        { 0xb, 1, { 0, 1, 0x201, 0 } }, { 0xd, 2, { 0x100, 0x240, 0, 0 } }, { 0x40000000, 0, { 0x40000001, 0x54474354, 0x43544743, 0x47435447 } },
        { 0x80000000, 0, { 0x80000008, 0, 0, 0 } }, { 0x80000001, 0, { 0x306c4, 0, 0x21, 0x28100800 } },
        { 0x80000006, 0, { 0, 0, 0x10008040, 0 } }, { 0x80000008, 0, { 0x3028, 0, 0, 0 } },
    };
    static const Leaf epyc[] = {
        { 0, 0, { 0xd, 0x68747541, 0x444d4163, 0x69746e65 } }, { 4, 0, { 0, 0, 0, 0 } }, { 7, 0, { 0, 0x209c01a9, 0, 0 } },
        { 0x80000002, 0, { 0x20444d41, 0x43595045, 0x6f725020, 0x73736563 } },
        { 0x80000005, 0, { 0x1ff01ff, 0x1ff01ff, 0x20080140, 0x40040140 } }, { 0x80000006, 0, { 0, 0x42004200, 0x2006140, 0x408140 } },
        { 0x8000001d, 1, { 0x122, 0xc0003f, 0xff, 1 } }, { 0x8000001d, 2, { 0x43, 0x1c0003f, 0x3ff, 0 } },
    };
    check_leaves("Haswell", haswell, ARRAY_SIZE(haswell));
    check_leaves("EPYC", epyc, ARRAY_SIZE(epyc));
}

/* Two sockets of two dies of three cores of two threads: APIC ids of 1 + 2 + 1 bits below the socket's. */
static void test_topology(void)
{
    Vcpu *vcpu = make("Haswell,level=0x1f", NULL);
    uint32_t r[4];

    x86_cpu_set_topology(vcpu, (X86Topology){ .n_dies = 2, .n_cores = 3, .n_threads = 2 });
    x86_state(vcpu)->apic_id = 0x15;
    x86_cpuid(vcpu, 1, 0, r);
    CHECK_EQ(r[1], 0x15100800);
    CHECK(r[3] >> 28 & 1);
    x86_cpuid(vcpu, 0xb, 0, r);
    CHECK(r[0] == 1 && r[1] == 2 && r[2] == 0x100 && r[3] == 0x15);
    x86_cpuid(vcpu, 0xb, 1, r);
    CHECK(r[0] == 4 && r[1] == 12 && r[2] == 0x201);
    x86_cpuid(vcpu, 0x1f, 1, r);
    CHECK(r[0] == 3 && r[1] == 6 && r[2] == 0x201);
    x86_cpuid(vcpu, 0x1f, 2, r);
    CHECK(r[0] == 4 && r[1] == 12 && r[2] == 0x502);
    x86_cpuid(vcpu, 4, 0, r); /* shared by the threads of a core; 8 core ids */
    CHECK_EQ(r[0], 0x121 | 1 << 14 | 7 << 26);
    drop(vcpu);
}

int main(void)
{
    test_all();
    test_topology();
    test_properties();
    test_kvm_only();
    test_errors();
    test_cpuid();
    return test_result();
}
