/* random.c: see random.h. The seeded sequence is SplitMix64 (Steele, Lea, Flood 2014). */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

#include "util/random.h"

static struct {
    pthread_mutex_t lock;
    bool seeded;
    uint64_t state;
} sequence = { .lock = PTHREAD_MUTEX_INITIALIZER };

void random_seed(uint64_t seed)
{
    sequence.seeded = true;
    sequence.state = seed;
}

static uint64_t next(void)
{
    uint64_t z = sequence.state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

bool random_bytes(void *buf, size_t n_bytes, bool wait)
{
    uint8_t *at = buf;
    if (!sequence.seeded) {
        while (n_bytes) {
            ssize_t got = getrandom(at, n_bytes, wait ? 0 : GRND_NONBLOCK);
            if (got < 0 && errno != EINTR) {
                return false;
            }
            at += got > 0 ? got : 0;
            n_bytes -= got > 0 ? (size_t)got : 0;
        }
        return true;
    }
    pthread_mutex_lock(&sequence.lock);
    while (n_bytes) {
        uint64_t word = next();
        size_t n = MIN(n_bytes, sizeof(word));
        memcpy(at, &word, n);
        at += n;
        n_bytes -= n;
    }
    pthread_mutex_unlock(&sequence.lock);
    return true;
}
