/*
 * test.h: the few lines every C test shares.
 * CHECK(cond) records a failure and goes on; main ends with `return test_result();`.
 */
#ifndef TESTS_TEST_H
#define TESTS_TEST_H

#include <stdio.h>
#include <string.h>

static int test_failures;
static long test_checks;

#define CHECK(cond)                                                              \
    (test_checks++, (cond) ? (void)0                                             \
        : (void)(test_failures++,                                                \
                 fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #cond)))

#define CHECK_EQ(a, b)                                                           \
    do {                                                                         \
        unsigned long long a_ = (unsigned long long)(a), b_ = (unsigned long long)(b); \
        test_checks++;                                                           \
        if (a_ != b_) {                                                          \
            test_failures++;                                                     \
            fprintf(stderr, "%s:%d: %s = %#llx, expected %s = %#llx\n",          \
                    __FILE__, __LINE__, #a, a_, #b, b_);                         \
        }                                                                        \
    } while (0)

static inline int test_result(void)
{
    if (!test_checks) {
        fprintf(stderr, "no check was made\n");
        return 1;
    }
    return test_failures ? 1 : 0;
}

#endif
