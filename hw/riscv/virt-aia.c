/*
 * virt-aia.c: the advanced interrupt architecture's part of the `virt` board.
 */
#include "hw/riscv/virt.h"

bool virt_create_aia(VirtMachine *v, Error **errp)
{
    error_set(errp, "aia=aplic and aia=aplic-imsic are not available yet");
    return false;
}
