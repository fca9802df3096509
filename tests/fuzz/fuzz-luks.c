/*
 * fuzz-luks.c: damaged LUKS headers: read and described, without a password (how long one takes is the header's to say).
 *
 * An input is edits of a header: each a place, a kind and a value.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "block/node-internal.h"
#include "block/secret.h"
#include "tests/block/mem.h"
#include "tests/fuzz/fuzz.h"
#include "util/alloc.h"
#include "util/bits.h"

enum { EDIT_BYTES = 6, IMAGE_BYTES = 1 << 20 };

const char *const fuzz_seeds[] = { "abcdef", "abcdefghijkl123456", NULL };
const char *const fuzz_words[] = { "LUKS\xba\xbe", "aes", "xts-plain64", "cbc-essiv:sha256", "sha256", "\xff\xff\xff\xff", NULL };

static const uint8_t *image(void)
{
    static uint8_t *data;

    if (!data) {
        char path[] = "/tmp/fuzz-luks-XXXXXX";
        int fd = mkstemp(path);
        Json *options = json_parse_string("{'size': 65536, 'cipher-alg': 'aes-128', 'cipher-mode': 'cbc', 'iter-time': 1, 'key-secret': 's'}", error_fatal);
        secret_add("s", &(SecretSource){ .data = "password" }, error_fatal);
        image_create(path, "luks", options, true, error_fatal);
        json_free(options);
        data = xcalloc(1, IMAGE_BYTES);
        if (pread(fd, data, IMAGE_BYTES, 0) <= 0) {
            abort();
        }
        close(fd);
        unlink(path);
    }
    return data;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    MemFile file = { .data = xmemdup(image(), IMAGE_BYTES), .bytes = IMAGE_BYTES, .cap = IMAGE_BYTES };
    Json *options = json_object();
    BlockNode *protocol = mem_open(&file, "fuzzed");

    for (size_t at = 0; at + EDIT_BYTES <= size && at < 64 * EDIT_BYTES; at += EDIT_BYTES) {
        const uint8_t *e = data + at;
        size_t place = ldle16(e) % 640, n = 1 + (e[2] & 3);
        for (size_t i = 0; i < n; i++) {
            file.data[place + i] = e[2] & 4 ? file.data[place + i] ^ e[3 + i % 3] : e[3 + i % 3];
        }
    }
    json_put_string(options, "driver", "luks");
    json_put_string(options, "file", "fuzzed");
    BlockNode *node = node_open(NULL, options, BLOCK_NO_IO, NULL);
    if (node) {
        BlockInfo info = { 0 };
        node->driver->info(node, &info);
        json_free(info.specific);
    }
    node_unref(node);
    node_unref(protocol);
    mem_free(&file);
    return 0;
}
