/*
 * kvm-client.c: runs Linux in a virtual machine of arm64's KVM: kvm-client KERNEL INITRD DTB CPUS.
 *
 * 256 MiB at 0x40000000, the in-kernel GICv3 (or v2), PSCI by the kernel, a PL011 that only writes. Everything else is an error. Ends with status 0
 * when the guest switches off.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/psci.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define CORE_REG(name) (KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(name))
enum {
    RAM = 0x40000000, RAM_BYTES = 256 << 20, KERNEL_AT = 0x200000, DTB_AT = 0x8000000, INITRD_AT = 0x8200000, UART = 0x9000000, GIC = 0x8000000,
    GIC_CPU = 0x8010000, REDIST = 0x80a0000, ITS = 0x8080000, MAX_CPUS = 4,
};

static int vm, kvm;
static uint8_t *memory;

static int need(int result, const char *what)
{
    if (result < 0) {
        perror(what);
        exit(1);
    }
    return result;
}

static void load(const char *path, uint32_t at)
{
    int fd = need(open(path, O_RDONLY), path);
    ssize_t n;

    while ((n = need((int)read(fd, memory + at, RAM_BYTES - at), path)) > 0) {
        at += (uint32_t)n;
    }
    close(fd);
}

static int try_gic(uint32_t type, uint64_t dist_type, uint64_t dist, uint64_t other_type, uint64_t other)
{
    struct kvm_create_device dev = { .type = type };

    if (ioctl(vm, KVM_CREATE_DEVICE, &dev) < 0) {
        return -1;
    }
    struct kvm_device_attr attrs[] = {
        { .group = KVM_DEV_ARM_VGIC_GRP_ADDR, .attr = dist_type, .addr = (uint64_t)(uintptr_t)&dist },
        { .group = KVM_DEV_ARM_VGIC_GRP_ADDR, .attr = other_type, .addr = (uint64_t)(uintptr_t)&other },
    };
    for (unsigned i = 0; i < 2; i++) {
        need(ioctl(dev.fd, KVM_SET_DEVICE_ATTR, &attrs[i]), "the interrupt controller's place");
    }
    return dev.fd;
}

/* A translation service, which the guest does not use: with a GICv4 the kernel below makes its processors known to the hardware because of it. */
static void try_its(void)
{
    struct kvm_create_device dev = { .type = KVM_DEV_TYPE_ARM_VGIC_ITS };
    uint64_t at = ITS;

    if (ioctl(vm, KVM_CREATE_DEVICE, &dev) < 0) {
        return;
    }
    struct kvm_device_attr place = { .group = KVM_DEV_ARM_VGIC_GRP_ADDR, .attr = KVM_VGIC_ITS_ADDR_TYPE, .addr = (uint64_t)(uintptr_t)&at };
    struct kvm_device_attr ready = { .group = KVM_DEV_ARM_VGIC_GRP_CTRL, .attr = KVM_DEV_ARM_VGIC_CTRL_INIT };
    need(ioctl(dev.fd, KVM_SET_DEVICE_ATTR, &place), "the translation service's place");
    need(ioctl(dev.fd, KVM_SET_DEVICE_ATTR, &ready), "the translation service");
}

static void print(uint8_t c)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static char line[512];
    static unsigned n;

    pthread_mutex_lock(&lock);
    if (c != '\r') {
        line[n++] = (char)c;
    }
    if (c == '\n' || n == sizeof(line)) {
        fputs("nested: ", stdout);
        fwrite(line, 1, n, stdout);
        fflush(stdout);
        n = 0;
    }
    pthread_mutex_unlock(&lock);
}

static void mmio(struct kvm_run *run)
{
    uint64_t offset = run->mmio.phys_addr - UART;

    if (offset >= 0x1000) {
        printf("access to 0x%llx\n", (unsigned long long)run->mmio.phys_addr);
        exit(1);
    }
    if (run->mmio.is_write && offset == 0) {
        print(run->mmio.data[0]);
    } else if (!run->mmio.is_write) {
        memset(run->mmio.data, 0, 8);
        run->mmio.data[0] = offset == 0x18 ? 0x90 : 0; /* nothing to send, nothing received */
    }
}

static void *run_vcpu(void *opaque)
{
    int vcpu = (int)(intptr_t)opaque;
    struct kvm_run *run = mmap(NULL, (size_t)ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);

    for (;;) {
        if (ioctl(vcpu, KVM_RUN, 0) < 0 && errno != EINTR) {
            need(-1, "KVM_RUN");
        }
        if (run->exit_reason == KVM_EXIT_MMIO) {
            mmio(run);
        } else if (run->exit_reason == KVM_EXIT_SYSTEM_EVENT) {
            printf("nested: system event %u\n", run->system_event.type);
            exit(run->system_event.type == KVM_SYSTEM_EVENT_SHUTDOWN ? 0 : 1);
        } else if (run->exit_reason != KVM_EXIT_INTR) {
            printf("exit for reason %u\n", run->exit_reason);
            exit(1);
        }
    }
}

static void set(int vcpu, uint64_t id, uint64_t value)
{
    struct kvm_one_reg reg = { .id = id, .addr = (uint64_t)(uintptr_t)&value };

    need(ioctl(vcpu, KVM_SET_ONE_REG, &reg), "a register");
}

int main(int argc, char **argv)
{
    int vcpus[MAX_CPUS], n = argc > 4 ? atoi(argv[4]) : 0;
    pthread_t threads[MAX_CPUS];
    struct kvm_vcpu_init init;

    if (n < 1 || n > MAX_CPUS) {
        return 2;
    }
    kvm = need(open("/dev/kvm", O_RDWR), "/dev/kvm");
    vm = need(ioctl(kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
    memory = mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    load(argv[1], KERNEL_AT);
    load(argv[2], INITRD_AT);
    load(argv[3], DTB_AT);
    struct kvm_userspace_memory_region region = { .guest_phys_addr = RAM, .memory_size = RAM_BYTES, .userspace_addr = (uint64_t)(uintptr_t)memory };
    need(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region), "memory");
    for (int i = 0; i < n; i++) {
        vcpus[i] = need(ioctl(vm, KVM_CREATE_VCPU, i), "KVM_CREATE_VCPU");
    }
    int gic = try_gic(KVM_DEV_TYPE_ARM_VGIC_V3, KVM_VGIC_V3_ADDR_TYPE_DIST, GIC, KVM_VGIC_V3_ADDR_TYPE_REDIST, REDIST);
    if (gic < 0) {
        gic = need(try_gic(KVM_DEV_TYPE_ARM_VGIC_V2, KVM_VGIC_V2_ADDR_TYPE_DIST, GIC, KVM_VGIC_V2_ADDR_TYPE_CPU, GIC_CPU), "an interrupt controller");
    }
    need(ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init), "KVM_ARM_PREFERRED_TARGET");
    for (int i = 0; i < n; i++) {
        init.features[0] = 1u << KVM_ARM_VCPU_PSCI_0_2 | (i ? 1u << KVM_ARM_VCPU_POWER_OFF : 0);
        need(ioctl(vcpus[i], KVM_ARM_VCPU_INIT, &init), "KVM_ARM_VCPU_INIT");
    }
    struct kvm_device_attr ready = { .group = KVM_DEV_ARM_VGIC_GRP_CTRL, .attr = KVM_DEV_ARM_VGIC_CTRL_INIT };
    need(ioctl(gic, KVM_SET_DEVICE_ATTR, &ready), "the interrupt controller");
    try_its();
    set(vcpus[0], CORE_REG(regs.pc), RAM + KERNEL_AT);
    set(vcpus[0], CORE_REG(regs.regs[0]), RAM + DTB_AT);
    for (int i = 0; i < n; i++) {
        pthread_create(&threads[i], NULL, run_vcpu, (void *)(intptr_t)vcpus[i]);
    }
    pthread_join(threads[0], NULL);
    return 1;
}
