/*
 * hw-pc.c: the boards "pc" and "q35" without processors: the contract of every device, and the interrupt controllers, timers and DMA
 * through their ports, with numbers from the data sheets.
 */
#include <stdlib.h>
#include <unistd.h>

#include "hw/fw_cfg.h"
#include "hw/isa.h"
#include "softmmu/bql.h"
#include "tests/hw/chardev-double.h"
#include "tests/hw/contract.h"
#include "tests/hw/hw-pc.h"
#include "tests/test.h"

X86Machine *pc;

/* -- the guest's side ---------------------------------------------------------------------------------------------------- */

uint32_t in(uint16_t port, unsigned size)
{
    uint64_t value = UINT64_MAX;

    if (memory_load(&pc->machine.io, port, size, MEM_LITTLE_ENDIAN, &value, MEM_ATTRS_NONE) != MEM_OK) {
        value = UINT64_MAX;
    }
    return (uint32_t)(value & (UINT64_MAX >> (64 - 8 * size)));
}

void out(uint16_t port, unsigned size, uint32_t value)
{
    memory_store(&pc->machine.io, port, size, MEM_LITTLE_ENDIAN, value, MEM_ATTRS_NONE);
}

uint64_t rd(unsigned cpu, gpa addr, unsigned size)
{
    uint64_t value = 0;

    CHECK_EQ(memory_load(&x86_cpu(&pc->machine, cpu)->memory, addr, size, MEM_LITTLE_ENDIAN, &value, MEM_ATTRS_NONE), MEM_OK);
    return value;
}

void wr(unsigned cpu, gpa addr, unsigned size, uint64_t value)
{
    CHECK_EQ(memory_store(&x86_cpu(&pc->machine, cpu)->memory, addr, size, MEM_LITTLE_ENDIAN, value, MEM_ATTRS_NONE), MEM_OK);
}

static uint32_t config_address(unsigned devfn, unsigned offset)
{
    return 0x80000000 | devfn << 8 | (offset & 0xfc);
}

uint32_t config_rd(unsigned devfn, unsigned offset, unsigned size)
{
    out(0xcf8, 4, config_address(devfn, offset));
    return in((uint16_t)(0xcfc + (offset & 3)), size);
}

void config_wr(unsigned devfn, unsigned offset, unsigned size, uint32_t value)
{
    out(0xcf8, 4, config_address(devfn, offset));
    out((uint16_t)(0xcfc + (offset & 3)), size, value);
}

static int64_t guest_ns = NS_PER_SECOND;
static int64_t look_ns; /* what each look at the clock takes */

static int64_t guest_now(void *opaque)
{
    guest_ns += look_ns;
    return guest_ns;
}

static void deadline_changed(void *opaque, int64_t deadline_ns)
{
}

void advance_ns(int64_t ns)
{
    int64_t end = guest_ns + ns;

    while (clock_virtual_deadline_ns() <= end) {
        guest_ns = MAX(guest_ns, clock_virtual_deadline_ns());
        clock_run_virtual_timers();
    }
    guest_ns = end;
}

void reset(void)
{
    machine_reset(&pc->machine, RESET_COLD);
}

int ack(unsigned cpu)
{
    return apic_acknowledge(x86_cpu(&pc->machine, cpu)->lapic);
}

#define APIC(reg) (APIC_BASE_ADDR + (reg))
enum { TPR = 0x80, PPR = 0xa0, EOI = 0xb0, LDR = 0xd0, SVR = 0xf0, ISR = 0x100, IRR = 0x200, ESR = 0x280, ICR = 0x300,
       ICR_HIGH = 0x310, LVT_TIMER = 0x320, LVT_LINT0 = 0x350, LVT_ERROR = 0x370, INITIAL = 0x380, CURRENT = 0x390, DIVIDE = 0x3e0 };

static uint32_t apic_rd(unsigned cpu, uint32_t reg)
{
    return (uint32_t)rd(cpu, APIC(reg), 4);
}

static void apic_wr(unsigned cpu, uint32_t reg, uint32_t value)
{
    wr(cpu, APIC(reg), 4, value);
}

/* -- 8259A ------------------------------------------------------------------------------------------------------------------ */

static void pic_init(void)
{
    out(0x20, 1, 0x11), out(0x21, 1, 0x08), out(0x21, 1, 0x04), out(0x21, 1, 0x01);
    out(0xa0, 1, 0x11), out(0xa1, 1, 0x70), out(0xa1, 1, 0x02), out(0xa1, 1, 0x01);
    out(0x21, 1, 0), out(0xa1, 1, 0);
}

static void irq(unsigned n, int level)
{
    irq_set(x86_gsi(pc, n), level);
}

static void test_pic(void)
{
    reset();
    apic_wr(0, SVR, 0x1ff);
    apic_wr(0, LVT_LINT0, 0x700); /* ExtINT: virtual wire mode */
    pic_init();
    CHECK_EQ(in(0x21, 1), 0);
    CHECK_EQ(ack(0), -1);
    irq(3, 1), irq(1, 1);
    CHECK_EQ(in(0x20, 1), 0x0a);               /* IRR */
    CHECK_EQ(ack(0), 0x09);                    /* IRQ 1 has the higher priority */
    CHECK_EQ(ack(0), -1);                      /* IRQ 3 waits for the end of 1 */
    out(0x20, 1, 0x0b);
    CHECK_EQ(in(0x20, 1), 0x02);               /* ISR */
    irq(0, 0), irq(0, 1);                      /* the PIT holds it high */
    CHECK_EQ(ack(0), 0x08);                    /* nests */
    out(0x20, 1, 0x20), out(0x20, 1, 0x20);    /* non-specific EOI, twice */
    CHECK_EQ(in(0x20, 1), 0);
    CHECK_EQ(ack(0), 0x0b);
    out(0x20, 1, 0x63);                        /* specific EOI of 3 */
    CHECK_EQ(in(0x20, 1), 0);
    /* Edges: a line that stays high does not ask again. */
    CHECK_EQ(ack(0), -1);
    irq(3, 0), irq(3, 1);
    CHECK_EQ(ack(0), 0x0b);
    out(0x20, 1, 0x20);
    irq(0, 0), irq(1, 0), irq(3, 0);
    /* The slave, through the cascade. */
    irq(12, 1);
    CHECK_EQ(ack(0), 0x74);
    out(0xa0, 1, 0x0b);
    CHECK_EQ(in(0xa0, 1), 0x10);
    out(0xa0, 1, 0x20), out(0x20, 1, 0x20);
    irq(12, 0);
    /* Masks. */
    out(0x21, 1, 0x02);
    irq(1, 1);
    CHECK_EQ(ack(0), -1);
    out(0x21, 1, 0);
    CHECK_EQ(ack(0), 0x09);
    out(0x20, 1, 0x20);
    irq(1, 0);
    /* Rotation: after it IRQ 1 is the lowest, IRQ 2 (12) the highest. */
    out(0x20, 1, 0xc1);
    irq(1, 1), irq(4, 1);
    CHECK_EQ(ack(0), 0x0c);
    out(0x20, 1, 0x20);
    CHECK_EQ(ack(0), 0x09);
    out(0x20, 1, 0x20);
    irq(1, 0), irq(4, 0);
    /* Level-triggered by ELCR: asks again after EOI while it is high. */
    out(0x20, 1, 0xc7);
    out(0x4d0, 1, 0xff);
    CHECK_EQ(in(0x4d0, 1), 0xf8);              /* 0, 1 and 2 are edge-triggered for ever */
    out(0x4d1, 1, 0xff);
    CHECK_EQ(in(0x4d1, 1), 0xde);              /* 8 and 13 as well */
    irq(5, 1);
    CHECK_EQ(ack(0), 0x0d);
    out(0x20, 1, 0x20);
    CHECK_EQ(ack(0), 0x0d);
    irq(5, 0);
    out(0x20, 1, 0x20);
    CHECK_EQ(ack(0), -1);
    /* Poll: an acknowledge by a read. */
    irq(6, 1);
    out(0x20, 1, 0x0c);
    CHECK_EQ(in(0x20, 1), 0x86);
    irq(6, 0);
    out(0x20, 1, 0x20);
    out(0x20, 1, 0x0c);
    CHECK_EQ(in(0x20, 1), 0);
    /* Special mask mode: a masked level in service lets lower ones through. */
    irq(1, 1);
    CHECK_EQ(ack(0), 0x09);
    out(0x21, 1, 0x02);
    irq(4, 1);
    CHECK_EQ(ack(0), -1);
    out(0x20, 1, 0x68);
    CHECK_EQ(ack(0), 0x0c);
    out(0x20, 1, 0x48);
    irq(1, 0), irq(4, 0);
    out(0x4d0, 1, 0), out(0x4d1, 1, 0);
    /* Automatic EOI. */
    out(0x20, 1, 0x11), out(0x21, 1, 0x20), out(0x21, 1, 0x04), out(0x21, 1, 0x03), out(0x21, 1, 0);
    irq(7, 1);
    CHECK_EQ(ack(0), 0x27);
    out(0x20, 1, 0x0b);
    CHECK_EQ(in(0x20, 1), 0);
    irq(7, 0);
}

/* -- 8254 -------------------------------------------------------------------------------------------------------------------- */

static void pit_set(unsigned channel, unsigned mode, unsigned count)
{
    out(0x43, 1, channel << 6 | 0x30 | mode << 1);
    out((uint16_t)(0x40 + channel), 1, count & 0xff);
    out((uint16_t)(0x40 + channel), 1, count >> 8);
}

static unsigned pit_get(unsigned channel)
{
    out(0x43, 1, channel << 6);
    unsigned low = in((uint16_t)(0x40 + channel), 1);
    return low | in((uint16_t)(0x40 + channel), 1) << 8;
}

static int64_t ticks(unsigned n)
{
    return ((int64_t)n * NS_PER_SECOND + 1193181) / 1193182;
}

static bool near(unsigned a, unsigned b)
{
    return a - b + 1 <= 2; /* a tick's rounding */
}

static void test_pit(void)
{
    reset();
    apic_wr(0, SVR, 0x1ff);
    apic_wr(0, LVT_LINT0, 0x700);
    pic_init();
    /* Rate generator: an interrupt each 11932 ticks, 10 ms. */
    pit_set(0, 2, 11932);
    CHECK(near(pit_get(0), 11932));
    advance_ns(ticks(1000));
    CHECK(near(pit_get(0), 10932));
    unsigned fired = 0;
    for (unsigned i = 0; i < 100; i++) {
        advance_ns(NS_PER_MS);
        if (ack(0) == 0x08) {
            fired++;
            out(0x20, 1, 0x20);
        }
    }
    CHECK_EQ(fired, 10);
    /* A new count waits for the end of the period. */
    pit_set(0, 2, 50000);
    advance_ns(ticks(10000));
    out(0x40, 1, 1000 & 0xff), out(0x40, 1, 1000 >> 8);
    CHECK(near(pit_get(0), 40000));
    advance_ns(ticks(40000));
    CHECK(near(pit_get(0), 1000));
    /* Read-back: output, null count, access and mode. */
    pit_set(0, 3, 2000);
    out(0x43, 1, 0xe2);
    CHECK_EQ(in(0x40, 1), 0xb6);               /* OUT high, 3 << 4, mode 3 */
    advance_ns(ticks(1500));
    out(0x43, 1, 0xe2);
    CHECK_EQ(in(0x40, 1), 0x36);
    CHECK(near(pit_get(0), 1000));             /* counts down by two */
    /* Latches hold until read. */
    pit_set(0, 2, 30000);
    out(0x43, 1, 0);
    advance_ns(ticks(5000));
    unsigned low = in(0x40, 1);
    CHECK(near(low | in(0x40, 1) << 8, 30000));
    /* One-shot on terminal count. */
    while (ack(0) >= 0) {
        out(0x20, 1, 0x20);
    }
    pit_set(0, 0, 100);
    CHECK_EQ(ack(0), -1);
    advance_ns(ticks(100) + 10);
    CHECK_EQ(ack(0), 0x08);
    out(0x20, 1, 0x20);
    advance_ns(NS_PER_SECOND);
    CHECK_EQ(ack(0), -1);
    /* BCD: 100 decimal counts. */
    out(0x43, 1, 0x30 | 1), out(0x40, 1, 0x00), out(0x40, 1, 0x01);
    advance_ns(ticks(1));
    unsigned bcd = pit_get(0);
    CHECK(bcd == 0x99 || bcd == 0x98 || bcd == 0x100);
    /* Channel 2: gate and output at port 61h; the refresh bit toggles. */
    out(0x61, 1, 0);
    pit_set(2, 0, 1000);
    advance_ns(ticks(5000));
    CHECK_EQ(in(0x61, 1) & 0x20, 0);           /* the gate is low: it does not count */
    out(0x61, 1, 1);
    advance_ns(ticks(500));
    CHECK(near(pit_get(2), 500));
    CHECK_EQ(in(0x61, 1) & 0x21, 0x01);
    advance_ns(ticks(501));
    CHECK_EQ(in(0x61, 1) & 0x21, 0x21);
    unsigned toggles = 0, last = in(0x61, 1) & 0x10;
    for (unsigned i = 0; i < 100; i++) {
        advance_ns(3000);
        toggles += last != (in(0x61, 1) & 0x10);
        last = in(0x61, 1) & 0x10;
    }
    CHECK(toggles >= 19 && toggles <= 21);
    /* A hostile count does not hold the machine up. */
    pit_set(0, 2, 2);
    advance_ns(NS_PER_MS);
    pit_set(0, 0, 1);
    advance_ns(NS_PER_MS);
}

/* -- MC146818 ------------------------------------------------------------------------------------------------------------------ */

static unsigned cmos(unsigned index)
{
    out(0x70, 1, index);
    return in(0x71, 1);
}

static void cmos_set(unsigned index, unsigned value)
{
    out(0x70, 1, index);
    out(0x71, 1, value);
}

static void test_rtc(void)
{
    reset();
    apic_wr(0, SVR, 0x1ff);
    apic_wr(0, LVT_LINT0, 0x700);
    pic_init();
    /* -rtc base=2001-02-03T23:59:58,clock=vm */
    CHECK_EQ(cmos(0x0d), 0x80);
    cmos_set(0x0b, 0x82);                      /* SET, BCD, 24 hours */
    cmos_set(0, 0x58), cmos_set(2, 0x59), cmos_set(4, 0x23), cmos_set(7, 0x28), cmos_set(8, 0x02), cmos_set(9, 0x04);
    cmos_set(0x32, 0x20);
    advance_ns(5 * NS_PER_SECOND);
    CHECK_EQ(cmos(0), 0x58);                   /* held */
    cmos_set(0x0b, 0x02);
    advance_ns(NS_PER_SECOND);
    CHECK_EQ(cmos(0), 0x59);
    advance_ns(NS_PER_SECOND);
    CHECK_EQ(cmos(0), 0x00);
    CHECK_EQ(cmos(2), 0x00);
    CHECK_EQ(cmos(4), 0x00);
    CHECK_EQ(cmos(7), 0x29);                   /* 2004 is a leap year */
    CHECK_EQ(cmos(8), 0x02);
    CHECK_EQ(cmos(6), 0x01);                   /* a Sunday */
    advance_ns(13 * 3600 * NS_PER_SECOND);
    cmos_set(0x0b, 0x00);                      /* 12 hours */
    CHECK_EQ(cmos(4), 0x81);                   /* 1 pm */
    cmos_set(0x0b, 0x06);                      /* binary, 24 hours */
    CHECK_EQ(cmos(4), 13);
    CHECK_EQ(cmos(9), 4);
    CHECK_EQ(cmos(0x32), 20);
    /* Years that nanoseconds cannot count to, and one before the host's. */
    for (unsigned century = 0; century < 256; century += 17) {
        cmos_set(0x0b, 0x86);
        cmos_set(9, 0xff), cmos_set(0x32, century);
        cmos_set(0x0b, 0x06);
        advance_ns(NS_PER_SECOND);
        unsigned year = cmos(0x32) * 100 + cmos(9);
        CHECK(century < 17 ? year == 1900 : century == 17 ? year == 1955 : year == 2255);
    }
    cmos_set(0x0b, 0x86);
    cmos_set(0, 0), cmos_set(2, 0), cmos_set(4, 14), cmos_set(7, 29), cmos_set(8, 2), cmos_set(9, 4), cmos_set(0x32, 20);
    cmos_set(0x0b, 0x06);
    advance_ns(NS_PER_SECOND);
    CHECK_EQ(cmos(9), 4);
    /* Update-ended interrupt: one a second. */
    cmos(0x0c);
    cmos_set(0x0b, 0x16);
    advance_ns(NS_PER_SECOND);
    CHECK_EQ(ack(0), 0x70);
    CHECK_EQ(cmos(0x0c) & 0x90, 0x90);
    out(0xa0, 1, 0x20), out(0x20, 1, 0x20);
    CHECK_EQ(cmos(0x0c) & 0x10, 0);
    /* Alarm: every hour at minute 5, second 0 ("don't care" hours). */
    cmos_set(1, 0), cmos_set(3, 5), cmos_set(5, 0xff);
    cmos_set(0x0b, 0x26);
    advance_ns(3700 * NS_PER_SECOND);
    CHECK_EQ(ack(0), 0x70);
    CHECK_EQ(cmos(0x0c) & 0xa0, 0xa0);
    out(0xa0, 1, 0x20), out(0x20, 1, 0x20);
    CHECK_EQ(cmos(0x0c), 0);
    /* Periodic: 1024 Hz. */
    cmos_set(0x0b, 0x46);
    unsigned fired = 0;
    for (unsigned i = 0; i < 1000; i++) {
        advance_ns(100 * NS_PER_US);
        if (ack(0) == 0x70) {
            fired++;
            cmos(0x0c);
            out(0xa0, 1, 0x20), out(0x20, 1, 0x20);
        }
    }
    CHECK(fired >= 101 && fired <= 103);
    cmos_set(0x0b, 0x06);
    /* The update flag can be polled without interrupts; UIP is up shortly before. */
    cmos(0x0c);
    bool uip = false;
    for (unsigned i = 0; i < 11000; i++) {
        advance_ns(100 * NS_PER_US);
        uip |= cmos(0x0a) >> 7;
    }
    CHECK(uip);
    CHECK_EQ(cmos(0x0c) & 0x10, 0x10);
    /* Memory sizes for the BIOS: 128 MiB. */
    CHECK_EQ(cmos(0x15) | cmos(0x16) << 8, 640);
    CHECK_EQ(cmos(0x17) | cmos(0x18) << 8, 0xffff);
    CHECK_EQ(cmos(0x34) | cmos(0x35) << 8, (128 - 16) * 16);
    CHECK_EQ(cmos(0x5f), 2);
    CHECK_EQ(cmos(0x3d), 0x12);                /* -boot order=cad: 0x38 has the third */
    CHECK_EQ(cmos(0x38), 0x30);
    cmos_set(0x50, 0xa5);
    reset();
    CHECK_EQ(cmos(0x50), 0xa5);                /* the battery */
}

/* -- local APIC and I/O APIC ------------------------------------------------------------------------------------------------------ */

static void test_apic(void)
{
    uint64_t msr;

    reset();
    CHECK_EQ(apic_rd(0, 0x20), 0);
    CHECK_EQ(apic_rd(1, 0x20), 1u << 24);
    CHECK_EQ(apic_rd(0, 0x30), 0x50014);
    CHECK_EQ(apic_rd(0, SVR), 0xff);
    CHECK_EQ(apic_rd(0, LVT_LINT0), 0x10000);
    /* Software-disabled: LVT entries stay masked, fixed interrupts are not taken. */
    apic_wr(0, LVT_TIMER, 0x40);
    CHECK_EQ(apic_rd(0, LVT_TIMER), 0x10040);
    apic_wr(0, SVR, 0x1ff), apic_wr(1, SVR, 0x1ff), apic_wr(2, SVR, 0x1ff);
    /* Self IPI, priorities, nesting. */
    apic_wr(0, ICR, 0x40000 | 0x51);
    apic_wr(0, ICR, 0x40000 | 0x62);
    CHECK_EQ(apic_rd(0, IRR + 0x20), 1u << 0x11);
    CHECK_EQ(apic_rd(0, IRR + 0x30), 1u << 2);
    CHECK_EQ(ack(0), 0x62);
    CHECK_EQ(apic_rd(0, PPR), 0x60);
    CHECK_EQ(ack(0), -1);
    apic_wr(0, EOI, 0);
    apic_wr(0, TPR, 0x50);
    CHECK_EQ(ack(0), -1);
    apic_wr(0, TPR, 0x4f);
    CHECK_EQ(ack(0), 0x51);
    apic_wr(0, EOI, 0);
    apic_wr(0, TPR, 0);
    /* Illegal vectors: ESR after it was written, and the error interrupt. */
    apic_wr(0, LVT_ERROR, 0xfe);
    apic_wr(0, ICR, 0x40000 | 5);
    CHECK_EQ(ack(0), 0xfe);
    apic_wr(0, EOI, 0);
    apic_wr(0, ESR, 0);
    CHECK_EQ(apic_rd(0, ESR), 0x20);
    apic_wr(0, ESR, 0);
    CHECK_EQ(apic_rd(0, ESR), 0);
    /* Physical, logical flat, shorthands. */
    apic_wr(0, ICR_HIGH, 1u << 24), apic_wr(0, ICR, 0x4071);
    CHECK_EQ(ack(1), 0x71);
    apic_wr(1, EOI, 0);
    apic_wr(0, LDR, 1u << 24), apic_wr(1, LDR, 2u << 24), apic_wr(2, LDR, 4u << 24);
    apic_wr(0, ICR_HIGH, 6u << 24), apic_wr(0, ICR, 0x4872);
    CHECK_EQ(ack(0), -1);
    CHECK_EQ(ack(1), 0x72);
    CHECK_EQ(ack(2), 0x72);
    apic_wr(1, EOI, 0), apic_wr(2, EOI, 0);
    apic_wr(2, ICR, 0xc0000 | 0x73);           /* all but self */
    CHECK_EQ(ack(0), 0x73);
    CHECK_EQ(ack(1), 0x73);
    CHECK_EQ(ack(2), -1);
    apic_wr(0, EOI, 0), apic_wr(1, EOI, 0);
    /* Cluster model. */
    apic_wr(0, 0xe0, 0), apic_wr(0, LDR, 0x11u << 24), apic_wr(1, 0xe0, 0), apic_wr(1, LDR, 0x21u << 24);
    apic_wr(0, ICR_HIGH, 0x29u << 24), apic_wr(0, ICR, 0x4874);
    CHECK_EQ(ack(1), 0x74);
    CHECK_EQ(ack(0), -1);
    apic_wr(0, 0xe0, UINT32_MAX), apic_wr(0, LDR, 1u << 24);
    apic_wr(1, EOI, 0);
    apic_wr(1, 0xe0, UINT32_MAX), apic_wr(1, LDR, 2u << 24);
    /* Lowest priority goes to the one that is least busy. */
    apic_wr(0, TPR, 0x80), apic_wr(2, TPR, 0x70);
    apic_wr(0, ICR_HIGH, 7u << 24), apic_wr(0, ICR, 0x4975);
    CHECK_EQ(ack(1), 0x75);
    apic_wr(1, EOI, 0);
    apic_wr(0, TPR, 0), apic_wr(2, TPR, 0);
    /* Timer: 1 GHz / 16, one-shot and periodic. */
    apic_wr(0, DIVIDE, 3);
    apic_wr(0, LVT_TIMER, 0x41);
    apic_wr(0, INITIAL, 1000);
    advance_ns(8000);
    CHECK_EQ(apic_rd(0, CURRENT), 500);
    CHECK_EQ(ack(0), -1);
    advance_ns(8000);
    CHECK_EQ(ack(0), 0x41);
    apic_wr(0, EOI, 0);
    CHECK_EQ(apic_rd(0, CURRENT), 0);
    apic_wr(0, LVT_TIMER, 0x20041);
    apic_wr(0, INITIAL, 1000);
    for (unsigned i = 0; i < 5; i++) {
        advance_ns(16000);
        CHECK_EQ(ack(0), 0x41);
        apic_wr(0, EOI, 0);
    }
    /* From periodic to one-shot: the period under way is the last. */
    apic_wr(0, LVT_TIMER, 0x41);
    advance_ns(16000);
    CHECK_EQ(ack(0), 0x41);
    apic_wr(0, EOI, 0);
    advance_ns(100000);
    apic_wr(0, LVT_TIMER, 0x41), apic_wr(0, DIVIDE, 0), apic_wr(0, DIVIDE, 3);
    advance_ns(100000);
    CHECK_EQ(ack(0), -1);
    /* A one-shot that ends while the processor's thread rests in the middle of the write. */
    look_ns = 50000;
    apic_wr(0, INITIAL, 1000);
    look_ns = 0;
    advance_ns(0);
    CHECK_EQ(ack(0), 0x41);
    apic_wr(0, EOI, 0);
    apic_wr(0, INITIAL, 0);
    advance_ns(100000);
    CHECK_EQ(ack(0), -1);
    /* MSI. */
    memory_store(&pc->machine.memory, 0xfee01000, 4, MEM_LITTLE_ENDIAN, 0x81, MEM_ATTRS_NONE);
    CHECK_EQ(ack(1), 0x81);
    apic_wr(1, EOI, 0);
    /* x2APIC: modes can only be left to disabled; registers are MSRs, the page is gone. */
    apic_set_x2(x86_cpu(&pc->machine, 1)->lapic, true);
    Device *lapic = x86_cpu(&pc->machine, 1)->lapic;
    CHECK(apic_msr_read(lapic, 0x1b, &msr) && msr == 0xfee00800);
    CHECK(!apic_msr_read(lapic, 0x802, &msr));
    CHECK(apic_msr_write(lapic, 0x1b, 0xfee00c00));
    CHECK(apic_msr_read(lapic, 0x802, &msr) && msr == 1);
    CHECK(apic_msr_read(lapic, 0x80d, &msr) && msr == 2);
    CHECK_EQ(rd(1, APIC(0x30), 4), UINT32_MAX);
    CHECK(!apic_msr_write(lapic, 0x1b, 0xfee00800));
    CHECK(!apic_msr_write(lapic, 0x80b, 1));
    CHECK(!apic_msr_write(lapic, 0x802, 1));
    CHECK(apic_msr_write(lapic, 0x83f, 0x91)); /* self IPI */
    CHECK_EQ(ack(1), 0x91);
    CHECK(apic_msr_write(lapic, 0x80b, 0));
    CHECK(apic_msr_write(lapic, 0x830, 0x92));  /* to 0 */
    CHECK_EQ(ack(0), 0x92);
    apic_wr(0, EOI, 0);
    apic_wr(0, ICR_HIGH, 1u << 24), apic_wr(0, ICR, 0x4093);
    CHECK_EQ(ack(1), 0x93);
    CHECK(apic_msr_write(lapic, 0x80b, 0));
    CHECK(apic_msr_write(lapic, 0x1b, 0xfee00000));
    CHECK(!apic_msr_write(lapic, 0x1b, 0xfee00c00));
    /* Off it is as if it were not there (11.4.3). */
    CHECK_EQ(rd(1, APIC(0x30), 4), UINT32_MAX);
    CHECK_EQ(rd(1, APIC(0x20), 2), 0xffff);
    CHECK_EQ(rd(0, APIC(0x30), 4), 0x50014);
    /* Relocation: each processor's own affair. */
    Device *first = x86_cpu(&pc->machine, 0)->lapic;
    CHECK(apic_msr_write(first, 0x1b, 0x40000900));
    CHECK_EQ(rd(0, 0x40000030, 4), 0x50014);
    CHECK_EQ(rd(2, APIC(0x30), 4), 0x50014);
    CHECK(apic_msr_write(first, 0x1b, 0xfee00900));
    /* Address bits that the processor does not have are reserved. */
    apic_set_phys_bits(first, 36);
    CHECK(!apic_msr_write(first, 0x1b, UINT64_C(0x10fee00900)));
    CHECK(!apic_msr_write(first, 0x1b, UINT64_C(0x8000000fee00900)));
    CHECK(apic_msr_read(first, 0x1b, &msr) && msr == 0xfee00900);
    CHECK(apic_msr_write(first, 0x1b, UINT64_C(0xf40000900)));
    CHECK_EQ(rd(0, UINT64_C(0xf40000030), 4), 0x50014);
    CHECK(apic_msr_write(first, 0x1b, 0xfee00900));
    apic_set_phys_bits(first, 52);
    apic_set_x2(lapic, false);
}

static uint32_t ioapic_rd(unsigned reg)
{
    wr(0, IOAPIC_ADDR, 4, reg);
    return (uint32_t)rd(0, IOAPIC_ADDR + 0x10, 4);
}

static void ioapic_wr(unsigned reg, uint32_t value)
{
    wr(0, IOAPIC_ADDR, 4, reg);
    wr(0, IOAPIC_ADDR + 0x10, 4, value);
}

static void test_timer_modes(void)
{
    reset();
    apic_wr(0, SVR, 0x1ff);
    apic_wr(0, DIVIDE, 0xb);
    apic_wr(0, LVT_TIMER, 0x61);
    apic_wr(0, INITIAL, 1000);
    advance_ns(400);
    CHECK_EQ(apic_rd(0, CURRENT), 600);
    apic_wr(0, LVT_TIMER, 0x20061); /* periodic: goes on counting */
    CHECK_EQ(apic_rd(0, CURRENT), 600);
    advance_ns(700);
    CHECK_EQ(ack(0), 0x61);
    apic_wr(0, EOI, 0);
    CHECK_EQ(apic_rd(0, CURRENT), 900);
    apic_wr(0, LVT_TIMER, 0x61);
    advance_ns(1000);
    CHECK_EQ(ack(0), 0x61);
    apic_wr(0, EOI, 0);
    CHECK_EQ(apic_rd(0, CURRENT), 0);
    apic_wr(0, LVT_TIMER, 0x20061); /* a one-shot that is over stays over */
    advance_ns(100);
    CHECK_EQ(apic_rd(0, CURRENT), 0);
    advance_ns(2000);
    CHECK_EQ(ack(0), -1);
    reset();
}

/* A TSC of 1 GHz that starts with the guest's clock. */
static int64_t deadline_ns(void *opaque, uint64_t tsc) { return (int64_t)tsc; }

static void test_tsc_deadline(void)
{
    enum { MSR_TSC_DEADLINE = 0x6e0, MODE_DEADLINE = 0x40000 };
    Device *lapic = x86_cpu(&pc->machine, 0)->lapic;
    uint64_t left = 1;

    reset();
    apic_set_tsc(lapic, deadline_ns, NULL);
    apic_wr(0, SVR, 0x1ff);
    apic_wr(0, LVT_TIMER, MODE_DEADLINE | 0x60);
    CHECK(apic_msr_write(lapic, MSR_TSC_DEADLINE, (uint64_t)guest_ns + 1000));
    CHECK_EQ(ack(0), -1);
    advance_ns(1000);
    CHECK_EQ(ack(0), 0x60);
    apic_wr(0, EOI, 0);
    /* A moment that has passed: the interrupt is there before the next instruction (SDM 11.5.4.1). */
    CHECK(apic_msr_write(lapic, MSR_TSC_DEADLINE, (uint64_t)guest_ns));
    CHECK(apic_msr_read(lapic, MSR_TSC_DEADLINE, &left));
    CHECK_EQ(left, 0);
    CHECK_EQ(ack(0), 0x60);
    apic_wr(0, EOI, 0);
    apic_set_tsc(lapic, NULL, NULL);
    reset();
}

static void test_ioapic(void)
{
    reset();
    apic_wr(0, SVR, 0x1ff), apic_wr(1, SVR, 0x1ff);
    CHECK_EQ(ioapic_rd(1), 0x170020);
    CHECK_EQ(ioapic_rd(0x10), 0x10000);
    /* Edge, to processor 1; the timer's IRQ 0 comes in at pin 2. */
    ioapic_wr(0x15, 1u << 24), ioapic_wr(0x14, 0x30);
    irq(0, 0), irq(0, 1);
    CHECK_EQ(ack(1), 0x30);
    CHECK_EQ(ack(1), -1);
    irq(0, 0);
    apic_wr(1, EOI, 0);
    /* An edge while masked is lost (82093AA 3.2.4, interrupt mask), the next one is not. */
    ioapic_wr(0x18, 0x10032);
    irq(4, 1), irq(4, 0);
    CHECK_EQ(ack(0), -1);
    ioapic_wr(0x18, 0x32);
    CHECK_EQ(ack(0), -1);
    irq(4, 1), irq(4, 0);
    CHECK_EQ(ack(0), 0x32);
    apic_wr(0, EOI, 0);
    /* Level: remote IRR until EOI, then again while the line is high. */
    ioapic_wr(0x10 + 2 * 17, 0x8000 | 0x44);
    irq(17, 1);
    CHECK_EQ(ioapic_rd(0x10 + 2 * 17), 0xc044);
    CHECK_EQ(ack(0), 0x44);
    CHECK_EQ(apic_rd(0, 0x180 + 0x20), 1u << 4); /* TMR */
    apic_wr(0, EOI, 0);
    CHECK_EQ(ack(0), 0x44);
    irq(17, 0);
    apic_wr(0, EOI, 0);
    CHECK_EQ(ack(0), -1);
    CHECK_EQ(ioapic_rd(0x10 + 2 * 17), 0x8044);
}

/* -- HPET ---------------------------------------------------------------------------------------------------------------------- */

#define HPET UINT64_C(0xfed00000)

static void test_hpet(void)
{
    reset();
    apic_wr(0, SVR, 0x1ff);
    apic_wr(0, LVT_LINT0, 0x700);
    pic_init();
    CHECK_EQ(rd(0, HPET, 8), UINT64_C(0x989680) << 32 | 0x8086a201);
    CHECK_EQ(rd(0, HPET + 4, 4), 0x989680);
    wr(0, HPET + 0xf0, 8, 0);
    advance_ns(NS_PER_MS);
    CHECK_EQ(rd(0, HPET + 0xf0, 8), 0);        /* halted */
    wr(0, HPET + 0x10, 4, 1);
    advance_ns(NS_PER_MS);
    CHECK_EQ(rd(0, HPET + 0xf0, 8), 100000);
    /* Comparator 2, level-triggered through I/O APIC input 2. */
    ioapic_wr(0x14, 0x8000 | 0x55);
    wr(0, HPET + 0x140, 4, 2 << 9 | 4 | 2);
    wr(0, HPET + 0x148, 8, 150000);
    advance_ns(499 * NS_PER_US);
    CHECK_EQ(rd(0, HPET + 0x20, 4), 0);
    advance_ns(2 * NS_PER_US);
    CHECK_EQ(rd(0, HPET + 0x20, 4), 4);
    CHECK_EQ(ack(0), 0x55);
    wr(0, HPET + 0x20, 4, 4);
    apic_wr(0, EOI, 0);
    CHECK_EQ(ack(0), -1);
    ioapic_wr(0x14, 0x10000);
    /* Legacy replacement: comparator 0, periodic, is IRQ 0; the PIT is silent. */
    pit_set(0, 2, 100);
    wr(0, HPET + 0x10, 4, 3);
    while (ack(0) >= 0) {
        out(0x20, 1, 0x20);
    }
    uint64_t now = rd(0, HPET + 0xf0, 8);
    wr(0, HPET + 0x100, 4, 1 << 8 | 8 | 4 | 0x40);
    wr(0, HPET + 0x108, 4, now + 100000);
    wr(0, HPET + 0x108, 4, 100000);
    for (unsigned i = 0; i < 5; i++) {
        advance_ns(NS_PER_MS - 1000);
        CHECK_EQ(ack(0), -1);
        advance_ns(1000);
        CHECK_EQ(ack(0), 0x08);
        out(0x20, 1, 0x20);
    }
    /* Silenced, it goes on without waking anybody; what it has come to is there when it is looked at and when it is switched on. */
    pit_set(0, 0, 1);
    advance_ns(NS_PER_MS / 2);
    while (ack(0) >= 0) {
        out(0x20, 1, 0x20);
    }
    wr(0, HPET + 0x100, 4, 1 << 8 | 8);
    CHECK(clock_virtual_deadline_ns() > guest_ns + 5 * NS_PER_MS);
    uint32_t before = (uint32_t)rd(0, HPET + 0x108, 4);
    advance_ns(7 * NS_PER_MS);
    CHECK_EQ((uint32_t)rd(0, HPET + 0x108, 4) - before, 700000);
    advance_ns(2 * NS_PER_MS);
    wr(0, HPET + 0x100, 4, 1 << 8 | 8 | 4);
    CHECK_EQ(ack(0), -1);
    advance_ns(NS_PER_MS);
    CHECK_EQ(ack(0), 0x08);
    out(0x20, 1, 0x20);
    CHECK_EQ((uint32_t)rd(0, HPET + 0x108, 4) - before, 1000000);
    wr(0, HPET + 0x100, 4, 0);
    wr(0, HPET + 0x10, 4, 1);
    pit_set(0, 2, 100);
    advance_ns(NS_PER_MS);
    CHECK_EQ(ack(0), 0x08);                    /* the PIT again */
    wr(0, HPET + 0x10, 4, 0);
}

/* -- 8237A --------------------------------------------------------------------------------------------------------------------- */

typedef struct DmaTest {
    const IsaDmaOps *ops;
    void *controller;
    unsigned calls, step;
    uint8_t seen[64];
} DmaTest;

static uint32_t dma_step(void *opaque, unsigned channel, uint32_t pos, uint32_t len)
{
    DmaTest *t = opaque;
    uint32_t n = MIN(t->step, len - pos);
    uint8_t bytes[64];

    t->calls++;
    t->ops->read_memory(t->controller, channel, t->seen, pos, n);
    for (uint32_t i = 0; i < n; i++) {
        bytes[i] = (uint8_t)(0xc0 + pos + i);
    }
    t->ops->write_memory(t->controller, channel, bytes, pos, n);
    return pos + n;
}

static void test_dma(void)
{
    DmaTest t = { .step = 6 };

    reset();
    t.ops = isa_dma(pc->isa, &t.controller);
    CHECK(t.ops != NULL);
    t.ops->set_transfer(t.controller, 2, dma_step, &t);
    for (unsigned i = 0; i < 16; i++) {
        wr(0, 0x12340 + i, 1, i);
    }
    /* Channel 2: single, write to memory, 10 bytes at 0x12340. */
    out(0x0a, 1, 6), out(0x0c, 1, 0), out(0x0b, 1, 0x46);
    out(0x04, 1, 0x40), out(0x04, 1, 0x23), out(0x05, 1, 9), out(0x05, 1, 0), out(0x81, 1, 1);
    t.ops->hold_dreq(t.controller, 2);
    CHECK_EQ(t.calls, 0);                      /* masked */
    CHECK_EQ(in(0x08, 1), 0x40);
    out(0x0a, 1, 2);
    CHECK_EQ(t.calls, 1);
    CHECK_EQ(t.seen[5], 5);
    CHECK_EQ(rd(0, 0x12345, 1), 0xc5);
    CHECK_EQ(rd(0, 0x12346, 1), 6);
    out(0x0c, 1, 0);
    unsigned count = in(0x05, 1);
    CHECK_EQ(count | in(0x05, 1) << 8, 3);     /* 4 to go */
    t.ops->hold_dreq(t.controller, 2);
    CHECK_EQ(rd(0, 0x12349, 1), 0xc9);
    CHECK_EQ(rd(0, 0x1234a, 1), 10);
    t.ops->release_dreq(t.controller, 2);
    CHECK_EQ(in(0x08, 1), 0x04);               /* terminal count, read once */
    CHECK_EQ(in(0x08, 1), 0);
    CHECK_EQ(in(0x0f, 1) & 4, 4);              /* masked by it */
    /* Channel 5: words, automatic initialization, 4 words at 0x20000. */
    t.ops->set_transfer(t.controller, 5, dma_step, &t);
    t.calls = 0;
    t.step = 8;
    out(0xd8, 1, 0), out(0xd6, 1, 0x55);
    out(0xc4, 1, 0), out(0xc4, 1, 0), out(0xc6, 1, 3), out(0xc6, 1, 0), out(0x8b, 1, 2);
    out(0xd4, 1, 1);
    CHECK(t.ops->has_autoinit(t.controller, 5));
    t.ops->hold_dreq(t.controller, 5);
    CHECK_EQ(t.calls, 1);
    CHECK_EQ(rd(0, 0x20007, 1), 0xc7);
    out(0xd8, 1, 0);
    count = in(0xc6, 1);
    CHECK_EQ(count | in(0xc6, 1) << 8, 3);     /* loaded again */
    CHECK_EQ(in(0xde, 1) & 2, 0);
    t.ops->release_dreq(t.controller, 5);
    t.ops->set_transfer(t.controller, 2, NULL, NULL);
    t.ops->set_transfer(t.controller, 5, NULL, NULL);
}

/* -- pc-testdev: values seen of the reference ---------------------------------------------------------------------------- */

static void test_testdev(void)
{
    reset();
    out(0xe0, 4, 0x11223344);
    CHECK_EQ(in(0xe1, 1), 0x33);
    CHECK_EQ(in(0xe2, 2), 0x1122);
    CHECK_EQ(in(0xe8, 4), 0x11223344);
    out(0xe9, 1, 0xaa);
    CHECK_EQ(in(0xe0, 4), 0x1122aa44);
    out(0xe4, 4, 0x1000);
    CHECK_EQ(in(0xe4, 4), 0);
    wr(0, 0xff000008, 8, 0x1122334455667788);
    CHECK_EQ(rd(0, 0xff00000a, 4), 0x33445566);
    wr(0, 0xff00ffff, 1, 0x9a);
    CHECK_EQ(rd(0, 0xff00fffe, 2), 0x9a00);
    apic_wr(0, SVR, 0x1ff);
    apic_wr(0, LVT_LINT0, 0x700);
    pic_init();
    out(0x2005, 1, 2);
    CHECK_EQ(in(0x2005, 1), 0);
    CHECK_EQ(ack(0), 0x0d);
    out(0x20, 1, 0x20);
    out(0x2005, 1, 0), out(0x2010, 1, 1), out(0x2017, 1, 1); /* no such lines */
    CHECK_EQ(ack(0), -1);
    out(0x2009, 1, 1);
    CHECK_EQ(ack(0), 0x71);
    out(0x2009, 1, 0);
}

/* Sleeping switched off (as libvirt does): neither tables nor firmware offer it. */
static void test_sleep(bool offered)
{
    uint32_t len = 0;
    const uint8_t *states = fw_cfg_file(pc->fw_cfg, "etc/system-states", &len);

    CHECK_EQ(len, 6);
    if (!states) {
        return;
    }
    CHECK_EQ(states[0], 0x80);
    CHECK_EQ(states[3], offered ? 0x81 : 0);
    CHECK_EQ(states[4], offered ? 0x82 : 0);
    CHECK_EQ(states[5], 0x80);
    CHECK_EQ(machine_can_suspend(), offered);
}

int main(int argc, char **argv)
{
    const char *board = argc > 1 ? argv[1] : "pc";
    bool sleep = argc <= 2 || strcmp(argv[2], "no-sleep");
    static const ClockSource source = { .now_ns = guest_now, .deadline_changed = deadline_changed, .runs_timers = true };
    Error *err = NULL;
    unsigned n = 0;

    bql_lock();
    clock_set_source(&source);
    rtc_configure(&(RtcConfig){ .clock = RTC_CLOCK_VM, .has_base = true, .base_s = 981244798 });
    Machine *m = machine_new(machine_type_find(board, "x86_64"), "x86_64");
    pc = (X86Machine *)m;
    /* Firmware of our own: the test needs none of the distribution's. */
    static char file[] = "/tmp/hw-pc-bios-XXXXXX";
    int fd = mkstemp(file);
    if (fd < 0 || ftruncate(fd, 256 * 1024)) {
        perror("hw-pc");
        return 1;
    }
    m->firmware = xstrdup(file);
    for (unsigned i = 0; !sleep && i < 2; i++) {
        object_add_global(i ? "ICH9-LPC" : "PIIX4_PM", "disable_s3", "1");
        object_add_global(i ? "ICH9-LPC" : "PIIX4_PM", "disable_s4", "1");
    }
    CHECK(machine_set_smp(m, &(SmpConfig){ .cpus = 3 }, NULL));
    bool ok = machine_build(m, &err) &&
              device_add("pci-bridge", (const char *const[]){ "id", "bridge", NULL }, &err) &&
              device_add("pc-testdev", (const char *const[]){ NULL }, &err) && machine_ready(m, &err);
    remove(file);
    if (!ok) {
        fprintf(stderr, "%s\n", error_message(err));
        return 1;
    }
    reset();
    test_sleep(sleep);
    test_pic();
    test_pit();
    test_rtc();
    test_apic();
    test_timer_modes();
    test_tsc_deadline();
    test_ioapic();
    test_hpet();
    test_dma();
    test_testdev();
    CHECK_EQ(test_chipset(!strcmp(board, "q35")), 0);
    device_foreach(contract_check, &n);
    for (unsigned i = 0; i < m->smp.cpus; i++) {
        contract_check(x86_cpu(m, i)->lapic, &n);
    }
    CHECK_EQ(contract_failures(), 0);
    CHECK(n >= 20);
    return test_result();
}
