/*
 * hmp-memory.c: commands that look at memory and registers.
 */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include "softmmu/machine.h"
#include "softmmu/monitor/priv.h"
#include "softmmu/system.h"
#include "target/target.h"
#include "util/bits.h"

/* x, xp and print share the last format and size. */
static char last_format = 'x', last_size = 'w';

static unsigned size_bytes(char size)
{
    return size == 'b' ? 1 : size == 'h' ? 2 : size == 'w' ? 4 : 8;
}

static bool fetch(Vcpu *vcpu, bool physical, uint64_t addr, void *buf, size_t len)
{
    if (physical) {
        return memory_read(&machine_current()->memory, addr, buf, len,
                           (MemAttrs){ .debug = true }) == MEM_OK;
    }
    return system_debug_read(vcpu, addr, buf, len);
}

static void print_char(Monitor *mon, uint8_t c)
{
    static const char plain[] = "\n\r\t\\'", letter[] = "nrt\\'";
    const char *p = c ? strchr(plain, c) : NULL;
    if (p) {
        monitor_printf(mon, "'\\%c'", letter[p - plain]);
    } else if (c >= 32 && c <= 126) {
        monitor_printf(mon, "'%c'", c);
    } else {
        monitor_printf(mon, "'\\x%02x'", c);
    }
}

static void print_number(Monitor *mon, char format, unsigned size, uint64_t v, bool padded)
{
    int64_t sv = bits_sext(v, size * 8);
    switch (format) {
    case 'o':
        monitor_printf(mon, "0%*" PRIo64, padded ? (int)(size * 8 + 2) / 3 : 0, v);
        break;
    case 'd':
        monitor_printf(mon, "%*" PRId64, padded ? (int)(size * 8 * 10 + 32) / 33 : 0, sv);
        break;
    case 'u':
        monitor_printf(mon, "%*" PRIu64, padded ? (int)(size * 8 * 10 + 32) / 33 : 0, v);
        break;
    case 'c':
        print_char(mon, (uint8_t)v);
        break;
    default:
        monitor_printf(mon, "0x%0*" PRIx64, padded ? (int)size * 2 : 1, v);
        break;
    }
}

static void disassemble(Monitor *mon, Vcpu *vcpu, bool physical, uint64_t addr, int64_t count)
{
    const Target *target = vcpu ? vcpu->target : target_find(system_config.arch);
    if (!target || !target->disas) {
        monitor_puts(mon, "Error: there is no disassembler for this target\n");
        return;
    }
    uint64_t mode = vcpu && target->trans_mode ? target->trans_mode(vcpu) : 0;
    while (count-- > 0) {
        uint8_t bytes[16];
        char text[128];
        size_t n = MIN(target->max_insn_bytes, sizeof(bytes));
        while (n && !fetch(vcpu, physical, addr, bytes, n)) {
            n--; /* the last instruction of a mapping is shorter than the longest there is */
        }
        if (!n) {
            monitor_printf(mon, "Cannot access memory at 0x%" PRIx64 "\n", addr);
            return;
        }
        size_t used = target->disas(addr, bytes, n, mode, text, sizeof(text));
        if (!used || used > n) {
            monitor_printf(mon, "0x%08" PRIx64 ":  cannot be disassembled\n", addr);
            return;
        }
        if (target->pc_shift) {
            uint64_t word = 0;
            for (size_t i = used; i-- > 0;) {
                word = word << 8 | bytes[i];
            }
            monitor_printf(mon, "0x%08" PRIx64 ":  %0*" PRIx64 "%*s%s\n", addr, (int)used * 2, word,
                           (int)(18 - MIN(used * 2, 16)), "", text);
        } else { /* instructions are bytes, not words: eight a line */
            for (size_t i = 0; i < used; i += 8) {
                char hex[3 * 8 + 1] = "";
                for (size_t j = i; j < MIN(i + 8, used); j++) {
                    snprintf(hex + 3 * (j - i), 4, "%02x ", bytes[j]);
                }
                monitor_printf(mon, i ? "0x%08" PRIx64 ":  %s%s\n" : "0x%08" PRIx64 ":  %-24s %s\n", addr + i, hex, i ? "" : text);
            }
        }
        addr += used;
    }
}

static void dump(Monitor *mon, const Json *args, bool physical)
{
    const char *format = json_get_string(args, "format"), *size = json_get_string(args, "size");
    int64_t count = json_get_int(args, "count", 1);
    uint64_t addr = (uint64_t)json_get_int(args, "addr", 0);
    Vcpu *vcpu = hmp_vcpu(mon);
    char f = *format ? *format : last_format;
    char s = *size ? *size : f == 'c' ? 'b' : last_size;
    if (!physical && !vcpu) {
        monitor_puts(mon, "No CPU\n");
        return;
    }
    last_format = f;
    if (f == 'i') {
        disassemble(mon, vcpu, physical, addr, count);
        return;
    }
    if (f != 'c') {
        last_size = s;
    }
    unsigned unit = size_bytes(s);
    unsigned per_line = f == 'c' ? 16 : f == 'o' || f == 'd' || f == 'u' || f == 'x'
                                            ? (unit == 1 ? 8 : unit == 2 ? 8 : unit == 4 ? 4 : 2)
                                            : 4;
    bool wide = !physical && vcpu && vcpu->target->word_bits == 64;
    bool big = vcpu && vcpu->target->big_endian;
    while (count > 0) {
        unsigned n = (unsigned)MIN(count, per_line);
        uint8_t buf[64];
        monitor_printf(mon, wide ? "%016" PRIx64 ":" : "%08" PRIx64 ":", addr);
        if (!fetch(vcpu, physical, addr, buf, n * unit)) {
            monitor_puts(mon, " Cannot access memory\n");
            return;
        }
        for (unsigned i = 0; i < n; i++) {
            const uint8_t *p = buf + i * unit;
            uint64_t v = 0;
            for (unsigned k = 0; k < unit; k++) {
                v = v << 8 | p[big ? k : unit - 1 - k];
            }
            monitor_puts(mon, " ");
            print_number(mon, f, unit, v, true);
        }
        monitor_puts(mon, "\n");
        addr += n * unit;
        count -= n;
    }
}

void hmp_x(Monitor *mon, const Json *args)
{
    dump(mon, args, false);
}

void hmp_xp(Monitor *mon, const Json *args)
{
    dump(mon, args, true);
}

void hmp_print(Monitor *mon, const Json *args)
{
    const char *format = json_get_string(args, "format");
    char f = *format ? *format : last_format;
    print_number(mon, f == 'i' ? 'x' : f, 8, (uint64_t)json_get_int(args, "val", 0), false);
    monitor_puts(mon, "\n");
}

void hmp_cpu(Monitor *mon, const Json *args)
{
    int64_t index = json_get_int(args, "index", 0);
    if (index < 0 || index >= (int64_t)machine_current()->n_vcpus) {
        monitor_puts(mon, "invalid CPU index\n");
    } else {
        mon->cpu_index = (int)index;
    }
}

void hmp_sum(Monitor *mon, const Json *args)
{
    uint64_t addr = (uint64_t)json_get_int(args, "start", 0);
    uint64_t size = (uint64_t)json_get_int(args, "size", 0);
    /* BSD checksum, as sum(1). */
    uint16_t sum = 0;
    if (size > 64 * MiB) {
        monitor_puts(mon, "Error: at most 64 MiB at once\n");
        return;
    }
    for (uint64_t i = 0; i < size; i++) {
        uint8_t byte = 0;
        memory_read(&machine_current()->memory, addr + i, &byte, 1, (MemAttrs){ .debug = true });
        sum = (uint16_t)((sum >> 1) | (sum << 15));
        sum = (uint16_t)(sum + byte);
    }
    monitor_printf(mon, "%05d\n", sum);
}

void hmp_io_read(Monitor *mon, const Json *args)
{
    const char *size = json_get_string(args, "size");
    unsigned n = MIN(size_bytes(*size ? *size : 'b'), 4);
    uint64_t addr = (uint64_t)json_get_int(args, "addr", 0) & 0xffff, value = 0;
    if (memory_load(&machine_current()->io, addr, n, MEM_LITTLE_ENDIAN, &value,
                    MEM_ATTRS_NONE) != MEM_OK) {
        value = bits_mask(0, n * 8);
    }
    monitor_printf(mon, "port%c[0x%04x] = 0x%0*" PRIx64 "\n", n == 1 ? 'b' : n == 2 ? 'w' : 'l',
                   (unsigned)addr, (int)n * 2, value);
}

void hmp_io_write(Monitor *mon, const Json *args)
{
    const char *size = json_get_string(args, "size");
    unsigned n = MIN(size_bytes(*size ? *size : 'b'), 4);
    memory_store(&machine_current()->io, (uint64_t)json_get_int(args, "addr", 0) & 0xffff, n,
                 MEM_LITTLE_ENDIAN, (uint64_t)json_get_int(args, "val", 0), MEM_ATTRS_NONE);
}

void hmp_gpa2hva(Monitor *mon, const Json *args)
{
    gpa addr = (uint64_t)json_get_int(args, "addr", 0);
    MemLookup l = memory_lookup(&machine_current()->memory, addr);
    if (!l.mr) {
        monitor_printf(mon, "Error: No memory is mapped at address 0x%" PRIx64 "\n", addr);
    } else if (!l.host) {
        monitor_printf(mon, "Error: Memory at address 0x%" PRIx64 " is not RAM\n", addr);
    } else {
        monitor_printf(mon, "Host virtual address for 0x%" PRIx64 " (%s) is %p\n", addr,
                       memory_region_name(l.mr), (void *)l.host);
    }
}

typedef struct Translation {
    vaddr addr;
    TlbFill fill;
    bool ok;
} Translation;

static void translate(Vcpu *vcpu, void *opaque)
{
    Translation *t = opaque;
    const Target *target = vcpu->target;
    t->ok = target->tlb_fill && target->tlb_fill(vcpu, t->addr, MMU_READ, 1,
                                                 target->mmu_index(vcpu, MMU_READ), true,
                                                 &t->fill);
}

typedef struct MappingText {
    VEC(char) text;
    unsigned digits; /* of an address */
    bool translates;
} MappingText;

static void add_mapping(void *opaque, vaddr addr, gpa phys, uint64_t size_bytes, const char *attr)
{
    MappingText *t = opaque;
    char line[128];
    int n = snprintf(line, sizeof(line), "%0*" PRIx64 " %016" PRIx64 " %0*" PRIx64 " %s\n", (int)t->digits, addr, phys, (int)t->digits,
                     size_bytes, attr);
    for (int i = 0; i < n; i++) {
        *vec_push(&t->text) = line[i];
    }
}

typedef struct PrintedMappings {
    FILE *out;
    bool pages, translates;
} PrintedMappings;

static void print_mappings(Vcpu *vcpu, void *opaque)
{
    PrintedMappings *p = opaque;
    p->translates = vcpu->target->print_mappings(vcpu, p->out, p->pages);
}

static void info_printed(Monitor *mon, Vcpu *vcpu, bool pages)
{
    char *text = NULL;
    size_t len = 0;
    PrintedMappings p = { .out = open_memstream(&text, &len), .pages = pages };
    system_on_vcpu(vcpu, print_mappings, &p);
    fclose(p.out);
    monitor_puts(mon, p.translates ? text : "PG disabled\n");
    free(text);
}

void hmp_info_tlb(Monitor *mon, const Json *args)
{
    Vcpu *vcpu = hmp_vcpu(mon);
    if (!vcpu) {
        monitor_puts(mon, "No CPU available\n");
    } else if (!vcpu->target->print_mappings) {
        monitor_puts(mon, "Error: pages are not listed one by one for this target; info mem lists them\n");
    } else {
        info_printed(mon, vcpu, true);
    }
}

static void list_mappings(Vcpu *vcpu, void *opaque)
{
    MappingText *t = opaque;
    t->translates = vcpu->target->mappings && vcpu->target->mappings(vcpu, add_mapping, t);
}

void hmp_info_mem(Monitor *mon, const Json *args)
{
    Vcpu *vcpu = hmp_vcpu(mon);
    if (!vcpu) {
        monitor_puts(mon, "No CPU available\n");
        return;
    }
    if (vcpu->target->print_mappings) {
        info_printed(mon, vcpu, false);
        return;
    }
    MappingText t = { .digits = vcpu->target->word_bits / 4 };
    system_on_vcpu(vcpu, list_mappings, &t);
    if (!t.translates) {
        monitor_puts(mon, "No translation or protection\n");
        return;
    }
    int w = (int)t.digits;
    monitor_printf(mon, "%-*s %-16s %-*s attr\n%.*s ---------------- %.*s -------\n", w, "vaddr", "paddr", w, "size", w, "----------------",
                   w, "----------------");
    *vec_push(&t.text) = 0;
    monitor_puts(mon, t.text.at);
    vec_free(&t.text);
}

/* What the kernel lets this process know of its own pages: /proc/PID/pagemap, kernel Documentation/admin-guide/mm/pagemap.rst. */
static bool host_physical(const void *host, uint64_t *ret)
{
    uint64_t entry = 0, page = (uint64_t)sysconf(_SC_PAGESIZE), at = (uintptr_t)host;
    int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && pread(fd, &entry, sizeof(entry), (off_t)(at / page * sizeof(entry))) == sizeof(entry);
    if (fd >= 0) {
        close(fd);
    }
    uint64_t frame = entry & bits_mask(0, 55);
    *ret = frame * page + at % page;
    return ok && (entry & BIT(63)) && frame;
}

void hmp_gpa2hpa(Monitor *mon, const Json *args)
{
    uint64_t addr = (uint64_t)json_get_int(args, "addr", 0), host;
    MemLookup l = memory_lookup(&machine_current()->memory, addr);
    if (!l.host) {
        monitor_printf(mon, "Error: No memory is mapped at address %#" PRIx64 "\n", addr);
    } else if (!host_physical(l.host, &host)) {
        monitor_printf(mon, "Error: the host does not tell the physical address of %#" PRIx64 "\n", addr);
    } else {
        monitor_printf(mon, "Host physical address for %#" PRIx64 " (%s) is %#" PRIx64 "\n", addr, memory_region_name(l.mr), host);
    }
}

void hmp_gva2gpa(Monitor *mon, const Json *args)
{
    Vcpu *vcpu = hmp_vcpu(mon);
    Translation t = { .addr = (uint64_t)json_get_int(args, "addr", 0) };
    if (!vcpu) {
        monitor_puts(mon, "No CPU\n");
        return;
    }
    system_on_vcpu(vcpu, translate, &t);
    if (t.ok) {
        monitor_printf(mon, "gpa: %#" PRIx64 "\n",
                       t.fill.phys | (t.addr & (BIT(t.fill.page_bits) - 1)));
    } else {
        monitor_puts(mon, "Unmapped\n");
    }
}
