/*
 * job.h: work on images in the background: mirror, backup, stream, commit, create.
 *
 * A job is a coroutine of the main context. It says how far it is, waits where its user wants it to (pause, speed limit) and ends in two steps:
 * its work is done, then (at once, or when the user says so) it takes effect. Whoever shows jobs gives job_set_event_hook() a function.
 *
 * Threads: as the graph.
 */
#ifndef BLOCK_JOB_H
#define BLOCK_JOB_H

#include "block/node.h"

typedef enum JobStatus {
    JOB_UNDEFINED, JOB_CREATED, JOB_RUNNING, JOB_PAUSED, JOB_READY, JOB_STANDBY, JOB_WAITING, JOB_PENDING, JOB_ABORTING, JOB_CONCLUDED, JOB_NULL,
} JobStatus;
const char *job_status_name(JobStatus status); /* as QMP has it */
typedef enum JobOnError { JOB_ON_ERROR_REPORT, JOB_ON_ERROR_IGNORE, JOB_ON_ERROR_ENOSPC, JOB_ON_ERROR_STOP } JobOnError;

typedef struct Job Job;

typedef struct JobDriver {
    const char *type;                       /* "mirror" */
    bool is_block_job;
    int (*run)(Job *job);                   /* the work; a coroutine */
    int (*commit)(Job *job, Error **errp);  /* it takes effect; NULL: nothing to do */
    void (*clean)(Job *job);                /* at the end in any case; frees its state */
} JobDriver;

struct Job {
    Job *next;
    const JobDriver *driver;
    char *id;
    void *state;
    JobStatus status;
    uint64_t done, total, speed;
    uint64_t slice_bytes;                   /* passed since slice_began */
    int64_t slice_began_ns;
    bool auto_finalize, auto_dismiss, user_paused, cancelled, forced, ready, completing, busy, finalize;
    int result;
    Error *error;                           /* why it failed, where more is known */
    const char *io_status;
    CoQueue waiters;
    bool sleeping;
    Coroutine *co;
};

typedef void JobEventHook(const char *event, Json *data);
void job_set_event_hook(JobEventHook *hook);

/* `id` NULL: `fallback`. */
Job *job_new(const JobDriver *driver, const char *id, const char *fallback, bool auto_finalize, bool auto_dismiss, uint64_t speed, void *state, Error **errp);
void job_start(Job *job);
void job_abandon(Job *job);                  /* it was never started */
Job *job_find(const char *id);
Job *job_next(const Job *job);              /* NULL: the first */
bool job_is_over(const Job *job);           /* concluded */

/* -- for jobs -- */
/* Where it may be paused or cancelled; false: it should end. */
bool job_co_pause_point(Job *job);
/* Progress, and a sleep where that is too fast. */
void job_co_advance(Job *job, uint64_t bytes);
void job_co_limit(Job *job, uint64_t bytes);  /* the sleep alone, for what is shown when it is done */
void job_co_sleep(Job *job, int64_t ns);    /* ends early when the user wants something */
void job_set_ready(Job *job);
/* What to do about an error: true: ignore it, or try again (the job was paused); false: the job fails. */
bool job_co_error(Job *job, JobOnError policy, bool is_read, int err);

/* -- for users: messages as clients know them -- */
bool job_cancel(Job *job, bool force, Error **errp);
bool job_pause(Job *job, Error **errp);
bool job_resume(Job *job, Error **errp);
bool job_complete(Job *job, Error **errp);
bool job_finalize(Job *job, Error **errp);
bool job_dismiss(Job *job, Error **errp);
bool job_set_speed(Job *job, uint64_t speed, Error **errp);
void job_cancel_all(void);                  /* and waits: at exit */
bool job_uses(const BlockNode *node);

/* QMP commands of jobs, by name. `find` looks up devices and nodes. NULL with an error; a new value else. */
typedef BlockNode *JobFindNode(const char *device_or_node, Error **errp);
bool job_qmp_known(const char *command);
Json *job_qmp(const char *command, const Json *args, JobFindNode *find, Error **errp);

/* -- starting jobs -- */
typedef enum MirrorSync { SYNC_FULL, SYNC_TOP, SYNC_NONE, SYNC_INCREMENTAL, SYNC_BITMAP } MirrorSync;
typedef enum BitmapSync { BITMAP_SYNC_ON_SUCCESS, BITMAP_SYNC_NEVER, BITMAP_SYNC_ALWAYS } BitmapSync;

typedef struct JobCommon {
    const char *id;
    bool auto_finalize, auto_dismiss;
    uint64_t speed;
    JobOnError on_source_error, on_target_error;
} JobCommon;

typedef struct MirrorOptions {
    JobCommon common;
    MirrorSync sync;
    uint64_t granularity;
    bool write_blocking, is_commit;
    BlockNode *base;                        /* of a commit: source's chain down to it; also the target */
    BlockNode *replaces;                    /* NULL: the source */
    const char *backing_file;               /* of a commit */
} MirrorOptions;
bool mirror_start(BlockNode *source, BlockNode *target, const MirrorOptions *o, Error **errp);

typedef struct BackupOptions {
    JobCommon common;
    MirrorSync sync;
    const char *bitmap;
    BitmapSync bitmap_mode;
    bool compress;
} BackupOptions;
bool backup_start(BlockNode *source, BlockNode *target, const BackupOptions *o, Error **errp);
/* `base` NULL: all of the chain. */
bool stream_start(BlockNode *node, BlockNode *base, const char *backing_file, const JobCommon *o, Error **errp);
/* `top` is in the chain of `active`, and not its top. */
bool commit_start(BlockNode *active, BlockNode *top, BlockNode *base, const char *backing_file, const JobCommon *o, Error **errp);

#endif
