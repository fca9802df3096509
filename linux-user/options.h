/* options.h: command line and QEMU_* environment of the user-mode runner. */
#ifndef LINUX_USER_OPTIONS_H
#define LINUX_USER_OPTIONS_H

#include "linux-user/user.h"

/* What the command line says about the program to run. */
typedef struct UserCommand {
    const char *program;      /* path of the guest program */
    char **args;              /* argv, args[0] replaced by -0; NULL-terminated, allocated */
    int n_args;
    char **env;               /* the guest's environment; NULL-terminated, allocated */
} UserCommand;

/* Fills user.options and user.exec_args. Exits 0 after -help and friends, 1 with a line on errors. */
void options_parse(int argc, char **argv, UserCommand *ret);

#endif
