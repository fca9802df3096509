/*
 * request.c: see request.h. Large requests are worked on by the host's other processors, a piece at a time.
 */
#include "block/crypto/request.h"
#include "util/alloc.h"

#define PIECE_BYTES (1 * MiB)
#define WORTH_A_WORKER (32 * KiB)

typedef struct CryptWork {
    const Cipher *cipher;
    bool encrypts;
    uint64_t sector;
    uint8_t *data;
    size_t bytes;
} CryptWork;

static int work(void *opaque)
{
    CryptWork *w = opaque;

    (w->encrypts ? cipher_encrypt : cipher_decrypt)(w->cipher, w->sector, w->data, w->data, w->bytes);
    return 0;
}

static void perform(CryptWork *w)
{
    if (w->bytes >= WORTH_A_WORKER) {
        co_compute(work, w);
    } else {
        work(w);
    }
}

int crypt_co_read(const Cipher *c, BlockNode *file, uint64_t host, uint64_t place, uint64_t bytes, Sg sg)
{
    uint8_t *buf = NULL;
    int err = 0;

    for (uint64_t n; bytes && !err; bytes -= n) {
        n = MIN(bytes, PIECE_BYTES);
        uint8_t *flat = sg_flat(sg, n);
        if (!flat && !buf) {
            buf = node_alloc(file, n);
        }
        CryptWork w = { c, false, place / CIPHER_SECTOR, flat ? flat : buf, n };
        err = node_co_pread(file, host, w.data, n);
        if (!err) {
            perform(&w);
            if (!flat) {
                sg_store(sg, buf, n);
            }
        }
        host += n;
        place += n;
        sg = sg_after(sg, n);
    }
    free(buf);
    return err;
}

int crypt_co_write(const Cipher *c, BlockNode *file, uint64_t host, uint64_t place, uint64_t bytes, Sg sg, unsigned flags)
{
    uint8_t *buf = node_alloc(file, MIN(bytes, PIECE_BYTES));
    int err = 0;

    for (uint64_t n; bytes && !err; bytes -= n) {
        n = MIN(bytes, PIECE_BYTES);
        CryptWork w = { c, true, place / CIPHER_SECTOR, buf, n };
        sg_load(sg, buf, n);
        perform(&w);
        err = node_co_pwrite(file, host, buf, n, flags);
        host += n;
        place += n;
        sg = sg_after(sg, n);
    }
    free(buf);
    return err;
}
