/*
 * fake-kvm.c: a library that stands in for /dev/kvm when it is preloaded: a host with the capabilities, and a guest with the exits, that a
 * script gives; what the emulator asks for is written down.
 *
 * FAKE_KVM_SCRIPT has a line for each: "cap N VALUE"; "cpuid LEAF SUB EAX EBX ECX EDX"; "msr INDEX"; "refuse NAME ERRNO" (a request fails);
 * "exit VCPU WHAT…" (what successive KVM_RUN of a vCPU return; after the last, a vCPU waits to be kicked). Some are no exits: "poke GPA
 * SIZE VALUE" stores to memory, "ring LAST" sets the ring's index, "peek GPA SIZE" writes down what is there, "until TEXT" waits for a request, "await GPA SIZE VALUE" for that in
 * memory. A write to an eventfd of KVM_IRQFD is written down by these two ("message gsi=N"). FAKE_KVM_LOG gets a line a
 * request: "sys|vm|vcpuN NAME key=value…". Facts: Linux Documentation/virt/kvm/api.rst.
 */
#undef _FILE_OFFSET_BITS /* open() and open64() are both called */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MAX_LINES = 1024, MAX_CPUS = 16, MAX_CAPS = 256, MAX_MSRS = 64, MAX_LEAVES = 128, MAX_EVENTS = 64, MAX_FDS = 1024, MAX_SLOTS = 256, RUN_BYTES = 0x3000,
       IO_AT = 0x1000, RING_AT = 0x2000 };
enum { FD_NONE, FD_SYSTEM, FD_VM, FD_VCPU };

typedef struct FakeCpu {
    bool made;
    struct kvm_run *run;
    struct kvm_regs regs;
    struct kvm_sregs sregs;
    struct kvm_xcrs xcrs;
    struct kvm_debugregs debugregs;
    struct kvm_vcpu_events events;
    struct kvm_mp_state mp;
    struct kvm_lapic_state lapic;
    size_t next_line;
    char pending[64]; /* a read that the emulator is answering */
    struct kvm_xsave xsave; /* ends in an array */
} FakeCpu;

static struct { int cap, value; } caps[MAX_CAPS];
static size_t n_caps;
static struct kvm_cpuid_entry2 leaves[MAX_LEAVES];
static uint32_t n_leaves;
static uint32_t msrs[MAX_MSRS], n_msrs;
static struct { char name[48]; int error; } refusals[MAX_LINES];
static size_t n_refusals;
static char lines[MAX_LINES][256];
static size_t n_lines;
static FakeCpu cpus[MAX_CPUS];
static struct { unsigned char kind, cpu; } fds[MAX_FDS];
static struct kvm_ioeventfd events[MAX_EVENTS];
static size_t n_events;
static struct kvm_irqfd irqfds[MAX_EVENTS];
static size_t n_irqfds;
static struct kvm_coalesced_mmio_zone zones[MAX_EVENTS];
static size_t n_zones;
static struct kvm_irqchip chips[3];
static struct kvm_pit_state2 pit;
static struct kvm_userspace_memory_region slots[MAX_SLOTS];
static char *noted;         /* the log up to now, for "until" */
static size_t noted_bytes, noted_seen;
static uint64_t dirty_slot = UINT64_MAX, dirty_page, clock_ns;
static FILE *log_file;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static int (*real_open)(const char *path, int flags, ...);
static int (*real_open64)(const char *path, int flags, ...);
static int (*real_ioctl)(int fd, unsigned long request, ...);
static int (*real_close)(int fd);

/* -- script ----------------------------------------------------------------------------------------------------- */

static void read_line(const char *line)
{
    struct kvm_cpuid_entry2 e = { .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX };
    int a, b;

    if (n_caps < MAX_CAPS && sscanf(line, "cap %i %i", &a, &b) == 2) {
        caps[n_caps].cap = a;
        caps[n_caps++].value = b;
    } else if (n_leaves < MAX_LEAVES && sscanf(line, "cpuid %x %x %x %x %x %x", &e.function, &e.index, &e.eax, &e.ebx, &e.ecx, &e.edx) == 6) {
        leaves[n_leaves++] = e;
    } else if (n_msrs < MAX_MSRS && sscanf(line, "msr %x", &msrs[n_msrs]) == 1) {
        n_msrs++;
    } else if (n_refusals < MAX_LINES && sscanf(line, "refuse %47s %i", refusals[n_refusals].name, &refusals[n_refusals].error) == 2) {
        n_refusals++;
    } else if (n_lines < MAX_LINES && !strncmp(line, "exit ", 5)) {
        snprintf(lines[n_lines++], sizeof(lines[0]), "%s", line + 5);
    }
}

static void start(void)
{
    char line[256];
    FILE *f = fopen(getenv("FAKE_KVM_SCRIPT"), "r");

    real_open = dlsym(RTLD_NEXT, "open");
    real_open64 = dlsym(RTLD_NEXT, "open64");
    real_ioctl = dlsym(RTLD_NEXT, "ioctl");
    real_close = dlsym(RTLD_NEXT, "close");
    while (f && fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\n")] = 0;
        read_line(line);
    }
    if (f) {
        fclose(f);
    }
    log_file = fopen(getenv("FAKE_KVM_LOG"), "w");
}

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *format, ...)
{
    va_list args;

    char text[512];

    va_start(args, format);
    size_t n = (size_t)vsnprintf(text, sizeof(text) - 1, format, args);
    va_end(args);
    n = n < sizeof(text) - 2 ? n : sizeof(text) - 2;
    text[n++] = '\n';
    if (log_file) {
        fwrite(text, 1, n, log_file);
        fflush(log_file);
    }
    char *grown = realloc(noted, noted_bytes + n + 1);
    if (grown) {
        noted = grown;
        memcpy(noted + noted_bytes, text, n);
        noted_bytes += n;
        noted[noted_bytes] = 0;
    }
}

static int cap_value(int cap)
{
    for (size_t i = 0; i < n_caps; i++) {
        if (caps[i].cap == cap) {
            return caps[i].value;
        }
    }
    return 0;
}

static int give_fd(int kind, unsigned cpu)
{
    int fd = memfd_create("fake-kvm", MFD_CLOEXEC);

    if (fd >= MAX_FDS || ftruncate(fd, RUN_BYTES)) {
        errno = EMFILE;
        return -1;
    }
    fds[fd].kind = (unsigned char)kind;
    fds[fd].cpu = (unsigned char)cpu;
    return fd;
}

/* -- names ------------------------------------------------------------------------------------------------------- */

#define REQUESTS(R) \
    R(GET_API_VERSION) R(CREATE_VM) R(CHECK_EXTENSION) R(GET_VCPU_MMAP_SIZE) R(GET_SUPPORTED_CPUID) R(GET_MSR_INDEX_LIST) \
    R(SET_IDENTITY_MAP_ADDR) R(SET_TSS_ADDR) R(CREATE_IRQCHIP) R(CREATE_PIT2) R(REINJECT_CONTROL) R(SET_GSI_ROUTING) R(ENABLE_CAP) \
    R(SET_USER_MEMORY_REGION) R(GET_DIRTY_LOG) R(IRQ_LINE) R(SIGNAL_MSI) R(IRQFD) R(IOEVENTFD) R(GET_IRQCHIP) R(SET_IRQCHIP) R(GET_PIT2) \
    R(SET_PIT2) R(GET_CLOCK) R(SET_CLOCK) R(CREATE_VCPU) R(RUN) R(SET_CPUID2) R(GET_TSC_KHZ) R(SET_TSC_KHZ) R(GET_REGS) R(SET_REGS) \
    R(GET_SREGS) R(SET_SREGS) R(GET_XSAVE) R(SET_XSAVE) R(GET_XCRS) R(SET_XCRS) R(GET_DEBUGREGS) R(SET_DEBUGREGS) R(GET_VCPU_EVENTS) \
    R(SET_VCPU_EVENTS) R(GET_MP_STATE) R(SET_MP_STATE) R(GET_LAPIC) R(SET_LAPIC) R(GET_MSRS) R(SET_MSRS) R(SET_GUEST_DEBUG) R(INTERRUPT) \
    R(NMI) R(SMI) R(KVMCLOCK_CTRL) R(REGISTER_COALESCED_MMIO) R(UNREGISTER_COALESCED_MMIO)

static const char *name_of(unsigned long request)
{
    switch (request) {
#define R(name) case KVM_##name: return #name;
        REQUESTS(R)
#undef R
    default: return "?";
    }
}

static int refusal(const char *name)
{
    for (size_t i = 0; i < n_refusals; i++) {
        if (!strcmp(refusals[i].name, name)) {
            return refusals[i].error;
        }
    }
    return 0;
}

/* -- the system, the machine ----------------------------------------------------------------------------------------- */

static int system_request(unsigned long request, void *arg)
{
    struct kvm_cpuid2 *set = arg;
    struct kvm_msr_list *list = arg;

    switch (request) {
    case KVM_GET_API_VERSION: return KVM_API_VERSION;
    case KVM_CHECK_EXTENSION: return cap_value((int)(intptr_t)arg);
    case KVM_GET_VCPU_MMAP_SIZE: return RUN_BYTES;
    case KVM_CREATE_VM:
        note("sys CREATE_VM");
        return give_fd(FD_VM, 0);
    case KVM_GET_SUPPORTED_CPUID:
        if (set->nent < n_leaves) {
            errno = E2BIG;
            return -1;
        }
        memcpy(set->entries, leaves, n_leaves * sizeof(leaves[0]));
        set->nent = n_leaves;
        return 0;
    case KVM_GET_MSR_INDEX_LIST: {
        bool small = list->nmsrs < n_msrs;
        list->nmsrs = n_msrs;
        if (small) {
            errno = E2BIG;
            return -1;
        }
        memcpy(list->indices, msrs, n_msrs * sizeof(msrs[0]));
        return 0;
    }
    }
    note("sys %s?", name_of(request));
    errno = EINVAL;
    return -1;
}

static void note_routing(const struct kvm_irq_routing *r)
{
    note("vm SET_GSI_ROUTING nr=%u", r->nr);
    for (uint32_t i = 0; i < r->nr; i++) {
        const struct kvm_irq_routing_entry *e = &r->entries[i];
        if (e->type == KVM_IRQ_ROUTING_IRQCHIP) {
            note("  route gsi=%u chip=%u pin=%u", e->gsi, e->u.irqchip.irqchip, e->u.irqchip.pin);
        } else {
            note("  route gsi=%u msi address=%08x data=%08x", e->gsi, e->u.msi.address_lo, e->u.msi.data);
        }
    }
}

static int make_cpu(unsigned n)
{
    int fd = n < MAX_CPUS ? give_fd(FD_VCPU, n) : -1;

    note("vm CREATE_VCPU id=%u", n);
    if (fd < 0) {
        return -1;
    }
    cpus[n].made = true;
    cpus[n].run = mmap(NULL, RUN_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    cpus[n].sregs.apic_base = 0xfee00800 | (n ? 0 : 0x100);
    cpus[n].mp.mp_state = n ? KVM_MP_STATE_UNINITIALIZED : KVM_MP_STATE_RUNNABLE;
    cpus[n].run->apic_base = cpus[n].sregs.apic_base;
    cpus[n].run->ready_for_interrupt_injection = 1;
    return fd;
}

static int set_ioeventfd(const struct kvm_ioeventfd *e)
{
    note("vm IOEVENTFD addr=0x%llx len=%u flags=0x%x data=0x%llx", (unsigned long long)e->addr, e->len, e->flags, (unsigned long long)e->datamatch);
    for (size_t i = 0; i < n_events; i++) {
        if (events[i].addr == e->addr && events[i].len == e->len && events[i].datamatch == e->datamatch && events[i].fd == e->fd) {
            events[i] = events[--n_events];
            break;
        }
    }
    if (!(e->flags & KVM_IOEVENTFD_FLAG_DEASSIGN) && n_events < MAX_EVENTS) {
        events[n_events++] = *e;
    }
    return 0;
}

static int set_irqfd(const struct kvm_irqfd *f)
{
    note("vm IRQFD gsi=%u flags=%u", f->gsi, f->flags);
    for (size_t i = 0; i < n_irqfds; i++) {
        if (irqfds[i].fd == f->fd && irqfds[i].gsi == f->gsi) {
            irqfds[i] = irqfds[--n_irqfds];
            break;
        }
    }
    if (!(f->flags & KVM_IRQFD_FLAG_DEASSIGN) && n_irqfds < MAX_EVENTS) {
        irqfds[n_irqfds++] = *f;
    }
    return 0;
}

static void take_messages(void)
{
    uint64_t count;

    for (size_t i = 0; i < n_irqfds; i++) {
        if (read((int)irqfds[i].fd, &count, sizeof(count)) == sizeof(count)) {
            note("message gsi=%u", irqfds[i].gsi);
        }
    }
}

static void set_zone(const struct kvm_coalesced_mmio_zone *zone, bool on)
{
    for (size_t i = 0; i < n_zones; i++) {
        if (zones[i].addr == zone->addr && zones[i].size == zone->size) {
            zones[i] = zones[--n_zones];
            break;
        }
    }
    if (on && n_zones < MAX_EVENTS) {
        zones[n_zones++] = *zone;
    }
}

static int vm_request(unsigned long request, void *arg)
{
    struct kvm_userspace_memory_region *m = arg;
    struct kvm_enable_cap *cap = arg;
    struct kvm_irq_level *level = arg;
    struct kvm_msi *msi = arg;
    struct kvm_irqchip *chip = arg;
    struct kvm_dirty_log *log = arg;
    struct kvm_clock_data *clock = arg;
    struct kvm_coalesced_mmio_zone *zone = arg;

    switch (request) {
    case KVM_CHECK_EXTENSION: return cap_value((int)(intptr_t)arg);
    case KVM_CREATE_VCPU: return make_cpu((unsigned)(uintptr_t)arg);
    case KVM_SET_TSS_ADDR: note("vm SET_TSS_ADDR addr=0x%lx", (unsigned long)(uintptr_t)arg); return 0;
    case KVM_SET_IDENTITY_MAP_ADDR: note("vm SET_IDENTITY_MAP_ADDR addr=0x%llx", (unsigned long long)*(uint64_t *)arg); return 0;
    case KVM_ENABLE_CAP: note("vm ENABLE_CAP cap=%u arg=%llu", cap->cap, (unsigned long long)cap->args[0]); return 0;
    case KVM_SET_GSI_ROUTING: note_routing(arg); return 0;
    case KVM_SET_USER_MEMORY_REGION:
        note("vm SET_USER_MEMORY_REGION slot=0x%x flags=%u gpa=0x%llx size=0x%llx", m->slot, m->flags, (unsigned long long)m->guest_phys_addr,
             (unsigned long long)m->memory_size);
        if (m->slot < MAX_SLOTS) {
            slots[m->slot] = *m;
        }
        return 0;
    case KVM_GET_DIRTY_LOG:
        note("vm GET_DIRTY_LOG slot=0x%x", log->slot);
        if (dirty_slot == log->slot) {
            ((uint64_t *)log->dirty_bitmap)[dirty_page / 64] |= UINT64_C(1) << dirty_page % 64;
            dirty_slot = UINT64_MAX;
        }
        return 0;
    case KVM_IRQ_LINE: note("vm IRQ_LINE gsi=%u level=%u", level->irq, level->level); return 0;
    case KVM_SIGNAL_MSI: note("vm SIGNAL_MSI address=0x%x%08x data=0x%x", msi->address_hi, msi->address_lo, msi->data); return 1;
    case KVM_IRQFD: return set_irqfd(arg);
    case KVM_IOEVENTFD: return set_ioeventfd(arg);
    case KVM_GET_IRQCHIP:
        note("vm GET_IRQCHIP chip=%u", chip->chip_id);
        memcpy(&chip->chip, &chips[chip->chip_id % 3].chip, sizeof(chip->chip));
        return 0;
    case KVM_SET_IRQCHIP:
        if (chip->chip_id == KVM_IRQCHIP_IOAPIC) {
            note("vm SET_IRQCHIP chip=%u base=0x%llx pin0=0x%llx", chip->chip_id, (unsigned long long)chip->chip.ioapic.base_address,
                 (unsigned long long)chip->chip.ioapic.redirtbl[0].bits);
        } else {
            note("vm SET_IRQCHIP chip=%u imr=0x%x elcr=0x%x elcr_mask=0x%x priority_add=%u", chip->chip_id, chip->chip.pic.imr, chip->chip.pic.elcr,
                 chip->chip.pic.elcr_mask, chip->chip.pic.priority_add);
        }
        chips[chip->chip_id % 3] = *chip;
        return 0;
    case KVM_CREATE_PIT2: note("vm CREATE_PIT2 flags=%u", ((struct kvm_pit_config *)arg)->flags); return 0;
    case KVM_REINJECT_CONTROL: note("vm REINJECT_CONTROL pit=%u", ((struct kvm_reinject_control *)arg)->pit_reinject); return 0;
    case KVM_GET_PIT2: note("vm GET_PIT2"); memcpy(arg, &pit, sizeof(pit)); return 0;
    case KVM_SET_PIT2:
        memcpy(&pit, arg, sizeof(pit));
        note("vm SET_PIT2 flags=%u gates=%u%u%u mode=%u", pit.flags, pit.channels[0].gate, pit.channels[1].gate, pit.channels[2].gate, pit.channels[0].mode);
        return 0;
    case KVM_GET_CLOCK: note("vm GET_CLOCK"); *clock = (struct kvm_clock_data){ .clock = clock_ns = 123456789 }; return 0;
    case KVM_SET_CLOCK: note("vm SET_CLOCK clock=%llu flags=%u", (unsigned long long)clock->clock, clock->flags); return 0;
    case KVM_REGISTER_COALESCED_MMIO:
    case KVM_UNREGISTER_COALESCED_MMIO:
        note("vm %s addr=0x%llx size=%u", name_of(request), (unsigned long long)zone->addr, zone->size);
        set_zone(zone, request == KVM_REGISTER_COALESCED_MMIO);
        return 0;
    case KVM_CREATE_IRQCHIP: note("vm CREATE_IRQCHIP"); return 0;
    }
    note("vm %s? 0x%lx", name_of(request), request);
    errno = EINVAL;
    return -1;
}

/* -- vCPUs --------------------------------------------------------------------------------------------------------------- */

static void note_segment(unsigned n, const char *name, const struct kvm_segment *s)
{
    note("  vcpu%u %s selector=0x%x base=0x%llx limit=0x%x type=%u s=%u present=%u unusable=%u db=%u l=%u", n, name, s->selector,
         (unsigned long long)s->base, s->limit, s->type, s->s, s->present, s->unusable, s->db, s->l);
}

static void note_sregs(unsigned n, const struct kvm_sregs *s)
{
    note("vcpu%u SET_SREGS cr0=0x%llx cr4=0x%llx efer=0x%llx apic_base=0x%llx", n, (unsigned long long)s->cr0, (unsigned long long)s->cr4,
         (unsigned long long)s->efer, (unsigned long long)s->apic_base);
    note_segment(n, "cs", &s->cs);
    note_segment(n, "tr", &s->tr);
}

static void note_cpuid(unsigned n, const struct kvm_cpuid2 *set)
{
    note("vcpu%u SET_CPUID2 nent=%u", n, set->nent);
    for (uint32_t i = 0; i < set->nent; i++) {
        const struct kvm_cpuid_entry2 *e = &set->entries[i];
        note("  vcpu%u cpuid %08x.%x flags=%u %08x %08x %08x %08x", n, e->function, e->index, e->flags, e->eax, e->ebx, e->ecx, e->edx);
    }
}

static uint32_t lapic_reg(const struct kvm_lapic_state *l, unsigned reg)
{
    uint32_t v;
    memcpy(&v, l->regs + 16 * reg, 4);
    return v;
}

/* A write that an eventfd waits for does not leave the kernel. */
static bool signals(uint64_t addr, unsigned len, uint64_t data, bool pio)
{
    for (size_t i = 0; i < n_events; i++) {
        const struct kvm_ioeventfd *e = &events[i];
        bool port = e->flags & KVM_IOEVENTFD_FLAG_PIO;
        if (e->addr == addr && port == pio && (!e->len || e->len == len) && (!(e->flags & KVM_IOEVENTFD_FLAG_DATAMATCH) || e->datamatch == data)) {
            note("ioeventfd addr=0x%llx", (unsigned long long)addr);
            return write(e->fd, &(uint64_t){ 1 }, 8) == 8;
        }
    }
    return false;
}

/* One that the ring takes; a full one leaves exits. */
static bool coalesced(uint64_t addr, unsigned len, uint64_t data)
{
    struct kvm_coalesced_mmio_ring *ring = (void *)((uint8_t *)cpus[0].run + RING_AT);
    const unsigned most = (0x1000 - sizeof(*ring)) / sizeof(ring->coalesced_mmio[0]);

    for (size_t i = 0; ring->last < most && i < n_zones; i++) {
        if (addr >= zones[i].addr && addr + len <= zones[i].addr + zones[i].size && (ring->last + 1) % most != ring->first) {
            ring->coalesced_mmio[ring->last] = (struct kvm_coalesced_mmio){ .phys_addr = addr, .len = len };
            memcpy(ring->coalesced_mmio[ring->last].data, &data, 8);
            ring->last = (ring->last + 1) % most;
            note("coalesced 0x%llx", (unsigned long long)addr);
            return true;
        }
    }
    return false;
}

static void fill_io(FakeCpu *c, bool out, unsigned port, unsigned size, uint32_t value)
{
    c->run->exit_reason = KVM_EXIT_IO;
    c->run->io.direction = out ? KVM_EXIT_IO_OUT : KVM_EXIT_IO_IN;
    c->run->io.size = (uint8_t)size;
    c->run->io.port = (uint16_t)port;
    c->run->io.count = 1;
    c->run->io.data_offset = IO_AT;
    memcpy((uint8_t *)c->run + IO_AT, &value, 4);
}

static void *guest_memory(uint64_t addr, unsigned bytes)
{
    for (size_t i = 0; i < MAX_SLOTS; i++) {
        const struct kvm_userspace_memory_region *m = &slots[i];
        if (addr >= m->guest_phys_addr && addr - m->guest_phys_addr < m->memory_size && bytes <= m->memory_size - (addr - m->guest_phys_addr)) {
            return (char *)(uintptr_t)m->userspace_addr + (addr - m->guest_phys_addr);
        }
    }
    return NULL;
}

static void poke(uint64_t addr, unsigned bytes, unsigned long long value)
{
    void *host = bytes <= 8 ? guest_memory(addr, bytes) : NULL;

    if (host) {
        memcpy(host, &value, bytes);
    } else {
        note("no memory at 0x%llx", (unsigned long long)addr);
    }
}

static void peek(uint64_t addr, unsigned bytes)
{
    void *host = bytes <= 8 ? guest_memory(addr, bytes) : NULL;
    unsigned long long value = 0;

    if (host) {
        memcpy(&value, host, bytes);
    }
    note("peek 0x%llx = 0x%llx", (unsigned long long)addr, value);
}

/* Whether this is no line to wait at, or what it waits for has come: a request since the last one that was waited for, a value in memory. */
static bool has_come(const char *line)
{
    const char *text = line + 6;
    unsigned long long addr, value, have = 0;
    unsigned bytes;

    if (strncmp(line, "until ", 6) && strncmp(line, "await ", 6)) {
        return true;
    }
    take_messages();
    if (sscanf(line, "await %llx %u %llx", &addr, &bytes, &value) == 3) {
        const void *host = bytes <= 8 ? guest_memory(addr, bytes) : NULL;
        if (host) {
            memcpy(&have, host, bytes);
        }
        return host && have == value;
    }
    char *at = noted ? strstr(noted + noted_seen, text) : NULL;
    if (at) {
        noted_seen = (size_t)(at - noted) + strlen(text);
    }
    return at;
}

/* One line of the script. 1: the emulator is to see it; 0: on with the next; -1: wait. */
static int play(unsigned n, FakeCpu *c, const char *line)
{
    struct kvm_run *run = c->run;
    unsigned a, b, d;
    unsigned long long addr, value;

    if (sscanf(line, "io out %x %u %x", &a, &b, &d) == 3) {
        if (signals(a, b, d, true)) {
            return 0;
        }
        fill_io(c, true, a, b, d);
    } else if (sscanf(line, "io in %x %u", &a, &b) == 2) {
        fill_io(c, false, a, b, 0);
        snprintf(c->pending, sizeof(c->pending), "io in 0x%x", a);
    } else if (sscanf(line, "mmio write %llx %u %llx", &addr, &a, &value) == 3) {
        if (signals(addr, a, value, false) || coalesced(addr, a, value)) {
            return 0;
        }
        run->exit_reason = KVM_EXIT_MMIO;
        run->mmio.phys_addr = addr;
        run->mmio.len = a;
        run->mmio.is_write = 1;
        memcpy(run->mmio.data, &value, 8);
    } else if (sscanf(line, "mmio read %llx %u", &addr, &a) == 2) {
        run->exit_reason = KVM_EXIT_MMIO;
        run->mmio.phys_addr = addr;
        run->mmio.len = a;
        run->mmio.is_write = 0;
        snprintf(c->pending, sizeof(c->pending), "mmio read 0x%llx", addr);
    } else if (!strncmp(line, "hlt", 3)) {
        run->exit_reason = KVM_EXIT_HLT;
    } else if (!strncmp(line, "window", 6)) {
        run->exit_reason = KVM_EXIT_IRQ_WINDOW_OPEN;
    } else if (!strncmp(line, "shutdown", 8)) {
        run->exit_reason = KVM_EXIT_SHUTDOWN;
    } else if (sscanf(line, "fail-entry %llx", &value) == 1) {
        run->exit_reason = KVM_EXIT_FAIL_ENTRY;
        run->fail_entry.hardware_entry_failure_reason = value;
    } else if (sscanf(line, "internal %u", &a) == 1) {
        run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
        run->internal.suberror = a;
        run->internal.ndata = 0;
    } else if (sscanf(line, "eoi %u", &a) == 1) {
        run->exit_reason = KVM_EXIT_IOAPIC_EOI;
        run->eoi.vector = (uint8_t)a;
    } else if (sscanf(line, "debug %u %llx %llx", &a, &addr, &value) == 3) {
        run->exit_reason = KVM_EXIT_DEBUG;
        run->debug.arch.exception = a;
        run->debug.arch.dr6 = addr;
        run->debug.arch.pc = value;
        c->regs.rip = value;
    } else if (sscanf(line, "reason %u", &a) == 1) {
        run->exit_reason = a;
    } else if (sscanf(line, "interrupts %u %u", &a, &b) == 2) {
        run->ready_for_interrupt_injection = (uint8_t)a;
        run->if_flag = (uint8_t)b;
        return 0;
    } else if (sscanf(line, "cr8 %u", &a) == 1) {
        run->cr8 = a;
        return 0;
    } else if (sscanf(line, "smm %u", &a) == 1) {
        run->flags = (uint16_t)(a ? KVM_RUN_X86_SMM : 0);
        return 0;
    } else if (sscanf(line, "rip %llx", &value) == 1) {
        c->regs.rip = value;
        return 0;
    } else if (sscanf(line, "poke %llx %u %llx", &addr, &a, &value) == 3) {
        poke(addr, a, value);
        return 0;
    } else if (sscanf(line, "ring %x", &a) == 1) {
        ((struct kvm_coalesced_mmio_ring *)(void *)((uint8_t *)cpus[0].run + RING_AT))->last = a;
        return 0;
    } else if (!strncmp(line, "until ", 6) || !strncmp(line, "await ", 6)) {
        return 0;
    } else if (sscanf(line, "peek %llx %u", &addr, &a) == 2) {
        peek(addr, a);
        return 0;
    } else if (sscanf(line, "dirty %llx %llx", &addr, &value) == 2) {
        dirty_slot = addr;
        dirty_page = value;
        return 0;
    } else {
        note("vcpu%u script: %s?", n, line);
        return 0;
    }
    return 1;
}

static const char *next_line(unsigned n, FakeCpu *c)
{
    for (; c->next_line < n_lines; c->next_line++) {
        char *rest;
        if (strtoul(lines[c->next_line], &rest, 10) == n) {
            c->next_line++;
            return rest + strspn(rest, " ");
        }
    }
    return NULL;
}

/* The other threads of the emulator go on meanwhile. */
static void rest(void)
{
    pthread_mutex_unlock(&lock);
    nanosleep(&(struct timespec){ 0, 2000000 }, NULL);
    pthread_mutex_lock(&lock);
}

static int run_cpu(unsigned n)
{
    FakeCpu *c = &cpus[n];
    const char *line;

    pthread_mutex_lock(&lock);
    if (*c->pending) {
        uint64_t got = 0;
        memcpy(&got, c->pending[0] == 'i' ? (void *)((uint8_t *)c->run + IO_AT) : (void *)c->run->mmio.data, c->pending[0] == 'i' ? 4 : 8);
        note("vcpu%u got %s = 0x%llx", n, c->pending, (unsigned long long)got);
        *c->pending = 0;
    }
    note("vcpu%u RUN window=%u cr8=%llu", n, c->run->request_interrupt_window, (unsigned long long)c->run->cr8);
    while (!((volatile struct kvm_run *)c->run)->immediate_exit && (line = next_line(n, c))) {
        if (!has_come(line)) {
            c->next_line--;
            rest();
            continue;
        }
        int r = play(n, c, line);
        if (r > 0) {
            pthread_mutex_unlock(&lock);
            return 0;
        }
    }
    pthread_mutex_unlock(&lock);
    while (!((volatile struct kvm_run *)c->run)->immediate_exit) {
        struct timespec t = { 0, 2000000 };
        if (nanosleep(&t, NULL)) {
            break;
        }
    }
    c->run->exit_reason = KVM_EXIT_INTR;
    errno = EINTR;
    return -1;
}

static int vcpu_request(unsigned n, unsigned long request, void *arg)
{
    FakeCpu *c = &cpus[n];
    struct kvm_guest_debug *dbg = arg;
    struct kvm_msrs *m = arg;

#define GET(REQUEST, member) case REQUEST: memcpy(arg, &c->member, sizeof(c->member)); note("vcpu%u %s", n, name_of(request)); return 0;
#define SET(REQUEST, member, ...) case REQUEST: memcpy(&c->member, arg, sizeof(c->member)); note(__VA_ARGS__); return 0;
    switch (request) {
    GET(KVM_GET_REGS, regs)
    GET(KVM_GET_SREGS, sregs)
    GET(KVM_GET_XSAVE, xsave)
    GET(KVM_GET_XCRS, xcrs)
    GET(KVM_GET_DEBUGREGS, debugregs)
    GET(KVM_GET_VCPU_EVENTS, events)
    GET(KVM_GET_MP_STATE, mp)
    GET(KVM_GET_LAPIC, lapic)
    SET(KVM_SET_REGS, regs, "vcpu%u SET_REGS rip=0x%llx rflags=0x%llx rdx=0x%llx", n, (unsigned long long)c->regs.rip,
        (unsigned long long)c->regs.rflags, (unsigned long long)c->regs.rdx)
    SET(KVM_SET_XSAVE, xsave, "vcpu%u SET_XSAVE fcw=0x%x mxcsr=0x%x bv=0x%x", n, c->xsave.region[0] & 0xffff, c->xsave.region[6], c->xsave.region[128])
    SET(KVM_SET_XCRS, xcrs, "vcpu%u SET_XCRS xcr0=0x%llx", n, (unsigned long long)c->xcrs.xcrs[0].value)
    SET(KVM_SET_DEBUGREGS, debugregs, "vcpu%u SET_DEBUGREGS dr6=0x%llx dr7=0x%llx", n, (unsigned long long)c->debugregs.dr6, (unsigned long long)c->debugregs.dr7)
    SET(KVM_SET_VCPU_EVENTS, events, "vcpu%u SET_VCPU_EVENTS flags=%u nmi_masked=%u shadow=%u exception=%u/%u", n, c->events.flags, c->events.nmi.masked,
        c->events.interrupt.shadow, c->events.exception.injected, c->events.exception.nr)
    SET(KVM_SET_MP_STATE, mp, "vcpu%u SET_MP_STATE %u", n, c->mp.mp_state)
    SET(KVM_SET_LAPIC, lapic, "vcpu%u SET_LAPIC id=0x%x svr=0x%x lint0=0x%x", n, lapic_reg(&c->lapic, 2), lapic_reg(&c->lapic, 15), lapic_reg(&c->lapic, 0x35))
    case KVM_SET_SREGS:
        c->sregs = *(struct kvm_sregs *)arg;
        c->run->apic_base = c->sregs.apic_base;
        note_sregs(n, arg);
        return 0;
    case KVM_SET_CPUID2: note_cpuid(n, arg); return 0;
    case KVM_GET_TSC_KHZ: return 2000000;
    case KVM_SET_TSC_KHZ: note("vcpu%u SET_TSC_KHZ %lu", n, (unsigned long)(uintptr_t)arg); return 0;
    case KVM_GET_MSRS: note("vcpu%u GET_MSRS n=%u", n, m->nmsrs); return (int)m->nmsrs;
    case KVM_SET_MSRS:
        note("vcpu%u SET_MSRS n=%u", n, m->nmsrs);
        for (uint32_t i = 0; i < m->nmsrs; i++) {
            note("  vcpu%u msr 0x%x=0x%llx", n, m->entries[i].index, (unsigned long long)m->entries[i].data);
        }
        return (int)m->nmsrs;
    case KVM_SET_GUEST_DEBUG:
        note("vcpu%u SET_GUEST_DEBUG control=0x%x dr0=0x%llx dr1=0x%llx dr7=0x%llx", n, dbg->control, (unsigned long long)dbg->arch.debugreg[0],
             (unsigned long long)dbg->arch.debugreg[1], (unsigned long long)dbg->arch.debugreg[7]);
        return 0;
    case KVM_INTERRUPT: note("vcpu%u INTERRUPT vector=0x%x", n, ((struct kvm_interrupt *)arg)->irq); return 0;
    case KVM_NMI: note("vcpu%u NMI", n); return 0;
    case KVM_SMI: note("vcpu%u SMI", n); return 0;
    case KVM_KVMCLOCK_CTRL: note("vcpu%u KVMCLOCK_CTRL", n); return 0;
    }
    note("vcpu%u %s? 0x%lx", n, name_of(request), request);
    errno = EINVAL;
    return -1;
}

/* -- what the emulator calls ---------------------------------------------------------------------------------------------- */

static bool is_kvm(const char *path)
{
    pthread_once(&once, start);
    return !strcmp(path, "/dev/kvm");
}

static int open_kvm(void)
{
    int error = refusal("open");

    if (error) {
        errno = error;
        return -1;
    }
    return give_fd(FD_SYSTEM, 0);
}

int open(const char *path, int flags, ...);
int open(const char *path, int flags, ...)
{
    va_list args;

    va_start(args, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
    va_end(args);
    return is_kvm(path) ? open_kvm() : real_open(path, flags, mode);
}

int open64(const char *path, int flags, ...);
int open64(const char *path, int flags, ...)
{
    va_list args;

    va_start(args, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
    va_end(args);
    return is_kvm(path) ? open_kvm() : real_open64(path, flags, mode);
}

int ioctl(int fd, unsigned long request, ...);
int ioctl(int fd, unsigned long request, ...)
{
    va_list args;

    va_start(args, request);
    void *arg = va_arg(args, void *);
    va_end(args);
    pthread_once(&once, start);
    int kind = fd >= 0 && fd < MAX_FDS ? fds[fd].kind : FD_NONE;
    if (kind == FD_NONE) {
        return real_ioctl(fd, request, arg);
    }
    int error = refusal(name_of(request));
    if (error) {
        note("refused %s", name_of(request));
        errno = error;
        return -1;
    }
    if (kind == FD_VCPU && request == KVM_RUN) {
        return run_cpu(fds[fd].cpu);
    }
    pthread_mutex_lock(&lock);
    int r = kind == FD_SYSTEM ? system_request(request, arg) : kind == FD_VM ? vm_request(request, arg) : vcpu_request(fds[fd].cpu, request, arg);
    pthread_mutex_unlock(&lock);
    return r;
}

int close(int fd)
{
    pthread_once(&once, start);
    if (fd >= 0 && fd < MAX_FDS) {
        fds[fd].kind = FD_NONE;
    }
    return real_close(fd);
}
