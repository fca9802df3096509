/*
 * dma.h: the pair of 8237A DMA controllers of a PC.
 */
#ifndef HW_I386_DMA_H
#define HW_I386_DMA_H

#include "hw/isa.h"

/* Makes both controllers on the bus and gives the bus its DMA channels. */
NODISCARD bool i8257_create(IsaBus *bus, Error **errp);

#endif
