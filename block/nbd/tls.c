/*
 * tls.c: TLS by GnuTLS (see the header).
 *
 * Files in dir= have the names that VNC, NBD and migration have used for them since long: ca-cert.pem, ca-crl.pem, server-cert.pem,
 * server-key.pem, client-cert.pem, client-key.pem, keys.psk.
 */
#include "block/nbd/tls.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "block/object.h"
#include "softmmu/options.h"
#include "util/alloc.h"

#ifdef CONFIG_GNUTLS
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

typedef enum CredsKind { CREDS_X509, CREDS_PSK, CREDS_ANON } CredsKind;

struct TlsCreds {
    unsigned refs;
    CredsKind kind;
    bool is_server, verify_peer;
    char *priority;
    union {
        gnutls_certificate_credentials_t x509;
        gnutls_psk_server_credentials_t psk_server;
        gnutls_psk_client_credentials_t psk_client;
        gnutls_anon_server_credentials_t anon_server;
        gnutls_anon_client_credentials_t anon_client;
    };
};

struct TlsSession {
    gnutls_session_t session;
    TlsCreds *creds;
    char *hostname, *peer;
};

/* -- credentials ----------------------------------------------------------------------------------------------------- */

static bool failed(int ret, const char *what, const char *path, Error **errp)
{
    if (ret < 0) {
        error_set(errp, "%s%s%s: %s", what, path ? " " : "", path ? path : "", gnutls_strerror(ret));
    }
    return ret < 0;
}

/* The path of a file in the folder; NULL where there is none. With an error if it is needed. */
static char *find_file(const char *dir, const char *name, bool needed, Error **errp)
{
    char *path = xasprintf("%s/%s", dir, name);

    if (!access(path, R_OK)) {
        return path;
    }
    if (needed || errno != ENOENT) {
        error_set_errno(errp, errno, "Unable to access credentials %s", path);
    }
    free(path);
    return NULL;
}

static bool load_certificate(TlsCreds *c, const char *dir, const char *password, Error **errp)
{
    char *cert = find_file(dir, c->is_server ? "server-cert.pem" : "client-cert.pem", c->is_server, errp);
    char *key = cert ? find_file(dir, c->is_server ? "server-key.pem" : "client-key.pem", true, errp) : NULL;
    bool ok = !cert && !c->is_server; /* a client need not have one */

    if (cert && key) {
        int ret = gnutls_certificate_set_x509_key_file2(c->x509, cert, key, GNUTLS_X509_FMT_PEM, password, 0);
        ok = !failed(ret, "Cannot load certificate and key", cert, errp);
    }
    free(cert);
    free(key);
    return ok;
}

static bool load_x509(TlsCreds *c, const char *dir, const Json *options, Error **errp)
{
    const char *id = NULL;
    Error *err = NULL;

    if (!opts_string(options, "passwordid", NULL, &id, errp)) {
        return false;
    }
    char *password = id ? block_secret(id, NULL, errp) : NULL;
    if (id && !password) {
        return false;
    }
    gnutls_certificate_allocate_credentials(&c->x509);
    char *ca = find_file(dir, "ca-cert.pem", true, errp), *crl = ca ? find_file(dir, "ca-crl.pem", false, &err) : NULL;
    bool ok = ca && !err && !failed(gnutls_certificate_set_x509_trust_file(c->x509, ca, GNUTLS_X509_FMT_PEM), "Cannot load CA certificate", ca, errp);
    ok = ok && (!crl || !failed(gnutls_certificate_set_x509_crl_file(c->x509, crl, GNUTLS_X509_FMT_PEM), "Cannot load CRL", crl, errp));
    if (err) {
        error_propagate(errp, err);
    }
    ok = ok && load_certificate(c, dir, password, errp);
    if (ok && c->is_server) {
        gnutls_certificate_set_known_dh_params(c->x509, GNUTLS_SEC_PARAM_MEDIUM);
    }
    free(ca);
    free(crl);
    free(password);
    return ok;
}

/* The line of `user` in keys.psk: "user:hex". */
static char *find_psk(const char *path, const char *user, Error **errp)
{
    FILE *f = fopen(path, "re");
    char line[1024], *key = NULL;
    size_t n = strlen(user);

    if (!f) {
        error_set_errno(errp, errno, "Cannot open PSK file '%s'", path);
        return NULL;
    }
    while (!key && fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\r\n")] = '\0';
        if (!strncmp(line, user, n) && line[n] == ':') {
            key = xstrdup(line + n + 1);
        }
    }
    explicit_bzero(line, sizeof(line));
    fclose(f);
    if (!key) {
        error_set(errp, "Username %s not found in PSK file %s", user, path);
    }
    return key;
}

static bool load_psk(TlsCreds *c, const char *dir, const Json *options, Error **errp)
{
    const char *user = NULL;
    char *path = NULL;
    bool ok = false;

    if (!dir) {
        error_set(errp, "Missing 'dir' property value");
        return false;
    }
    if (!opts_string(options, "username", NULL, &user, errp)) {
        return false;
    }
    path = find_file(dir, "keys.psk", true, errp);
    if (c->is_server) {
        gnutls_psk_allocate_server_credentials(&c->psk_server);
        if (user) {
            error_set(errp, "username should not be set when endpoint=server");
        } else if (path) {
            ok = !failed(gnutls_psk_set_server_credentials_file(c->psk_server, path), "Cannot set PSK server credentials", NULL, errp);
            gnutls_psk_set_server_known_dh_params(c->psk_server, GNUTLS_SEC_PARAM_MEDIUM);
        }
    } else {
        gnutls_psk_allocate_client_credentials(&c->psk_client);
        user = user ? user : "qemu";
        char *hex = path ? find_psk(path, user, errp) : NULL;
        if (hex) {
            gnutls_datum_t key = { (unsigned char *)hex, (unsigned)strlen(hex) };
            ok = !failed(gnutls_psk_set_client_credentials(c->psk_client, user, &key, GNUTLS_PSK_KEY_HEX), "Cannot set PSK client credentials", NULL, errp);
            explicit_bzero(hex, strlen(hex));
            free(hex);
        }
    }
    free(path);
    return ok;
}

static bool load_anon(TlsCreds *c)
{
    if (c->is_server) {
        gnutls_anon_allocate_server_credentials(&c->anon_server);
        gnutls_anon_set_server_known_dh_params(c->anon_server, GNUTLS_SEC_PARAM_MEDIUM);
    } else {
        gnutls_anon_allocate_client_credentials(&c->anon_client);
    }
    return true;
}

TlsCreds *tls_creds_new(const char *type, const Json *options, Error **errp)
{
    TlsCreds *c = xnew(TlsCreds);
    const char *endpoint = NULL, *dir = NULL, *priority = NULL;
    bool ok = false, sanity = true;

    *c = (TlsCreds){ .refs = 1, .verify_peer = true };
    c->kind = !strcmp(type, "tls-creds-x509") ? CREDS_X509 : !strcmp(type, "tls-creds-psk") ? CREDS_PSK : CREDS_ANON;
    if (!opts_string(options, "endpoint", "client", &endpoint, errp) || !opts_string(options, "dir", NULL, &dir, errp) ||
        !opts_string(options, "priority", NULL, &priority, errp) || !opts_bool(options, "verify-peer", true, &c->verify_peer, errp) ||
        !opts_bool(options, "sanity-check", true, &sanity, errp)) {
        goto out;
    }
    if (strcmp(endpoint, "client") && strcmp(endpoint, "server")) {
        error_set(errp, "Parameter 'endpoint' does not accept value '%s'", endpoint);
        goto out;
    }
    c->is_server = !strcmp(endpoint, "server");
    c->priority = priority ? xstrdup(priority) : NULL;
    switch (c->kind) {
    case CREDS_X509:
        if (!dir) {
            error_set(errp, "Missing 'dir' property value");
        } else {
            ok = load_x509(c, dir, options, errp);
        }
        break;
    case CREDS_PSK: ok = load_psk(c, dir, options, errp); break;
    case CREDS_ANON: ok = load_anon(c); break;
    }
out:
    if (!ok) {
        tls_creds_unref(c);
        return NULL;
    }
    return c;
}

TlsCreds *tls_creds_ref(TlsCreds *c)
{
    c->refs++;
    return c;
}

void tls_creds_unref(TlsCreds *c)
{
    if (!c || --c->refs) {
        return;
    }
    if (c->x509) { /* any member of the union */
        switch (c->kind) {
        case CREDS_X509: gnutls_certificate_free_credentials(c->x509); break;
        case CREDS_PSK: c->is_server ? gnutls_psk_free_server_credentials(c->psk_server) : gnutls_psk_free_client_credentials(c->psk_client); break;
        case CREDS_ANON: c->is_server ? gnutls_anon_free_server_credentials(c->anon_server) : gnutls_anon_free_client_credentials(c->anon_client); break;
        }
    }
    free(c->priority);
    free(c);
}

bool tls_creds_is_server(const TlsCreds *c) { return c->is_server; }

/* -- sessions -------------------------------------------------------------------------------------------------------- */

static bool set_up(TlsSession *s, int fd, Error **errp)
{
    const TlsCreds *c = s->creds;
    static const char *const extra[] = { [CREDS_X509] = "", [CREDS_PSK] = ":+ECDHE-PSK:+DHE-PSK:+PSK", [CREDS_ANON] = ":+ANON-ECDH:+ANON-DH" };
    static const gnutls_credentials_type_t types[] = { [CREDS_X509] = GNUTLS_CRD_CERTIFICATE, [CREDS_PSK] = GNUTLS_CRD_PSK, [CREDS_ANON] = GNUTLS_CRD_ANON };
    /* Anonymous key exchange ended with TLS 1.2. */
    char *priority = xasprintf("%s%s%s", c->priority ? c->priority : "NORMAL", extra[c->kind], c->kind == CREDS_ANON ? ":-VERS-TLS1.3" : "");
    bool ok = !failed(gnutls_init(&s->session, (c->is_server ? GNUTLS_SERVER : GNUTLS_CLIENT) | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL),
                      "Cannot initialize TLS session", NULL, errp) &&
              !failed(gnutls_priority_set_direct(s->session, priority, NULL), "Unable to set TLS session priority", priority, errp) &&
              !failed(gnutls_credentials_set(s->session, types[c->kind], c->x509), "Cannot set session credentials", NULL, errp);
    free(priority);
    if (!ok) {
        return false;
    }
    if (c->kind == CREDS_X509 && c->is_server) {
        gnutls_certificate_server_set_request(s->session, c->verify_peer ? GNUTLS_CERT_REQUIRE : GNUTLS_CERT_IGNORE);
    }
    if (!c->is_server && s->hostname) {
        gnutls_server_name_set(s->session, GNUTLS_NAME_DNS, s->hostname, strlen(s->hostname));
    }
    gnutls_transport_set_int(s->session, fd);
    return true;
}

TlsSession *tls_session_new(const TlsCreds *creds, int fd, const char *hostname, Error **errp)
{
    TlsSession *s = xnew(TlsSession);

    s->creds = tls_creds_ref((TlsCreds *)creds);
    s->hostname = hostname ? xstrdup(hostname) : NULL;
    if (!set_up(s, fd, errp)) {
        tls_session_free(s);
        return NULL;
    }
    return s;
}

void tls_session_free(TlsSession *s)
{
    if (s) {
        if (s->session) {
            gnutls_deinit(s->session);
        }
        tls_creds_unref(s->creds);
        free(s->hostname);
        free(s->peer);
        free(s);
    }
}

static bool verify_peer(TlsSession *s, Error **errp)
{
    unsigned status = 0;

    if (s->creds->kind == CREDS_PSK && s->creds->is_server) {
        const char *user = gnutls_psk_server_get_username(s->session);
        s->peer = user ? xstrdup(user) : NULL;
    }
    if (s->creds->kind != CREDS_X509 || !s->creds->verify_peer) {
        return true;
    }
    if (failed(gnutls_certificate_verify_peers3(s->session, s->creds->is_server ? NULL : s->hostname, &status), "Verify failed", NULL, errp)) {
        return false;
    }
    if (status) {
        gnutls_datum_t text = { 0 };
        gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0);
        error_set(errp, "the peer's certificate is not accepted: %s", text.data ? (char *)text.data : "unknown reason");
        gnutls_free(text.data);
        return false;
    }
    unsigned n = 0;
    const gnutls_datum_t *certs = gnutls_certificate_get_peers(s->session, &n);
    gnutls_x509_crt_t cert;
    gnutls_datum_t dn = { 0 };
    if (certs && n && !gnutls_x509_crt_init(&cert)) {
        if (!gnutls_x509_crt_import(cert, &certs[0], GNUTLS_X509_FMT_DER) && !gnutls_x509_crt_get_dn2(cert, &dn)) {
            s->peer = xstrdup((char *)dn.data);
            gnutls_free(dn.data);
        }
        gnutls_x509_crt_deinit(cert);
    }
    return true;
}

static unsigned wanted_events(const TlsSession *s)
{
    return gnutls_record_get_direction(s->session) ? POLLOUT : POLLIN;
}

int tls_handshake(TlsSession *s, unsigned *events, Error **errp)
{
    int ret = gnutls_handshake(s->session);

    if (ret < 0 && !gnutls_error_is_fatal(ret)) {
        *events = wanted_events(s);
        return -EAGAIN;
    }
    if (failed(ret, "TLS handshake failed", NULL, errp) || !verify_peer(s, errp)) {
        return -EIO;
    }
    return 0;
}

static ssize_t result_of(const TlsSession *s, ssize_t ret, unsigned wait_for, unsigned *events)
{
    if (ret == GNUTLS_E_AGAIN || ret == GNUTLS_E_INTERRUPTED) {
        *events = wait_for;
        return -EAGAIN;
    }
    /* A connection that ends without TLS' goodbye ends all the same: NBD has its own. */
    return ret == GNUTLS_E_PREMATURE_TERMINATION ? 0 : ret < 0 ? -EIO : ret;
}

ssize_t tls_read(TlsSession *s, void *buf, size_t bytes, unsigned *events)
{
    return result_of(s, gnutls_record_recv(s->session, buf, bytes), POLLIN, events);
}

ssize_t tls_write(TlsSession *s, const void *buf, size_t bytes, unsigned *events)
{
    return result_of(s, gnutls_record_send(s->session, buf, bytes), POLLOUT, events);
}

size_t tls_pending(const TlsSession *s) { return gnutls_record_check_pending(s->session); }
const char *tls_peer_name(const TlsSession *s) { return s->peer; }

#else

TlsCreds *tls_creds_new(const char *type, const Json *options, Error **errp)
{
    error_set(errp, "TLS credentials support requires GNUTLS");
    return NULL;
}

/* Nobody has credentials, so nobody comes here. */
TlsCreds *tls_creds_ref(TlsCreds *creds) { return creds; }
void tls_creds_unref(TlsCreds *creds) { }
bool tls_creds_is_server(const TlsCreds *creds) { return false; }
TlsSession *tls_session_new(const TlsCreds *creds, int fd, const char *hostname, Error **errp)
{
    error_set(errp, "TLS support requires GNUTLS");
    return NULL;
}
void tls_session_free(TlsSession *s) { }
int tls_handshake(TlsSession *s, unsigned *events, Error **errp) { return -ENOTSUP; }
ssize_t tls_read(TlsSession *s, void *buf, size_t bytes, unsigned *events) { return -ENOTSUP; }
ssize_t tls_write(TlsSession *s, const void *buf, size_t bytes, unsigned *events) { return -ENOTSUP; }
size_t tls_pending(const TlsSession *s) { return 0; }
const char *tls_peer_name(const TlsSession *s) { return NULL; }
#endif
