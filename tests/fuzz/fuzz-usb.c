/*
 * fuzz-usb.c: a guest's driver of an xHCI controller that goes wrong: registers, ring and context contents, requests to devices, command
 * wrappers of disks, hot plug at any time. Nothing may crash, hang or leave the process.
 *
 * Input: operations of 12 bytes: kind, selector, offset (4), size, flags, value (4). OP_SETUP is what a good driver does until the
 * devices are configured, so that the others find running endpoints; OP_BURST is a row of operations from a random number generator.
 */
#include <stdio.h>
#include <stdlib.h>

#include "block/block.h"
#include "softmmu/bql.h"
#include "softmmu/loop.h"
#include "softmmu/machine.h"
#include "softmmu/system-priv.h"
#include "softmmu/system.h"
#include "tests/fuzz/fuzz.h"
#include "ui/input.h"

enum { OP_BYTES = 12, RAM_BYTES = 2 << 20, BURST_OPS = 200, MAX_SLOTS = 8, RING_TRBS = 32 };
enum { OP_WRITE, OP_READ, OP_MEMORY, OP_TRB, OP_SETUP, OP_DOORBELL, OP_INPUT, OP_PLUG, OP_LOOP, OP_BURST, OP_CBW, OP_CONTROL, OP_COMMAND,
       OP_EVENTS, N_OPS };
#define RAM UINT64_C(0x80000000)
#define PCI_CONFIG UINT64_C(0x30008000) /* slot 1 */
#define BAR UINT64_C(0x40000000)
enum { OPERATIONAL = 0x40, RUNTIME = 0x1000, DOORBELLS = 0x2000 };
/* Guest memory: pages of a driver. */
enum { DCBAA = 0x1000, COMMANDS = 0x2000, EVENTS = 0x3000, SEGMENTS = 0x4000, INPUT = 0x5000, CONTEXTS = 0x10000, RINGS = 0x20000,
       DATA = 0x100000, EVENT_TRBS = 64 };

const char *const fuzz_seeds[] = {
    "\x04\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x09\x01\x01\x01\x01\x01\x01\x01\x07\x01\x01\x01",
    "\x04\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x0a\x03\x01\x01\x01\x01\x01\x28\x08\x01\x01\x01"
    "\x05\x03\x01\x01\x01\x01\x01\x04\x01\x01\x01\x01\x08\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01",
    "\x04\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x0b\x01\x06\x01\x01\x01\x80\x01\x12\x01\x01\x01", NULL
};
const char *const fuzz_words[] = {
    "\x09\x01\x01\x01\x01\x01\x01\x01\x55\x01\x01\x01", "\x04\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01", "\x0c\x01\x01\x01\x01\x01\x0b\x01",
    "\x0d\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01", NULL
};

static Machine *machine;
static uint64_t rng_state;
static unsigned tails[MAX_SLOTS][32], command_tail, plugged;
static bool cycles[MAX_SLOTS][32], command_cycle;

static void fail(const char *what, Error *err)
{
    fprintf(stderr, "fuzz-usb: %s: %s\n", what, error_message(err));
    exit(1);
}

static void add(const char *type, const char *const *opts)
{
    Error *err = NULL;

    if (!device_add(type, opts, &err)) {
        fail(type, err);
    }
}

static void start(void)
{
    Error *err = NULL;

    error_set_program("fuzz-usb");
    bql_lock();
    loop_set_lock(loop_main(), bql_lock, bql_unlock);
    system_init_backends();
    machine = machine_new(machine_type_find("virt", "riscv64"), "riscv64");
    machine->firmware = xstrdup("none");
    machine->ram_bytes = RAM_BYTES;
    for (unsigned i = 0; i < 2; i++) {
        char *text = xasprintf("{\"driver\": \"null-co\", \"size\": 1048576, \"node-name\": \"d%u\"}", i);
        Json *options = json_parse_string(text, NULL);
        if (!blockdev_add(options, &err)) {
            fail("disk", err);
        }
        json_free(options);
        free(text);
    }
    if (!machine_build(machine, &err)) {
        fail("machine", err);
    }
    add("nec-usb-xhci", (const char *const[]){ "id", "x", "p2", "6", "p3", "6", NULL });
    add("usb-tablet", (const char *const[]){ "port", "1", NULL });
    add("usb-kbd", (const char *const[]){ "port", "2", NULL });
    add("usb-storage", (const char *const[]){ "port", "3", "drive", "d0", NULL });
    add("usb-hub", (const char *const[]){ "port", "4", "id", "hub", NULL });
    add("usb-mouse", (const char *const[]){ "port", "4.1", NULL });
    if (!machine_ready(machine, &err)) {
        fail("machine", err);
    }
    machine_reset(machine, RESET_COLD);
    vm_start(machine);
}

/* -- a driver ------------------------------------------------------------------------------------------------------------------ */

static uint32_t pick(uint32_t below)
{
    rng_state = rng_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((rng_state >> 33) % below);
}

static void poke(gpa addr, unsigned size, uint64_t value)
{
    memory_store(&machine->memory, addr, size, MEM_LITTLE_ENDIAN, value, MEM_ATTRS_NONE);
}

static uint64_t peek(gpa addr, unsigned size)
{
    uint64_t got = 0;

    memory_load(&machine->memory, addr, size, MEM_LITTLE_ENDIAN, &got, MEM_ATTRS_NONE);
    return got;
}

static void put_trb(gpa at, uint64_t param, uint32_t status, uint32_t control)
{
    poke(at, 8, param);
    poke(at + 8, 4, status);
    poke(at + 12, 4, control);
}

static gpa ring(unsigned slot, unsigned dci)
{
    return RAM + RINGS + (slot * 32 + dci) * RING_TRBS * 16;
}

static void push(unsigned slot, unsigned dci, uint64_t param, uint32_t status, uint32_t control)
{
    unsigned *tail = &tails[slot][dci];

    put_trb(ring(slot, dci) + *tail * 16, param, status, control | cycles[slot][dci]);
    if (++*tail == RING_TRBS - 1) {
        put_trb(ring(slot, dci) + *tail * 16, ring(slot, dci), 0, 6 << 10 | 2 | cycles[slot][dci]);
        *tail = 0;
        cycles[slot][dci] = !cycles[slot][dci];
    }
}

static void command(uint64_t param, uint32_t status, uint32_t control)
{
    put_trb(RAM + COMMANDS + command_tail * 16, param, status, control | command_cycle);
    if (++command_tail == RING_TRBS - 1) {
        put_trb(RAM + COMMANDS + command_tail * 16, RAM + COMMANDS, 0, 6 << 10 | 2 | command_cycle);
        command_tail = 0;
        command_cycle = !command_cycle;
    }
    poke(BAR + DOORBELLS, 4, 0);
}

/* The ring is empty again. */
static void eat_events(void)
{
    poke(BAR + RUNTIME + 0x38, 8, (RAM + EVENTS + pick(EVENT_TRBS) * 16) | 8);
}

static void doorbell(unsigned slot, unsigned dci)
{
    poke(BAR + DOORBELLS + slot * 4, 4, dci);
}

static void address(unsigned slot, unsigned port, unsigned route)
{
    gpa in = RAM + INPUT, output = RAM + CONTEXTS + slot * 0x800;

    for (unsigned i = 0; i < 0x440; i += 8) {
        poke(in + i, 8, 0);
    }
    poke(RAM + DCBAA + slot * 8, 8, output);
    poke(in + 4, 4, 3);
    poke(in + 0x20, 4, 1u << 27 | route);
    poke(in + 0x24, 4, port << 16);
    poke(in + 0x44, 4, 64u << 16 | 4 << 3);
    poke(in + 0x48, 8, ring(slot, 1) | 1);
    command(in, 0, 9 << 10);
    command(in, 0, slot << 24 | 11 << 10);
    eat_events();
    push(slot, 1, 0x00010900, 8, 2 << 10 | 0x40); /* SET_CONFIGURATION 1 */
    push(slot, 1, 0, 0, 4 << 10 | 0x10020);
    doorbell(slot, 1);
    poke(in + 4, 4, 1 | 1 << 3 | 1 << 4);
    poke(in + 0x20, 4, 4u << 27 | route);
    for (unsigned dci = 3; dci <= 4; dci++) {
        bool bulk = peek(BAR + OPERATIONAL + 0x400 + (port - 1) * 0x10, 4) >> 10 & 4;
        poke(in + 0x24 + dci * 0x20, 4, 512u << 16 | (bulk ? 2u : 3u) << 3 | (dci & 1) << 5);
        poke(in + 0x28 + dci * 0x20, 8, ring(slot, dci) | 1);
    }
    command(in, 0, slot << 24 | 12 << 10);
    eat_events();
}

static void set_up(void)
{
    unsigned slot = 1;

    poke(PCI_CONFIG + 0x10, 4, BAR);
    poke(PCI_CONFIG + 0x14, 4, 0);
    poke(PCI_CONFIG + 4, 2, 6);
    for (gpa at = 0; at < DATA; at += 8) {
        poke(RAM + at, 8, 0);
    }
    memset(tails, 0, sizeof(tails));
    memset(cycles, 1, sizeof(cycles));
    command_tail = 0;
    command_cycle = true;
    poke(BAR + OPERATIONAL, 4, 2);
    poke(BAR + OPERATIONAL + 0x38, 4, MAX_SLOTS);
    poke(BAR + OPERATIONAL + 0x30, 8, RAM + DCBAA);
    poke(BAR + OPERATIONAL + 0x18, 8, (RAM + COMMANDS) | 1);
    poke(RAM + SEGMENTS, 8, RAM + EVENTS);
    poke(RAM + SEGMENTS + 8, 4, EVENT_TRBS);
    poke(BAR + RUNTIME + 0x28, 4, 1);
    poke(BAR + RUNTIME + 0x38, 8, RAM + EVENTS);
    poke(BAR + RUNTIME + 0x30, 8, RAM + SEGMENTS);
    poke(BAR + RUNTIME + 0x20, 4, 2);
    poke(BAR + OPERATIONAL, 4, 5);
    for (unsigned port = 1; port <= 12 && slot < MAX_SLOTS; port++) {
        gpa portsc = BAR + OPERATIONAL + 0x400 + (port - 1) * 0x10;
        if (peek(portsc, 4) & 1) {
            poke(portsc, 4, 0x210);
            address(slot++, port, 0);
        }
    }
}

/* -- what goes wrong ---------------------------------------------------------------------------------------------------------------- */

static void plug(unsigned what)
{
    static const char *const ids[] = { "p0", "p1", "p2" };
    static const char *const types[] = { "usb-storage", "usb-hub", "usb-mouse" };
    unsigned n = what % 3;
    Error *err = NULL;

    if (plugged >> n & 1) {
        if (!device_del(ids[n], &err)) {
            error_free(err);
        } else {
            plugged &= ~(1u << n);
        }
        return;
    }
    const char *const opts[] = { "id", ids[n], n ? NULL : "drive", n ? NULL : "d1", NULL };
    if (device_add(types[n], opts, &err)) {
        plugged |= 1u << n;
    } else {
        error_free(err);
    }
}

static void cbw(unsigned slot, uint8_t opcode, uint8_t flags, uint32_t bytes, uint32_t lba)
{
    gpa at = RAM + DATA;
    bool in = flags & 0x80;

    poke(at, 4, flags & 0x40 ? pick(UINT32_MAX) : 0x43425355);
    poke(at + 4, 4, lba);
    poke(at + 8, 4, bytes);
    poke(at + 12, 4, (flags & 0x80) | (flags & 0x20 ? (uint32_t)pick(256) << 16 : 16u << 16) | (uint32_t)opcode << 24);
    poke(at + 16, 8, (uint64_t)lba << 24 | pick(256));
    poke(at + 24, 8, pick(4) << 8 | pick(256));
    push(slot, 4, at, flags & 0x10 ? pick(64) : 31, 1 << 10 | 0x20);
    doorbell(slot, 4);
    if (bytes) {
        push(slot, in ? 3 : 4, RAM + DATA + 0x1000, MIN(bytes, 0x10000u), 1 << 10 | 0x24);
        doorbell(slot, in ? 3 : 4);
    }
    push(slot, 3, RAM + DATA + 0x800, 13, 1 << 10 | 0x20);
    doorbell(slot, 3);
}

static void control(unsigned slot, uint32_t type_request, uint32_t value_index, uint32_t bytes)
{
    bool in = type_request & 0x80;

    push(slot, 1, (type_request & 0xffff) | (uint64_t)(value_index & 0xffffff) << 16 | (uint64_t)(bytes & 0xffff) << 48, 8, 2 << 10 | 0x40);
    if (bytes & 0xffff) {
        push(slot, 1, RAM + DATA + pick(0x8000), bytes & 0x1ffff, 3 << 10 | 0x20 | (uint32_t)in << 16);
    }
    push(slot, 1, 0, 0, 4 << 10 | 0x20 | (uint32_t)!in << 16);
    doorbell(slot, 1);
}

static void input_event(uint32_t value)
{
    switch (value % 4) {
    case 0: input_send_key((InputKey)(value / 4 % INPUT_N_KEYS), value & 0x10000); break;
    case 1: input_send_button((InputButton)(value / 4 % INPUT_N_BUTTONS), value & 0x10000); break;
    case 2: input_send_rel(value & 4 ? INPUT_AXIS_X : INPUT_AXIS_Y, (int16_t)(value >> 8)); break;
    default: input_send_abs(value & 4 ? INPUT_AXIS_X : INPUT_AXIS_Y, (int)(value >> 8), 0x1000000); break;
    }
    input_sync();
}

static void operation(const uint8_t *op, bool in_burst);

static void burst(uint32_t seed)
{
    uint8_t op[OP_BYTES];

    rng_state = seed;
    for (unsigned i = 0; i < BURST_OPS; i++) {
        for (unsigned b = 0; b < OP_BYTES; b++) {
            op[b] = (uint8_t)pick(256);
        }
        op[0] = (uint8_t)pick(16) < 2 ? op[0] : (uint8_t)(pick(2) ? OP_CBW + op[0] % 4 : OP_MEMORY + op[0] % 7);
        operation(op, true);
        if (i % 8 == 0) {
            loop_run_once(loop_main(), false);
        }
    }
}

static uint32_t word(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void operation(const uint8_t *op, bool in_burst)
{
    static const uint16_t often[] = { 0x40, 0x44, 0x58, 0x5c, 0x70, 0x78, 0x440, 0x450, 0x4a0, 0x1020, 0x1028, 0x1030, 0x1034, 0x1038,
                                      0x103c, 0x2000, 0x2004, 0x2008, 0x3000, 0x300c };
    uint32_t offset = word(op + 2), value = word(op + 8);
    unsigned slot = op[1] % MAX_SLOTS, dci = op[7] & 31;
    uint8_t flags = op[7];
    gpa in_ram = RAM + (flags & 1 ? value % RAM_BYTES : DATA + value % 0x10000);

    switch (op[0] % N_OPS) {
    case OP_WRITE:
        offset = flags & 2 ? offset % 0x4000 : often[offset % ARRAY_SIZE(often)];
        poke(BAR + (offset & ~3u), op[6] & 1 ? 8 : 4, flags & 4 ? in_ram : value);
        break;
    case OP_READ: peek(BAR + offset % 0x4000, 1u << op[6] % 4); break;
    case OP_MEMORY: poke(RAM + (offset % DATA & ~3u), 4, flags & 4 ? in_ram : value); break;
    case OP_TRB:
        push(slot, dci, flags & 64 ? ring(slot, dci) : in_ram, op[6] & 8 ? value : value & 0xffff, offset & 0xffff0ffe);
        break;
    case OP_SETUP:
        if (!in_burst || !pick(8)) {
            set_up();
        }
        break;
    case OP_DOORBELL: doorbell(slot, dci); break;
    case OP_INPUT: input_event(value); break;
    case OP_PLUG: plug(value); break;
    case OP_LOOP: loop_run_once(loop_main(), false); break;
    case OP_BURST:
        if (!in_burst) {
            burst(value);
        }
        break;
    case OP_CBW: {
        static const uint8_t codes[] = { 0x00, 0x03, 0x08, 0x0a, 0x12, 0x1a, 0x1b, 0x1e, 0x25, 0x28, 0x2a, 0x2f, 0x35, 0x41, 0x42, 0x5a, 0x88,
                                         0x8a, 0x93, 0x9e, 0xa0 };
        cbw(slot, op[6] & 7 ? codes[offset % ARRAY_SIZE(codes)] : op[6], flags, value & 0x1ffff, pick(4) ? pick(2048) : value);
        break;
    }
    case OP_CONTROL:
        control(slot, op[6] & 3 ? offset & 0x0fe3 : offset, value, pick(4) ? pick(512) : value);
        break;
    case OP_COMMAND: command(in_ram, 0, slot << 24 | dci << 16 | (op[6] % 16 + 9u) << 10 | (flags & 64 ? 0x200 : 0)); break;
    case OP_EVENTS: eat_events(); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool started;

    if (!started) {
        started = true;
        start();
    }
    rng_state = size;
    for (size_t at = 0; at + OP_BYTES <= size && at < 100 * OP_BYTES; at += OP_BYTES) {
        operation(data + at, false);
        loop_run_once(loop_main(), false);
    }
    for (unsigned i = 0; i < 3; i++) {
        if (plugged >> i & 1) {
            plug(i);
        }
        loop_run_once(loop_main(), false);
    }
    machine_reset(machine, RESET_COLD);
    return 0;
}
