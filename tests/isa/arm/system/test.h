/*
 * test.h: what the bare-metal programs of the system level share: output, checks, the exception handler start.S calls.
 */
#include <stdbool.h>
#include <stdint.h>

typedef struct Frame {
    uint64_t x[31], vector, elr, spsr, esr, far, el, pad[5];
} Frame;

#define UART 0x09000000ul
#define STRINGIFY(x) #x
#define READ(reg) ({ uint64_t v_; __asm__ volatile("mrs %0, " STRINGIFY(reg) : "=r"(v_) :: "memory"); v_; })
#define WRITE(reg, value) __asm__ volatile("msr " STRINGIFY(reg) ", %0" :: "r"((uint64_t)(value)) : "memory")
#define ISB() __asm__ volatile("isb" ::: "memory")
#define DSB() __asm__ volatile("dsb sy" ::: "memory")

uint64_t run_at(void *fn, uint64_t spsr);
extern char run_at_done[], _end[];

static int n_bad;

/* The compiler copies structs with it. */
void *memcpy(void *to, const void *from, unsigned long n)
{
    for (unsigned long i = 0; i < n; i++) {
        ((char *)to)[i] = ((const char *)from)[i];
    }
    return to;
}

static void put(const char *s)
{
    for (; *s; s++) {
        *(volatile uint32_t *)UART = (uint8_t)*s;
    }
}

static void put_hex(uint64_t v)
{
    char out[19] = "0x";
    for (int i = 0; i < 16; i++) {
        out[2 + i] = "0123456789abcdef"[v >> (60 - 4 * i) & 15];
    }
    out[18] = 0;
    put(out);
}

static void check(const char *what, uint64_t is, uint64_t expected)
{
    if (is != expected) {
        put(what);
        put(": ");
        put_hex(is);
        put(" instead of ");
        put_hex(expected);
        put("\n");
        n_bad++;
    }
}

/* The last exception; what the handler is to do with it. */
static Frame last;
static int n_taken;
static enum { SKIP, LEAVE } then;

void handle_exception(Frame *f)
{
    last = *f;
    n_taken++;
    unsigned ec = f->esr >> 26;
    if (then == LEAVE || ec == 0x20 || ec == 0x21 || ec == 0x0e || ec == 0x22) {
        f->elr = (uint64_t)run_at_done;
        f->spsr = 0x3c0 | (f->el | 1); /* this level, its own stack */
        return;
    }
    if (ec != 0x15 && ec != 0x16 && ec != 0x17) {
        f->elr += 4;
    }
}

static void expect(const char *what, unsigned ec, uint64_t iss, unsigned vector)
{
    put(what);
    put("\n");
    check("  taken", n_taken, 1);
    check("  class", last.esr >> 26 & 0x3f, ec);
    check("  syndrome", last.esr & 0x1ffffff, iss);
    check("  IL", last.esr >> 25 & 1, 1);
    check("  vector", last.vector, vector);
    n_taken = 0;
}
