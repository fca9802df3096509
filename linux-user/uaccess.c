/*
 * uaccess.c: guest memory as system calls see it.
 *
 * Copies go through uaccess_copy, whose faults the signal handler turns into a short count, so no check of the
 * page map is needed and no race with munmap in another thread exists. Byte order is the ABI's.
 */
#include "linux-user/user.h"

bool uaccess_ok(vaddr addr, uint64_t size_bytes)
{
    if (user_self && unlikely(user_self->checked_tags) && !user_self->abi->tags_ok(user_self, addr, size_bytes)) {
        return false;
    }
    addr = user_untagged(addr);
    return mm_inside(addr, size_bytes);
}

bool copy_from_guest(void *dst, vaddr src, size_t size_bytes)
{
    return uaccess_ok(src, size_bytes) && uaccess_copy(dst, g2h(user_untagged(src)), size_bytes) == 0;
}

bool copy_to_guest(vaddr dst, const void *src, size_t size_bytes)
{
    return uaccess_ok(dst, size_bytes) && uaccess_copy(g2h(user_untagged(dst)), src, size_bytes) == 0;
}

bool clear_guest(vaddr dst, size_t size_bytes)
{
    static const char zeros[4096];
    while (size_bytes) {
        size_t n = MIN(size_bytes, sizeof(zeros));
        if (!copy_to_guest(dst, zeros, n)) {
            return false;
        }
        dst += n;
        size_bytes -= n;
    }
    return true;
}

int64_t string_from_guest(char *dst, vaddr src, size_t room_bytes)
{
    src = user_untagged(src);
    if (!mm_inside(src, 1)) {
        return -EFAULT;
    }
    uint64_t max = MIN((src < mm.task_size ? mm.task_size : mm.above_end) - src, (uint64_t)room_bytes);
    int64_t n = uaccess_strnlen(g2h(src), max);
    if (n < 0) {
        return -EFAULT;
    }
    if ((uint64_t)n == max) {
        return max == room_bytes ? -ENAMETOOLONG : -EFAULT;
    }
    /* The guest may change it meanwhile: the terminator is ours. */
    if (uaccess_copy(dst, g2h(src), (size_t)n)) {
        return -EFAULT;
    }
    dst[n] = 0;
    return n;
}

bool load_guest_u32(vaddr addr, uint32_t *ret)
{
    uint8_t raw[4];
    if (!copy_from_guest(raw, addr, 4)) {
        return false;
    }
    *ret = abi_get32(user.abi, raw);
    return true;
}

bool store_guest_u32(vaddr addr, uint32_t value)
{
    uint8_t raw[4];
    abi_put32(user.abi, raw, value);
    return copy_to_guest(addr, raw, 4);
}

bool load_guest_u64(vaddr addr, uint64_t *ret)
{
    uint8_t raw[8];
    if (!copy_from_guest(raw, addr, 8)) {
        return false;
    }
    *ret = abi_get64(user.abi, raw);
    return true;
}

bool store_guest_u64(vaddr addr, uint64_t value)
{
    uint8_t raw[8];
    abi_put64(user.abi, raw, value);
    return copy_to_guest(addr, raw, 8);
}

bool load_guest_word(const Abi *abi, vaddr addr, uint64_t *ret)
{
    if (abi->word_bytes == 8) {
        return load_guest_u64(addr, ret);
    }
    uint32_t v;
    if (!load_guest_u32(addr, &v)) {
        return false;
    }
    *ret = v;
    return true;
}

bool store_guest_word(const Abi *abi, vaddr addr, uint64_t value)
{
    return abi->word_bytes == 8 ? store_guest_u64(addr, value) : store_guest_u32(addr, (uint32_t)value);
}

void *guest_in(vaddr addr, uint64_t size_bytes, bool *ok)
{
    if (addr == 0) {
        return NULL;
    }
    if (!uaccess_ok(addr, size_bytes)) {
        *ok = false;
        return NULL;
    }
    addr = user_untagged(addr);
    mm_grow(addr);
    return g2h(addr);
}

void *guest_out(vaddr addr, uint64_t size_bytes, bool *ok)
{
    void *p = guest_in(addr, size_bytes, ok);
    if (p && atomic_load_explicit(&mm.n_protected, memory_order_relaxed)) {
        mm_open_for_kernel(user_untagged(addr), size_bytes);
    }
    return p;
}

/* A set of signals is an array of words, the lowest signals first. */
static bool sigset_halves(void) { return user.abi->big_endian && user.abi->word_bytes == 4; }
static uint64_t exchanged(uint64_t set) { return set << 32 | set >> 32; }

bool load_guest_sigset(vaddr addr, uint64_t *ret)
{
    if (!load_guest_u64(addr, ret)) {
        return false;
    }
    *ret = sigset_halves() ? exchanged(*ret) : *ret;
    return true;
}

void sigset_pack(uint8_t raw[8], uint64_t set)
{
    set = sigset_halves() ? exchanged(set) : set;
    abi_put64(user.abi, raw, set);
}

bool store_guest_sigset(vaddr addr, uint64_t set)
{
    uint8_t raw[8];
    sigset_pack(raw, set);
    return copy_to_guest(addr, raw, sizeof(raw));
}
