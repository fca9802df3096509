/*
 * native-host.c: the code generator for the machine we run on, if there is one.
 */
#include "internal.h"

#ifndef TCG_HOST_X86_64
/* Only generated code has snapshots. */
bool snapshot_restore(const uint8_t *bytes, size_t n_bytes, uint32_t offset, const HostFrame *frame,
                      Vcpu *vcpu, uint32_t *ret_extra)
{
    return false;
}
#endif

const HostOps *tcg_native_host(void)
{
#ifdef TCG_HOST_X86_64
    return &host_x86_64;
#else
    return NULL;
#endif
}
