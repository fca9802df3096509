/*
 * disks-cmos.c: floppy and fixed disk bytes of a PC's CMOS memory.
 *
 * Layout: IBM Personal System/2 and Personal Computer BIOS Interface Technical Reference, CMOS RAM; 39h is what SeaBIOS reads for the
 * translation of each ATA drive (0 none, 1 LBA).
 */
#include "hw/disks-cmos.h"
#include "hw/fdc.h"
#include "hw/ide/internal.h"

enum { CMOS_FLOPPY = 0x10, CMOS_DISKS = 0x12, CMOS_EQUIPMENT = 0x14, CMOS_DISK_TYPES = 0x19, CMOS_DISK_INFO = 0x1b, CMOS_TRANSLATION = 0x39,
       INFO_BYTES = 9, USER_TYPE = 47, MAX_DRIVES = 4 };

typedef struct Disks {
    Device *fdc;
    IdeDrive *drives[MAX_DRIVES]; /* of the first controller: master and slave of its first two channels */
    Device *controller;
} Disks;

static void find(Device *dev, void *opaque)
{
    Disks *d = opaque;
    unsigned n = 0;

    if (!d->fdc && object_is_a(&dev->obj, "isa-fdc")) {
        d->fdc = dev;
    }
    if (d->controller || !dev->first_bus || strcmp(dev->first_bus->obj.type->name, "IDE")) {
        return;
    }
    d->controller = dev;
    for (Bus *bus = dev->first_bus; bus && n < MAX_DRIVES; bus = bus->next, n += 2) {
        IdeChannel *ch = (IdeChannel *)bus;
        d->drives[n] = ch->drives[0];
        d->drives[n + 1] = ch->drives[1];
    }
}

static bool is_disk(const IdeDrive *d)
{
    return d && !d->is_cd;
}

void disks_fill_cmos(uint8_t (*get)(void *opaque, unsigned index), void (*set)(void *opaque, unsigned index, uint8_t value), void *opaque)
{
    Disks disks = { NULL };
    unsigned floppy[2] = { 0 }, translation = 0;

    device_foreach(find, &disks);
    for (unsigned i = 0; disks.fdc && i < 2; i++) {
        floppy[i] = fdc_cmos_type(disks.fdc, i);
    }
    set(opaque, CMOS_FLOPPY, (uint8_t)(floppy[0] << 4 | floppy[1]));
    unsigned n = !!floppy[0] + !!floppy[1];
    set(opaque, CMOS_EQUIPMENT, (uint8_t)((get(opaque, CMOS_EQUIPMENT) & 0x3e) | (n ? 1 | (n - 1) << 6 : 0)));
    set(opaque, CMOS_DISKS, (uint8_t)((is_disk(disks.drives[0]) ? 0xf0 : 0) | (is_disk(disks.drives[1]) ? 0x0f : 0)));
    for (unsigned i = 0; i < MAX_DRIVES; i++) {
        const IdeDrive *d = disks.drives[i];
        if (!is_disk(d)) {
            continue;
        }
        translation |= (d->conf.cyls > 1024 || d->conf.heads > 16 || d->conf.secs > 63 ? 1u : 0) << i * 2;
        if (i < 2) {
            uint8_t cyl_low = (uint8_t)d->conf.cyls, cyl_high = (uint8_t)(d->conf.cyls >> 8);
            const uint8_t info[INFO_BYTES] = { cyl_low, cyl_high, (uint8_t)d->conf.heads, 0xff, 0xff,
                                               (uint8_t)(0xc0 | (d->conf.heads > 8 ? 8 : 0)), cyl_low, cyl_high, (uint8_t)d->conf.secs };
            set(opaque, CMOS_DISK_TYPES + i, USER_TYPE);
            for (unsigned k = 0; k < INFO_BYTES; k++) {
                set(opaque, CMOS_DISK_INFO + i * INFO_BYTES + k, info[k]);
            }
        }
    }
    set(opaque, CMOS_TRANSLATION, (uint8_t)translation);
}
