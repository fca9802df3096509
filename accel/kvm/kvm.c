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
static KvmIrqchip wanted_irqchip = KVM_IRQCHIP_OFF;
static bool irqchip_given;

static int checked_ioctl(int fd, unsigned long request, void *arg)
{
    int r;

    do {
        r = ioctl(fd, request, arg);
    } while (r < 0 && errno == EINTR && request != KVM_RUN);
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
        error_set_errno(errp, errno, "cannot open /dev/kvm");
        return false;
    }
    int version = ioctl(fd, KVM_GET_API_VERSION, 0);
    if (version != KVM_API_VERSION) {
        error_set(errp, "/dev/kvm has interface version %d, not %d", version, KVM_API_VERSION);
        close(fd);
        return false;
    }
    kvm.fd = fd;
    kvm.ops = target_find(arch)->kvm;
    return true;
}

static bool kvm_set_option(const char *key, const char *value, Error **errp)
{
    if (!strcmp(key, "kernel-irqchip")) {
        irqchip_given = true;
        if (!strcmp(value, "on") || !strcmp(value, "split")) {
            error_set(errp, "kernel-irqchip=%s is not there yet: boards have interrupt controllers of their own (off)", value);
            return false;
        } else if (!strcmp(value, "off")) {
            wanted_irqchip = KVM_IRQCHIP_OFF;
        } else {
            error_set(errp, "parameter 'kernel-irqchip' expects 'on', 'off' or 'split'");
            return false;
        }
        return true;
    }
    error_set(errp, "property 'kvm-accel.%s' not found", key);
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
    static const int needed[] = { KVM_CAP_USER_MEMORY, KVM_CAP_DESTROY_MEMORY_REGION_WORKS, KVM_CAP_IMMEDIATE_EXIT };

    for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
        if (!kvm_check_extension(needed[i])) {
            error_set(errp, "this kernel's KVM lacks capability %d", needed[i]);
            return false;
        }
    }
    int fd;
    do {
        fd = ioctl(kvm.fd, KVM_CREATE_VM, 0);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        error_set_errno(errp, errno, "KVM cannot make a virtual machine");
        return false;
    }
    kvm.vm_fd = fd;
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
    if (!kvm.ops->vm_init(machine, fd, kvm.irqchip, errp)) {
        return false;
    }
    kvm_slots_init(machine);
    machine_set_vcpu_control(&(VcpuControl){ .pause_all = pause_all, .resume_all = resume_all, .reset_all = kvm_reset_all,
                                             .start = kvm_vcpu_start });
    return true;
}

const AccelOps accel_kvm = {
    .name = "kvm",
    .summary = "the host's own virtualization",
    .no_smm = true, /* what SMM needs of the board's memory under KVM is not there yet */
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
