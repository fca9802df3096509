/*
 * path.c: file names from the guest, and the -L prefix: an absolute name that exists under the prefix means the file
 * there. Relative names and those of /proc, /sys and /dev are the host's.
 */
#include <fcntl.h>
#include <unistd.h>
#include "linux-user/syscall/syscall.h"

static bool starts_with_dir(const char *path, const char *dir)
{
    size_t n = strlen(dir);
    return !strncmp(path, dir, n) && (path[n] == '/' || !path[n]);
}

const char *path_resolve(const char *path, char *buf)
{
    const char *prefix = user.options.prefix;
    if (!prefix || path[0] != '/' || starts_with_dir(path, "/proc") || starts_with_dir(path, "/dev")
        || starts_with_dir(path, "/sys") || !path[1]) {
        return path;
    }
    int n = snprintf(buf, USER_PATH_MAX, "%s%s", prefix, path);
    if (n < 0 || n >= USER_PATH_MAX || faccessat(AT_FDCWD, buf, F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
        return path;
    }
    return buf;
}

int64_t path_from_guest(char *buf, vaddr addr)
{
    int64_t n = string_from_guest(buf, addr, USER_PATH_MAX);
    if (n >= 0 && user.options.prefix && buf[0] == '/') {
        char under[USER_PATH_MAX];
        const char *p = path_resolve(buf, under);
        if (p != buf) {
            memcpy(buf, p, strlen(p) + 1);
        }
    }
    return n;
}
