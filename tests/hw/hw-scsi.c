/*
 * hw-scsi.c: SCSI units: inquiry and vital product data, mode pages, reading and writing in one piece and in parts, unmap, write
 * same, verify, sense and unit attention, CD-ROM commands, media that change, LUN reports, snapshots.
 */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "hw/scsi.h"
#include "hw/virtio-types.h"
#include "tests/hw/storage.h"

typedef struct Command {
    ScsiRequest req;
    bool done;
    uint8_t *stream;           /* where a transfer in parts goes or comes from */
    size_t at;
} Command;

static uint8_t data[1 << 20];
static Command last;

static void complete(ScsiRequest *req)
{
    last.done = true;
}

static void part(ScsiRequest *req, uint8_t *buf, uint32_t len)
{
    if (req->to_device) {
        memcpy(buf, last.stream + last.at, len);
    } else {
        memcpy(last.stream + last.at, buf, len);
    }
    last.at += len;
    scsi_continue(req);
}

static const ScsiRequestOps ops = { .data = part, .complete = complete };

/* Status, or sense key << 16 | code << 8 | qualifier. */
static uint32_t run(ScsiUnit *unit, const uint8_t *cdb, size_t cdb_bytes, size_t bytes, bool in_parts)
{
    struct iovec iov[2] = { { data, bytes / 3 }, { data + bytes / 3, bytes - bytes / 3 } };

    memset(&last, 0, sizeof(last));
    memcpy(last.req.cdb, cdb, cdb_bytes);
    last.req.ops = &ops;
    last.stream = data;
    scsi_parse(unit, &last.req);
    if (!in_parts) {
        last.req.iov = iov;
        last.req.n_iov = 2;
        last.req.iov_bytes = bytes;
    }
    scsi_start(unit, &last.req);
    WAIT(last.done);
    return last.req.status == SCSI_CHECK_CONDITION
               ? (uint32_t)last.req.sense[2] << 16 | (uint32_t)last.req.sense[12] << 8 | last.req.sense[13] : last.req.status;
}

#define RUN(unit, bytes, ...) run(unit, (const uint8_t[16]){ __VA_ARGS__ }, 16, bytes, false)
#define RUN_PARTS(unit, bytes, ...) run(unit, (const uint8_t[16]){ __VA_ARGS__ }, 16, bytes, true)

static void test_identity(ScsiUnit *hd)
{
    CHECK_EQ(RUN(hd, 36, 0x12, 0, 0, 0, 36), 0);          /* before the unit attention is told */
    CHECK(!memcmp(data + 8, "QEMU    QEMU HARDDISK   2.5+", 28));
    CHECK_EQ(data[0], 0);
    CHECK_EQ(data[4], 31);
    CHECK_EQ(RUN(hd, 0, 0x00), 0x062900);                 /* power on */
    CHECK_EQ(RUN(hd, 0, 0x00), 0);
    CHECK_EQ(RUN(hd, 255, 0x12, 1, 0, 0, 255), 0);
    CHECK(!memcmp(data + 4, "\x00\x80\x83\xb0\xb1\xb2", 6));
    CHECK_EQ(RUN(hd, 255, 0x12, 1, 0x80, 0, 255), 0);
    CHECK(!memcmp(data, "\0\x80\0\x04" "S-42", 8));
    CHECK_EQ(RUN(hd, 255, 0x12, 1, 0x83, 0, 255), 0);
    CHECK(!memcmp(data + 4, "\x02\0\0\x04" "S-42" "\x01\x03\0\x08\x50\x01\x02\x03\x04\x05\x06\x07", 20));
    CHECK_EQ(RUN(hd, 255, 0x12, 1, 0xb0, 0, 255), 0);
    CHECK_EQ(ldbe32(data + 20), (1 << 30) / 512);         /* blocks an UNMAP may have */
    CHECK_EQ(RUN(hd, 255, 0x12, 1, 0xb2, 0, 255), 0);
    CHECK_EQ(data[5], 0xe0);
    CHECK_EQ(RUN(hd, 255, 0x12, 1, 0x55, 0, 255), 0x052400);
    CHECK_EQ(RUN(hd, 255, 0x12, 0, 0x80, 0, 255), 0x052400);
    CHECK_EQ(RUN(hd, 0, 0xe5), 0x052000);                 /* no such command */
    CHECK_EQ(RUN(hd, 18, 0x03, 0, 0, 0, 18), 0);
    CHECK_EQ(data[2], 5);
    CHECK_EQ(data[12], 0x20);
    CHECK_EQ(RUN(hd, 18, 0x03, 0, 0, 0, 18), 0);
    CHECK_EQ(data[2], 0);
    CHECK_EQ(RUN(hd, 16, 0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 32), 0);
    CHECK_EQ(ldbe32(data), 16);                           /* LUN 0 and 3 */
    CHECK_EQ(RUN(hd, 8, 0x25), 0);
    CHECK_EQ(ldbe32(data), 8191);
    CHECK_EQ(RUN(hd, 32, 0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32), 0);
    CHECK_EQ(ldbe64(data), 8191);
    CHECK_EQ(data[14], 0x80);
}

static void test_blocks(ScsiUnit *hd, const char *path)
{
    CHECK_EQ(RUN(hd, 4096, 0x28, 0, 0, 0, 0, 100, 0, 0, 8), 0);
    CHECK_EQ(ldle32(data + 512 * 7 + 8), storage_word(107, 2));
    CHECK_EQ(last.req.done_bytes, 4096);
    CHECK_EQ(RUN_PARTS(hd, 0, 0x88, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0x10), 0); /* 272 blocks: three parts */
    CHECK_EQ(ldle32(data + 512 * 271), storage_word(256 + 271, 0));
    CHECK_EQ(last.at, 272 * 512);
    CHECK_EQ(RUN(hd, 512, 0x08, 0, 0x1f, 0xff, 1), 0);    /* READ (6) of the last block */
    CHECK_EQ(ldle32(data), storage_word(8191, 0));
    memset(data, 0x5a, 300 * 512);
    CHECK_EQ(RUN_PARTS(hd, 0, 0xaa, 8, 0, 0, 0, 200, 0, 0, 1, 44), 0); /* WRITE (12), FUA, 300 blocks */
    CHECK_EQ(storage_file_word(path, 499, 127), 0x5a5a5a5a);
    CHECK_EQ(storage_file_word(path, 500, 0), storage_word(500, 0));
    CHECK_EQ(RUN(hd, 512, 0x2f, 2, 0, 0, 0, 200, 0, 0, 1), 0);         /* VERIFY compares */
    data[100] = 1;
    CHECK_EQ(RUN(hd, 512, 0x2f, 2, 0, 0, 0, 200, 0, 0, 1), 0x0e1d00);
    CHECK_EQ(RUN(hd, 512, 0x28, 0, 0, 0, 0x20, 0, 0, 0, 1), 0x052100);
    CHECK_EQ(RUN(hd, 512, 0x88, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1), 0x052100);
    /* UNMAP of blocks 600 to 607; then one that is too long */
    memset(data, 0, 24);
    stbe16(data, 22);
    stbe16(data + 2, 16);
    stbe64(data + 8, 600);
    stbe32(data + 16, 8);
    CHECK_EQ(RUN(hd, 24, 0x42, 0, 0, 0, 0, 0, 0, 0, 24), 0);
    stbe32(data + 16, 8000);
    CHECK_EQ(RUN(hd, 24, 0x42, 0, 0, 0, 0, 0, 0, 0, 24), 0x052100);
    stbe16(data + 2, 17);
    CHECK_EQ(RUN(hd, 24, 0x42, 0, 0, 0, 0, 0, 0, 0, 24), 0x051a00);
    /* WRITE SAME with a pattern, and with zeros */
    memset(data, 0x33, 512);
    CHECK_EQ(RUN(hd, 512, 0x93, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0x10, 0), 0);
    CHECK_EQ(storage_file_word(path, 8191, 1), 0x33333333);
    memset(data, 0, 512);
    CHECK_EQ(RUN(hd, 512, 0x41, 0, 0, 0, 0x10, 0, 0, 0, 2), 0);
    CHECK_EQ(storage_file_word(path, 4097, 1), 0);
    CHECK_EQ(storage_file_word(path, 4098, 1), 0x33333333);
    CHECK_EQ(RUN(hd, 0, 0x35), 0);
}

static void test_modes(ScsiUnit *hd)
{
    CHECK_EQ(RUN(hd, 192, 0x1a, 0, 0x3f, 0, 192), 0);
    CHECK_EQ(data[3], 8);
    CHECK_EQ(RUN(hd, 192, 0x1a, 8, 8, 0, 192), 0);
    CHECK_EQ(data[4], 8);
    CHECK_EQ(data[6] & 4, 4);
    CHECK_EQ(RUN(hd, 192, 0x1a, 8, 0xc8, 0, 192), 0x053900);
    CHECK_EQ(RUN(hd, 192, 0x1a, 8, 0x33, 0, 192), 0x052400);
    /* The write cache goes off; anything else is refused. */
    data[0] = 0;
    data[6] &= 0xfb;
    CHECK_EQ(RUN(hd, 24, 0x15, 0x10, 0, 0, 24), 0);
    CHECK(!hd->write_cache);
    data[6] |= 1;
    CHECK_EQ(RUN(hd, 24, 0x15, 0x10, 0, 0, 24), 0x052600);
    CHECK_EQ(RUN(hd, 23, 0x15, 0x10, 0, 0, 23), 0x051a00);
    CHECK_EQ(RUN_PARTS(hd, 0, 0x15, 0x10, 0, 0, 0), 0);
}

static void test_cdrom(ScsiUnit *cd)
{
    BlockBackend *blk = cd->conf->blk;
    Error *err = NULL;

    CHECK_EQ(RUN(cd, 0, 0x00), 0x062900);
    CHECK_EQ(RUN(cd, 8, 0x25), 0);
    CHECK_EQ(ldbe32(data), 511);
    CHECK_EQ(ldbe32(data + 4), 2048);
    CHECK_EQ(RUN(cd, 4096, 0xa8, 0, 0, 0, 0, 10, 0, 0, 0, 2), 0);
    CHECK_EQ(ldle32(data + 2048), storage_word(44, 0));
    CHECK_EQ(RUN(cd, 512, 0x2a, 0, 0, 0, 0, 0, 0, 0, 1), 0x052000); /* no recorder */
    CHECK_EQ(RUN(cd, 12, 0x43, 2, 0, 0, 0, 0, 0xaa, 0, 12), 0);
    CHECK_EQ(data[9] * 60 * 75 + data[10] * 75 + data[11], 512 + 150);
    CHECK_EQ(RUN(cd, 128, 0x46, 0, 0, 0, 0, 0, 0, 0, 128), 0);
    CHECK_EQ(ldbe16(data + 6), 8);                         /* a CD */
    CHECK_EQ(RUN(cd, 2352, 0xbe, 0, 0, 0, 0, 3, 0, 0, 1, 0xf8), 0);
    CHECK_EQ(data[15], 1);
    CHECK_EQ(ldle32(data + 16), storage_word(12, 0));
    CHECK_EQ(data[14], 0x03);                              /* frame 153 = 00:02:03 */
    CHECK_EQ(RUN(cd, 34, 0x51, 0, 0, 0, 0, 0, 0, 0, 34), 0);
    /* A lock holds the tray; the user may force it. */
    CHECK_EQ(RUN(cd, 0, 0x1e, 0, 0, 0, 1), 0);
    CHECK_EQ(RUN(cd, 0, 0x1b, 0, 0, 0, 2), 0x055302);
    CHECK(!block_eject(blk, false, &err));
    CHECK(err && strstr(error_message(err), "is locked"));
    error_free(err);
    err = NULL;
    CHECK_EQ(RUN(cd, 8, 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8), 0);
    CHECK_EQ(data[4], 1);                                  /* somebody asked for it */
    CHECK_EQ(data[5], 2);
    CHECK(block_eject(blk, true, &err));
    CHECK(!block_has_medium(blk));
    CHECK_EQ(RUN(cd, 0, 0x00), 0x062800);
    CHECK_EQ(RUN(cd, 0, 0x00), 0x023a02);
    CHECK_EQ(RUN(cd, 2048, 0x28, 0, 0, 0, 0, 0, 0, 0, 1), 0x023a02);
    /* Another medium, of an odd size: whole sectors are seen, the missing bytes are zeros. */
    const char *path = storage_image("odd", 2048 * 3 + 100, "if=none");
    CHECK(block_change_medium(blk, path, "raw", "retain", false, NULL) == false); /* its -drive has it open for writing */
    const char *other = storage_image("other", 2048 * 3 + 2047, "if=none,readonly=on");
    CHECK(block_change_medium(blk, other, "raw", "retain", false, &err));
    CHECK_EQ(RUN(cd, 0, 0x00), 0x062800);
    CHECK_EQ(RUN(cd, 8, 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8), 0);
    CHECK_EQ(data[4], 2);                                  /* new medium */
    CHECK_EQ(RUN(cd, 8, 0x25), 0);
    CHECK_EQ(ldbe32(data), 3);
    CHECK_EQ(RUN(cd, 2048, 0x28, 0, 0, 0, 0, 3, 0, 0, 1), 0);
    CHECK_EQ(ldle32(data + 2040), storage_word(15, 126));
    CHECK_EQ(data[2047], 0);
    /* The tray by the guest. */
    CHECK_EQ(RUN(cd, 0, 0x1b, 0, 0, 0, 2), 0);
    CHECK_EQ(RUN(cd, 0, 0x00), 0x023a02);
    CHECK_EQ(RUN(cd, 0, 0x1b, 0, 0, 0, 3), 0);
    CHECK_EQ(RUN(cd, 0, 0x00), 0x062800);
    CHECK_EQ(RUN(cd, 0, 0x00), 0);
}

/* snapshot=on: writes are seen by those who read the drive, not in the file. */
static void test_snapshot(void)
{
    const char *path = storage_image("snap", 1 << 20, "if=none,snapshot=on");
    BlockBackend *blk = block_find("snap");
    uint8_t buf[16384];

    memset(buf, 0x77, sizeof(buf));
    CHECK_EQ(block_pwrite(blk, 1000, buf, 9000), 0);       /* covers two blocks of the map in part, one whole */
    CHECK_EQ(block_pread(blk, 0, buf, sizeof(buf)), 0);
    CHECK_EQ(ldle32(buf + 512), storage_word(1, 0));
    CHECK_EQ(buf[999], storage_word(1, 121) >> 24);
    CHECK_EQ(buf[1000], 0x77);
    CHECK_EQ(buf[9999], 0x77);
    CHECK_EQ(ldle32(buf + 10000), storage_word(19, 68));
    CHECK_EQ(ldle32(buf + 16380), storage_word(31, 127));
    CHECK_EQ(storage_file_word(path, 2, 0), storage_word(2, 0));
    CHECK_EQ(block_pread(blk, (1 << 20) - 512, buf, 513), -EIO);
}

/* Nodes and drives: a node may go while the drive that had it stays. */
static void test_nodes(ScsiUnit *cd)
{
    Error *err = NULL;
    BlockBackend *blk;

    storage_image("node", 1 << 20, NULL);
    CHECK(!block_find_owned("nobody", NULL, &err));
    error_free(err);
    err = NULL;
    blk = block_find_owned("cd0", NULL, &err);
    CHECK(blk == cd->conf->blk);
    CHECK(!block_insert_medium(blk, "node", &err));        /* the tray is closed */
    error_free(err);
    err = NULL;
    CHECK(block_eject(blk, false, &err));
    CHECK(block_insert_medium(blk, "node", &err));
    CHECK(!blockdev_del("node", &err));
    error_free(err);
    err = NULL;
    CHECK(block_close_tray(blk, &err));
    CHECK_EQ(block_size_bytes(blk), 1 << 20);
    CHECK(!block_remove_medium(blk, &err));
    error_free(err);
    err = NULL;
    CHECK(block_eject(blk, false, &err));
    CHECK(blockdev_del("node", &err));
    CHECK_EQ(block_size_bytes(blk), 0);
}

/* -- the host refuses: told, ignored, or tried again when the machine goes on ------------------------------------------------- */

static char told[64];

static void on_error(const char *device, const char *owner, bool is_read, const char *action, int error)
{
    snprintf(told, sizeof(told), "%s %s %s %d", device, is_read ? "read" : "write", action, error);
}

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;

    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes ? bytes : limit.rlim_max;
    setrlimit(RLIMIT_FSIZE, &limit);
}

static void test_policy(ScsiUnit *hd, const char *path)
{
    static const uint8_t write[10] = { 0x2a, 0, 0, 0, 0x10, 0, 0, 0, 1 }; /* block 4096: past the limit */
    struct iovec iov = { data, 512 };
    BlockBackend *blk = hd->conf->blk;

    signal(SIGXFSZ, SIG_IGN);
    limit_files(1 << 20);
    memset(data, 0x66, 512);
    block_set_error_hook(on_error);
    CHECK_EQ(run(hd, write, sizeof(write), 512, false), 0x044400); /* auto: only a full disk stops */
    CHECK(strstr(told, "d0 write report") != NULL);
    block_set_error_policy(blk, BLOCK_ON_ERROR_AUTO, BLOCK_ON_ERROR_IGNORE);
    CHECK_EQ(run(hd, write, sizeof(write), 512, false), 0);
    CHECK(storage_file_word(path, 4096, 0) != 0x66666666);
    block_set_error_policy(blk, BLOCK_ON_ERROR_AUTO, BLOCK_ON_ERROR_STOP);
    for (unsigned round = 0; round < 2; round++) {
        memset(&last, 0, sizeof(last));
        memcpy(last.req.cdb, write, sizeof(write));
        last.req.ops = &ops;
        last.req.iov = &iov;
        last.req.n_iov = 1;
        last.req.iov_bytes = 512;
        told[0] = 0;
        scsi_parse(hd, &last.req);
        scsi_start(hd, &last.req);
        WAIT(told[0]);
        CHECK(strstr(told, "d0 write stop") != NULL);
        CHECK(!last.done);
        if (round == 0) {
            limit_files(0);
            block_retry();
            WAIT(last.done);
            CHECK_EQ(last.req.status, 0);
            CHECK_EQ(storage_file_word(path, 4096, 0), 0x66666666);
            limit_files(1 << 20);
        } else { /* a reset does not wait for the user */
            block_drain(blk);
            CHECK(last.done);
            CHECK_EQ(last.req.status, 2);
        }
    }
    limit_files(0);
    block_set_error_hook(NULL);
}

int main(void)
{
    static const char *const adapter[] = { "id", "vs", NULL };
    static const char *const hd_opts[] = { "drive", "d0", "bus", "vs.0", "scsi-id", "2", "serial", "S-42", "wwn", "0x5001020304050607", NULL };
    static const char *const hd3_opts[] = { "drive", "d2", "bus", "vs.0", "scsi-id", "2", "lun", "3", NULL };
    static const char *const cd_opts[] = { "drive", "d1", "bus", "vs.0", "id", "cd0", NULL };

    storage_start();
    const char *path = storage_image("d0", 4 << 20, "if=none");
    storage_image("d1", 1 << 20, "if=none,media=cdrom");
    storage_image("d2", 1 << 20, NULL);
    VirtioScsi *vs = (VirtioScsi *)storage_add("virtio-scsi-device", adapter);
    ScsiDevice *hd = (ScsiDevice *)storage_add("scsi-hd", hd_opts);
    storage_add("scsi-hd", hd3_opts);
    ScsiDevice *cd = (ScsiDevice *)storage_add("scsi-cd", cd_opts);
    storage_ready();
    CHECK(scsi_bus_find(&vs->bus, 0, 2, 0, NULL) == hd);
    CHECK(scsi_bus_find(&vs->bus, 0, 0, 0, NULL) == cd);
    test_identity(&hd->unit);
    test_blocks(&hd->unit, path);
    test_modes(&hd->unit);
    test_policy(&hd->unit, path);
    test_cdrom(&cd->unit);
    test_nodes(&cd->unit);
    test_snapshot();
    storage_check_state(&hd->dev);
    storage_check_state(&vs->vdev.dev);
    storage_finish();
    return test_result();
}
