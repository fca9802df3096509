/*
 * version.h: who we are, and which version of QEMU's interfaces we follow:
 * clients of QMP and of -version compare these numbers with the versions that
 * brought the features they use.
 */
#ifndef SOFTMMU_VERSION_H
#define SOFTMMU_VERSION_H

#define EMULATOR_COMPAT_MAJOR 11
#define EMULATOR_COMPAT_MINOR 1
#define EMULATOR_COMPAT_MICRO 0
#define EMULATOR_PACKAGE "emulator 0.1.0"

#endif
