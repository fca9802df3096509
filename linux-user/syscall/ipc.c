/* ipc.c: System V and POSIX IPC whose structures depend on the ABI. */
#include <mqueue.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <time.h>
#include "linux-user/syscall/syscall.h"

enum { MAX_MESSAGE = 1 << 20, IPC_64_FLAG = 0x100, MAX_SEMOPS = 4096 };

int64_t sys_shmat(Thread *t, const uint64_t *a)
{
    (void)t;
    return mm_shmat((int)a[0], a[1], (int)a[2]);
}

int64_t sys_shmdt(Thread *t, const uint64_t *a)
{
    (void)t;
    return mm_shmdt(a[0]);
}

/* IPC_STAT, IPC_SET and their kind for one of the three structures. */
static int64_t stat_set(Thread *t, const StructDesc *desc, long nr, int id, int cmd, uint64_t mid, vaddr addr, void *ds,
                        bool set)
{
    if (set && !struct_from_guest(t->abi, desc, ds, addr)) {
        return -EFAULT;
    }
    int64_t r = nr == SYS_semctl ? RAW_SYSCALL(nr, id, mid, cmd, ds) : RAW_SYSCALL(nr, id, cmd, ds);
    if (r >= 0 && !set && !struct_to_guest(t->abi, desc, addr, ds)) {
        return -EFAULT;
    }
    return r;
}

int64_t sys_msgctl(Thread *t, const uint64_t *a)
{
    struct msqid_ds ds;
    int cmd = (int)a[1] & ~IPC_64_FLAG;
    switch (cmd) {
    case IPC_STAT: case MSG_STAT: case 13 /* MSG_STAT_ANY */:
        return stat_set(t, &struct_msqid, SYS_msgctl, (int)a[0], cmd, 0, a[2], &ds, false);
    case IPC_SET:
        return stat_set(t, &struct_msqid, SYS_msgctl, (int)a[0], cmd, 0, a[2], &ds, true);
    case IPC_RMID:
        return RAW_SYSCALL(SYS_msgctl, a[0], cmd, 0);
    case IPC_INFO: case MSG_INFO: {
        Ordered o;
        bool ok = true;
        void *p = order_inout(t, &o, a[2], sizeof(struct msginfo), "7l2w", &ok);
        int64_t r = ok ? RAW_SYSCALL(SYS_msgctl, a[0], cmd, p) : -EFAULT;
        return order_out(&o, r >= 0) ? r : -EFAULT;
    }
    default:
        return -EINVAL;
    }
}

int64_t sys_shmctl(Thread *t, const uint64_t *a)
{
    struct shmid_ds ds;
    int cmd = (int)a[1] & ~IPC_64_FLAG;
    switch (cmd) {
    case IPC_STAT: case SHM_STAT: case 15 /* SHM_STAT_ANY */:
        return stat_set(t, &struct_shmid, SYS_shmctl, (int)a[0], cmd, 0, a[2], &ds, false);
    case IPC_SET:
        return stat_set(t, &struct_shmid, SYS_shmctl, (int)a[0], cmd, 0, a[2], &ds, true);
    case IPC_RMID: case SHM_LOCK: case SHM_UNLOCK:
        return RAW_SYSCALL(SYS_shmctl, a[0], cmd, 0);
    case IPC_INFO: case SHM_INFO: {
        Ordered o;
        bool ok = true;
        if (t->abi->word_bytes != 8) {
            return -EINVAL;
        }
        void *p = cmd == SHM_INFO ? order_inout(t, &o, a[2], sizeof(struct shm_info), "2l5q", &ok)
                                  : order_inout(t, &o, a[2], sizeof(struct shminfo), "q", &ok);
        int64_t r = ok ? RAW_SYSCALL(SYS_shmctl, a[0], cmd, p) : -EFAULT;
        return order_out(&o, r >= 0) ? r : -EFAULT;
    }
    default:
        return -EINVAL;
    }
}

int64_t sys_semctl(Thread *t, const uint64_t *a)
{
    struct semid_ds ds;
    int cmd = (int)a[2] & ~IPC_64_FLAG;
    Ordered o;
    bool ok = true;
    switch (cmd) {
    case IPC_STAT: case SEM_STAT: case 20 /* SEM_STAT_ANY */:
        return stat_set(t, &struct_semid, SYS_semctl, (int)a[0], cmd, a[1], a[3], &ds, false);
    case IPC_SET:
        return stat_set(t, &struct_semid, SYS_semctl, (int)a[0], cmd, a[1], a[3], &ds, true);
    case GETALL: case SETALL: {
        int64_t r = RAW_SYSCALL(SYS_semctl, a[0], 0, IPC_STAT, &ds);
        if (r < 0) {
            return r;
        }
        void *p = order_inout(t, &o, a[3], ds.sem_nsems * 2, "w", &ok);
        r = ok ? RAW_SYSCALL(SYS_semctl, a[0], a[1], cmd, p) : -EFAULT;
        return order_out(&o, r >= 0 && cmd == GETALL) ? r : -EFAULT;
    }
    case IPC_INFO: case SEM_INFO: {
        void *p = order_inout(t, &o, a[3], sizeof(struct seminfo), "l", &ok);
        int64_t r = ok ? RAW_SYSCALL(SYS_semctl, a[0], a[1], cmd, p) : -EFAULT;
        return order_out(&o, r >= 0) ? r : -EFAULT;
    }
    default: /* SETVAL and those without argument: an int, which is at the beginning of the union */
        return RAW_SYSCALL(SYS_semctl, a[0], a[1], cmd, t->abi->big_endian && t->abi->word_bytes == 8 ? a[3] >> 32 : a[3]);
    }
}

int64_t sys_semtimedop(Thread *t, const uint64_t *a)
{
    bool ok = true;
    struct timespec ts;
    if (a[2] > MAX_SEMOPS) {
        return -E2BIG;
    }
    Ordered o;
    void *p = order_in(t, &o, a[1], a[2] * sizeof(struct sembuf), "w", &ok);
    ok = ok && (!a[3] || timespecs_from_guest(t->abi, &ts, a[3], 1));
    int64_t r = ok ? SAFE_SYSCALL(t, SYS_semtimedop, a[0], p, a[2], a[3] ? &ts : NULL) : -EFAULT;
    order_out(&o, false);
    return r;
}

int64_t sys_semop(Thread *t, const uint64_t *a)
{
    return sys_semtimedop(t, (const uint64_t[6]){ a[0], a[1], a[2], 0 });
}

/* struct msgbuf begins with a long. */
int64_t sys_msgsnd(Thread *t, const uint64_t *a)
{
    uint64_t type;
    if (a[2] > MAX_MESSAGE) {
        return -EINVAL;
    }
    if (!load_guest_word(t->abi, a[1], &type)) {
        return -EFAULT;
    }
    struct { long type; char text[]; } *m = xmalloc(sizeof(long) + a[2]);
    m->type = t->abi->word_bytes == 4 ? (int32_t)type : (int64_t)type;
    int64_t r = -EFAULT;
    if (copy_from_guest(m->text, a[1] + t->abi->word_bytes, a[2])) {
        r = SAFE_SYSCALL(t, SYS_msgsnd, a[0], m, a[2], a[3]);
    }
    free(m);
    return r;
}

int64_t sys_msgrcv(Thread *t, const uint64_t *a)
{
    if (a[2] > MAX_MESSAGE) {
        return -EINVAL;
    }
    struct { long type; char text[]; } *m = xmalloc(sizeof(long) + a[2]);
    int64_t r = SAFE_SYSCALL(t, SYS_msgrcv, a[0], m, a[2], a[3], a[4]);
    if (r >= 0 && (!store_guest_word(t->abi, a[1], (uint64_t)m->type)
                   || !copy_to_guest(a[1] + t->abi->word_bytes, m->text, (size_t)r))) {
        r = -EFAULT;
    }
    free(m);
    return r;
}

int64_t sys_mq_open(Thread *t, const uint64_t *a)
{
    char name[USER_PATH_MAX];
    struct mq_attr attr;
    int64_t r = string_from_guest(name, a[0], sizeof(name));
    if (r < 0) {
        return r;
    }
    if (a[3] && !struct_from_guest(t->abi, &struct_mq_attr, &attr, a[3])) {
        return -EFAULT;
    }
    return RAW_SYSCALL(SYS_mq_open, name, a[1], a[2], a[3] ? &attr : NULL);
}

int64_t sys_mq_notify(Thread *t, const uint64_t *a)
{
    struct sigevent ev;
    if (a[1]) {
        int64_t r = sigevent_from_guest(t->abi, a[1], &ev);
        if (r < 0) {
            return r;
        }
        if (ev.sigev_notify == SIGEV_THREAD) { /* the kernel reads a cookie behind the pointer */
            bool ok = true;
            ev.sigev_value.sival_ptr = guest_in((vaddr)(uintptr_t)ev.sigev_value.sival_ptr, 32, &ok);
            if (!ok) {
                return -EFAULT;
            }
        }
    }
    return RAW_SYSCALL(SYS_mq_notify, a[0], a[1] ? &ev : NULL);
}

int64_t sys_mq_getsetattr(Thread *t, const uint64_t *a)
{
    struct mq_attr attr, old;
    if (a[1] && !struct_from_guest(t->abi, &struct_mq_attr, &attr, a[1])) {
        return -EFAULT;
    }
    int64_t r = RAW_SYSCALL(SYS_mq_getsetattr, a[0], a[1] ? &attr : NULL, &old);
    if (r < 0) {
        return r;
    }
    return !a[2] || struct_to_guest(t->abi, &struct_mq_attr, a[2], &old) ? 0 : -EFAULT;
}
