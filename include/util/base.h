/*
 * base.h: the types and macros every file of the project may use.
 *
 * Address kinds are distinct typedefs so that a prototype says which address
 * space a number belongs to:
 *   vaddr  a guest virtual address (zero-extended on 32-bit guests)
 *   gpa    a guest physical address
 *   void*  a host address
 */
#ifndef UTIL_BASE_H
#define UTIL_BASE_H

#include <assert.h>
#include <inttypes.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdnoreturn.h>

typedef uint64_t vaddr;
typedef uint64_t gpa;

#define VADDR_FMT "%016" PRIx64
#define GPA_FMT "%016" PRIx64

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#undef MIN /* GLib and sys/param.h have their own */
#undef MAX
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define ROUND_DOWN(x, align) ((x) & ~((__typeof__(x))(align) - 1))
#define ROUND_UP(x, align) ROUND_DOWN((x) + (align) - 1, (align))
#define DIV_ROUND_UP(x, y) (((x) + (y) - 1) / (y))
#define container_of(ptr, type, member) \
    ((type *)((char *)(ptr) - offsetof(type, member)))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define NODISCARD __attribute__((warn_unused_result))
/* For what runs where the thread sanitizer must not: it sees no accesses in here. */
#define NO_SANITIZE_THREAD __attribute__((no_sanitize("thread")))

#define KiB ((uint64_t)1 << 10)
#define MiB ((uint64_t)1 << 20)
#define GiB ((uint64_t)1 << 30)
#define TiB ((uint64_t)1 << 40)

#endif
