/* The QMP schema table: every type exists, no name twice, argument checks. */
#include "softmmu/monitor/priv.h"
#include "tests/test.h"

static void check(const char *command, const char *args, const char *expected)
{
    Error *err = NULL;
    Json *json = json_parse_string(args, NULL);
    const QmpCommand *cmd = qmp_command_find(command);
    CHECK(json && cmd);
    bool ok = qmp_check_args(cmd, json, &err);
    CHECK(ok == !expected);
    if (!ok) {
        CHECK(expected && !strcmp(error_message(err), expected));
        if (expected && strcmp(error_message(err), expected)) {
            fprintf(stderr, "  %s %s: %s\n", command, args, error_message(err));
        }
    }
    error_free(err);
    json_free(json);
}

int main(void)
{
    CHECK(qmp_schema_verify());
    check("qom-get", "{'path': '/', 'property': 'x'}", NULL);
    check("qom-get", "{'path': '/'}", "Parameter 'property' is missing");
    check("qom-get", "{'path': 1, 'property': 'x'}",
          "Invalid parameter type for 'path', expected: string");
    check("qom-get", "{'path': '/', 'property': 'x', 'y': 1}", "Parameter 'y' is unexpected");
    check("device_add", "{'driver': 'x', 'anything': [1]}", NULL);
    check("chardev-add", "{'id': 'a', 'backend': {'type': 'nul', 'data': {}}}",
          "Parameter 'backend.type' does not accept value 'nul'");
    check("chardev-add", "{'id': 'a', 'backend': {'type': 'null'}}",
          "Parameter 'backend.data' is missing");
    check("chardev-add", "{'id': 'a', 'backend': {'type': 'file', 'data': {'out': 1}}}",
          "Invalid parameter type for 'backend.data.out', expected: string");
    check("chardev-add", "{'id': 'a', 'backend': {'type': 'null', 'data': {'x': 1}}}",
          "Parameter 'backend.data.x' is unexpected");
    check("qom-list-get", "{'paths': ['/', 2]}",
          "Invalid parameter type for 'paths[1]', expected: string");
    check("pmemsave", "{'val': 18446744073709551615, 'size': 1, 'filename': 'f'}", NULL);
    check("pmemsave", "{'val': -1, 'size': 1, 'filename': 'f'}",
          "Invalid parameter type for 'val', expected: uint64");
    return test_result();
}
