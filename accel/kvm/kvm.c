/*
 * kvm.c: the KVM accelerator's table: opening /dev/kvm, making the virtual machine, options.
 *
 * Left out: nested state, dirty rings, Xen emulation, confidential guests.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "kvm-int.h"
#include "target/target.h"

KvmVm kvm = { .fd = -1, .vm_fd = -1 };
static KvmIrqchip wanted_irqchip = KVM_IRQCHIP_ON;
static bool irqchip_given;

enum { MAX_TRIES = 1000 };

/* A call that a signal has cut short, or that could not be done for the moment, is made again. */
static int checked_ioctl(int fd, unsigned long request, void *arg)
{
    int r, tries = 0;

    do {
        r = ioctl(fd, request, arg);
    } while (r < 0 && (errno == EINTR || (errno == EAGAIN && ++tries < MAX_TRIES)));
    return r < 0 ? -errno : r;
}

int kvm_system_ioctl(unsigned long request, void *arg)
{
    return checked_ioctl(kvm.fd, request, arg);
}

int kvm_vm_ioctl(unsigned long request, void *arg)
{
    return checked_ioctl(kvm.vm_fd, request, arg);
}

int kvm_vcpu_ioctl(Vcpu *vcpu, unsigned long request, void *arg)
{
    return checked_ioctl(kvm_of(vcpu)->fd, request, arg);
}

int kvm_check_extension(int capability)
{
    int r = checked_ioctl(kvm.vm_fd >= 0 ? kvm.vm_fd : kvm.fd, KVM_CHECK_EXTENSION, (void *)(intptr_t)capability);

    return MAX(r, 0);
}

bool kvm_enable_cap(int capability, uint64_t arg0)
{
    struct kvm_enable_cap cap = { .cap = (uint32_t)capability, .args = { arg0 } };

    return kvm_vm_ioctl(KVM_ENABLE_CAP, &cap) >= 0;
}

KvmIrqchip kvm_irqchip(void)
{
    return kvm.vm_fd >= 0 ? kvm.irqchip : KVM_IRQCHIP_OFF;
}

static bool kvm_for_arch(const char *arch)
{
    const Target *target = target_find(arch);

    return target && target->kvm;
}

/* What no option can change about the host is found out before another accelerator is ruled out. */
static bool make_vm(Error **errp)
{
    static const struct { int cap; const char *what; } needed[] = {
        { KVM_CAP_USER_MEMORY, "USER_MEMORY" }, { KVM_CAP_DESTROY_MEMORY_REGION_WORKS, "DESTROY_MEMORY_REGION_WORKS" },
        { KVM_CAP_IMMEDIATE_EXIT, "IMMEDIATE_EXIT" }, { KVM_CAP_READONLY_MEM, "READONLY_MEM" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
        if (!kvm_check_extension(needed[i].cap)) {
            error_set(errp, "the KVM kernel module lacks KVM_CAP_%s", needed[i].what);
            return false;
        }
    }
    int fd = kvm_system_ioctl(KVM_CREATE_VM, NULL);
    if (fd < 0) {
        error_set_errno(errp, -fd, "ioctl(KVM_CREATE_VM) failed");
        return false;
    }
    kvm.vm_fd = fd;
    return true;
}

static bool kvm_available(const char *arch, Error **errp)
{
    if (!kvm_for_arch(arch)) {
        error_set(errp, "KVM cannot run %s guests on this host", arch);
        return false;
    }
    if (kvm.fd >= 0) {
        return true;
    }
    int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        error_set_errno(errp, errno, "Could not access KVM kernel module");
        return false;
    }
    int version = ioctl(fd, KVM_GET_API_VERSION, NULL);
    if (version != KVM_API_VERSION) {
        error_set(errp, "the KVM kernel module has interface version %d, not %d", version, KVM_API_VERSION);
        close(fd);
        return false;
    }
    kvm.fd = fd;
    if (!make_vm(errp)) {
        close(fd);
        kvm.fd = -1;
        return false;
    }
    kvm.ops = target_find(arch)->kvm;
    return true;
}

static bool kvm_set_option(const char *key, const char *value, Error **errp)
{
    static const struct { const char *name; KvmIrqchip kind; } kinds[] = {
        { "on", KVM_IRQCHIP_ON }, { "off", KVM_IRQCHIP_OFF }, { "split", KVM_IRQCHIP_SPLIT },
    };

    if (!strcmp(key, "kernel-irqchip")) {
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
            if (!strcmp(value, kinds[i].name)) {
                wanted_irqchip = kinds[i].kind;
                irqchip_given = true;
                return true;
            }
        }
        error_set(errp, "Parameter 'kernel-irqchip' does not accept value '%s'", value);
        return false;
    }
    error_set(errp, "Property 'kvm-accel.%s' not found", key);
    return false;
}

static void pause_all(void)
{
    kvm_pause_all(kvm.machine);
}

static void resume_all(void)
{
    kvm_resume_all(kvm.machine);
}

static bool kvm_init(Machine *machine, Error **errp)
{
    kvm.machine = machine;
    kvm.run_bytes = (size_t)MAX(kvm_system_ioctl(KVM_GET_VCPU_MMAP_SIZE, NULL), 4096);
    unsigned most = (unsigned)MAX(kvm_check_extension(KVM_CAP_MAX_VCPUS), 1);
    if (machine->smp.max_cpus > most) {
        error_set(errp, "KVM on this host takes %u CPUs, not %u", most, machine->smp.max_cpus);
        return false;
    }
    kvm.irqchip = wanted_irqchip;
    if (kvm.irqchip == KVM_IRQCHIP_SPLIT && !kvm_check_extension(KVM_CAP_SPLIT_IRQCHIP)) {
        error_set(errp, "this kernel's KVM has no split irqchip");
        return false;
    }
    if (kvm.irqchip == KVM_IRQCHIP_ON && !kvm_check_extension(KVM_CAP_IRQCHIP)) {
        if (irqchip_given) {
            error_set(errp, "this kernel's KVM has no interrupt controllers");
            return false;
        }
        kvm.irqchip = KVM_IRQCHIP_OFF;
    }
    if (!kvm.ops->vm_init(machine, kvm.vm_fd, kvm.irqchip, errp)) {
        return false;
    }
    kvm_add_space(&machine->memory, KVM_SPACE_NORMAL);
    kvm_events_init(machine);
    machine_set_vcpu_control(&(VcpuControl){ .pause_all = pause_all, .resume_all = resume_all, .reset_all = kvm_reset_all,
                                             .start = kvm_vcpu_start });
    return true;
}

/* SMM has memory of its own besides: a second set of slots. */
static bool kvm_has_smm(void)
{
    return kvm_check_extension(KVM_CAP_X86_SMM) && kvm_check_extension(KVM_CAP_MULTI_ADDRESS_SPACE) > KVM_SPACE_SMM;
}

const AccelOps accel_kvm = {
    .name = "kvm",
    .summary = "the host's own virtualization",
    .has_smm = kvm_has_smm,
    .for_arch = kvm_for_arch,
    .available = kvm_available,
    .set_option = kvm_set_option,
    .init = kvm_init,
    .vcpu_start = kvm_vcpu_start,
    .vcpu_thread_id = kvm_vcpu_thread_id,
    .vcpu_stop_thread = kvm_vcpu_stop_thread,
    .pause_all = kvm_pause_all,
    .resume_all = kvm_resume_all,
    .run_on = kvm_run_on,
    .breakpoint = kvm_breakpoint,
    .watchpoint = kvm_watchpoint,
};
