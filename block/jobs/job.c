/*
 * job.c: the life of jobs: states, pause, speed, cancelling, and the two steps of their end.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "block/job.h"
#include "softmmu/options.h"
#include "util/alloc.h"

enum { MAX_JOBS = 1000 };
#define SLICE_NS 100000000ll

static const char *const status_names[] = {
    "undefined", "created", "running", "paused", "ready", "standby", "waiting", "pending", "aborting", "concluded", "null",
};

const char *job_status_name(JobStatus status) { return status_names[status]; }

static Job *jobs;
static JobEventHook *event_hook;

void job_set_event_hook(JobEventHook *hook)
{
    event_hook = hook;
}

static void emit(const char *event, Json *data)
{
    if (event_hook) {
        event_hook(event, data);
    } else {
        json_free(data);
    }
}

static void set_status(Job *job, JobStatus status)
{
    Json *data = json_object();

    job->status = status;
    json_put_string(data, "status", status_names[status]);
    json_put_string(data, "id", job->id);
    emit("JOB_STATUS_CHANGE", data);
}

static void emit_block(Job *job, const char *event, bool with_error)
{
    if (!job->driver->is_block_job) {
        return;
    }
    Json *data = json_object();
    json_put_string(data, "device", job->id);
    json_put_uint(data, "len", job->total);
    json_put_uint(data, "offset", job->done);
    json_put_uint(data, "speed", job->speed);
    json_put_string(data, "type", job->driver->type);
    if (with_error && job->result) {
        json_put_string(data, "error", job->error ? error_message(job->error) : strerror(-job->result));
    }
    emit(event, data);
}

Job *job_next(const Job *job)
{
    return job ? job->next : jobs;
}

Job *job_find(const char *id)
{
    Job *job = jobs;
    while (job && strcmp(job->id, id)) {
        job = job->next;
    }
    return job;
}

bool job_is_over(const Job *job)
{
    return job->status >= JOB_CONCLUDED;
}

Job *job_new(const JobDriver *driver, const char *id, const char *fallback, bool auto_finalize, bool auto_dismiss, uint64_t speed, void *state, Error **errp)
{
    Job **at = &jobs;
    unsigned n = 0;

    id = id ? id : fallback;
    if (!id || !*id) {
        error_set(errp, "An explicit job ID is required for this node");
        return NULL;
    }
    if (!options_id_ok(id)) {
        error_set(errp, "Invalid job ID '%s'", id);
        return NULL;
    }
    if (job_find(id)) {
        error_set(errp, "Job ID '%s' already in use", id);
        return NULL;
    }
    for (; *at; at = &(*at)->next) {
        n++;
    }
    if (n >= MAX_JOBS) {
        error_set(errp, "there are %u jobs already", n);
        return NULL;
    }
    Job *job = xnew(Job);
    *job = (Job){ .driver = driver, .id = xstrdup(id), .state = state, .auto_finalize = auto_finalize, .auto_dismiss = auto_dismiss, .speed = speed,
                  .io_status = "ok" };
    co_queue_init(&job->waiters);
    *at = job;
    set_status(job, JOB_CREATED);
    return job;
}

static void job_free(Job *job)
{
    for (Job **at = &jobs; *at; at = &(*at)->next) {
        if (*at == job) {
            *at = job->next;
            break;
        }
    }
    error_free(job->error);
    free(job->id);
    free(job);
}

/* -- the end --------------------------------------------------------------------------------------------------------- */

static void conclude(Job *job)
{
    set_status(job, JOB_CONCLUDED);
    job->co = NULL;
    if (job->auto_dismiss) {
        set_status(job, JOB_NULL);
        job_free(job);
    }
}

static void end(Job *job)
{
    if (!job->result && job->cancelled && (job->forced || !job->ready)) {
        job->result = -ECANCELED;
    }
    if (!job->result) {
        set_status(job, JOB_WAITING);
        set_status(job, JOB_PENDING);
        if (!job->auto_finalize) {
            Json *data = json_object();
            json_put_string(data, "type", job->driver->type);
            json_put_string(data, "id", job->id);
            emit("BLOCK_JOB_PENDING", data);
            while (!job->finalize && !job->cancelled) {
                co_queue_wait(&job->waiters);
            }
            job->result = job->finalize ? 0 : -ECANCELED;
        }
    }
    if (!job->result && job->driver->commit) {
        job->result = job->driver->commit(job, &job->error);
    }
    if (job->result) {
        set_status(job, JOB_ABORTING);
    }
    bool cancelled = job->result == -ECANCELED;
    job->driver->clean(job);
    job->state = NULL;
    emit_block(job, cancelled ? "BLOCK_JOB_CANCELLED" : "BLOCK_JOB_COMPLETED", !cancelled);
    conclude(job);
}

static void job_entry(void *opaque)
{
    Job *job = opaque;

    job->co = co_self();
    set_status(job, JOB_RUNNING);
    job_co_pause_point(job);
    job->result = job->cancelled && job->forced ? -ECANCELED : job->driver->run(job);
    end(job);
}

void job_start(Job *job)
{
    ioctx_start(ioctx_main(), job_entry, job);
}

void job_abandon(Job *job)
{
    set_status(job, JOB_NULL);
    job_free(job);
}

/* -- for jobs -------------------------------------------------------------------------------------------------------- */

static bool should_end(const Job *job)
{
    return job->cancelled && (job->forced || !job->ready);
}

bool job_co_pause_point(Job *job)
{
    if (job->user_paused && !should_end(job)) {
        JobStatus before = job->status;
        set_status(job, before == JOB_READY ? JOB_STANDBY : JOB_PAUSED);
        while (job->user_paused && !should_end(job)) {
            co_queue_wait(&job->waiters);
        }
        set_status(job, before);
    }
    return !should_end(job);
}

void job_co_sleep(Job *job, int64_t ns)
{
    /* In steps, so that who cancels does not wait for long. */
    int64_t until = io_now_ns() + ns;

    for (int64_t left = ns; left > 0 && !job->cancelled && !job->completing && !job->user_paused; left = until - io_now_ns()) {
        co_sleep_ns(MIN(left, 20000000ll));
    }
}

void job_co_advance(Job *job, uint64_t bytes)
{
    job->done += bytes;
    job_co_limit(job, bytes);
}

void job_co_limit(Job *job, uint64_t bytes)
{
    job->slice_bytes += bytes;
    while (job->speed && job_co_pause_point(job)) {
        int64_t now = io_now_ns();
        if (now - job->slice_began_ns > 10 * SLICE_NS) {
            job->slice_began_ns = now;
            job->slice_bytes = MIN(job->slice_bytes, bytes);
        }
        int64_t due = job->slice_began_ns + (int64_t)((double)job->slice_bytes / (double)job->speed * 1e9);
        if (due <= now + 1000000) {
            break;
        }
        co_sleep_ns(MIN(due - now, SLICE_NS));
        if (io_now_ns() >= due) {
            job->slice_began_ns = due;
            job->slice_bytes = 0;
            break;
        }
        if (job->completing && job->ready) {
            break;
        }
    }
    if (!job->speed) {
        co_pass();
    }
}

void job_set_ready(Job *job)
{
    if (!job->ready) {
        job->ready = true;
        set_status(job, JOB_READY);
        emit_block(job, "BLOCK_JOB_READY", false);
    }
}

bool job_co_error(Job *job, JobOnError policy, bool is_read, int err)
{
    bool stop = policy == JOB_ON_ERROR_STOP || (policy == JOB_ON_ERROR_ENOSPC && err == -ENOSPC);
    bool ignore = policy == JOB_ON_ERROR_IGNORE;
    Json *data = json_object();

    json_put_string(data, "device", job->id);
    json_put_string(data, "operation", is_read ? "read" : "write");
    json_put_string(data, "action", stop ? "stop" : ignore ? "ignore" : "report");
    emit("BLOCK_JOB_ERROR", data);
    if (stop) {
        job->io_status = err == -ENOSPC ? "nospace" : "failed";
        job->user_paused = true;
        bool on = job_co_pause_point(job);
        job->io_status = "ok";
        return on;
    }
    return ignore;
}

/* -- for users ------------------------------------------------------------------------------------------------------- */

static bool allowed(const Job *job, const char *verb, unsigned states, Error **errp)
{
    if (states >> job->status & 1) {
        return true;
    }
    error_set(errp, "Job '%s' in state '%s' cannot accept command verb '%s'", job->id, status_names[job->status], verb);
    return false;
}

enum { ACTIVE = 1 << JOB_CREATED | 1 << JOB_RUNNING | 1 << JOB_PAUSED | 1 << JOB_READY | 1 << JOB_STANDBY };

static void wake(Job *job)
{
    co_queue_wake_all(&job->waiters);
}

bool job_cancel(Job *job, bool force, Error **errp)
{
    if (!allowed(job, "cancel", ACTIVE | 1 << JOB_WAITING | 1 << JOB_PENDING, errp)) {
        return false;
    }
    job->forced |= force || !job->ready;
    job->cancelled = true;
    job->user_paused = false;
    wake(job);
    return true;
}

bool job_pause(Job *job, Error **errp)
{
    if (!allowed(job, "pause", ACTIVE, errp)) {
        return false;
    }
    if (job->user_paused) {
        error_set(errp, "Job is already paused");
        return false;
    }
    job->user_paused = true;
    return true;
}

bool job_resume(Job *job, Error **errp)
{
    if (!job->user_paused) {
        error_set(errp, "Can't resume a job that was not paused");
        return false;
    }
    if (!allowed(job, "resume", ACTIVE, errp)) {
        return false;
    }
    job->user_paused = false;
    wake(job);
    return true;
}

bool job_complete(Job *job, Error **errp)
{
    if (!allowed(job, "complete", 1 << JOB_READY, errp)) {
        return false;
    }
    if (job->cancelled) {
        error_set(errp, "The active block job '%s' cannot be completed", job->id);
        return false;
    }
    job->completing = true;
    wake(job);
    return true;
}

bool job_finalize(Job *job, Error **errp)
{
    if (!allowed(job, "finalize", 1 << JOB_PENDING, errp)) {
        return false;
    }
    job->finalize = true;
    wake(job);
    return true;
}

bool job_dismiss(Job *job, Error **errp)
{
    if (!allowed(job, "dismiss", 1 << JOB_CONCLUDED, errp)) {
        return false;
    }
    set_status(job, JOB_NULL);
    job_free(job);
    return true;
}

bool job_set_speed(Job *job, uint64_t speed, Error **errp)
{
    if (!allowed(job, "set-speed", ACTIVE, errp)) {
        return false;
    }
    if (speed > INT64_MAX) {
        error_set(errp, "Parameter 'speed' expects a non-negative value");
        return false;
    }
    job->speed = speed;
    job->slice_began_ns = io_now_ns();
    job->slice_bytes = 0;
    wake(job);
    return true;
}

static unsigned count_running(void)
{
    unsigned n = 0;

    for (const Job *job = jobs; job; job = job->next) {
        n += !job_is_over(job);
    }
    return n;
}

void job_cancel_all(void)
{
    for (Job *job = jobs; job; job = job->next) {
        job_cancel(job, true, NULL);
    }
    while (count_running()) {
        ioctx_poll(ioctx_main(), true);
    }
}
