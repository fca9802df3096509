/*
 * vdso.c: the shared object every process finds by AT_SYSINFO_EHDR, made from the ABI's table of functions.
 *
 * It is a complete ELF file in memory: dynamic symbols with one version, a hash table, program headers for
 * loaders and section headers for debuggers (System V gABI 4.1 chapters 4 and 5; symbol versions: LSB core 10.7). All of it
 * lies in one segment that is read and executed. There is no unwind table: unwinders of the ABIs we
 * have know the signal trampoline by its instructions.
 *
 * Both word sizes and byte orders are written through Writer, which also checks the room.
 */
#include <elf.h>
#include "linux-user/user.h"

enum { MAX_FUNCTIONS = USER_MAX_VDSO, MAX_NAMES = 1024, CODE_ALIGN = 16 };

static const char soname[] = "linux-vdso.so.1";

typedef struct Writer {
    const Abi *abi;
    uint8_t *out;
    size_t at, room;
} Writer;

static void put(Writer *w, unsigned n, uint64_t v)
{
    if (w->at + n <= w->room) {
        uint8_t *p = w->out + w->at;
        bool be = w->abi->big_endian;
        switch (n) {
        case 1: *p = (uint8_t)v; break;
        case 2: be ? stbe16(p, (uint16_t)v) : stle16(p, (uint16_t)v); break;
        case 4: be ? stbe32(p, (uint32_t)v) : stle32(p, (uint32_t)v); break;
        default: be ? stbe64(p, v) : stle64(p, v);
        }
    }
    w->at += n;
}

static void put_word(Writer *w, uint64_t v)
{
    put(w, w->abi->word_bytes, v);
}

static void put_bytes(Writer *w, const void *data, size_t n)
{
    if (w->at + n <= w->room) {
        memcpy(w->out + w->at, data, n);
    }
    w->at += n;
}

static size_t align_to(Writer *w, size_t n)
{
    w->at = ROUND_UP(w->at, n);
    return w->at;
}

/* The string table: offsets of what was added. */
typedef struct Names {
    char text[MAX_NAMES];
    size_t n;
} Names;

static uint32_t name_add(Names *s, const char *name)
{
    size_t len = strlen(name) + 1, at = s->n;
    if (at + len > sizeof(s->text)) {
        return 0;
    }
    memcpy(s->text + at, name, len);
    s->n += len;
    return (uint32_t)at;
}

/* The hash function of DT_HASH and of version names. */
static uint32_t elf_hash(const char *name)
{
    uint32_t h = 0;
    for (; *name; name++) {
        h = (h << 4) + (uint8_t)*name;
        h ^= (h & 0xf0000000) >> 24;
        h &= 0x0fffffff;
    }
    return h;
}

typedef struct Section {
    uint32_t name, type;
    uint64_t flags, at, bytes;
    uint32_t link, info;
    uint64_t align, entry_bytes;
} Section;

enum { SEC_NULL, SEC_HASH, SEC_DYNSYM, SEC_DYNSTR, SEC_VERSYM, SEC_VERDEF, SEC_DYNAMIC, SEC_TEXT, SEC_SHSTRTAB, N_SECTIONS };

static void put_symbol(Writer *w, uint32_t name, uint64_t value, uint64_t bytes, uint8_t info, uint16_t section)
{
    bool is64 = w->abi->word_bytes == 8;
    put(w, 4, name);
    if (!is64) {
        put(w, 4, value);
        put(w, 4, bytes);
    }
    put(w, 1, info);
    put(w, 1, STV_DEFAULT);
    put(w, 2, section);
    if (is64) {
        put(w, 8, value);
        put(w, 8, bytes);
    }
}

static void put_verdef(Writer *w, uint16_t flags, uint16_t index, const char *name, uint32_t name_at, bool last)
{
    put(w, 2, VER_DEF_CURRENT);
    put(w, 2, flags);
    put(w, 2, index);
    put(w, 2, 1);
    put(w, 4, elf_hash(name));
    put(w, 4, 20); /* to the Verdaux that follows at once */
    put(w, 4, last ? 0 : 28);
    put(w, 4, name_at);
    put(w, 4, 0);
}

static void put_phdr(Writer *w, uint32_t type, uint64_t at, uint64_t bytes, uint32_t flags, uint64_t align)
{
    bool is64 = w->abi->word_bytes == 8;
    put(w, 4, type);
    if (is64) {
        put(w, 4, flags);
    }
    put_word(w, at);
    put_word(w, at);
    put_word(w, at);
    put_word(w, bytes);
    put_word(w, bytes);
    if (!is64) {
        put(w, 4, flags);
    }
    put_word(w, align);
}

static void put_section(Writer *w, const Section *s)
{
    put(w, 4, s->name);
    put(w, 4, s->type);
    put_word(w, s->flags);
    put_word(w, s->flags & SHF_ALLOC ? s->at : 0);
    put_word(w, s->at);
    put_word(w, s->bytes);
    put(w, 4, s->link);
    put(w, 4, s->info);
    put_word(w, s->align);
    put_word(w, s->entry_bytes);
}

static void put_header(Writer *w, uint64_t phdr, unsigned n_phdr, uint64_t shdr)
{
    const Abi *abi = w->abi;
    bool is64 = abi->word_bytes == 8;
    const uint8_t ident[EI_NIDENT] = { 0x7f, 'E', 'L', 'F', is64 ? ELFCLASS64 : ELFCLASS32,
                                       abi->big_endian ? ELFDATA2MSB : ELFDATA2LSB, EV_CURRENT };
    put_bytes(w, ident, sizeof(ident));
    put(w, 2, ET_DYN);
    put(w, 2, abi->elf_machine);
    put(w, 4, EV_CURRENT);
    put_word(w, 0);
    put_word(w, phdr);
    put_word(w, shdr);
    put(w, 4, abi->vdso_elf_flags);
    put(w, 2, is64 ? 64 : 52);
    put(w, 2, is64 ? 56 : 32);
    put(w, 2, n_phdr);
    put(w, 2, is64 ? 64 : 40);
    put(w, 2, N_SECTIONS);
    put(w, 2, SEC_SHSTRTAB);
}

/* The sections from .hash to .text; fills in their places. */
static void put_contents(Writer *w, Section *sec, Names *strings, uint64_t *ret_functions)
{
    const Abi *abi = w->abi;
    unsigned n = abi->n_vdso;
    bool is64 = abi->word_bytes == 8;
    uint32_t symbol_name[MAX_FUNCTIONS];
    uint64_t code_at[MAX_FUNCTIONS];
    uint32_t soname_at = name_add(strings, soname), version_at = name_add(strings, abi->vdso_version);
    for (unsigned i = 0; i < n; i++) {
        symbol_name[i] = name_add(strings, abi->vdso[i].name);
    }

    /* One chain: there are few symbols. nbucket, nchain, bucket, chain of symbols 0 to n. */
    sec[SEC_HASH].at = align_to(w, 8);
    put(w, 4, 1);
    put(w, 4, n + 1);
    put(w, 4, n ? 1 : 0);
    put(w, 4, 0);
    for (unsigned i = 1; i <= n; i++) {
        put(w, 4, i < n ? i + 1 : 0);
    }
    sec[SEC_HASH].bytes = w->at - sec[SEC_HASH].at;

    size_t symbols_at = sec[SEC_DYNSYM].at = align_to(w, 8);
    sec[SEC_DYNSYM].bytes = (n + 1u) * (is64 ? 24 : 16);
    w->at += sec[SEC_DYNSYM].bytes;

    sec[SEC_DYNSTR].at = w->at;
    sec[SEC_DYNSTR].bytes = strings->n;
    put_bytes(w, strings->text, strings->n);

    sec[SEC_VERSYM].at = align_to(w, 8);
    put(w, 2, VER_NDX_LOCAL);
    for (unsigned i = 0; i < n; i++) {
        put(w, 2, 2);
    }
    sec[SEC_VERSYM].bytes = w->at - sec[SEC_VERSYM].at;

    sec[SEC_VERDEF].at = align_to(w, 8);
    put_verdef(w, VER_FLG_BASE, 1, soname, soname_at, false);
    put_verdef(w, 0, 2, abi->vdso_version, version_at, true);
    sec[SEC_VERDEF].bytes = w->at - sec[SEC_VERDEF].at;

    sec[SEC_DYNAMIC].at = align_to(w, 16);
    const struct { uint32_t tag; uint64_t value; } dynamic[] = {
        { DT_SONAME, soname_at }, { DT_HASH, sec[SEC_HASH].at }, { DT_STRTAB, sec[SEC_DYNSTR].at },
        { DT_SYMTAB, sec[SEC_DYNSYM].at }, { DT_STRSZ, strings->n }, { DT_SYMENT, is64 ? 24 : 16 },
        { DT_VERDEF, sec[SEC_VERDEF].at }, { DT_VERDEFNUM, 2 }, { DT_VERSYM, sec[SEC_VERSYM].at }, { DT_NULL, 0 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(dynamic); i++) {
        put_word(w, dynamic[i].tag);
        put_word(w, dynamic[i].value);
    }
    sec[SEC_DYNAMIC].bytes = w->at - sec[SEC_DYNAMIC].at;

    sec[SEC_TEXT].at = align_to(w, CODE_ALIGN);
    for (unsigned i = 0; i < n; i++) {
        code_at[i] = align_to(w, CODE_ALIGN);
        for (unsigned k = 0; k < abi->vdso[i].n_code; k++) {
            uint8_t insn[4];
            abi->big_endian && !abi->code_is_little_endian ? stbe32(insn, abi->vdso[i].code[k]) : stle32(insn, abi->vdso[i].code[k]);
            put_bytes(w, insn, sizeof(insn));
        }
        ret_functions[i] = code_at[i];
    }
    sec[SEC_TEXT].bytes = w->at - sec[SEC_TEXT].at;

    Writer symbols = *w;
    symbols.at = symbols_at;
    put_symbol(&symbols, 0, 0, 0, 0, SHN_UNDEF);
    for (unsigned i = 0; i < n; i++) {
        put_symbol(&symbols, symbol_name[i], code_at[i], abi->vdso[i].n_code * 4u,
                   ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), SEC_TEXT);
    }
}

size_t vdso_build(const Abi *abi, uint8_t *out, size_t room_bytes, uint64_t ret_functions[USER_MAX_VDSO])
{
    static const char *const section_names[N_SECTIONS] = { "", ".hash", ".dynsym", ".dynstr", ".gnu.version",
        ".gnu.version_d", ".dynamic", ".text", ".shstrtab" };
    bool is64 = abi->word_bytes == 8;
    uint64_t word = abi->word_bytes;
    Section sec[N_SECTIONS] = {
        [SEC_HASH] = { .type = SHT_HASH, .flags = SHF_ALLOC, .link = SEC_DYNSYM, .align = 8, .entry_bytes = 4 },
        [SEC_DYNSYM] = { .type = SHT_DYNSYM, .flags = SHF_ALLOC, .link = SEC_DYNSTR, .info = 1, .align = 8,
                         .entry_bytes = is64 ? 24 : 16 },
        [SEC_DYNSTR] = { .type = SHT_STRTAB, .flags = SHF_ALLOC, .align = 1 },
        [SEC_VERSYM] = { .type = SHT_GNU_versym, .flags = SHF_ALLOC, .link = SEC_DYNSYM, .align = 8, .entry_bytes = 2 },
        [SEC_VERDEF] = { .type = SHT_GNU_verdef, .flags = SHF_ALLOC, .link = SEC_DYNSTR, .info = 2, .align = 8 },
        [SEC_DYNAMIC] = { .type = SHT_DYNAMIC, .flags = SHF_ALLOC, .link = SEC_DYNSTR, .align = 16, .entry_bytes = 2 * word },
        [SEC_TEXT] = { .type = SHT_PROGBITS, .flags = SHF_ALLOC | SHF_EXECINSTR, .align = CODE_ALIGN },
        [SEC_SHSTRTAB] = { .type = SHT_STRTAB, .align = 1 },
    };
    Names strings = { .n = 1 }, names = { .n = 1 };
    for (unsigned i = 1; i < N_SECTIONS; i++) {
        sec[i].name = name_add(&names, section_names[i]);
    }

    enum { N_PHDRS = 2 };
    uint64_t phdr = is64 ? 64 : 52;
    Writer w = { abi, out, phdr + N_PHDRS * (is64 ? 56u : 32u), room_bytes };
    put_contents(&w, sec, &strings, ret_functions);
    sec[SEC_SHSTRTAB].at = w.at;
    sec[SEC_SHSTRTAB].bytes = names.n;
    put_bytes(&w, names.text, names.n);
    uint64_t shdr = align_to(&w, 8);
    for (unsigned i = 0; i < N_SECTIONS; i++) {
        put_section(&w, &sec[i]);
    }
    size_t total = w.at;

    w.at = 0;
    put_header(&w, phdr, N_PHDRS, shdr);
    put_phdr(&w, PT_LOAD, 0, total, PF_R | PF_X, 4096);
    put_phdr(&w, PT_DYNAMIC, sec[SEC_DYNAMIC].at, sec[SEC_DYNAMIC].bytes, PF_R, word);
    return total <= room_bytes ? total : 0;
}
