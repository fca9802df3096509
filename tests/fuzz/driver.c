/*
 * driver.c: runs a libFuzzer-style target (LLVMFuzzerTestOneInput) without libFuzzer.
 *
 * Usage: fuzz-X [--count N] [--seed S] [--seconds T] [FILE…]
 *
 * FILEs are run as they are. Otherwise inputs are made from the target's seeds (fuzz_seeds, one per
 * string, NULL-terminated) by random edits: bytes, pieces of its dictionary, splices of two seeds. A
 * crash prints nothing by itself; the input being run is kept in fuzz-last-input when
 * --keep is given (of the folder where the fuzzer was started, wherever the target goes).
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "tests/fuzz/fuzz.h"

enum { MAX_INPUT_BYTES = 8192 };

static uint64_t state;

static uint32_t rnd(uint32_t below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % below;
}

static size_t n_seeds(void)
{
    size_t n = 0;
    while (fuzz_seeds[n]) {
        n++;
    }
    return n;
}

static size_t n_words(void)
{
    size_t n = 0;
    while (fuzz_words[n]) {
        n++;
    }
    return n;
}

static size_t insert(uint8_t *buf, size_t len, size_t at, const void *data, size_t n)
{
    if (len + n > MAX_INPUT_BYTES) {
        return len;
    }
    memmove(buf + at + n, buf + at, len - at);
    memcpy(buf + at, data, n);
    return len + n;
}

static size_t make_input(uint8_t *buf)
{
    size_t seeds = n_seeds(), words = n_words();
    const char *seed = fuzz_seeds[rnd((uint32_t)seeds)];
    size_t len = strlen(seed);
    memcpy(buf, seed, len);
    for (unsigned edits = rnd(8); edits; edits--) {
        size_t at = len ? rnd((uint32_t)len) : 0;
        switch (rnd(7)) {
        case 0:
            if (len) {
                buf[at] = (uint8_t)rnd(256);
            }
            break;
        case 1: { /* lose a piece */
            size_t n = len - at ? rnd((uint32_t)(len - at)) % 16 : 0;
            memmove(buf + at, buf + at + n, len - at - n);
            len -= n;
            break;
        }
        case 2: { /* double a piece */
            uint8_t piece[64];
            size_t n = len - at < sizeof(piece) ? len - at : sizeof(piece);
            memcpy(piece, buf + at, n);
            len = insert(buf, len, at, piece, n);
            break;
        }
        case 3:
        case 4:
            if (words) {
                const char *word = fuzz_words[rnd((uint32_t)words)];
                len = insert(buf, len, at, word, strlen(word));
            }
            break;
        case 5: { /* the tail of another seed */
            const char *other = fuzz_seeds[rnd((uint32_t)seeds)];
            size_t n = strlen(other), from = n ? rnd((uint32_t)n) : 0;
            len = at;
            len = insert(buf, len, at, other + from, n - from);
            break;
        }
        default: {
            uint8_t c = (uint8_t)rnd(256);
            len = insert(buf, len, at, &c, 1);
            break;
        }
        }
    }
    return len;
}

static int run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        return 1;
    }
    uint8_t *buf = malloc(1 << 20);
    size_t len = fread(buf, 1, 1 << 20, f);
    fclose(f);
    LLVMFuzzerTestOneInput(buf, len);
    free(buf);
    return 0;
}

int main(int argc, char **argv)
{
    long count = 20000, seconds = 0;
    bool files = false;
    int keep_fd = -1;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--count") && i + 1 < argc) {
            count = atol(argv[++i]);
        } else if (!strcmp(argv[i], "--seed") && i + 1 < argc) {
            state = strtoull(argv[++i], NULL, 0);
        } else if (!strcmp(argv[i], "--seconds") && i + 1 < argc) {
            seconds = atol(argv[++i]);
        } else if (!strcmp(argv[i], "--keep")) {
            keep_fd = open("fuzz-last-input", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
            if (keep_fd < 0) {
                perror("fuzz-last-input");
                return 1;
            }
        } else {
            files = true;
            if (run_file(argv[i])) {
                return 1;
            }
        }
    }
    if (files) {
        return 0;
    }
    for (const char *const *s = fuzz_seeds; *s; s++) {
        LLVMFuzzerTestOneInput((const uint8_t *)*s, strlen(*s));
    }
    static uint8_t buf[MAX_INPUT_BYTES + 256];
    time_t end = time(NULL) + seconds;
    long done = 0;
    for (; seconds ? time(NULL) < end : done < count; done++) {
        size_t len = make_input(buf);
        if (keep_fd >= 0 && (pwrite(keep_fd, buf, len, 0) != (ssize_t)len || ftruncate(keep_fd, (off_t)len) < 0)) {
            perror("fuzz-last-input");
            return 1;
        }
        LLVMFuzzerTestOneInput(buf, len);
    }
    printf("%ld inputs\n", done);
    return 0;
}
