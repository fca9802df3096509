/*
 * qmp.h: what qmp.c and actions.c share.
 */
#ifndef BLOCK_JOBS_QMP_H
#define BLOCK_JOBS_QMP_H

#include "block/job.h"

Json *qmp_start_backup(const char *command, const Json *args, JobFindNode *find, Error **errp);
bool qmp_is_action(const char *command);
bool qmp_action(const char *command, const Json *args, JobFindNode *find, Error **errp);
Json *qmp_transaction(const char *command, const Json *args, JobFindNode *find, Error **errp);

#endif
