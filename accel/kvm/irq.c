/*
 * irq.c: interrupts of in-kernel controllers: lines, messages, the routing table, irqfds.
 *
 * Threads: the routing table is under the BQL; ioctls may come from any thread.
 */
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include "kvm-int.h"

static struct kvm_irq_routing *table;
static unsigned room;
static uint64_t *msi_gsis;       /* a bit per GSI that a message route has */
enum { FIRST_MSI_GSI = 48, MAX_GSIS = 4096 }; /* two I/O APICs before */

void kvm_set_irq(unsigned gsi, int level)
{
    struct kvm_irq_level irq = { .irq = gsi, .level = (uint32_t)level };

    kvm_vm_ioctl(KVM_IRQ_LINE, &irq);
}

bool kvm_send_msi(uint64_t address, uint32_t data)
{
    struct kvm_msi msi = { .address_lo = (uint32_t)address, .address_hi = (uint32_t)(address >> 32), .data = data };

    return kvm_vm_ioctl(KVM_SIGNAL_MSI, &msi) > 0;
}

static struct kvm_irq_routing_entry *new_entry(void)
{
    if (!table || table->nr == room) {
        room = room ? room * 2 : 64;
        struct kvm_irq_routing *grown = xcalloc(1, sizeof(*grown) + room * sizeof(grown->entries[0]));
        if (table) {
            memcpy(grown, table, sizeof(*table) + table->nr * sizeof(table->entries[0]));
            free(table);
        }
        table = grown;
    }
    return &table->entries[table->nr++];
}

void kvm_route_irqchip(unsigned gsi, unsigned chip, unsigned pin)
{
    *new_entry() = (struct kvm_irq_routing_entry){ .gsi = gsi, .type = KVM_IRQ_ROUTING_IRQCHIP,
                                                   .u.irqchip = { .irqchip = chip, .pin = pin } };
}

static struct kvm_irq_routing_entry *find_msi(int gsi)
{
    for (unsigned i = 0; table && i < table->nr; i++) {
        if (table->entries[i].gsi == (uint32_t)gsi && table->entries[i].type == KVM_IRQ_ROUTING_MSI) {
            return &table->entries[i];
        }
    }
    return NULL;
}

/* All bytes are set: entries are compared. */
static void set_msi(struct kvm_irq_routing_entry *e, int gsi, uint64_t address, uint32_t data)
{
    memset(e, 0, sizeof(*e));
    e->gsi = (uint32_t)gsi;
    e->type = KVM_IRQ_ROUTING_MSI;
    e->u.msi.address_lo = (uint32_t)address;
    e->u.msi.address_hi = (uint32_t)(address >> 32);
    e->u.msi.data = data;
}

void kvm_route_pin(unsigned gsi, bool present, uint64_t address, uint32_t data)
{
    struct kvm_irq_routing_entry *e = find_msi((int)gsi), entry;

    if (!e && !present) {
        return;
    }
    if (!present) {
        *e = table->entries[--table->nr];
    } else {
        set_msi(&entry, (int)gsi, address, data);
        if (e && !memcmp(e, &entry, sizeof(entry))) {
            return;
        }
        *(e ? e : new_entry()) = entry;
    }
    kvm_route_commit();
}

static int free_gsi(void)
{
    unsigned most = MIN((unsigned)kvm_check_extension(KVM_CAP_IRQ_ROUTING), (unsigned)MAX_GSIS);

    if (!msi_gsis) {
        msi_gsis = xcalloc(MAX_GSIS / 64, sizeof(*msi_gsis));
    }
    for (unsigned gsi = FIRST_MSI_GSI; gsi < most; gsi++) {
        if (!(msi_gsis[gsi / 64] & BIT(gsi % 64))) {
            msi_gsis[gsi / 64] |= BIT(gsi % 64);
            return (int)gsi;
        }
    }
    return -1;
}

int kvm_route_msi(int gsi, uint64_t address, uint32_t data)
{
    struct kvm_irq_routing_entry *e = gsi >= 0 ? find_msi(gsi) : NULL;

    gsi = gsi >= 0 ? gsi : free_gsi();
    if (gsi >= 0) {
        set_msi(e ? e : new_entry(), gsi, address, data);
        kvm_route_commit();
    }
    return gsi;
}

void kvm_route_release(int gsi)
{
    struct kvm_irq_routing_entry *e = find_msi(gsi);

    if (e) {
        *e = table->entries[--table->nr];
        msi_gsis[gsi / 64] &= ~BIT(gsi % 64);
        kvm_route_commit();
    }
}

void kvm_route_commit(void)
{
    if (table && kvm.irqchip != KVM_IRQCHIP_OFF) {
        int r = kvm_vm_ioctl(KVM_SET_GSI_ROUTING, table);
        if (r < 0) {
            error_report("KVM: interrupt routing: %s", strerror(-r));
        }
    }
}

bool kvm_irqfd(int gsi, int fd, bool add)
{
    struct kvm_irqfd irqfd = { .fd = (uint32_t)fd, .gsi = (uint32_t)gsi, .flags = add ? 0 : KVM_IRQFD_FLAG_DEASSIGN };

    return kvm_vm_ioctl(KVM_IRQFD, &irqfd) >= 0;
}
