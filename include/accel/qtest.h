/*
 * qtest.h: the accelerator that runs nothing: a test drives devices by the protocol of -qtest (softmmu/qtest.c), guest time included.
 *
 * Threads: BQL.
 */
#ifndef ACCEL_QTEST_H
#define ACCEL_QTEST_H

#include "accel/accel.h"

extern const AccelOps accel_qtest;
/* Guest time goes on to now_ns; each timer that is due on the way runs at its own time. Nothing happens if that is not in the future. */
void qtest_clock_go(int64_t now_ns);

#endif
