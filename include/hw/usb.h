/*
 * usb.h: USB devices, the bus and ports they sit on, and the packets that go between them and a host controller.
 *
 * A device is a DeviceType with parent "usb-device" whose ObjectType.class_data is a UsbDeviceType: descriptors as tables, and
 * functions for what the tables cannot say. The core answers the standard requests. A host controller has a UsbBus and makes its root ports;
 * hubs make the others. It fills a UsbPacket and calls usb_submit(): the device does what one transfer of one endpoint asks for,
 * and says at once how it ended, or USB_ASYNC and calls usb_complete() later, or USB_NAK: nothing to give or no room yet. After USB_NAK the
 * controller asks again, by polling as hardware does or, if it can, when the device calls usb_wakeup(). A control transfer is one packet: setup and data
 * stage; controllers whose guests see the stages one by one put them together.
 *
 * Data is copied between the device and the packet's memory (guest memory by its list, or a buffer) with usb_copy(), so that no
 * device knows which controller it is behind.
 *
 * Specifications: USB 2.0 (9: device framework, 11: hubs), USB 3.1 (9).
 * Threads: BQL.
 */
#ifndef HW_USB_H
#define HW_USB_H

#include "hw/dma.h"
#include "hw/device.h"
#include "util/print.h"

typedef struct UsbBus UsbBus;
typedef struct UsbDevice UsbDevice;
typedef struct UsbPacket UsbPacket;
typedef struct UsbPort UsbPort;

typedef enum UsbSpeed { USB_SPEED_LOW, USB_SPEED_FULL, USB_SPEED_HIGH, USB_SPEED_SUPER, USB_N_SPEEDS } UsbSpeed;
enum { USB_SPEEDS_2 = 1 << USB_SPEED_LOW | 1 << USB_SPEED_FULL | 1 << USB_SPEED_HIGH, USB_SPEEDS_3 = 1 << USB_SPEED_SUPER };
enum { USB_MAX_INTERFACES = 8, USB_MAX_DEPTH = 5, USB_MAX_CONTROL_BYTES = 4096, USB_SETUP_BYTES = 8 };

enum { /* bmRequestType (USB 2.0, 9.3) */
    USB_REQ_IN = 0x80, USB_REQ_KIND = 0x60, USB_REQ_STANDARD = 0, USB_REQ_CLASS = 0x20, USB_REQ_VENDOR = 0x40,
    USB_REQ_RECIPIENT = 0x1f, USB_REQ_DEVICE = 0, USB_REQ_INTERFACE = 1, USB_REQ_ENDPOINT = 2, USB_REQ_OTHER = 3,
};
enum { /* bRequest (9.4) */
    USB_GET_STATUS = 0, USB_CLEAR_FEATURE = 1, USB_SET_FEATURE = 3, USB_SET_ADDRESS = 5, USB_GET_DESCRIPTOR = 6, USB_SET_DESCRIPTOR = 7,
    USB_GET_CONFIGURATION = 8, USB_SET_CONFIGURATION = 9, USB_GET_INTERFACE = 10, USB_SET_INTERFACE = 11, USB_SET_SEL = 48,
    USB_SET_ISOCH_DELAY = 49,
};
enum { /* descriptor types (9.4, table 9-5; USB 3.1, 9.6) */
    USB_DT_DEVICE = 1, USB_DT_CONFIGURATION = 2, USB_DT_STRING = 3, USB_DT_INTERFACE = 4, USB_DT_ENDPOINT = 5, USB_DT_QUALIFIER = 6,
    USB_DT_OTHER_SPEED = 7, USB_DT_BOS = 15, USB_DT_CAPABILITY = 16, USB_DT_HID = 0x21, USB_DT_REPORT = 0x22, USB_DT_HUB = 0x29,
    USB_DT_COMPANION = 48,
};
enum { USB_EP_CONTROL = 0, USB_EP_ISOCH = 1, USB_EP_BULK = 2, USB_EP_INTERRUPT = 3 };
enum { USB_CONFIG_ALWAYS = 0x80, USB_CONFIG_SELF_POWERED = 0x40, USB_CONFIG_WAKEUP = 0x20 };

/* -- descriptors as data ----------------------------------------------------------------------------------------------- */

typedef struct UsbEndpointDesc {
    uint8_t address;          /* bit 7: IN */
    uint8_t type;             /* USB_EP_ */
    uint16_t max_packet;
    uint8_t interval;         /* as the descriptor says it: frames, or a power of two of microframes */
    uint8_t max_burst;        /* SuperSpeed companion */
    uint16_t interval_bytes;  /* SuperSpeed: of a service interval */
} UsbEndpointDesc;

typedef struct UsbInterfaceDesc {
    uint8_t number, alternate, class_code, subclass, protocol, string;
    const uint8_t *extra;     /* class descriptors, between the interface's and its endpoints' */
    size_t extra_bytes;
    const UsbEndpointDesc *endpoints;
    uint8_t n_endpoints;
} UsbInterfaceDesc;

typedef struct UsbConfigDesc {
    uint8_t value, string, attributes; /* USB_CONFIG_ */
    uint16_t max_power_ma;
    const UsbInterfaceDesc *interfaces; /* alternates of one behind each other */
    uint8_t n_interfaces;
} UsbConfigDesc;

/* What the device is at one speed. */
typedef struct UsbSpeedDesc {
    uint16_t usb_version;     /* 0x0200 */
    uint8_t class_code, subclass, protocol;
    uint16_t max_packet0;     /* bytes, also for SuperSpeed */
    const UsbConfigDesc *configs;
    uint8_t n_configs;
} UsbSpeedDesc;

typedef struct UsbDesc {
    uint16_t vendor, product, version;
    uint8_t manufacturer_string, product_string, serial_string; /* indices in `strings`; 0: none */
    const char *const *strings; /* [0] is not used */
    uint8_t n_strings;
    const UsbSpeedDesc *speeds[USB_N_SPEEDS]; /* NULL: not at this speed */
} UsbDesc;

/* -- packets ----------------------------------------------------------------------------------------------------------- */

typedef enum UsbStatus { USB_OK, USB_NAK, USB_STALL, USB_BABBLE, USB_ERROR, USB_ASYNC } UsbStatus;

typedef struct UsbSetup {
    uint8_t type, request;
    uint16_t value, index, length;
} UsbSetup;

struct UsbPacket {
    /* By the controller. */
    uint8_t endpoint;         /* with the direction in bit 7; 0: the control endpoint, whose direction `setup` tells */
    uint32_t stream;
    UsbSetup setup;
    AddressSpace *as;         /* of `list`; NULL: `buf` */
    DmaList list;
    uint8_t *buf;
    uint64_t bytes;           /* the most that may move */
    void (*complete)(UsbPacket *p); /* after USB_ASYNC */
    void *opaque;
    /* The result. */
    UsbStatus status;
    uint64_t done;
    bool dma_failed;          /* guest memory refused: the packet ended there */
    /* The core's own. */
    UsbDevice *dev;
    UsbPacket *next, **prev;
    bool submitting;
};

static inline bool usb_is_in(const UsbPacket *p)
{
    return p->endpoint & 0x7f ? p->endpoint & 0x80 : p->setup.type & USB_REQ_IN;
}
UsbSetup usb_parse_setup(const uint8_t raw[USB_SETUP_BYTES]);

/* For controllers. The result is in p->status when this returns. */
void usb_submit(UsbDevice *dev, UsbPacket *p);
/* Gives up a packet that is USB_ASYNC; complete() is not called. */
void usb_cancel(UsbPacket *p);
/* For devices: at most `bytes` to or from where the packet is now; bytes moved. */
uint64_t usb_copy(UsbPacket *p, void *data, uint64_t bytes);
void usb_complete(UsbPacket *p, UsbStatus status);
/* What was USB_NAK may be tried again; a sleeping bus is woken up if the guest allowed it. */
void usb_wakeup(UsbDevice *dev, uint8_t endpoint);

/* -- devices ------------------------------------------------------------------------------------------------------------ */

typedef struct UsbDeviceType {
    const char *product;      /* as "info usb" names it */
    const char *fw_name;      /* in boot paths: "storage" */
    const UsbDesc *desc;      /* NULL: realize() sets dev->desc */
    bool (*realize)(UsbDevice *dev, Error **errp);
    void (*unrealize)(UsbDevice *dev);
    /* The port was reset, or the machine: as after power on; no packet is in flight. */
    void (*reset)(UsbDevice *dev);
    /* Requests the core does not know: `data` has setup->length bytes, given (OUT) or to be filled (IN, zeros; *ret_bytes says how
     * many). USB_OK or USB_STALL. */
    UsbStatus (*control)(UsbDevice *dev, const UsbSetup *setup, uint8_t *data, uint32_t *ret_bytes);
    /* Any endpoint but the first that the present configuration has and that is not halted. */
    UsbStatus (*data)(UsbDevice *dev, UsbPacket *p);
    void (*cancel)(UsbDevice *dev, UsbPacket *p);    /* p was USB_ASYNC; forget it */
    void (*configured)(UsbDevice *dev);              /* dev->configuration (0: none) or an interface's alternate was set */
    void (*halt_cleared)(UsbDevice *dev, uint8_t endpoint);
} UsbDeviceType;

struct UsbDevice {
    Device dev;
    const UsbDeviceType *utype;
    const UsbDesc *desc;
    UsbPort *port;
    char *port_path, *serial; /* properties */
    UsbSpeed speed;
    UsbPort *ports;           /* a hub's, numbered from 1 on */
    uint32_t n_ports;
    /* State. */
    uint8_t address, configuration, alternates[USB_MAX_INTERFACES];
    bool remote_wakeup;
    uint16_t halted_in, halted_out;
    UsbPacket *packets;       /* in flight */
};

#define USB_DEVICE(p) ((UsbDevice *)(p))
bool usb_device_realize(Device *dev, Error **errp);
void usb_device_unrealize(Device *dev);
void usb_device_reset(Device *dev, ResetKind kind);
char *usb_fw_path(Device *dev);
#define USB_DEVICE_HOOKS                                                                             \
    .bus = "usb-bus", .realize = usb_device_realize, .unrealize = usb_device_unrealize,                 \
    .reset_hold = usb_device_reset, .fw_path = usb_fw_path, .hotpluggable = true, .user_creatable = true
extern const StateDesc usb_device_state;

/* The descriptors of the present speed and configuration; NULL: none. */
const UsbSpeedDesc *usb_speed_desc(const UsbDevice *dev);
const UsbConfigDesc *usb_config(const UsbDevice *dev);
const UsbInterfaceDesc *usb_interface(const UsbDevice *dev, unsigned number);
const UsbEndpointDesc *usb_endpoint(const UsbDevice *dev, uint8_t address);
/* GET_DESCRIPTOR: bytes put into `out`, at most `room`; 0: there is no such descriptor. */
size_t usb_build_descriptor(const UsbDevice *dev, uint8_t type, uint8_t index, uint8_t *out, size_t room);

/* -- ports and the bus ---------------------------------------------------------------------------------------------------- */

typedef struct UsbPortOps {
    void (*attached)(UsbPort *port);
    void (*detached)(UsbPort *port);  /* port->dev is still there, without packets */
    /* Of root ports: dev, in the port or behind the hub that is, is about to go. */
    void (*forget)(UsbPort *port, UsbDevice *dev);
    /* Told to every port on the way to the root: dev is in it or behind the hub that is. endpoint: as in usb_wakeup(). */
    void (*wakeup)(UsbPort *port, UsbDevice *dev, uint8_t endpoint);
} UsbPortOps;

struct UsbPort {
    UsbBus *bus;
    UsbDevice *hub;           /* whose port it is; NULL: a root port */
    UsbDevice *dev;           /* what is plugged in */
    const UsbPortOps *ops;
    void *opaque;
    unsigned index;           /* as given by its maker */
    unsigned speeds;          /* 1 << UsbSpeed, … */
    char path[32];            /* "3.2" */
    UsbPort *next;            /* of the bus */
};

struct UsbBus {
    Bus bus;
    UsbPort *ports, **last_port;
};

/* name NULL: "usb-bus.N" or "ID.0". */
void usb_bus_init(UsbBus *bus, Device *controller, const char *name);
/* number: as users say it, from 1 on. */
void usb_port_add(UsbBus *bus, UsbPort *port, UsbDevice *hub, unsigned number, unsigned speeds, const UsbPortOps *ops, void *opaque,
                  unsigned index);
void usb_port_remove(UsbPort *port);
/* A reset of the port the device is in: its state is as after power on, its packets are given up. */
void usb_reset(UsbDevice *dev);
/* What is in port `number` of a hub; NULL: no hub, no such port, nothing there. */
UsbDevice *usb_hub_child(const UsbDevice *hub, unsigned number);
unsigned usb_speed_mbit(UsbSpeed speed);
/* "info usb"; false: there is no USB. */
bool usb_print(PrintFn *print, void *opaque);

#endif
