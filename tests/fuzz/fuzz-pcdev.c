/*
 * fuzz-pcdev.c: a hostile driver for one device of a PC at a time: it sets the device up by the book, mostly, and then goes wrong: ring contents,
 * descriptors and buffers made up, which may point anywhere, at the device's own registers too; any register written at any time; frames,
 * keys and pointer movements that arrive meanwhile; the screen drawn from what is in video memory.
 *
 * FUZZ_DEVICE=NAME keeps to the one device (the tests do; a name that is not there lists them), else the input's first byte chooses.
 * Input: 8 bytes are the seed of a row of sessions. Besides crashes it looks for growth: after many inputs the process may not be
 * much larger than after the first ones. One input that takes a minute of processor time ends it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>
#include "block/block.h"
#include "hw/i386/pc.h"
#include "hw/pci.h"
#include "net/net.h"
#include "softmmu/bql.h"
#include "softmmu/loop.h"
#include "softmmu/system-priv.h"
#include "tests/fuzz/fuzz.h"
#include "ui/console.h"
#include "ui/input.h"

#if defined(__SANITIZE_ADDRESS__)
#define ADDRESSES_CHECKED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ADDRESSES_CHECKED
#endif
#endif

enum { RAM_BYTES = 16 << 20, RINGS = 0x100000, RING_BYTES = 0x1000, N_RINGS = 8, DATA = 0x200000, N_DATA = 64, BAR_AREA = 0x1000000, IO_AREA = 0x100,
       SESSIONS = 6, WARM_INPUTS = 40, GROWTH_PAGES = (64 << 20) / 4096 };
#define BARS UINT64_C(0xd0000000)
#define IO_BARS 0xd000u

const char *const fuzz_seeds[] = { "\x01\x02\x03\x04\x05\x06\x07\x08", "\x11\x32\x53\x74\x15\x36\x57\x78", "\x21\x62\x33\x44", NULL };
const char *const fuzz_words[] = { "\x55\xaa", NULL };

/* One register of a set-up: what is written, nearly always. */
typedef enum HintKind { END, VALUE, RING, ADDRESS, SMALL, ANY } HintKind;
typedef struct Hint {
    uint32_t offset;
    uint8_t size, kind;
    uint32_t value; /* VALUE: this; SMALL: below this */
} Hint;

typedef struct Range { uint16_t first, n; } Range;

typedef struct Target {
    const char *name, *type;        /* type: of a PCI function; NULL: at the fixed places that follow */
    const char *opts[6];            /* pairs for device_add */
    uint8_t bar;                    /* its registers are in this BAR */
    const Hint *hints;
    Range ports[4];
    gpa mmio;
    uint32_t mmio_bytes;
    void (*session)(const struct Target *t, gpa registers);
} Target;

static X86Machine *pc;
static uint64_t rng_state;

static uint32_t pick(uint32_t below)
{
    rng_state = rng_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((rng_state >> 33) % below);
}

static void poke(gpa addr, unsigned size, uint64_t value)
{
    memory_store(&x86_cpu(&pc->machine, 0)->memory, addr, size, MEM_LITTLE_ENDIAN, value, MEM_ATTRS_NONE);
}

static void peek(gpa addr, unsigned size)
{
    uint64_t value;

    memory_load(&x86_cpu(&pc->machine, 0)->memory, addr, size, MEM_LITTLE_ENDIAN, &value, MEM_ATTRS_NONE);
}

static void out(uint32_t port, unsigned size, uint32_t value)
{
    memory_store(&pc->machine.io, port, size, MEM_LITTLE_ENDIAN, value, MEM_ATTRS_NONE);
}

static void in(uint32_t port, unsigned size)
{
    uint64_t value;

    memory_load(&pc->machine.io, port, size, MEM_LITTLE_ENDIAN, &value, MEM_ATTRS_NONE);
}

static gpa own_registers;

static gpa some_ring(void)
{
    return RINGS + pick(N_RINGS) * RING_BYTES;
}

static gpa some_address(void)
{
    static const gpa odd[] = { RAM_BYTES - 8, 0xa0000, 0xc0000, 0xfffffff0, 0xfec00010, 0xfed000f0, 0xfee00300, UINT64_MAX - 7, UINT64_C(1) << 63, BARS,
                               BARS + BAR_AREA, UINT64_C(1) << 32 };

    switch (pick(12)) {
    case 0: return odd[pick(ARRAY_SIZE(odd))];
    case 1: return own_registers + pick(0x100) * 4;
    case 2: return some_ring() + pick(256) * 16;
    default: return DATA + pick(N_DATA) * 0x1000 + (pick(4) ? 0 : pick(4096));
    }
}

static uint32_t some_length(void)
{
    static const uint32_t odd[] = { 0, 1, 13, 14, 59, 60, 64, 1514, 1518, 2048, 4096, 8191, 0xffff, 0xfffff, 0x7fffffff, UINT32_MAX };
    return pick(2) ? odd[pick(ARRAY_SIZE(odd))] : pick(2000);
}

static uint32_t some_value(void)
{
    switch (pick(6)) {
    case 0: return UINT32_MAX;
    case 1: return 1u << pick(32);
    case 2: return (uint32_t)some_address();
    case 3: return pick(256);
    case 4: return pick(UINT32_MAX);
    default: return some_length();
    }
}

/* Descriptors of all makes: address first or last, flags and length in one word, chains. */
static void fill_rings(void)
{
    for (unsigned i = 0; i < N_RINGS * RING_BYTES / 16; i += 1 + pick(2)) {
        gpa d = RINGS + i * 16;
        switch (pick(4)) {
        case 0: /* address, length and command, status */
            poke(d, 8, some_address());
            poke(d + 8, 4, (some_length() & 0xfffff) | pick(256) << 24);
            poke(d + 12, 4, pick(4) ? pick(256) << 8 : pick(UINT32_MAX));
            break;
        case 1: /* owner and length, tag, address */
            poke(d, 4, 0x80000000 | pick(4) << 28 | (pick(16) ? 0 : 0x40000000) | (pick(3) ? pick(2) << 27 | pick(2048) << 16 : 0) | (some_length() & 0xffff));
            poke(d + 4, 4, pick(2) ? 0x20000 | pick(65536) : 0);
            poke(d + 8, 8, some_address());
            break;
        case 2: /* address, length, flags, next */
            poke(d, 8, some_address());
            poke(d + 8, 4, pick(2) ? pick(256) : some_length());
            poke(d + 12, 4, pick(4) | (pick(8) ? (i + 1) % 64 : pick(65536)) << 16);
            break;
        default:
            poke(d + pick(4) * 4, 4, some_value());
        }
    }
}

/* An Ethernet frame with IPv4, TCP or UDP that says things about itself that are not true. */
static uint32_t some_frame(uint8_t *f, uint32_t room)
{
    uint32_t length = some_length(), n = MIN(length, room), payload = n > 34 ? n - 14 : 0;

    for (uint32_t i = 0; i < n; i++) {
        f[i] = (uint8_t)pick(256);
    }
    if (n > 64 && pick(4)) {
        static const uint8_t mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };
        memcpy(f, mac, 6);
        f[0] = (uint8_t)(pick(4) ? f[0] : pick(2) ? 0x33 : 0xff);
        unsigned at = pick(4) ? 12 : 16;
        stbe16(f + 12, 0x8100);
        stbe16(f + at, pick(4) ? 0x0800 : 0x86dd);
        uint8_t *ip = f + at + 2;
        ip[0] = (uint8_t)(pick(8) ? 0x45 : pick(256));
        stbe16(ip + 2, (uint16_t)(pick(4) ? payload : pick(65536)));
        stbe16(ip + 6, (uint16_t)(pick(4) ? 0 : pick(65536)));
        ip[9] = pick(8) ? (uint8_t)(pick(2) ? 6 : 17) : (uint8_t)pick(256);
        ip[32] = (uint8_t)(pick(4) ? 0x50 : pick(256));
    }
    return n;
}

static void fill_data(void)
{
    uint8_t f[4096];

    for (unsigned i = 0; i < 8; i++) {
        uint32_t n = some_frame(f, sizeof(f));
        memory_write(&pc->machine.memory, DATA + pick(N_DATA) * 0x1000, f, n, MEM_ATTRS_NONE);
    }
}

/* -- sessions ---------------------------------------------------------------------------------------------------- */

static uint32_t hint_value(const Hint *h)
{
    switch (h->kind) {
    case VALUE: return pick(8) ? h->value : h->value ^ 1u << pick(32);
    case RING: return (uint32_t)(pick(16) ? some_ring() : some_address());
    case ADDRESS: return (uint32_t)some_address();
    case SMALL: return pick(16) ? pick(h->value) : some_value();
    default: return some_value();
    }
}

static void events(void)
{
    uint8_t f[9000];

    for (unsigned n = pick(6); n; n--) {
        NetPeer *wire = netdev_find((const char *[]){ "w0", "w1", "w2" }[pick(3)]);
        net_send(wire, f, some_frame(f, sizeof(f)));
        input_send_key((InputKey)(1 + pick(100)), pick(2));
        input_send_rel((int)pick(2), (int)pick(512) - 256);
        input_send_button((InputButton)pick(3), pick(2));
        input_sync();
    }
    for (unsigned i = 0; i < console_count() && !pick(3); i++) {
        Console *con = console_by_index(i);
        if (!pick(8)) {
            console_ask_size(con, 1 + pick(3000), 1 + pick(3000));
        }
        console_invalidate(con);
        console_refresh(con);
    }
}

static void poke_ranges(const Target *t)
{
    for (unsigned n = 20 + pick(60); n; n--) {
        unsigned size = 1u << pick(3);
        if (t->mmio && (!t->ports[0].n || pick(2))) {
            gpa at = t->mmio + (pick(t->mmio_bytes) & ~(size - 1));
            pick(3) ? poke(at, pick(8) ? size : 8, some_value()) : peek(at, size);
            continue;
        }
        unsigned n_ranges = 0;
        while (n_ranges < ARRAY_SIZE(t->ports) && t->ports[n_ranges].n) {
            n_ranges++;
        }
        const Range *r = &t->ports[pick(n_ranges)];
        uint32_t port = r->first + pick(r->n);
        pick(3) ? out(port, pick(4) ? 1 : size, pick(3) ? pick(256) : some_value()) : in(port, pick(4) ? 1 : size);
    }
}

static void by_hints(const Target *t, gpa registers)
{
    for (const Hint *h = t->hints; h && h->kind != END; h++) {
        if (pick(16)) {
            poke(registers + h->offset, h->size, hint_value(h));
        }
    }
    for (unsigned n = pick(20); n && t->hints; n--) { /* again, in no order */
        unsigned count = 0;
        while (t->hints[count].kind != END) {
            count++;
        }
        const Hint *h = &t->hints[pick(count)];
        poke(registers + h->offset, h->size, hint_value(h));
        if (!pick(4)) {
            events();
        }
    }
}

static unsigned devfn_of(const char *type)
{
    PciBus *bus = pc->root;

    for (unsigned i = 0; i < 256; i++) {
        if (bus->devices[i] && !strcmp(bus->devices[i]->dev.obj.type->name, type)) {
            return i;
        }
    }
    fprintf(stderr, "fuzz-pcdev: no %s\n", type);
    exit(1);
}

static void config(unsigned devfn, unsigned offset, unsigned size, uint32_t value)
{
    out(0xcf8, 4, 0x80000000 | devfn << 8 | (offset & 0xfc));
    out(0xcfc + (offset & 3), size, value);
}

static void pci_session(const Target *t, gpa unused)
{
    unsigned devfn = devfn_of(t->type);
    PciDevice *pci = pc->root->devices[devfn];
    gpa registers = 0;

    for (unsigned i = 0; i < PCI_N_BARS; i++) {
        if (pci->bars[i].mr) {
            gpa at = BARS + (i * 2) * BAR_AREA;
            bool io = pci->bars[i].flags & PCI_BAR_IO;
            config(devfn, PCI_BAR0 + 4 * i, 4, io ? IO_BARS + i * IO_AREA : (uint32_t)at);
            if (pci->bars[i].flags & PCI_BAR_64) {
                config(devfn, PCI_BAR0 + 4 * i + 4, 4, 0);
            }
            registers = i == t->bar ? at : registers;
        }
    }
    config(devfn, PCI_COMMAND, 2, pick(16) ? 7 : pick(65536));
    own_registers = registers;
    fill_rings();
    fill_data();
    if (t->session) {
        t->session(t, registers);
    } else {
        by_hints(t, registers);
    }
    for (unsigned n = pick(60); n; n--) {
        unsigned i = pick(3) ? t->bar : pick(PCI_N_BARS), size = 1u << pick(3);
        if (!pci->bars[i].mr) {
            continue;
        }
        uint64_t bytes = pick(2) ? MIN(pci->bars[i].size_bytes, 0x400) : pci->bars[i].size_bytes;
        uint64_t at = pick((uint32_t)bytes) & ~(size - 1);
        if (pci->bars[i].flags & PCI_BAR_IO) {
            pick(3) ? out(IO_BARS + i * IO_AREA + (uint32_t)at, size, some_value()) : in(IO_BARS + i * IO_AREA + (uint32_t)at, size);
        } else {
            at += BARS + (i * 2) * BAR_AREA;
            pick(3) ? poke(at, size, some_value()) : peek(at, size);
        }
        if (!pick(16)) {
            config(devfn, pick(256) & ~(size - 1), size, some_value());
        }
    }
    events();
    config(devfn, PCI_COMMAND, 2, 0);
}

static void fixed_session(const Target *t, gpa unused)
{
    own_registers = t->mmio;
    if (t->session) {
        t->session(t, t->mmio);
    } else {
        by_hints(t, t->mmio);
    }
    poke_ranges(t);
    events();
}

/* virtio 1.2, 4.1.4: common configuration, then rings; buffers hold commands of the device the target is. */
static void virtio_session(const Target *t, gpa registers)
{
    bool vga = t->bar == 2;
    gpa common = registers + (vga ? 0x1000 : 0), notify = registers + 0x3000;
    bool gpu = strstr(t->name, "gpu") || vga;

    poke(common + 20, 1, 0);
    poke(common + 20, 1, 3);
    for (unsigned i = 0; i < 2; i++) {
        poke(common + 8, 4, i);
        poke(common + 12, 4, i ? 1 | (pick(2) ? 4u : 0) : pick(2) ? UINT32_MAX : pick(UINT32_MAX));
    }
    poke(common + 20, 1, 11);
    for (unsigned queue = 0; queue < 3; queue++) {
        gpa desc = RINGS + queue * 0x2000, avail = desc + 0x1000;
        unsigned num = pick(8) ? 64 : 1u << pick(9);
        for (unsigned i = 0; i < 64; i++) { /* pairs: to the device, from the device */
            poke(desc + i * 16, 8, pick(16) ? DATA + pick(N_DATA) * 0x1000 : some_address());
            poke(desc + i * 16 + 8, 4, pick(8) ? (i & 1 ? 2048u : 64 + pick(512)) : some_length());
            poke(desc + i * 16 + 12, 2, pick(16) ? (i & 1 ? 2u : 1u) : pick(8));
            poke(desc + i * 16 + 14, 2, pick(16) ? i + 1 : pick(65536));
            poke(avail + 4 + i * 2, 2, pick(8) ? i & ~1u : pick(65536));
        }
        poke(avail, 2, pick(2));
        poke(avail + 2, 2, pick(8) ? pick(33) : pick(65536));
        poke(common + 22, 2, queue);
        poke(common + 24, 2, num);
        poke(common + 26, 2, pick(4) ? 0xffff : pick(4));
        poke(common + 32, 4, (uint32_t)desc);
        poke(common + 36, 4, 0);
        poke(common + 40, 4, (uint32_t)(pick(16) ? avail : some_address()));
        poke(common + 44, 4, 0);
        poke(common + 48, 4, (uint32_t)(pick(16) ? avail + 0x800 : some_address()));
        poke(common + 52, 4, 0);
        poke(common + 28, 2, 1);
    }
    poke(common + 20, 1, 15);
    for (unsigned i = 0; i < N_DATA && gpu; i++) {
        gpa at = DATA + i * 0x1000;
        static const uint16_t commands[] = { 0x100, 0x101, 0x101, 0x102, 0x103, 0x104, 0x105, 0x106, 0x106, 0x107, 0x10a, 0x300, 0x301 };
        unsigned command = commands[pick(ARRAY_SIZE(commands))];
        for (unsigned k = 0; k < 96; k += 4) {
            poke(at + k, 4, pick(8) ? (k >= 24 ? pick(96) : 0) : some_value());
        }
        poke(at, 4, pick(32) ? command : pick(0x400));
        if (command == 0x101) { /* id, format, size */
            poke(at + 24, 4, 1 + pick(4));
            poke(at + 28, 4, (uint32_t[]){ 1, 2, 3, 4, 67, 68, 121, 134 }[pick(8)]);
            poke(at + 32, 4, pick(8) ? 64 : some_value());
            poke(at + 36, 4, pick(8) ? 64 : some_value());
        } else if (command == 0x106) {
            poke(at + 24, 4, 1 + pick(4));
            poke(at + 28, 4, pick(8) ? 1 + pick(20) : some_value());
            for (unsigned k = 0; k < 20; k++) {
                poke(at + 32 + k * 16, 8, some_address());
                poke(at + 40 + k * 16, 4, some_length());
            }
        } else if (command == 0x103 || command == 0x105 || command == 0x104) { /* rectangle, then ids */
            for (unsigned k = 0; k < 4 && pick(16); k++) {
                poke(at + 24 + k * 4, 4, k < 2 ? pick(16) : 16 + pick(48));
            }
            poke(at + 40, 8, command == 0x105 ? pick(0x4000) : pick(2) | (uint64_t)(1 + pick(4)) << 32);
            poke(at + (command == 0x105 ? 48 : 44), 4, 1 + pick(4));
        }
    }
    for (unsigned kicks = 1 + pick(4); kicks; kicks--) {
        unsigned queue = pick(8) ? pick(3) : pick(70);
        poke(notify + queue * 4, 2, queue);
        events();
    }
}

/* Modes of the Bochs interface and of the VGA; a picture of noise. */
static void vga_session(const Target *t, gpa window)
{
    static const uint8_t index_ports[] = { 0xc0, 0xc4, 0xce, 0xd4 };

    for (unsigned n = 10 + pick(60); n; n--) {
        unsigned port = 0x300 + index_ports[pick(4)];
        in(0x3da, 1);
        out(port, 1, pick(port == 0x3d4 ? 32 : 64));
        out(port == 0x3c0 ? port : port + 1, 1, pick(256));
    }
    if (pick(2)) {
        static const uint16_t values[] = { 0, 640, 480, 32, 0x41, 0, 1024, 0, 0 };
        for (unsigned i = 1; i < 10; i++) {
            unsigned value = pick(4) ? values[i - 1] : pick(2) ? pick(4096) : pick(65536);
            value = i == 3 ? (unsigned)(uint8_t[]){ 4, 8, 15, 16, 24, 32, 1, 0 }[pick(8)] : value;
            if (window && pick(2)) {
                poke(window + 0x500 + i * 2, 2, value);
            } else {
                out(0x1ce, 2, i);
                out(0x1cf, 2, value);
            }
        }
    }
    for (unsigned n = pick(300); n; n--) {
        gpa at = pick(2) ? 0xa0000 + pick(0x20000) : BARS + pick(0x1000000);
        pick(4) ? poke(at & ~UINT64_C(3), 4, pick(UINT32_MAX)) : peek(at, 1);
    }
    events();
    for (unsigned i = 0; i < console_count(); i++) {
        console_refresh(console_by_index(i));
    }
}

/* DMA descriptors of fw_cfg: control, length, address, all big-endian; ramfb's structure among what is written. */
static void fw_cfg_session(const Target *t, gpa unused)
{
    for (unsigned n = 1 + pick(8); n; n--) {
        gpa at = pick(8) ? DATA + pick(16) * 16 : some_address();
        uint32_t control = (pick(4) ? 0x20 + pick(32) : pick(65536)) << 16 | (pick(4) ? 8u | 1u << (1 + pick(4)) : pick(64));
        for (unsigned i = 0; i < 7; i++) {
            memory_store(&pc->machine.memory, DATA + 0x1000 + i * 4, 4, MEM_BIG_ENDIAN, i < 2 ? pick(2) * DATA : pick(8) ? 16 + pick(2000) : some_value(), MEM_ATTRS_NONE);
        }
        memory_store(&pc->machine.memory, DATA + 0x1008, 4, MEM_BIG_ENDIAN, pick(8) ? 0x34325258 : some_value(), MEM_ATTRS_NONE);
        memory_store(&pc->machine.memory, at, 4, MEM_BIG_ENDIAN, control, MEM_ATTRS_NONE);
        memory_store(&pc->machine.memory, at + 4, 4, MEM_BIG_ENDIAN, pick(4) ? 28 : some_length(), MEM_ATTRS_NONE);
        memory_store(&pc->machine.memory, at + 8, 8, MEM_BIG_ENDIAN, pick(4) ? DATA + 0x1000 : some_address(), MEM_ATTRS_NONE);
        memory_store(&pc->machine.io, 0x514, 4, MEM_BIG_ENDIAN, at >> 32, MEM_ATTRS_NONE);
        memory_store(&pc->machine.io, 0x518, 4, MEM_BIG_ENDIAN, (uint32_t)at, MEM_ATTRS_NONE);
    }
}

/* -- the devices --------------------------------------------------------------------------------------------------- */

static const Hint e1000_hints[] = {
    { 0x100, 4, VALUE, 0x0600803e }, { 0x2800, 4, RING, 0 }, { 0x2804, 4, VALUE, 0 }, { 0x2808, 4, SMALL, 0x400 }, { 0x2810, 4, SMALL, 32 }, { 0x2818, 4, SMALL, 32 },
    { 0x3800, 4, RING, 0 }, { 0x3804, 4, VALUE, 0 }, { 0x3808, 4, VALUE, 0x200 }, { 0x3810, 4, SMALL, 32 }, { 0x400, 4, VALUE, 0xa }, { 0x20, 4, VALUE, 0x04204000 },
    { 0x100, 4, VALUE, 0x060080fe }, { 0x3818, 4, SMALL, 32 }, { 0xd0, 4, ANY, 0 }, { 0x10, 4, SMALL, 256 }, { 0, 4, VALUE, 0x40000000 }, { 0, 0, END, 0 },
};
static const Hint rtl8139_hints[] = {
    { 0x37, 1, VALUE, 0x0c }, { 0xe0, 2, VALUE, 0x63 }, { 0x20, 4, RING, 0 }, { 0x24, 4, VALUE, 0 }, { 0x28, 4, RING, 0 }, { 0x2c, 4, VALUE, 0 }, { 0xe4, 4, RING, 0 },
    { 0xe8, 4, VALUE, 0 }, { 0x40, 4, VALUE, 0x60000 }, { 0x44, 4, VALUE, 0x178f }, { 0x3c, 2, ANY, 0 }, { 0xd9, 1, VALUE, 0xc0 }, { 0x10, 4, VALUE, 0x200008 },
    { 0xe0, 2, VALUE, 0 }, { 0x30, 4, ADDRESS, 0 }, { 0x20, 4, ADDRESS, 0 }, { 0x10, 4, SMALL, 2000 }, { 0x24, 4, ADDRESS, 0 }, { 0x14, 4, SMALL, 2000 },
    { 0x18, 4, SMALL, 1500 }, { 0x1c, 4, SMALL, 1500 }, { 0x38, 2, SMALL, 65536 }, { 0x50, 1, SMALL, 256 }, { 0x54, 4, ANY, 0 }, { 0x37, 1, VALUE, 0x0c }, { 0, 0, END, 0 },
};
static const Hint nvme_hints[] = {
    { 0x14, 4, VALUE, 0 }, { 0x24, 4, VALUE, 0x000f000f }, { 0x28, 4, RING, 0 }, { 0x30, 4, RING, 0 }, { 0x14, 4, VALUE, 0x00460001 }, { 0x1000, 4, SMALL, 16 },
    { 0x1004, 4, SMALL, 16 }, { 0x1008, 4, SMALL, 16 }, { 0x100c, 4, SMALL, 16 }, { 0, 0, END, 0 },
};
static const Hint ahci_hints[] = {
    { 0x4, 4, VALUE, 0x80000002 }, { 0x100, 4, RING, 0 }, { 0x108, 4, RING, 0 }, { 0x114, 4, ANY, 0 }, { 0x118, 4, VALUE, 0x11 }, { 0x138, 4, SMALL, 256 },
    { 0x134, 4, SMALL, 256 }, { 0x12c, 4, VALUE, 1 }, { 0x180, 4, RING, 0 }, { 0x188, 4, RING, 0 }, { 0x198, 4, VALUE, 0x11 }, { 0x1b8, 4, SMALL, 256 }, { 0, 0, END, 0 },
};
static const Hint esb_hints[] = { { 0xc, 2, VALUE, 0x80 }, { 0xc, 2, VALUE, 0x86 }, { 0, 4, SMALL, 0x100000 }, { 4, 4, ANY, 0 }, { 0xc, 2, VALUE, 0x100 }, { 0, 0, END, 0 } };
static const Hint hpet_hints[] = {
    { 0x10, 4, VALUE, 3 }, { 0x100, 4, VALUE, 0x4c }, { 0x108, 4, ANY, 0 }, { 0x108, 8, ANY, 0 }, { 0xf0, 8, ANY, 0 }, { 0x120, 4, VALUE, 0x1c }, { 0x128, 4, SMALL, 1000 },
    { 0x10, 4, VALUE, 1 }, { 0, 0, END, 0 },
};
static const Hint lapic_hints[] = {
    { 0xf0, 4, VALUE, 0x1ff }, { 0x320, 4, VALUE, 0x20030 }, { 0x3e0, 4, SMALL, 16 }, { 0x380, 4, SMALL, 100 }, { 0x300, 4, VALUE, 0x40031 }, { 0x310, 4, ANY, 0 },
    { 0x300, 4, ANY, 0 }, { 0x80, 4, SMALL, 256 }, { 0xb0, 4, VALUE, 0 }, { 0, 0, END, 0 },
};
static const Hint ioapic_hints[] = { { 0, 4, SMALL, 64 }, { 0x10, 4, ANY, 0 }, { 0, 4, SMALL, 64 }, { 0x10, 4, VALUE, 0x8031 }, { 0x40, 4, SMALL, 256 }, { 0, 0, END, 0 } };

#define PCI_TARGET(name_, type_, bar_, hints_, session_, ...) \
    { .name = name_, .type = type_, .bar = bar_, .hints = hints_, .session = session_, .opts = { __VA_ARGS__ } }
#define PORT_TARGET(name_, session_, ...) { .name = name_, .session = session_, .ports = { __VA_ARGS__ } }

static const Target targets[] = {
    PCI_TARGET("ahci", "ich9-ahci", 5, ahci_hints, NULL, "id", "sata"),
    { .name = "apic", .mmio = 0xfee00000, .mmio_bytes = 0x1000, .hints = lapic_hints },
    PCI_TARGET("bochs-display", "bochs-display", 2, NULL, vga_session, "id", "bochs"),
    PORT_TARGET("dma", NULL, { 0, 16 }, { 0x80, 16 }, { 0xc0, 32 }),
    PCI_TARGET("e1000", "e1000", 0, e1000_hints, NULL, "netdev", "w0", "mac", "52:54:00:12:34:56"),
    PORT_TARGET("floppy", NULL, { 0x3f0, 8 }, { 0, 16 }),
    PORT_TARGET("fw_cfg", fw_cfg_session, { 0x510, 12 }),
    { .name = "hpet", .mmio = 0xfed00000, .mmio_bytes = 0x400, .hints = hpet_hints },
    PORT_TARGET("i8042", NULL, { 0x60, 1 }, { 0x64, 1 }, { 0x92, 1 }),
    PCI_TARGET("i6300esb", "i6300esb", 0, esb_hints, NULL, "id", "esb"),
    PORT_TARGET("ide", NULL, { 0x1f0, 8 }, { 0x170, 8 }, { 0x3f6, 1 }, { 0x376, 1 }),
    { .name = "ioapic", .mmio = 0xfec00000, .mmio_bytes = 0x100, .hints = ioapic_hints },
    PCI_TARGET("nvme", "nvme", 0, nvme_hints, NULL, "id", "nvme", "serial", "s"),
    PORT_TARGET("pic", NULL, { 0x20, 2 }, { 0xa0, 2 }, { 0x4d0, 2 }),
    PORT_TARGET("pit", NULL, { 0x40, 4 }, { 0x61, 1 }),
    PORT_TARGET("pm", NULL, { 0x600, 64 }, { 0xafe0, 16 }, { 0xb2, 2 }, { 0xcf9, 1 }),
    PORT_TARGET("pvpanic", NULL, { 0x505, 1 }),
    PORT_TARGET("rtc", NULL, { 0x70, 8 }),
    PCI_TARGET("rtl8139", "rtl8139", 1, rtl8139_hints, NULL, "netdev", "w1", "mac", "52:54:00:12:34:56"),
    PORT_TARGET("serial", NULL, { 0x3f8, 8 }, { 0x378, 3 }),
    PORT_TARGET("smbus", NULL, { 0xb100, 16 }),
    PCI_TARGET("vga", "VGA", 2, NULL, vga_session, "id", "vga"),
    PCI_TARGET("virtio-balloon", "virtio-balloon-pci", 4, NULL, virtio_session, "id", "vballoon"),
    PCI_TARGET("virtio-blk", "virtio-blk-pci", 4, NULL, virtio_session, "drive", "d0"),
    PCI_TARGET("virtio-gpu", "virtio-gpu-pci", 4, NULL, virtio_session, "max_hostmem", "4194304", "max_outputs", "2"),
    PCI_TARGET("virtio-input", "virtio-tablet-pci", 4, NULL, virtio_session, "id", "tablet"),
    PCI_TARGET("virtio-net", "virtio-net-pci", 4, NULL, virtio_session, "netdev", "w2", "mac", "52:54:00:12:34:56"),
    PCI_TARGET("virtio-rng", "virtio-rng-pci", 4, NULL, virtio_session, "id", "vrng"),
    PCI_TARGET("virtio-scsi", "virtio-scsi-pci", 4, NULL, virtio_session, "id", "vscsi"),
    PCI_TARGET("virtio-serial", "virtio-serial-pci", 4, NULL, virtio_session, "id", "vserial"),
    PCI_TARGET("virtio-vga", "virtio-vga", 2, NULL, virtio_session, "max_hostmem", "4194304"),
};

static const Target *only;

static void fail(const char *what, Error *err)
{
    fprintf(stderr, "fuzz-pcdev: %s: %s\n", what, error_message(err));
    exit(1);
}

static void add_all(void)
{
    Error *err = NULL;
    bool vga = only && !strcmp(only->name, "virtio-vga");

    for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
        const Target *t = &targets[i];
        const char *opts[10];
        unsigned n = 0;
        if (!t->type || (!strcmp(t->name, "virtio-vga") && !vga) || (!strcmp(t->name, "vga") && vga)) {
            continue; /* there is one VGA */
        }
        while (n < ARRAY_SIZE(t->opts) && t->opts[n]) {
            opts[n] = t->opts[n];
            n++;
        }
        opts[n++] = "romfile";
        opts[n++] = "";
        opts[n] = NULL;
        if (!device_add(t->type, opts, &err)) {
            fail(t->name, err);
        }
    }
    static const struct { const char *type, *key, *value; } more[] = {
        { "pvpanic", "ioport", "1285" }, { "ramfb", "id", "ramfb" }, { "ide-hd", "drive", "d1" }, { "ide-cd", "bus", "sata.1" },
        { "scsi-hd", "drive", "d2" }, { "nvme-ns", "drive", "d3" }, { "virtserialport", "bus", "vserial.0" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
        const char *opts[] = { more[i].key, more[i].value, NULL };
        if (!device_add(more[i].type, opts, &err)) {
            fail(more[i].type, err);
        }
    }
}

static void start(void)
{
    static char file[] = "/tmp/fuzz-pcdev-bios-XXXXXX";
    const char *name = getenv("FUZZ_DEVICE");
    Error *err = NULL;

    error_set_program("fuzz-pcdev");
    for (size_t i = 0; i < ARRAY_SIZE(targets) && name; i++) {
        only = strcmp(targets[i].name, name) ? only : &targets[i];
    }
    if (name && !only) {
        for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
            printf("%s\n", targets[i].name);
        }
        exit(1);
    }
    bql_lock();
    loop_set_lock(loop_main(), bql_lock, bql_unlock);
    system_init_backends();
    Machine *m = machine_new(machine_type_find("pc", "x86_64"), "x86_64");
    pc = (X86Machine *)m;
    int fd = mkstemp(file);
    if (fd < 0 || ftruncate(fd, 256 * 1024)) {
        perror("fuzz-pcdev");
        exit(1);
    }
    close(fd);
    m->firmware = xstrdup(file);
    m->vga = xstrdup("none");
    m->ram_bytes = RAM_BYTES;
    for (unsigned i = 0; i < 4; i++) {
        char *text = xasprintf("{\"driver\": \"null-co\", \"size\": 1048576, \"node-name\": \"d%u\"}", i);
        Json *options = json_parse_string(text, NULL);
        if (!blockdev_add(options, &err)) {
            fail(text, err);
        }
        json_free(options);
        free(text);
    }
    for (unsigned i = 0; i < 3; i++) { /* nobody is at the other end */
        char *text = xasprintf("socket,id=w%u,listen=127.0.0.1:0", i);
        if (!netdev_option(text, &err)) {
            fail(text, err);
        }
        free(text);
    }
    bool ok = machine_set_smp(m, &(SmpConfig){ .cpus = 2 }, &err) && machine_build(m, &err);
    remove(file);
    if (!ok) {
        fail("pc", err);
    }
    add_all();
    if (!machine_ready(m, &err)) {
        fail("pc", err);
    }
    machine_reset(m, RESET_COLD);
    vm_start(m);
}

#ifndef ADDRESSES_CHECKED
static long resident_pages(void)
{
    long total = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    if (!f || fscanf(f, "%ld %ld", &total, &resident) != 2) {
        resident = 0;
    }
    if (f) {
        fclose(f);
    }
    return resident;
}
#endif

/* Freed memory is kept for a while where addresses are checked: no measure there. */
static void check_growth(void)
{
#ifndef ADDRESSES_CHECKED
    static long inputs, base;

    inputs++;
    if (inputs == WARM_INPUTS) {
        base = resident_pages();
    } else if (inputs > WARM_INPUTS && inputs % WARM_INPUTS == 0 && resident_pages() > base + GROWTH_PAGES) {
        fprintf(stderr, "fuzz-pcdev: from %ld to %ld pages in %ld inputs\n", base, resident_pages(), inputs - WARM_INPUTS);
        abort();
    }
#endif
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct itimerval minute = { .it_value = { .tv_sec = 60 } };

    if (!pc) {
        start();
    }
    setitimer(ITIMER_VIRTUAL, &minute, NULL);
    for (size_t at = 0; at + 8 <= size && at < 64; at += 8) {
        rng_state = ldle64(data + at);
        const Target *t = only;
        while (!t || (!only && !strcmp(t->name, "virtio-vga"))) {
            t = &targets[(data[at] + pick(ARRAY_SIZE(targets))) % ARRAY_SIZE(targets)];
        }
        for (unsigned i = 0; i < SESSIONS; i++) {
            t->type ? pci_session(t, 0) : fixed_session(t, 0);
            loop_run_once(loop_main(), false);
        }
    }
    for (unsigned i = 0; i < 8 && loop_run_once(loop_main(), false); i++) {
    }
    machine_reset(&pc->machine, RESET_COLD);
    check_growth();
    return 0;
}
