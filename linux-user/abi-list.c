/*
 * abi-list.c: the ABIs there are.
 */
#include <string.h>
#include "linux-user/user.h"

const Abi *const abi_list[] = { &abi_riscv64, &abi_riscv32, &abi_x86_64, &abi_i386, &abi_aarch64, &abi_aarch64_be, &abi_arm, &abi_armeb, NULL };

/* What Debian calls them: its packages have qemu-arm64 and the like beside the names of this project. */
static const struct {
    const char *debian, *target;
} names[] = {
    { "amd64", "x86_64" },
    { "arm64", "aarch64" },
    { "armel", "arm" },
    { "armhf", "arm" },
};

const Abi *abi_find(const char *target)
{
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (!strcmp(names[i].debian, target)) {
            target = names[i].target;
        }
    }
    for (size_t i = 0; abi_list[i]; i++) {
        if (!strcmp(abi_list[i]->target, target)) {
            return abi_list[i];
        }
    }
    return NULL;
}
