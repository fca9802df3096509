/*
 * throttle.h: limits of bandwidth and requests that several disks may share: groups of "throttle" nodes.
 */
#ifndef BLOCK_THROTTLE_H
#define BLOCK_THROTTLE_H

#include "block/node.h"

typedef enum ThrottleBucketKind { THROTTLE_BPS_TOTAL, THROTTLE_BPS_READ, THROTTLE_BPS_WRITE, THROTTLE_IOPS_TOTAL, THROTTLE_IOPS_READ, THROTTLE_IOPS_WRITE, THROTTLE_BUCKETS } ThrottleBucketKind;

/* What may pass: `avg` a second, in bursts `max` a second for burst_length seconds. 0: no limit. */
typedef struct ThrottleLimit {
    uint64_t avg, max, burst_length;
} ThrottleLimit;

typedef struct ThrottleConfig {
    ThrottleLimit limits[THROTTLE_BUCKETS];
    uint64_t iops_size;          /* a request counts once for each so many bytes; 0: once */
} ThrottleConfig;

typedef struct ThrottleGroup ThrottleGroup;

extern const char *const throttle_bucket_names[]; /* "bps-total", … */

/* Members NAME, NAME-max, NAME-max-length and iops-size behind `prefix` ("x-", "throttling.", "limits."). */
bool throttle_parse(const Json *options, const char *prefix, ThrottleConfig *ret, Error **errp);
bool throttle_check(const ThrottleConfig *config, Error **errp);
bool throttle_any(const ThrottleConfig *config);
/* A group lives as long as somebody has it. */
ThrottleGroup *throttle_group_new(const char *name, const ThrottleConfig *config, Error **errp);
ThrottleGroup *throttle_group_find(const char *name);
ThrottleGroup *throttle_group_ref(ThrottleGroup *g);
void throttle_group_unref(ThrottleGroup *g);
void throttle_group_set(ThrottleGroup *g, const ThrottleConfig *config);
const char *throttle_group_name(const ThrottleGroup *g);
/* Until it is taken back requests pass: somebody waits for them to end. */
void throttle_group_bypass(ThrottleGroup *g, bool on);
/* Waits until a request may pass. */
void throttle_co_pass(ThrottleGroup *g, bool writes, uint64_t bytes);
const ThrottleConfig *throttle_group_config(const ThrottleGroup *g);
/* What an object's options say (x-… or limits). */
ThrottleGroup *throttle_group_open(const char *name, const Json *options, Error **errp);

#endif
