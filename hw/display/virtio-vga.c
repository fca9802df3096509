/*
 * virtio-vga.c: "virtio-vga", a virtio display that firmware and text consoles can use as a VGA until its driver shows something.
 *
 * BAR 0: the VGA's video memory. BAR 2: the VGA's register window in the first page (dispi.h), virtio's registers behind it. BAR 4: MSI-X.
 * The first screen is the VGA's until a SET_SCANOUT with a resource, and again after a reset of the virtio device.
 * Specification: VIRTIO 1.2, 5.7.7 (VGA compatibility).
 */
#include "hw/display/vga.h"
#include "hw/virtio-types.h"
#include "hw/virtio/virtio-pci.h"

enum { VRAM_BYTES = 8 * 1024 * 1024, VRAM_BAR = 0 };

typedef struct VirtioVga {
    VirtioPci proxy;
    VirtioGpu gpu;
    VgaFront front;
    bool big_endian;
} VirtioVga;

static void returned(void *opaque)
{
    vga_redraw_all(&((VirtioVga *)opaque)->front.vga);
}

static void update(void *opaque)
{
    vga_console_ops.update(&((VirtioVga *)opaque)->front.vga);
}

static void invalidate(void *opaque)
{
    vga_console_ops.invalidate(&((VirtioVga *)opaque)->front.vga);
}

static const ConsoleOps front_ops = { .update = update, .invalidate = invalidate };
static const GpuFront gpu_front = { .ops = &front_ops, .returned = returned };

static bool virtio_vga_realize(PciDevice *pci, Error **errp)
{
    VirtioVga *s = (VirtioVga *)pci;

    if (!virtio_pci_realize(pci, errp)) {
        return false;
    }
    if (!vga_init(&s->front.vga, &pci->dev, VRAM_BYTES, s->gpu.scanouts[0].con, errp)) {
        virtio_pci_unrealize(pci);
        return false;
    }
    s->front.extended_regs = true;
    s->front.vga.dispi.big_endian = s->big_endian;
    pci_add_bar(pci, VRAM_BAR, PCI_BAR_MEMORY | PCI_BAR_PREFETCH, &s->front.vga.vram);
    vga_front_init_window(&s->front);
    memory_region_add(&s->proxy.modern_mr, 0, &s->front.window);
    vga_front_map_legacy(&s->front, pci->bus);
    virtio_gpu_set_front(&s->gpu, &gpu_front, s);
    return true;
}

static void virtio_vga_unrealize(PciDevice *pci)
{
    VirtioVga *s = (VirtioVga *)pci;

    vga_front_unmap_legacy(&s->front, pci->bus);
    virtio_gpu_set_front(&s->gpu, NULL, NULL);
    vga_finish(&s->front.vga);
    virtio_pci_unrealize(pci);
}

static void virtio_vga_reset(PciDevice *pci)
{
    virtio_pci_reset(pci);
    vga_reset(&((VirtioVga *)pci)->front.vga);
}

static const StateField virtio_vga_fields[] = {
    { .name = "virtio-pci", .kind = STATE_STRUCT, .offset = 0, .elem_size = sizeof(VirtioPci), .sub = &virtio_pci_state },
    { .name = "vga", .kind = STATE_STRUCT, .offset = offsetof(VirtioVga, front.vga), .elem_size = sizeof(Vga), .sub = &vga_state },
};
static const StateDesc virtio_vga_state = {
    .name = "virtio-vga", .version = 1, .fields = virtio_vga_fields, .n_fields = ARRAY_SIZE(virtio_vga_fields),
};

static const VirtioPciLayout layout = {
    .modern_bar = 2, .msix_bar = 4, .common = 0x1000, .isr = 0x1800, .device = 0x2000, .notify = 0x3000, .page = 0x800, .msix_bytes = 0x1000,
};

static const VirtioPciType virtio_vga_class = {
    .pci = { .vendor = 0x1af4, .class_code = 0x0300, .realize = virtio_vga_realize, .unrealize = virtio_vga_unrealize, .reset = virtio_vga_reset,
             .config_written = virtio_pci_config_written, .config_reading = virtio_pci_config_reading },
    .inner_type = "virtio-gpu-device", .inner_offset = offsetof(VirtioVga, gpu), .vectors = 3, .modern_only = true, .layout = &layout,
};

static void virtio_vga_init(Object *obj)
{
    virtio_pci_init(obj);
    PCI_DEVICE(obj)->romfile = xstrdup("vgabios-virtio.bin");
}

static const Property virtio_vga_props[] = {
    VIRTIO_GPU_PROPS(VirtioVga, gpu.),
    PROP_B("big-endian-framebuffer", VirtioVga, big_endian, false, "Byte order of the VGA's pixels after a reset of the machine"),
};

static const DeviceType virtio_vga_type = {
    .type = { .name = "virtio-vga", .parent = "virtio-pci", .size_bytes = sizeof(VirtioVga), .summary = "virtio display, VGA compatible",
              .props = virtio_vga_props, .n_props = ARRAY_SIZE(virtio_vga_props), .init = virtio_vga_init, .class_data = &virtio_vga_class },
    .category = DEVICE_DISPLAY, .state = &virtio_vga_state, .user_creatable = true, PCI_DEVICE_HOOKS,
};
DEVICE_TYPE_REGISTER(virtio_vga_type);
