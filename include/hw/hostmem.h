/*
 * hostmem.h: -object memory-backend-ram, memory-backend-file, memory-backend-memfd.
 */
#ifndef HW_HOSTMEM_H
#define HW_HOSTMEM_H

#include "softmmu/memory.h"

/* The RAM behind a memory backend; NULL: `obj` is none. */
MemoryRegion *memory_backend_region(Object *obj);

#endif
