/*
 * fuzz-elf.c: programs and their interpreters for the user-mode runner's loader: a file is mapped inside the guest's
 * address space or refused with one line, whatever its numbers are.
 *
 * Each file is loaded in a child process, as the loader sets up memory once and for all; nothing of the guest runs.
 * Input: the first byte chooses the ABI, then the file. Seeds cannot have zero bytes (driver.c takes them as strings): bytes
 * of the file from 0x01 to 0x04 stand for 0 to 3. The file itself is its own interpreter as /proc/self/fd/9.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "linux-user/user.h"
#include "tests/fuzz/fuzz.h"

User user = { .exe_fd = -1 };

#define Z2 "\x01\x01"
#define Z4 Z2 Z2
#define Z8 Z4 Z4
#define HEAD64(type, n) "A\x7f" "ELF\x03\x02\x02" Z8 "\x01" type "\x01\xf3\x01\x02" Z2 "\x01" "\x01\x01\x02\x01" Z4 "\x40" Z2 "\x01" Z4 Z8 Z4 \
    "\x40\x01\x38\x01" n "\x01" Z2 Z2 Z2
#define LOAD64(flags, offset, addr, filesz, memsz) "\x02" Z2 "\x01" flags Z2 "\x01" offset Z4 addr Z4 addr Z4 filesz Z4 memsz Z4 \
    "\x01\x10\x01\x01" Z4

const char *const fuzz_seeds[] = {
    HEAD64("\x03", "\x02") LOAD64("\x05", Z4, "\x01\x01\x02\x01", "\x70\x01\x01\x01", "\x01\x20\x01\x01"),
    HEAD64("\x04", "\x04") LOAD64("\x05", Z4, Z4, "\x70\x01\x01\x01", "\x70\x01\x01\x01")
        LOAD64("\x06", "\x10\x01\x01\x01", "\x10\x20\x01\x01", "\x30\x01\x01\x01", "\x01\x60\x01\x01")
        "\x04" Z2 "\x01\x05" Z2 "\x01\xe8" Z2 "\x01" Z4 Z8 Z8 "\x10" Z2 "\x01" Z4 "\x10" Z2 "\x01" Z4 Z8 "/proc/self/fd/9\x01",
    "B\x7f" "ELF\x02\x02\x02" Z8 "\x01\x03\x01\xf3\x01\x02" Z2 "\x01" "\x01\x01\x02\x01" "\x34" Z2 "\x01" Z8 "\x34\x01\x20\x01\x02\x01" Z2 Z2 Z2
        "\x02" Z2 "\x01" Z4 "\x01\x01\x02\x01\x01\x01\x02\x01" "\x54" Z2 "\x01" "\x01\x01\x20\x01" "\x05" Z2 "\x01" "\x01\x10\x01\x01",
    HEAD64("\x04", "\x04") LOAD64("\x05", Z4, Z4, "\x70\x01\x01\x01", "\x70\x01\x01\x01")
        LOAD64("\x06", "\x10\x01\x01\x01", "\x10\x20\x01\x01", "\x30\x01\x01\x01", "\x01\x60\x01\x01")
        "\x04" Z2 "\x01\x05" Z2 "\x01\xe8" Z2 "\x01" Z4 Z8 Z8 "\x10" Z2 "\x01" Z4 "\x10" Z2 "\x01" Z4 Z8 "a\nof \33[2J two!!\x01",
    "Aa raw file", "A\x7f" "ELF", NULL
};
const char *const fuzz_words[] = {
    "\xff\xff\xff\xff\xff\xff\xff\xff", Z8, "\xff\xff\xff\xff\xff\xff\xff\x7f", "\x01\xf0\xff\xff\xff\xff\xff\xff", "\x01\x10", "\x01\x01\x01\x80",
    "\x01\x01\x01\x01\x40", "\x01\xf0\xff\xff\x3f\x01", "\x01\x01\x01\x01\x01\x01\x01\x40", "\x38\x01", "\xf3\x01", "\x02\x01\x01\x01\x05", NULL
};

static void require(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "fuzz-elf: %s\n", what);
        abort();
    }
}

/* Files that are refused or mapped, both are fine; what is said of them must be true. */
static void load(int fd)
{
    ElfImage image;
    Error *err = NULL;
    Thread *t = thread_new(user.abi);

    require(user.target->cpu_init(t->vcpu, NULL, NULL), "a CPU");
    thread_register_main(t);
    tcg_set_user_ops(mm_tcg_ops());
    if (elf_load(t, fd, "program", &image, &err)) {
        require(!err, "no error where a file is loaded");
        require(image.start < image.end && image.end <= mm.task_size, "the image lies in the address space");
        char *args[] = { "program", NULL }, *env[] = { "A=b", NULL };
        vaddr sp = elf_build_stack(t, &image, 1, args, env, &err);
        require(!sp == !!err && sp < mm.task_size && sp % 16 == 0, "a stack or an error");
    } else {
        require(err, "an error where no file is loaded");
    }
    if (err) {
        const char *text = error_message(err);
        require(strlen(text) > 10 && !strchr(text, '\n'), "an error is one line");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t file[8192];
    static int fd = -1;

    if (fd < 0) {
        fd = dup2(memfd_create("fuzz-elf", 0), 9);
        error_set_program("fuzz-elf");
        require(tcg_init(&(TcgOptions){ .interpreter = true }, NULL), "an interpreter");
    }
    if (!size) {
        return 0;
    }
    size_t n = MIN(size - 1, sizeof(file));
    memcpy(file, data + 1, n);
    for (size_t i = 0; i < n; i++) {
        file[i] -= file[i] >= 1 && file[i] <= 4;
    }
    if (ftruncate(fd, 0) < 0 || pwrite(fd, file, n, 0) != (ssize_t)n) {
        exit(1);
    }
    user.abi = data[0] % 2 ? &abi_riscv64 : &abi_riscv32;
    user.target = target_find(user.abi->target);
    pid_t child = fork();
    if (!child) {
        load(fd);
        _exit(0);
    }
    int status;
    pid_t ended;
    do {
        ended = waitpid(child, &status, 0); /* libFuzzer's clock interrupts it */
    } while (ended < 0 && errno == EINTR);
    require(child > 0 && ended == child, "fork");
    require(WIFEXITED(status) && !WEXITSTATUS(status), "the loader ends by itself");
    return 0;
}
