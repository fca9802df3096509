/*
 * device.h: what a device is.
 *
 * A device is one .c file with a state struct whose first member is a Device, a
 * constant DeviceType and DEVICE_TYPE_REGISTER(it). From the type come: its place in
 * the object tree, -device and its help, properties, register dispatch with access
 * rules, reset, saved state, introspection and the contract test.
 *
 * Life: device_new (object init: defaults, child objects) -> properties set ->
 * device_realize (checks, memory regions, back ends; may fail) -> resets, runs ->
 * device_unrealize -> freed. Threads: everything here under the BQL; register
 * callbacks too.
 *
 * Docs: docs/devel/devices.md.
 */
#ifndef HW_DEVICE_H
#define HW_DEVICE_H

#include "hw/irq.h"
#include "hw/object.h"
#include "softmmu/memory.h"
#include "util/print.h"

typedef struct Device Device;
typedef struct DeviceType DeviceType;
typedef struct Bus Bus;
typedef struct BusType BusType;

typedef enum DeviceCategory {
    DEVICE_BRIDGE, DEVICE_USB, DEVICE_STORAGE, DEVICE_NETWORK, DEVICE_INPUT, DEVICE_DISPLAY,
    DEVICE_SOUND, DEVICE_MISC, DEVICE_CPU, DEVICE_WATCHDOG, DEVICE_N_CATEGORIES,
} DeviceCategory;
/* "Storage devices", as -device help heads its groups. */
const char *device_category_title(DeviceCategory category);

/* --- Register banks --- */

typedef struct Register Register;
typedef struct RegisterBank RegisterBank;

/*
 * One register, or `count` alike ones `stride` bytes apart. Without hooks it is
 * plain storage in a field of the state struct: reads give field & read_mask,
 * writes change the bits in write_mask and clear the bits in w1c_mask that are
 * written as one. Masks of 0 mean all ones (read, write) or none (w1c); use
 * .read_only / .write_only for registers without the other direction.
 */
struct Register {
    const char *name;         /* as in the data sheet */
    uint64_t offset;          /* in the bank */
    uint8_t size;             /* bytes: 1, 2, 4, 8 */
    uint32_t count, stride;   /* 0: one; stride 0: size */
    size_t field;             /* REGISTER_FIELD(Type, field) sets both */
    uint8_t field_size;       /* 0: no backing field; arrays of fields follow each other */
    uint64_t reset;
    uint64_t read_mask, write_mask, w1c_mask;
    bool read_only, write_only; /* the wrong direction is a guest error: reads 0, ignored */
    bool no_reset;              /* keeps its value at reset */
    /* read: gives the value instead of the field. write: takes the value instead of
     * the field (masks are not applied). changed: after a plain write, with the value before. */
    uint64_t (*read)(Device *dev, const Register *reg, unsigned index);
    void (*write)(Device *dev, const Register *reg, unsigned index, uint64_t value);
    void (*changed)(Device *dev, const Register *reg, unsigned index, uint64_t old);
    uint32_t aux; /* for hooks */
};

#define REGISTER_FIELD(type, member) \
    .field = offsetof(type, member), .field_size = sizeof(((type *)0)->member)
/* The member is an array: one element per index. */
#define REGISTER_ARRAY(type, member) \
    .field = offsetof(type, member), .field_size = sizeof(((type *)0)->member[0])

/* A bank is one MMIO region. Registers in ascending order, not overlapping;
 * either `regs`, or `ops` where a table does not fit (opaque is the device). */
struct RegisterBank {
    const char *name;        /* of the memory region */
    uint64_t size_bytes;     /* 0: realize() decides with device_set_bank_size() */
    MemEndian endian;
    uint8_t access_min, access_max; /* bytes a guest may access at once; 0: 1 and 4 */
    bool unaligned;
    bool strict;             /* accesses outside registers fail instead of reading as 0 */
    const Register *regs;
    size_t n_regs;
    const MemoryOps *ops;
};

/* Side-effect free view of a register for introspection; false: no field. */
bool register_peek(Device *dev, const Register *reg, unsigned index, uint64_t *ret_value);
uint64_t register_read(Device *dev, const RegisterBank *bank, uint64_t offset, unsigned size,
                       MemResult *ret_result);
MemResult register_write(Device *dev, const RegisterBank *bank, uint64_t offset, unsigned size,
                         uint64_t value);

/* --- Saved state --- */

typedef enum StateKind {
    STATE_UINT,    /* elem_size 1, 2, 4 or 8 */
    STATE_BUFFER,  /* elem_size bytes as they are */
    STATE_TIMER,   /* a Timer */
    STATE_STRUCT,  /* elements described by .sub */
} StateKind;

typedef struct StateDesc StateDesc;
typedef struct StateField {
    const char *name;
    StateKind kind;
    size_t offset;
    uint32_t elem_size;
    uint32_t count;       /* elements; 0: one */
    size_t count_field;   /* with count_is_field: offset of a uint32_t holding the count */
    bool count_is_field;
    bool indirect;        /* the field is a pointer to the elements */
    bool is_bool;         /* another byte than 0 and 1 is an error */
    uint32_t since_version;
    const StateDesc *sub;
} StateField;

struct StateDesc {
    const char *name;
    uint32_t version, min_version;
    const StateField *fields;
    size_t n_fields;
    void (*pre_save)(void *opaque);
    /* Untrusted values: returns false when they make no sense. */
    bool (*post_load)(void *opaque, uint32_t version, Error **errp);
    bool (*needed)(void *opaque);             /* subsections: absent when false */
    const StateDesc *const *subsections;      /* NULL-terminated */
};

#define STATE_IS_BOOL(lvalue) _Generic((lvalue), bool: true, default: false)
#define STATE_U(type, member) \
    { .name = #member, .kind = STATE_UINT, .offset = offsetof(type, member), \
      .elem_size = sizeof(((type *)0)->member), .is_bool = STATE_IS_BOOL(((type *)0)->member) }
#define STATE_U_ARRAY(type, member) \
    { .name = #member, .kind = STATE_UINT, .offset = offsetof(type, member), \
      .elem_size = sizeof(((type *)0)->member[0]), .is_bool = STATE_IS_BOOL(((type *)0)->member[0]), \
      .count = sizeof(((type *)0)->member) / sizeof(((type *)0)->member[0]) }
/* member points to `count_member` (uint32_t) numbers. */
#define STATE_U_PTR(type, member, count_member) \
    { .name = #member, .kind = STATE_UINT, .offset = offsetof(type, member), \
      .elem_size = sizeof(*((type *)0)->member), .is_bool = STATE_IS_BOOL(*((type *)0)->member), \
      .indirect = true, .count_is_field = true, \
      .count_field = offsetof(type, count_member) }
#define STATE_BYTES(type, member) \
    { .name = #member, .kind = STATE_BUFFER, .offset = offsetof(type, member), \
      .elem_size = sizeof(((type *)0)->member) }
#define STATE_TIMER_FIELD(type, member) \
    { .name = #member, .kind = STATE_TIMER, .offset = offsetof(type, member) }

/* --- Devices --- */

typedef enum ResetKind { RESET_COLD, RESET_WAKEUP, RESET_GUEST } ResetKind;

typedef struct IrqDef {
    const char *name;   /* NULL: the unnamed group; "sysbus-irq": a device's main outputs */
    uint32_t count;     /* for counts from properties realize() calls device_init_irqs_*() */
    IrqHandler *handler;/* inputs; opaque is the device */
} IrqDef;

struct DeviceType {
    ObjectType type; /* parent: "sys-bus-device", "pci-device", … */
    DeviceCategory category;
    const char *bus;           /* kind of bus it plugs into: "System", "PCI", …; NULL: none */
    const char *alias;         /* another name for -device */
    const RegisterBank *banks; /* one memory region each, in this order */
    size_t n_banks;
    const IrqDef *irqs_in, *irqs_out;
    size_t n_irqs_in, n_irqs_out;
    const StateDesc *state;    /* besides the register fields, which are saved anyway */
    bool (*realize)(Device *dev, Error **errp);
    void (*unrealize)(Device *dev);
    /* Three phases over the whole tree: enter sets state and touches nobody else
     * (register fields are reset before it), hold may drive lines, exit may start things. */
    void (*reset_enter)(Device *dev, ResetKind kind);
    void (*reset_hold)(Device *dev, ResetKind kind);
    void (*reset_exit)(Device *dev, ResetKind kind);
    bool hotpluggable;
    bool user_creatable;       /* with -device */
    /* Extra lines of "info qtree", and what firmware calls it in boot paths (malloc'd). */
    void (*print)(Device *dev, PrintFn *print, void *opaque);
    char *(*fw_path)(Device *dev);
};

typedef struct IrqGroup {
    char *name; /* NULL: unnamed */
    Irq *in;    /* n_in lines */
    Irq **out;  /* n_out connections */
    unsigned n_in, n_out;
    struct IrqGroup *next;
} IrqGroup;

#define DEVICE_MAX_BANKS 32

struct Device {
    Object obj;
    char *id;               /* from -device id=; NULL */
    Bus *bus;
    Device *bus_next, *bus_prev;
    Bus *first_bus;         /* buses it provides */
    IrqGroup *irqs;
    MemoryRegion *mmio[DEVICE_MAX_BANKS]; /* banks, then regions added by hand */
    struct DeviceBank *banks;             /* those made from the type's banks */
    unsigned n_mmio;
    uint64_t mmio_addr[DEVICE_MAX_BANKS]; /* UINT64_MAX: not mapped by sysbus_map */
    bool realized, hotplugged, pending_delete;
    uint8_t reset_depth;
    int instance_alias;     /* for saved state, the n-th device of its type */
};

#define DEVICE(p) ((Device *)(p))
#define DEVICE_TYPE_REGISTER(row)                                                  \
    static_assert(offsetof(DeviceType, type) == 0, "DeviceType starts with ObjectType"); \
    OBJECT_TYPE_REGISTER(row)

static inline const DeviceType *device_type(const Device *dev)
{
    return (const DeviceType *)dev->obj.type;
}
/* NULL unless `type` is a device type that can be instantiated. */
const DeviceType *device_type_from(const ObjectType *type);
const DeviceType *device_type_find(const char *name_or_alias);

/* A new device, not in the tree; NULL and an error when there is no such type. */
Device *device_new(const char *type, Error **errp);
/* bus: NULL finds none is needed or takes the machine's system bus for "System".
 * The device is put under /machine/unattached unless it has a parent already. */
NODISCARD bool device_realize(Device *dev, Bus *bus, Error **errp);
/* device_new + device_realize for boards: properties as in -device text pairs,
 * NULL-terminated. */
Device *device_create(const char *type, Bus *bus, const char *const *props, Error **errp);
void device_unrealize(Device *dev);
/* -device / device_add: `opts` alternate names and values ("id" and "bus" included),
 * NULL-terminated. */
Device *device_add(const char *type, const char *const *opts, Error **errp);
/* device_del: asks for removal; the DEVICE_DELETED event follows. */
NODISCARD bool device_del(const char *id_or_path, Error **errp);
Device *device_find(const char *id_or_path);
/* Calls fn for every realized device below the machine's buses. */
void device_foreach(void (*fn)(Device *dev, void *opaque), void *opaque);
/* Text of -device help and -device NAME,help. */
void device_print_types(PrintFn *print, void *opaque);
NODISCARD bool device_print_help(const char *type,
                                 PrintFn *print, void *opaque, Error **errp);
void device_print_tree(PrintFn *print, void *opaque);
/* The DEVICE_DELETED hook of the monitor. */
void device_set_deleted_hook(void (*hook)(const char *id, const char *path));

/* Resets a device and everything below it. */
void device_reset(Device *dev, ResetKind kind);
/* Everything on a bus, each phase for all before the next. */
void device_reset_bus(Bus *bus, ResetKind kind);

/* irq lines. Group name NULL: the unnamed one. */
void device_init_irqs_in(Device *dev, const char *name, IrqHandler *handler, unsigned n);
void device_init_irqs_out(Device *dev, const char *name, unsigned n);
Irq *device_irq_in(Device *dev, const char *name, unsigned n);
void device_connect_irq(Device *dev, const char *name, unsigned n, Irq *to);
/* Drives an output of the device. */
void device_set_irq(Device *dev, const char *name, unsigned n, int level);
/* The connection itself, to keep and drive often; NULL: not connected. */
Irq *device_irq_out(Device *dev, const char *name, unsigned n);

/* MMIO. Regions by hand come after the banks. */
void device_add_mmio(Device *dev, MemoryRegion *mr);
void device_set_bank_size(Device *dev, unsigned bank, uint64_t size_bytes);
MemoryRegion *device_mmio(Device *dev, unsigned n);
/* Puts region n at addr of the system address space. */
void sysbus_map(Device *dev, unsigned n, gpa addr);

/* --- Buses --- */
struct BusType {
    ObjectType type;      /* parent "bus" or another bus type */
    const char *kind;     /* what DeviceType.bus names; subtypes match too */
    unsigned max_devices; /* 0: no limit */
    bool (*check)(Bus *bus, Device *dev, Error **errp); /* may this device go here */
    void (*print_device)(Device *dev, PrintFn *print, void *opaque);
    char *(*fw_path)(Device *dev);
};

struct Bus {
    Object obj;
    char *name;            /* as "info qtree" and bus= say it */
    Device *parent;
    Device *first, *last;  /* in order of plugging */
    unsigned n_devices;
    Bus *next;             /* of the parent's buses */
    bool hotplug;
    bool full;
};
#define BUS(p) ((Bus *)(p))

/* A bus under a device (or NULL: the machine), named "pcie.0" or, with NULL, by
 * type and a number. Storage is its own; freed with the parent. */
Bus *bus_new(const char *type, Device *parent, const char *name);
void bus_init_embedded(Bus *bus, const char *type, Device *parent, const char *name);
Bus *bus_find(const char *name_or_path);
Bus *sysbus_get(void);
static inline const BusType *bus_type(const Bus *bus)
{
    return (const BusType *)bus->obj.type;
}

/* --- Saved state as bytes --- */
typedef VEC(uint8_t) StateBuffer;
/* Appends the device's registers and described state. */
void device_save(Device *dev, StateBuffer *out);
/* Untrusted input. Advances *pos. */
NODISCARD bool device_load(Device *dev, const uint8_t *data, size_t len, size_t *pos,
                           Error **errp);
void state_save(const StateDesc *desc, void *opaque, StateBuffer *out);
NODISCARD bool state_load(const StateDesc *desc, void *opaque, const uint8_t *data, size_t len,
                          size_t *pos, Error **errp);

#endif
