/*
 * loader.h: images (firmware, kernels, initial RAM disks) into guest memory.
 *
 * Images are untrusted. What is loaded is copied to guest memory at every
 * reset (machine_add_rom). Raw files are mapped, not read.
 */
#ifndef HW_LOADER_H
#define HW_LOADER_H

#include "softmmu/machine.h"

typedef struct Image {
    uint8_t *data;
    uint64_t len;
    bool mapped; /* munmap, not free */
} Image;

/* `what` names the image in messages ("kernel"). gzip is unpacked, up to max_bytes. */
NODISCARD bool image_open(Image *image, const char *what, const char *path, uint64_t max_bytes,
                          Error **errp);
/* As it is, without unpacking. */
NODISCARD bool image_open_raw(Image *image, const char *what, const char *path, Error **errp);
void image_close(Image *image);

typedef struct ElfInfo {
    uint64_t entry;      /* physical when the entry lies in a loaded segment */
    gpa first, last;     /* lowest and highest byte loaded */
    bool is64;
} ElfInfo;

bool image_is_elf(const Image *image);
/* Loads PT_LOAD segments at their physical addresses + offset. All of them must lie
 * in RAM or ROM of the machine. The image stays open: rom data points into it. */
NODISCARD bool image_load_elf(Machine *machine, const Image *image, const char *what,
                              const char *path, uint16_t elf_machine, uint64_t offset,
                              ElfInfo *ret, Error **errp);
/* Value of a symbol in the symbol table; false: no such symbol, or no ELF file. */
bool image_elf_symbol(const Image *image, const char *name, uint64_t *ret);
/* The bytes as they are at addr; must fit into memory. */
NODISCARD bool image_load_raw(Machine *machine, const Image *image, const char *what,
                              const char *path, gpa addr, Error **errp);
/* Whether [addr, addr + len) is RAM or ROM from end to end. */
bool image_fits(Machine *machine, gpa addr, uint64_t len);

#endif
