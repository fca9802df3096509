/*
 * fuzz-pc.h: the board a program of fuzz-pc.c pokes.
 */
#ifndef TESTS_FUZZ_FUZZ_PC_H
#define TESTS_FUZZ_FUZZ_PC_H

extern const char *const fuzz_pc_board;

#endif
