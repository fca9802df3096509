/*
 * hw-smbios.c: SMBIOS tables parsed as firmware and kernels do, byte for byte where another implementation was observed.
 *
 * With a file name as argument the tables are written there as `dmidecode --from-dump` reads them.
 */
#include "hw/smbios.h"
#include "hw/fw_cfg.h"
#include "softmmu/bql.h"
#include "softmmu/options.h"
#include "tests/test.h"
#include "util/bits.h"

static Machine *machine;
static uint8_t *tables, *anchor;
static size_t tables_len, anchor_len;

static SmbiosRange ranges[] = { { 0, 2 * GiB }, { 4 * GiB, 16 * GiB } };

static bool build(SmbiosEntry entry, Error **errp)
{
    SmbiosBoard b = {
        .machine = machine, .manufacturer = "QEMU", .product = "Standard PC (Q35 + ICH9, 2009)", .version = "pc-q35-11.1",
        .entry = entry, .cpu_signature = 0x00060fb1, .cpu_features = 0x178bfbfd, .memory = ranges, .n_memory = 2,
    };

    free(tables);
    free(anchor);
    tables = anchor = NULL;
    return smbios_build(&b, &tables, &tables_len, &anchor, &anchor_len, errp);
}

/* n-th structure of a type; its strings are checked to end where the next structure begins. */
static const uint8_t *find(unsigned type, unsigned n)
{
    for (size_t at = 0; at < tables_len;) {
        const uint8_t *s = tables + at;
        size_t end = at + s[1];
        CHECK(s[1] >= 4 && end + 2 <= tables_len);
        while (end + 1 < tables_len && (tables[end] || tables[end + 1])) {
            end++;
        }
        if (s[0] == type && n-- == 0) {
            return s;
        }
        at = end + 2;
    }
    return NULL;
}

static const char *string(const uint8_t *s, unsigned n)
{
    const char *p = (const char *)s + s[1];

    if (!n) {
        return "";
    }
    while (--n) {
        p += strlen(p) + 1;
    }
    return p;
}

static void check_structures(unsigned expected)
{
    unsigned count = 0;
    VEC(unsigned) handles = {0};

    for (size_t at = 0; at < tables_len; count++) {
        const uint8_t *s = tables + at;
        unsigned handle = ldle16(s + 2), strings = 0;
        for (size_t i = 0; i < handles.n; i++) {
            CHECK(handles.at[i] != handle);
        }
        *vec_push(&handles) = handle;
        size_t end = at + s[1];
        while (tables[end]) {
            end += strlen((char *)tables + end) + 1;
            strings++;
        }
        at = end + (strings ? 1 : 2);
        CHECK((s[0] == 127) == (at == tables_len));
    }
    vec_free(&handles);
    CHECK_EQ(count, expected);
}

static void test_defaults(void)
{
    /* As the installed reference has it for the same machine. */
    static const uint8_t memory_array[] = {
        0x10, 0x17, 0x00, 0x10, 0x01, 0x03, 0x06, 0x00, 0x00, 0x20, 0x01, 0xfe, 0xff, 0x01, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    };
    static const uint8_t upper[] = {
        0x13, 0x1f, 0x01, 0x13, 0x00, 0x00, 0x40, 0x00, 0xff, 0xff, 0x3f, 0x01, 0x00, 0x10, 0x01, 0x00,
    };
    Error *err = NULL;

    CHECK(build(SMBIOS_ENTRY_32, &err));
    CHECK_EQ(anchor_len, 31);
    CHECK(!memcmp(anchor, "_SM_", 4) && !memcmp(anchor + 16, "_DMI_", 5));
    CHECK_EQ(ldle16(anchor + 22), tables_len);
    CHECK_EQ(ldle16(anchor + 28), 10);
    check_structures(10);
    const uint8_t *s = find(1, 0);
    CHECK(s && s[1] == 27 && !strcmp(string(s, s[5]), "Standard PC (Q35 + ICH9, 2009)"));
    s = find(4, 1);
    CHECK(s && s[1] == 42 && !strcmp(string(s, s[4]), "CPU 1"));
    CHECK(s && s[35] == 2 && s[37] == 4);
    CHECK(!find(4, 2) && !find(0, 0) && !find(2, 0));
    s = find(16, 0);
    CHECK(s && !memcmp(s, memory_array, sizeof(memory_array)));
    s = find(17, 0);
    CHECK(s && s[1] == 40 && ldle16(s + 12) == 18 * 1024);
    s = find(19, 1);
    CHECK(s && !memcmp(s, upper, sizeof(upper)));
    size_t largest = 0;
    for (unsigned i = 0; i < 128; i++) {
        for (unsigned n = 0; (s = find(i, n)); n++) {
            size_t len = s[1];
            while (s[len] || s[len + 1]) {
                len++;
            }
            largest = MAX(largest, len + 2);
        }
    }
    CHECK_EQ(ldle16(anchor + 8), largest);
}

static bool option(const char *text)
{
    Error *err = NULL;
    Json *opts = opts_parse(text, NULL, &err);
    bool ok = opts && smbios_add_option(opts, text, &err);

    json_free(opts);
    if (!ok) {
        CHECK(err != NULL);
        error_free(err);
    }
    return ok;
}

static void test_options(void)
{
    static const uint8_t bios[] = {
        0x00, 0x18, 0x00, 0x00, 0x01, 0x02, 0x00, 0xe8, 0x03, 0x00, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x1c, 0x04, 0x05, 0xff, 0xff,
    };
    static const uint8_t system[] = {
        0x01, 0x1b, 0x00, 0x01, 0x01, 0x02, 0x03, 0x04, 0x44, 0x33, 0x22, 0x11, 0x66, 0x55, 0x88, 0x77,
        0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0x00, 0x06, 0x05, 0x06,
    };
    static const uint8_t processor[] = {
        0x04, 0x30, 0x00, 0x04, 0x01, 0x03, 0xfe, 0x02, 0xb1, 0x0f, 0x06, 0x00, 0xfd, 0xfb, 0x8b, 0x17,
        0x03, 0x00, 0x00, 0x00, 0xb8, 0x0b, 0xc4, 0x09, 0x41, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0x04, 0x05, 0x06, 0x02, 0x02, 0x04, 0x02, 0x00, 0x01, 0x00, 0x02, 0x00, 0x02, 0x00, 0x04, 0x00,
    };
    static const uint8_t module[] = {
        0x11, 0x28, 0x00, 0x11, 0x00, 0x10, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x48, 0x09, 0x00,
        0x01, 0x02, 0x07, 0x02, 0x00, 0x60, 0x09, 0x03, 0x04, 0x05, 0x06, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x60, 0x09, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    };
    static const struct {
        unsigned type;
        const uint8_t *bytes;
        size_t len;
    } expected[] = {
        { 0, bios, sizeof(bios) }, { 1, system, sizeof(system) }, { 4, processor, sizeof(processor) },
        { 17, module, sizeof(module) },
    };
    Error *err = NULL;

    snprintf(machine->uuid, sizeof(machine->uuid), "11223344-5566-7788-99aa-bbccddeeff00");
    CHECK(option("type=0,vendor=V,version=1,date=01/02/2003,release=4.5,uefi=on"));
    CHECK(option("type=1,manufacturer=M,product=P,version=0.9,serial=S"));
    CHECK(option("type=1,version=1.0,sku=K,family=F")); /* adds to the former */
    CHECK(option("type=2,manufacturer=BM,product=BP,version=B1,serial=BS,asset=BA,location=L"));
    CHECK(option("type=3,manufacturer=CM,version=CV,serial=CS,asset=CA,sku=CK"));
    CHECK(option("type=4,sock_pfx=SK,manufacturer=PM,version=PV,serial=PS,asset=PA,part=PP,max-speed=3000,current-speed=2500"));
    CHECK(option("type=8,internal_reference=J1,external_reference=X,connector_type=1,port_type=2"));
    CHECK(option("type=8,internal_reference=J2"));
    CHECK(option("type=11,value=hello,value=one,,two"));
    CHECK(option("type=17,loc_pfx=DM,bank=BK,manufacturer=MM,serial=MS,asset=MA,part=MP,speed=2400"));
    CHECK(option("type=41,designation=NIC,kind=ethernet,instance=1"));
    CHECK(!option("type=0,foo=1"));
    CHECK(!option("type=99"));
    CHECK(!option("type=1,uuid=zz"));
    CHECK(!option("type=0,release=4"));
    CHECK(!option("type=17,speed=x"));
    CHECK(!option("vendor=x"));
    CHECK(!option("file=/dev/null/none"));
    CHECK(build(SMBIOS_ENTRY_64, &err));
    CHECK_EQ(anchor_len, 24);
    CHECK(!memcmp(anchor, "_SM3_", 5));
    CHECK_EQ(ldle32(anchor + 12), tables_len);
    check_structures(16);
    for (unsigned i = 0; i < ARRAY_SIZE(expected); i++) {
        const uint8_t *s = find(expected[i].type, 0);
        CHECK(s && !memcmp(s, expected[i].bytes, expected[i].len));
    }
    const uint8_t *s = find(11, 0);
    CHECK(s && s[1] == 5 && s[4] == 2 && !strcmp(string(s, 2), "one,two"));
    s = find(4, 1);
    CHECK(s && !strcmp(string(s, 1), "SK 1"));
    s = find(8, 1);
    CHECK(s && !strcmp(string(s, 1), "J2") && s[6] == 0);
    s = find(41, 0);
    CHECK(s && s[5] == 0x85 && s[6] == 1 && ldle16(s + 7) == 0xffff);
}

static bool file_option(const void *bytes, size_t len)
{
    char path[] = "/tmp/hw-smbios-XXXXXX", *text;
    int fd = mkstemp(path);
    FILE *f = fdopen(fd, "wb");

    CHECK(f && fwrite(bytes, 1, len, f) == len);
    fclose(f);
    text = xasprintf("file=%s", path);
    bool ok = option(text);
    free(text);
    remove(path);
    return ok;
}

static void test_files(void)
{
    Error *err = NULL;

    CHECK(file_option("\x80\x06\x01\x80\x12\x34one\0two\0", 15));
    CHECK(file_option("\x20\x0b\x00\x20\0\0\0\0\0\0\0\0", 13)); /* takes the place of ours */
    CHECK(!file_option("\x80\x06\x01\x80\x12\x34one\0two", 13));  /* not terminated */
    CHECK(!file_option("\x80\x26\x01\x80\x12\x34one\0two\0", 15));/* longer than the file */
    CHECK(!file_option("\x80\x03", 2));
    CHECK(!file_option("\x01\x04\x01\x00\0", 6));                 /* fields were given for type 1 */
    CHECK(build(SMBIOS_ENTRY_AUTO, &err));
    CHECK_EQ(anchor_len, 31);
}

int main(int argc, char **argv)
{
    Error *err = NULL;

    bql_lock();
    machine = machine_new(machine_type_find("none", "riscv64"), "riscv64");
    if (!machine_build(machine, &err)) {
        fprintf(stderr, "%s\n", error_message(err));
        return 1;
    }
    machine->ram_bytes = 18 * GiB;
    machine->smp = (SmpConfig){ .cpus = 8, .max_cpus = 8, .sockets = 2, .cores = 2, .threads = 2, .dies = 1, .clusters = 1,
                                .modules = 1, .drawers = 1, .books = 1 };
    test_defaults();
    test_options();
    if (argc > 1) {
        FILE *f = fopen(argv[1], "wb");
        uint8_t head[32] = {0}, sum = 0;
        memcpy(head, anchor, anchor_len);
        stle64(head + 16, sizeof(head));
        for (unsigned i = 0; i < 24; i++) {
            sum = (uint8_t)(sum + head[i]);
        }
        head[5] = (uint8_t)-sum;
        CHECK(f && fwrite(head, 1, 32, f) == 32 && fwrite(tables, 1, tables_len, f) == tables_len);
        fclose(f);
    }
    test_files();
    return test_result();
}
