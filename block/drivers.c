/*
 * drivers.c: the list of drivers. A new one is its own file and a line here.
 */
#include "block/block.h"
#include "block/node.h"

extern const BlockDriver block_file, block_host_device, block_luks, block_nbd, block_null_aio, block_null_co, block_raw;
extern const BlockDriver block_bochs, block_cloop, block_dmg, block_parallels, block_qcow, block_qcow2, block_qed, block_vdi, block_vhdx, block_vmdk, block_vpc, block_vvfat;
extern const BlockDriver block_blkdebug, block_blklogwrites, block_blkverify, block_preallocate, block_compress, block_copy_before_write, block_copy_on_read, block_snapshot_access, block_throttle;

const BlockDriver *const block_drivers[] = {
    &block_blkdebug,
    &block_blklogwrites,
    &block_blkverify,
    &block_bochs,
    &block_cloop,
    &block_compress,
    &block_copy_before_write,
    &block_copy_on_read,
    &block_dmg,
    &block_file,
    &block_host_device,
#ifdef CONFIG_NETTLE
    &block_luks,
#endif
    &block_nbd,
    &block_null_aio,
    &block_null_co,
    &block_parallels,
    &block_preallocate,
    &block_qcow,
    &block_qcow2,
    &block_qed,
    &block_raw,
    &block_snapshot_access,
    &block_throttle,
    &block_vdi,
    &block_vhdx,
    &block_vmdk,
    &block_vpc,
    &block_vvfat,
    NULL,
};

void block_print_formats(PrintFn *print, void *opaque)
{
    print(opaque, "Supported formats:");
    for (const BlockDriver *const *d = block_drivers; *d; d++) {
        print_fmt(print, opaque, " %s", (*d)->name);
    }
    print(opaque, "\n");
}
