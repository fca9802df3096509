/*
 * fuzz.h: a fuzz target: libFuzzer's entry, and seeds and words for tests/fuzz/driver.c.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
extern const char *const fuzz_seeds[], *const fuzz_words[]; /* NULL-terminated */

#endif
