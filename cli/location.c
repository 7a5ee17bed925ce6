/* SPDX-License-Identifier: Apache-2.0 */
#include "location.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "headrace.h"

#define QUOTED_MAX 200

/* What the engine calls the export of a client that is its own server. */
#define LOCAL_EXPORT "local"

static char *quote(char out[QUOTED_MAX], const char *text)
{
    return hr_quote(out, QUOTED_MAX, text, strlen(text));
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* ---- hr:// ---- */

/* Decodes the part after the host into path, without slashes at either end or twice in a row. */
static hr_status decode_path(const char *text, char path_out[HR_CLI_PATH_MAX], hr_error *error)
{
    size_t used = 0;
    for (const char *at = text; *at != '\0'; at++) {
        char byte = *at;
        if (byte == '/' && (used == 0 || path_out[used - 1] == '/'))
            continue;
        if (byte == '%') {
            int high = hex_digit(at[1]);
            int low = high < 0 ? -1 : hex_digit(at[2]);
            if (low < 0)
                return hr_error_set(error, HR_INVALID,
                                    "the path of a source writes %% as %%25, and other bytes as "
                                    "%% and two hexadecimal digits");
            byte = (char)(high * 16 + low);
            at += 2;
            if (byte == '\0' || byte == '/')
                return hr_error_set(error, HR_INVALID,
                                    "the path of a source holds %%%.2s: no name can hold that byte",
                                    at - 1);
        }
        if (used + 1 == HR_CLI_PATH_MAX)
            return hr_error_set(error, HR_INVALID, "the path of the source is longer than %d bytes",
                                HR_CLI_PATH_MAX - 1);
        path_out[used++] = byte;
    }
    used -= used > 0 && path_out[used - 1] == '/';
    path_out[used] = '\0';
    return HR_OK;
}

/* A host name or an IPv4 address; in brackets an IPv6 address, perhaps with a zone. */
static bool is_host(const char *host, size_t len)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    bool bracketed = len > 2 && host[0] == '[' && host[len - 1] == ']';
    if (bracketed) {
        host++;
        len -= 2;
        if (memchr(host, ':', len) == NULL)
            return false;
    }
    for (size_t i = 0; i < len; i++) {
        bool known = strchr(letters, host[i]) != NULL;
        if (!known && !(bracketed && (host[i] == ':' || host[i] == '%')))
            return false;
    }
    return len > 0;
}

static bool is_port(const char *text, size_t len)
{
    unsigned port = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9' || i == 5)
            return false;
        port = port * 10 + (unsigned)(text[i] - '0');
    }
    return port > 0 && port < 65536;
}

static hr_status parse_address(const char *text, size_t len, char address_out[HR_CLI_ADDRESS_MAX],
                               hr_error *error)
{
    char quoted[QUOTED_MAX];
    const char *end = text + len;
    const char *bracket = memchr(text, ']', len);
    const char *from = bracket != NULL ? bracket : text;
    const char *colon = memchr(from, ':', (size_t)(end - from));
    const char *host_end = colon != NULL ? colon : end;
    size_t host_len = (size_t)(host_end - text);
    if (!is_host(text, host_len) || len + sizeof ":65535" > HR_CLI_ADDRESS_MAX)
        return hr_error_set(error, HR_INVALID,
                            "'%s' is no host: a source is hr://host[:port]/export/path, with an "
                            "IPv6 address in brackets",
                            hr_quote(quoted, sizeof quoted, text, len));
    if (colon != NULL && !is_port(colon + 1, (size_t)(end - colon - 1)))
        return hr_error_set(error, HR_INVALID, "'%s' is no port: it is a number from 1 to 65535",
                            hr_quote(quoted, sizeof quoted, colon + 1, (size_t)(end - colon - 1)));
    if (colon != NULL)
        snprintf(address_out, HR_CLI_ADDRESS_MAX, "%.*s", (int)len, text);
    else
        snprintf(address_out, HR_CLI_ADDRESS_MAX, "%.*s:%d", (int)len, text, HR_PORT_DEFAULT);
    return HR_OK;
}

/* Where the last name of a path without trailing slashes starts. */
static const char *last_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static hr_status take_name(hr_cli_source *source, const char *name, hr_error *error)
{
    if (strlen(name) >= HR_CLI_NAME_MAX)
        return hr_error_set(error, HR_INVALID,
                            "the last name of the source is longer than %d bytes",
                            HR_CLI_NAME_MAX - 1);
    snprintf(source->name, sizeof source->name, "%s", name);
    return HR_OK;
}

/* "/run/headrace.sock:export/path": to the first colon, which a path writes as %3A. */
static hr_status parse_file(const char *text, hr_cli_source *source, hr_error *error)
{
    char socket[HR_CLI_PATH_MAX], raw[HR_CLI_PATH_MAX];
    const char *colon = strchr(text, ':');
    size_t len = colon != NULL ? (size_t)(colon - text) : strlen(text);
    if (text[0] != '/' || len >= HR_CLI_ADDRESS_MAX)
        return hr_error_set(error, HR_INVALID,
                            "a source over a socket is hr+unix:///path/to/socket:export/path");
    snprintf(raw, sizeof raw, "%.*s", (int)len, text);
    hr_status status = decode_path(raw, socket, error);
    if (status == HR_OK)
        snprintf(source->address, sizeof source->address, "unix:/%.*s", HR_CLI_ADDRESS_MAX - 8,
                 socket);
    if (status == HR_OK)
        status = decode_path(colon != NULL ? colon + 1 : "", source->path, error);
    if (status == HR_OK)
        status = take_name(source, last_name(source->path), error);
    return status;
}

static hr_status parse_remote(const char *text, hr_cli_source *source, hr_error *error)
{
    size_t host_len = strcspn(text, "/");
    hr_status status = parse_address(text, host_len, source->address, error);
    if (status == HR_OK)
        status = decode_path(text + host_len, source->path, error);
    if (status == HR_OK)
        status = take_name(source, last_name(source->path), error);
    return status;
}

/* ---- local paths ---- */

static hr_status copy_path(const char *text, char path_out[HR_CLI_PATH_MAX], hr_error *error)
{
    if (text[0] == '\0')
        return hr_error_set(error, HR_INVALID, "a path is empty");
    size_t len = strlen(text);
    if (len >= HR_CLI_PATH_MAX)
        return hr_error_set(error, HR_INVALID, "a path is longer than %d bytes",
                            HR_CLI_PATH_MAX - 1);
    memcpy(path_out, text, len + 1);
    return HR_OK;
}

/* Nothing is piped: what has arrived is verified in its place. */
static hr_status refuse_dash(const char *text, hr_error *error)
{
    if (strcmp(text, "-") != 0)
        return HR_OK;
    return hr_error_set(
        error, HR_INVALID,
        "'-' would be standard input or output, which cannot be verified or resumed: "
        "name a file (./- is one of that name)");
}

/* "NAME://...": somebody expects that we speak NAME. */
static bool is_foreign_url(const char *text)
{
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");
    return len > 0 && strncmp(text + len, "://", 3) == 0;
}

hr_status hr_cli_source_parse(const char *text, hr_cli_source *source_out, hr_error *error)
{
    bool is_file = strncasecmp(text, "hr+unix://", 10) == 0;
    hr_cli_source source = {.local = !is_file && strncasecmp(text, "hr://", 5) != 0};
    char quoted[QUOTED_MAX];
    hr_status status;
    if (is_file)
        status = parse_file(text + 10, &source, error);
    else if (!source.local)
        status = parse_remote(text + 5, &source, error);
    else if (is_foreign_url(text))
        return hr_error_set(error, HR_INVALID,
                            "'%s' is no source: it is hr://host[:port]/export/path or a local path",
                            quote(quoted, text));
    else if ((status = refuse_dash(text, error)) == HR_OK)
        status = copy_path(text, source.path, error);
    if (status == HR_OK)
        *source_out = source;
    return status;
}

/* The last name as it was typed, so that a symlink gives its own name; "" where that says nothing:
 * "/", "dir/.", "..". */
static void typed_name(const char *path, char name_out[HR_CLI_PATH_MAX])
{
    size_t len = strlen(path);
    memcpy(name_out, path, len + 1);
    while (len > 0 && name_out[len - 1] == '/')
        name_out[--len] = '\0';
    const char *name = last_name(name_out);
    bool says_nothing = strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
    memmove(name_out, says_nothing ? "" : name, says_nothing ? 1 : strlen(name) + 1);
}

/* Who writes host:path, as for rsync or scp, gets that path as a local one. */
static hr_status not_resolved(const char *path, int number, hr_error *error)
{
    char quoted[QUOTED_MAX];
    const char *colon = strchr(path, ':');
    bool host = number == ENOENT && colon != NULL && is_host(path, (size_t)(colon - path)) &&
                path[0] != '.';
    return hr_error_set(error, hr_status_from_errno(number), "opening '%s': %s%s",
                        quote(quoted, path), strerror(number),
                        host ? "; on a server it is hr://host[:port]/export/path" : "");
}

hr_status hr_cli_source_resolve(hr_cli_source *source, hr_error *error)
{
    char name[HR_CLI_PATH_MAX];
    if (!source->local)
        return HR_OK;
    char *real = realpath(source->path, NULL);
    if (real == NULL)
        return not_resolved(source->path, errno, error);
    const char *real_name = last_name(real);
    typed_name(source->path, name);
    hr_status status = take_name(source, name[0] != '\0' ? name : real_name, error);
    if (status == HR_OK && strlen(real) + sizeof LOCAL_EXPORT >= HR_CLI_PATH_MAX)
        status = hr_error_set(error, HR_INVALID, "the path of the source is too long");
    if (status == HR_OK) {
        size_t root_len = (size_t)(real_name - real);
        root_len -= root_len > 1;
        snprintf(source->root, sizeof source->root, "%.*s", (int)root_len, real);
        snprintf(source->path, sizeof source->path, "%s%s%s", LOCAL_EXPORT,
                 real_name[0] != '\0' ? "/" : "", real_name);
    }
    free(real);
    return status;
}

/* ---- targets ---- */

static hr_status parse_cuda(const char *device, hr_cli_target *target, hr_error *error)
{
    char quoted[QUOTED_MAX];
    char *end;
    errno = 0;
    unsigned long number = strtoul(device, &end, 10);
    if (device[0] < '0' || device[0] > '9' || *end != '\0' || errno != 0 || number > INT16_MAX)
        return hr_error_set(error, HR_INVALID, "cuda:N needs the number of a GPU, not '%s'",
                            quote(quoted, device));
    target->kind = HR_CLI_TARGET_CUDA;
    target->device = (unsigned)number;
    return HR_OK;
}

hr_status hr_cli_target_parse(const char *text, hr_cli_target *target_out, hr_error *error)
{
    hr_cli_target target = {.kind = HR_CLI_TARGET_PATH};
    char quoted[QUOTED_MAX];
    hr_status status = HR_OK;
    if (strcmp(text, "host:") == 0)
        target.kind = HR_CLI_TARGET_HOST;
    else if (strncmp(text, "cuda:", 5) == 0)
        status = parse_cuda(text + 5, &target, error);
    else if (is_foreign_url(text))
        return hr_error_set(error, HR_INVALID,
                            "'%s' is no target: content is brought here, to a path or to host:",
                            quote(quoted, text));
    else if ((status = refuse_dash(text, error)) == HR_OK)
        status = copy_path(text, target.path, error);
    if (status != HR_OK)
        return status;
    size_t len = strlen(target.path);
    target.below = len > 0 && target.path[len - 1] == '/';
    *target_out = target;
    return HR_OK;
}

hr_status hr_cli_target_descend(hr_cli_target *target, const hr_cli_source *source, hr_error *error)
{
    if (source->name[0] == '\0')
        return hr_error_set(error, HR_INVALID,
                            "the source has no name of its own to put into the target directory");
    size_t len = strlen(target->path);
    while (len > 1 && target->path[len - 1] == '/')
        len--;
    const char *slash = target->path[len - 1] == '/' ? "" : "/";
    if (len + 1 + strlen(source->name) >= HR_CLI_PATH_MAX)
        return hr_error_set(error, HR_INVALID, "the path of the target is longer than %d bytes",
                            HR_CLI_PATH_MAX - 1);
    snprintf(target->path + len, sizeof target->path - len, "%s%s", slash, source->name);
    target->below = false;
    return HR_OK;
}
