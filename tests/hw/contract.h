/*
 * contract.h: the contract every device keeps, checked from its tables: registers, saved state, properties.
 */
#ifndef TESTS_HW_CONTRACT_H
#define TESTS_HW_CONTRACT_H

#include "hw/device.h"

/* For device_foreach(); opaque: an unsigned that counts the devices. */
void contract_check(Device *dev, void *opaque);
/* How many checks have failed so far. */
int contract_failures(void);

#endif
