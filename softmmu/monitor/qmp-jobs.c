/*
 * qmp-jobs.c: QMP of block jobs, snapshots and bitmaps: each command goes to block/jobs/ by its name; jobs' events come back.
 */
#include "block/job.h"
#include "softmmu/monitor/priv.h"

static void send_event(const char *event, Json *data)
{
    monitor_event(event, data);
}

static Json *run(const char *command, const Json *args, Error **errp)
{
    job_set_event_hook(send_event);
    return job_qmp(command, args, monitor_job_node, errp);
}

#define JOB_COMMAND(handler, name)                                      \
    Json *handler(Monitor *mon, const Json *args, Error **errp)         \
    {                                                                   \
        return run(name, args, errp);                                   \
    }

JOB_COMMAND(qmp_block_job_cancel, "block-job-cancel")
JOB_COMMAND(qmp_block_job_complete, "block-job-complete")
JOB_COMMAND(qmp_block_job_dismiss, "block-job-dismiss")
JOB_COMMAND(qmp_block_job_finalize, "block-job-finalize")
JOB_COMMAND(qmp_block_job_pause, "block-job-pause")
JOB_COMMAND(qmp_block_job_resume, "block-job-resume")
JOB_COMMAND(qmp_block_job_set_speed, "block-job-set-speed")
JOB_COMMAND(qmp_job_cancel, "job-cancel")
JOB_COMMAND(qmp_job_complete, "job-complete")
JOB_COMMAND(qmp_job_dismiss, "job-dismiss")
JOB_COMMAND(qmp_job_finalize, "job-finalize")
JOB_COMMAND(qmp_job_pause, "job-pause")
JOB_COMMAND(qmp_job_resume, "job-resume")
JOB_COMMAND(qmp_query_jobs, "query-jobs")
JOB_COMMAND(qmp_query_block_jobs, "query-block-jobs")
JOB_COMMAND(qmp_blockdev_mirror, "blockdev-mirror")
JOB_COMMAND(qmp_drive_mirror, "drive-mirror")
JOB_COMMAND(qmp_blockdev_backup, "blockdev-backup")
JOB_COMMAND(qmp_drive_backup, "drive-backup")
JOB_COMMAND(qmp_block_stream, "block-stream")
JOB_COMMAND(qmp_block_commit, "block-commit")
JOB_COMMAND(qmp_transaction_command, "transaction")
JOB_COMMAND(qmp_block_dirty_bitmap_add, "block-dirty-bitmap-add")
JOB_COMMAND(qmp_block_dirty_bitmap_remove, "block-dirty-bitmap-remove")
JOB_COMMAND(qmp_block_dirty_bitmap_clear, "block-dirty-bitmap-clear")
JOB_COMMAND(qmp_block_dirty_bitmap_enable, "block-dirty-bitmap-enable")
JOB_COMMAND(qmp_block_dirty_bitmap_disable, "block-dirty-bitmap-disable")
JOB_COMMAND(qmp_block_dirty_bitmap_merge, "block-dirty-bitmap-merge")
JOB_COMMAND(qmp_blockdev_snapshot, "blockdev-snapshot")
JOB_COMMAND(qmp_blockdev_snapshot_sync, "blockdev-snapshot-sync")
JOB_COMMAND(qmp_blockdev_snapshot_internal_sync, "blockdev-snapshot-internal-sync")
JOB_COMMAND(qmp_blockdev_snapshot_delete_internal_sync, "blockdev-snapshot-delete-internal-sync")
