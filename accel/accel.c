/*
 * accel.c: the accelerators built in.
 */
#include <string.h>
#include "accel/accel.h"
#include "accel/kvm.h"
#include "accel/qtest.h"

const AccelOps *const accel_list[] = { &accel_tcg, &accel_kvm, &accel_qtest, NULL };

const AccelOps *accel_find(const char *name)
{
    for (size_t i = 0; accel_list[i]; i++) {
        if (!strcmp(accel_list[i]->name, name)) {
            return accel_list[i];
        }
    }
    return NULL;
}
