/*
 * notifier.c: kicks of a queue that come through an eventfd: the vCPU that writes to the notification register does not wait for the device,
 * and under KVM does not leave the kernel. The main loop takes the kick.
 *
 * A queue has one while its driver may kick it, the machine runs and the accelerator's host takes eventfds; the transport says which
 * writes it stands for. Whatever the host does not take comes as a call of virtio_kick(), so both work at any time.
 *
 * Threads: BQL. The watch belongs to the main loop, which frees it; vCPUs start and stop notifiers as well.
 */
#include <sys/eventfd.h>
#include <unistd.h>
#include "hw/virtio.h"
#include "softmmu/loop.h"
#include "softmmu/machine.h"
#include "util/trace.h"

struct VirtNotifier {
    VirtQueue *vq;      /* NULL: stopped */
    int fd;
    FdWatch *watch;
};

static bool take_signal(const VirtNotifier *n)
{
    uint64_t count;

    return read(n->fd, &count, sizeof(count)) == sizeof(count);
}

static void signalled(void *opaque, unsigned events)
{
    VirtNotifier *n = opaque;

    if (take_signal(n) && n->vq) {
        TRACE("virtio_queue_eventfd", "device %s queue %u", n->vq->vdev->dev.obj.type->name, n->vq->index);
        virtio_kick(n->vq->vdev, n->vq->index);
    }
}

static void release(void *opaque)
{
    VirtNotifier *n = opaque;

    loop_unwatch(n->watch);
    close(n->fd);
    free(n);
}

static void start(VirtQueue *vq)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (fd < 0) {
        return; /* kicks come as calls */
    }
    vq->notifier = xnew(VirtNotifier);
    *vq->notifier = (VirtNotifier){ .vq = vq, .fd = fd };
    vq->notifier->watch = loop_watch(loop_main(), fd, LOOP_READ, signalled, vq->notifier);
    vq->vdev->transport->eventfd(vq->vdev->proxy, vq->index, fd, true);
}

/* A kick that is on its way is lost, unless it is taken before. */
static void stop(VirtQueue *vq)
{
    VirtNotifier *n = vq->notifier;

    vq->notifier = NULL;
    vq->vdev->transport->eventfd(vq->vdev->proxy, vq->index, n->fd, false);
    n->vq = NULL;
    loop_call(loop_main(), release, n);
}

void virtio_update_notifiers(VirtioDevice *vdev)
{
    bool possible = vdev->use_eventfds && memory_eventfd_support() != MEMORY_NO_EVENTFDS && machine_current()->running;

    for (unsigned i = 0; i < vdev->n_queues; i++) {
        VirtQueue *vq = &vdev->queues[i];
        bool wanted = possible && vq->handler && virtq_ready(vq);
        if (wanted && !vq->notifier) {
            start(vq);
        } else if (!wanted && vq->notifier) {
            stop(vq);
        }
    }
}

/* When the machine stops, vCPUs stand already: the kicks they have made are seen before anybody saves or looks at the device. */
static void run_changed(void *opaque, bool running, RunState state)
{
    VirtioDevice *vdev = opaque;

    for (unsigned i = 0; !running && i < vdev->n_queues; i++) {
        VirtQueue *vq = &vdev->queues[i];
        if (vq->notifier && take_signal(vq->notifier)) {
            virtio_kick(vdev, i);
        }
    }
    virtio_update_notifiers(vdev);
}

void virtio_init_notifiers(VirtioDevice *vdev)
{
    vm_add_change_handler(run_changed, vdev);
}

void virtio_finish_notifiers(VirtioDevice *vdev)
{
    vm_remove_change_handler(run_changed, vdev);
    for (unsigned i = 0; i < vdev->n_queues; i++) {
        if (vdev->queues[i].notifier) {
            stop(&vdev->queues[i]);
        }
    }
}
