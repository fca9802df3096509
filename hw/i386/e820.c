/*
 * e820.c: see e820.h. Format: ACPI 6.5, 15.2 (INT 15h, E820h).
 */
#include "hw/fw_cfg.h"
#include "hw/i386/e820.h"
#include "util/bits.h"

uint8_t *e820_encode(const E820Entry *entries, size_t n, size_t *ret_len)
{
    uint8_t *bytes = xcalloc(n + 1, E820_ENTRY_BYTES);
    size_t len = 0;

    for (size_t i = 0; i < n; i++) {
        if (entries[i].size_bytes) {
            stle64(bytes + len, entries[i].base);
            stle64(bytes + len + 8, entries[i].size_bytes);
            stle32(bytes + len + 16, entries[i].type);
            len += E820_ENTRY_BYTES;
        }
    }
    *ret_len = len;
    return bytes;
}

bool e820_install(Device *fw_cfg, const E820Entry *entries, size_t n, Error **errp)
{
    size_t len;
    uint8_t *bytes = e820_encode(entries, n, &len);
    bool ok = fw_cfg_add_file(fw_cfg, "etc/e820", bytes, (uint32_t)len, errp);

    free(bytes);
    return ok;
}
