/* chardev-double.h: what tests can do with the stand-in for character devices. */
#ifndef TESTS_HW_CHARDEV_DOUBLE_H
#define TESTS_HW_CHARDEV_DOUBLE_H

#include "softmmu/chardev.h"

extern size_t double_out_len;
extern uint8_t double_out[4096];
extern bool double_blocked; /* char_write() takes nothing */
void double_unblock(void);
/* Gives input to the front end; returns how much it took. */
size_t double_input(const char *text, size_t len);
void double_break(void);

#endif
