/*
 * storage.h: what the tests of disk controllers share: a board with RAM and PCI, images with known contents, access by
 * address, and waiting for requests.
 */
#ifndef TESTS_HW_STORAGE_H
#define TESTS_HW_STORAGE_H

#include "block/block.h"
#include "hw/pci.h"
#include "softmmu/loop.h"
#include "softmmu/machine.h"
#include "tests/test.h"
#include "util/bits.h"

#define RAM UINT64_C(0x80000000)
#define PCI_WINDOW UINT64_C(0x40000000)

extern Machine *machine;

/* The riscv64 `virt` board without vCPUs; then devices are added; then it runs. */
void storage_start(void);
/* Or another board, with its usual memory; 0 processors: its usual number. Drives of boards are made before. */
void storage_start_on(const char *board, const char *arch, unsigned n_cpus);
void storage_ready(void);
/* Temporary files go; ends the program if a check made here failed. */
void storage_finish(void);
/* A new file of this size as blockdev or -drive `id`: sector n holds n in each 32-bit word, plus the word's number in
 * the upper half. Its path. */
const char *storage_image(const char *id, uint64_t bytes, const char *drive_options);
uint32_t storage_word(uint64_t sector, unsigned word);
/* One word of the file itself. */
uint32_t storage_file_word(const char *path, uint64_t sector, unsigned word);
Device *storage_add(const char *type, const char *const *opts);

uint64_t ld(gpa addr, unsigned size);
void st(gpa addr, unsigned size, uint64_t value);
void put_bytes(gpa addr, const void *data, size_t bytes);
void get_bytes(gpa addr, void *data, size_t bytes);
/* Configuration space of a function; puts BAR `bar` at addr and enables memory, I/O and bus mastering. */
uint32_t config_ld(Device *dev, unsigned offset, unsigned size);
void config_st(Device *dev, unsigned offset, unsigned size, uint32_t value);
void storage_map_bar(Device *dev, unsigned bar, gpa addr);
/* Save, reset, load, save: the same bytes. Cut and damaged state: an error, never a crash. */
void storage_check_state(Device *dev);

/* Runs the main loop until the condition holds. */
#define WAIT(cond)                                  \
    do {                                            \
        while (!(cond)) {                           \
            loop_run_once(loop_main(), true);       \
        }                                           \
    } while (0)

#endif
