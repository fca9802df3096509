/*
 * loader.h: between the files that load kernels for PCs.
 */
#ifndef HW_I386_LOADER_H
#define HW_I386_LOADER_H

#include "hw/i386/kernel.h"
#include "hw/loader.h"

/* The kernel's image is `image`. Each puts its parts into fw_cfg and adds the option ROM that starts it. */
bool x86_is_multiboot(const Image *image);
bool x86_load_multiboot(const X86Kernel *k, const Image *image, Error **errp);
/* An ELF file with a Xen PHYS32_ENTRY note; the image stays open. */
bool x86_find_pvh_entry(const Image *image, uint32_t *ret_entry);
bool x86_load_pvh(const X86Kernel *k, const Image *image, uint32_t entry, Error **errp);
bool x86_load_bzimage(const X86Kernel *k, const Image *image, Error **errp);

/* -append, as items CMDLINE_SIZE and CMDLINE_DATA. */
void x86_put_cmdline(const X86Kernel *k);
/* -initrd below `max`, page-aligned, as items; *ret_addr is 0 without one. */
bool x86_put_initrd(const X86Kernel *k, uint64_t max, uint32_t *ret_addr, uint32_t *ret_len, Error **errp);

#endif
