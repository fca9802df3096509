/*
 * virtio-types.h: the state structs and property lists of virtio devices, which the PCI transport embeds: the
 * properties of "virtio-blk-pci" are those of the device inside. The second macro argument is the path from
 * the outer struct to the device ("blk." or empty).
 */
#ifndef HW_VIRTIO_TYPES_H
#define HW_VIRTIO_TYPES_H

#include "block/block.h"
#include "hw/scsi.h"
#include "hw/boot.h"
#include "hw/virtio.h"
#include "net/net.h"
#include "softmmu/chardev.h"
#include "softmmu/clock.h"
#include "ui/input.h"

struct BlkRequest;

typedef struct VirtioBlk {
    VirtioDevice vdev;
    BlockBackend *drive;
    char *serial;
    uint16_t num_queues, queue_size;
    uint32_t logical_block_size, physical_block_size, min_io_size, opt_io_size;
    int rerror, werror;
    bool discard, write_zeroes, config_wce, write_cache, seg_max_adjust;
    struct BlkRequest *requests; /* in flight */
    struct Object *iothread;     /* named for those who manage it; requests have threads of their own */
    int32_t bootindex;
} VirtioBlk;

#define VIRTIO_IOTHREAD_PROP(T, f) \
    { .name = "iothread", .kind = PROP_LINK, .type_name = "link<iothread>", .link_type = "iothread", \
      .offset = offsetof(T, f), .help = "Taken, without effect" }

#define VIRTIO_BLK_PROPS(T, m)                                                                              \
    VIRTIO_COMMON_PROPS(T, m vdev.), PROP_BLK("drive", T, m drive),                                          \
    VIRTIO_IOTHREAD_PROP(T, m iothread), PROP_BOOTINDEX(T, m bootindex, "/disk@0,0"),                                                             \
    PROP_STR("serial", T, m serial, "Serial number the guest sees (20 bytes)"),                              \
    PROP_U16("num-queues", T, m num_queues, 1, "Request queues"),                                            \
    PROP_U16("queue-size", T, m queue_size, 256, "Entries of each queue"),                                   \
    PROP_U32("logical_block_size", T, m logical_block_size, 0, "Bytes; 0: 512"),                             \
    PROP_U32("physical_block_size", T, m physical_block_size, 0, "Bytes; 0: as logical"),                    \
    PROP_U32("min_io_size", T, m min_io_size, 0, "Bytes"), PROP_U32("opt_io_size", T, m opt_io_size, 0, "Bytes"), \
    PROP_B("discard", T, m discard, true, "Offer discard"),                                                  \
    PROP_B("write-zeroes", T, m write_zeroes, true, "Offer write-zeroes"),                                   \
    BLOCK_ERROR_PROPS(T, m),                                                                                 \
    PROP_B("config-wce", T, m config_wce, true, "Let the guest change the write cache"),                     \
    PROP_B("seg-max-adjust", T, m seg_max_adjust, true, "Segments a request follow the queue size")

struct VirtioScsiRequest;

typedef struct VirtioScsi {
    VirtioDevice vdev;
    ScsiBus bus;
    uint32_t num_queues, virtqueue_size, max_sectors, cmd_per_lun, sense_size, cdb_size;
    bool hotplug, param_change, seg_max_adjust, events_missed;
    VirtQueue *ctrl, *event;
    struct VirtioScsiRequest *requests; /* in flight */
    struct Object *iothread;
} VirtioScsi;

#define VIRTIO_SCSI_PROPS(T, m)                                                                             \
    VIRTIO_COMMON_PROPS(T, m vdev.), VIRTIO_IOTHREAD_PROP(T, m iothread),                                                                         \
    PROP_U32("num_queues", T, m num_queues, UINT32_MAX, "Request queues; default: one"),                     \
    PROP_U32("virtqueue_size", T, m virtqueue_size, 256, "Entries of each queue"),                           \
    PROP_U32("max_sectors", T, m max_sectors, 65535, "Largest transfer, in sectors"),                        \
    PROP_U32("cmd_per_lun", T, m cmd_per_lun, 128, "Commands a unit takes at once"),                         \
    PROP_B("seg_max_adjust", T, m seg_max_adjust, true, "Segments a request follow the queue size"),         \
    PROP_B("hotplug", T, m hotplug, true, "Tell the guest of units that come and go"),                       \
    PROP_B("param_change", T, m param_change, true, "Tell the guest of changed media")

enum { VIRTIO_NET_MAX_PAIRS = 16 };

typedef struct VirtioNet {
    VirtioDevice vdev;
    NetPeer *netdev;
    NetPeer nic;
    uint8_t mac[6];
    uint32_t features;         /* property bits */
    uint16_t status, rx_queue_size, tx_queue_size, host_mtu;
    VirtQueue *rx, *tx, *ctrl;
    bool promisc, allmulti, alluni, nomulti, nouni, nobcast, link_up;
    uint8_t mac_table[64][6];
    uint32_t n_mac, n_multicast_first;
    bool mac_overflow_uni, mac_overflow_multi;
    uint32_t vlans[128];
    int32_t bootindex;
} VirtioNet;

#define VIRTIO_NET_BIT(T, m, pname, bit, value, text) PROP_BITN(pname, T, m features, bit, value, text)
#define VIRTIO_NET_PROPS(T, m)                                                                               \
    VIRTIO_COMMON_PROPS(T, m vdev.),                                                                          \
    PROP_BOOTINDEX(T, m bootindex, "/ethernet-phy@0"),                                                        \
    { .name = "mac", .kind = PROP_MACADDR, .offset = offsetof(T, m mac), .help = "Ethernet address" },        \
    { .name = "netdev", .kind = PROP_NETDEV, .offset = offsetof(T, m netdev), .help = "ID of a netdev to use as a backend" }, \
    VIRTIO_NET_BIT(T, m, "mrg_rxbuf", 15, 1, "Packets may span receive buffers"),                             \
    VIRTIO_NET_BIT(T, m, "status", 16, 1, "Tell the link's state"),                                           \
    VIRTIO_NET_BIT(T, m, "ctrl_vq", 17, 1, "Offer the control queue"),                                        \
    VIRTIO_NET_BIT(T, m, "ctrl_rx", 18, 1, "Receive filter modes"),                                           \
    VIRTIO_NET_BIT(T, m, "ctrl_vlan", 19, 1, "VLAN filter"),                                                  \
    VIRTIO_NET_BIT(T, m, "ctrl_rx_extra", 20, 1, "Further receive filter modes"),                             \
    VIRTIO_NET_BIT(T, m, "guest_announce", 21, 1, "Announce after migration"),                                \
    VIRTIO_NET_BIT(T, m, "ctrl_mac_addr", 23, 1, "Address set through the control queue"),                    \
    PROP_U16("rx_queue_size", T, m rx_queue_size, 256, "Entries of a receive queue"),                         \
    PROP_U16("tx_queue_size", T, m tx_queue_size, 256, "Entries of a transmit queue"),                        \
    PROP_U16("host_mtu", T, m host_mtu, 0, "MTU told to the guest; 0: none")

typedef struct VirtioRng {
    VirtioDevice vdev;
    Object *rng;
    uint64_t max_bytes, quota;
    uint32_t period_ms;
    Timer timer;
    VirtQueue *vq;
} VirtioRng;

#define VIRTIO_RNG_PROPS(T, m)                                                                                 \
    VIRTIO_COMMON_PROPS(T, m vdev.),                                                                            \
    { .name = "rng", .kind = PROP_LINK, .offset = offsetof(T, m rng), .link_type = "rng-backend",               \
      .help = "Where random bytes come from; none: the host's generator" },                                     \
    PROP_U64("max-bytes", T, m max_bytes, INT64_MAX, "Bytes a guest may take per period"),                      \
    PROP_U32("period", T, m period_ms, 65536, "Milliseconds")

typedef struct VirtioBalloon {
    VirtioDevice vdev;
    bool deflate_on_oom, free_page_reporting;
    uint32_t num_pages, actual;
    VirtQueue *inflate, *deflate, *stats, *reporting;
    VirtElem *stats_elem;
    uint64_t stat[16];
    int64_t stats_at_s, poll_s;
    Timer timer;
} VirtioBalloon;

#define VIRTIO_BALLOON_PROPS(T, m)                                                                              \
    VIRTIO_COMMON_PROPS(T, m vdev.),                                                                             \
    PROP_B("deflate-on-oom", T, m deflate_on_oom, false, "Let the guest take pages back when it runs out"),      \
    PROP_B("free-page-reporting", T, m free_page_reporting, false, "Let the guest report free pages")

/* QMP balloon, query-balloon: the machine's balloon device. */
bool virtio_balloon_set_target(uint64_t bytes, Error **errp);
bool virtio_balloon_query(uint64_t *ret_actual_bytes, Error **errp);

enum { VIRTIO_CONSOLE_PORTS = 31 };

typedef struct VirtioSerial {
    VirtioDevice vdev;
    Bus bus;
    uint32_t max_ports;
    struct VirtioPort *ports[VIRTIO_CONSOLE_PORTS];
    VirtQueue *ctrl_in, *ctrl_out;
} VirtioSerial;

#define VIRTIO_SERIAL_PROPS(T, m)                                                                                \
    VIRTIO_COMMON_PROPS(T, m vdev.), PROP_U32("max_ports", T, m max_ports, VIRTIO_CONSOLE_PORTS, "Ports the device offers")

enum { VIRTIO_GPU_SCANOUTS = 16 };

/* A VGA that shares the first screen: it draws (ops' update and invalidate) until the driver shows something. */
typedef struct GpuFront {
    const struct ConsoleOps *ops;
    void (*returned)(void *opaque);            /* the screen is its own again, and empty */
} GpuFront;

typedef struct VirtioGpu {
    VirtioDevice vdev;
    uint32_t max_outputs, xres, yres;
    uint64_t max_hostmem, used_bytes;
    bool edid_on, taken_over;                  /* taken_over: the driver has shown something since the reset */
    const GpuFront *front;
    void *front_opaque;
    uint32_t n_resources, events;
    struct GpuResource *resources;
    struct GpuScanout {
        struct VirtioGpu *gpu;
        struct Console *con;
        struct GpuResource *resource;
        uint32_t x, y, width, height;          /* what of the resource is shown */
        uint32_t wanted_width, wanted_height;  /* told to the guest; 0: this screen is not there */
    } scanouts[VIRTIO_GPU_SCANOUTS];
    VirtQueue *ctrl, *cursor;
} VirtioGpu;

void virtio_gpu_set_front(VirtioGpu *gpu, const GpuFront *front, void *opaque);

#define VIRTIO_GPU_PROPS(T, m)                                                                                   \
    VIRTIO_COMMON_PROPS(T, m vdev.), PROP_U32("max_outputs", T, m max_outputs, 1, "Screens"),                     \
    PROP_SZ("max_hostmem", T, m max_hostmem, 256 * MiB, "Memory for pictures, all together"),                     \
    PROP_U32("xres", T, m xres, 1280, "Width the first screen prefers"), PROP_U32("yres", T, m yres, 800, "Height"), \
    PROP_B("edid", T, m edid_on, true, "Tell the guest about the monitors")

typedef struct VirtioInput {
    VirtioDevice vdev;
    char *serial, *display;
    uint32_t head;
    bool wheel_axis;
    int input_id;
    uint8_t select, subselect, leds;
    struct VirtioInputEvent { uint16_t type, code; int32_t value; } pending[31 + 1]; /* the last is for the end of the group */
    uint32_t n_pending;
    VirtQueue *events, *status;
} VirtioInput;

#define VIRTIO_INPUT_PROPS(T, m)                                                                                 \
    VIRTIO_COMMON_PROPS(T, m vdev.), PROP_STR("serial", T, m serial, "Serial number the guest sees"),             \
    PROP_STR("display", T, m display, "ID of the display device whose input this is"),                            \
    PROP_U32("head", T, m head, 0, "Screen of that device"),                                                      \
    PROP_B("wheel-axis", T, m wheel_axis, true, "The wheel is an axis, not two buttons")

#endif
