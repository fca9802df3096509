/*
 * smbus.h: the SMBus of PIIX4 and ICH9, and what plugs into it.
 *
 * A transfer is one transaction of the System Management Bus: bytes to the device (command first), then bytes from it.
 * A device is a DeviceType with .bus = "i2c-bus" whose ObjectType.class_data is an SmBusType.
 *
 * Specifications: SMBus 2.0, chapter 5.5; 82371AB chapter 7.3, ICH9 chapter 20.2. Threads: BQL.
 */
#ifndef HW_SMBUS_H
#define HW_SMBUS_H

#include "hw/device.h"

typedef struct SmBusDevice {
    Device dev;
    uint8_t address;             /* property, 7 bits */
} SmBusDevice;

typedef struct SmBusType {
    void (*write)(SmBusDevice *dev, const uint8_t *data, unsigned len);
    uint8_t (*read)(SmBusDevice *dev);   /* the next byte */
} SmBusType;

/* The controller's registers; a chipset device embeds them. */
enum { SMBUS_HOST_BYTES = 64, SMBUS_BLOCK_BYTES = 32 };
typedef struct SmBusHost {
    Bus bus;
    uint8_t status, control, command, address, data0, data1, aux_control;
    uint8_t block[SMBUS_BLOCK_BYTES];
    uint8_t index;
    MemoryRegion mr;
} SmBusHost;

void smbus_host_init(SmBusHost *host, Device *parent);
void smbus_host_reset(SmBusHost *host);
extern const StateDesc smbus_host_state;

/* "smbus-eeprom" devices at 0x50 to 0x57 of the controller (PIIX4_PM or ICH9-SMB); from the board. */
NODISCARD bool smbus_add_eeproms(Device *controller, Error **errp);

#endif
