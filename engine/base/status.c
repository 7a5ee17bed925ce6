/* SPDX-License-Identifier: Apache-2.0 */
#include "status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

const char *hr_status_name(hr_status status)
{
    switch (status) {
#define HR_STATUS_NAME(name, number, exit_code, text)                                              \
    case HR_##name:                                                                                \
        return "HR_" #name;
        HR_STATUS_MAP(HR_STATUS_NAME)
#undef HR_STATUS_NAME
    }
    return "HR_?";
}

const char *hr_status_text(hr_status status)
{
    switch (status) {
#define HR_STATUS_TEXT(name, number, exit_code, text)                                              \
    case HR_##name:                                                                                \
        return text;
        HR_STATUS_MAP(HR_STATUS_TEXT)
#undef HR_STATUS_TEXT
    }
    return "unknown status";
}

int hr_status_exit_code(hr_status status)
{
    switch (status) {
#define HR_STATUS_EXIT(name, number, exit_code, text)                                              \
    case HR_##name:                                                                                \
        return exit_code;
        HR_STATUS_MAP(HR_STATUS_EXIT)
#undef HR_STATUS_EXIT
    }
    return 1;
}

hr_status hr_status_from_errno(int error)
{
    switch (error) {
    case ENOENT:
        return HR_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return HR_DENIED;
    case EXDEV: /* openat2 with RESOLVE_BENEATH: the path leaves its root */
    case ELOOP: /* a symlink where none is allowed */
        return HR_POLICY;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return HR_NO_SPACE;
    case ENOMEM:
    case ENOBUFS:
        return HR_NO_MEMORY;
    case EMFILE:
    case ENFILE:
        return HR_LIMIT;
    case EEXIST:
    case ENOTEMPTY:
        return HR_EXISTS;
    case EWOULDBLOCK:
    case EBUSY:
    case EADDRINUSE:
        return HR_BUSY;
    case ENOTDIR:
        return HR_NOT_DIRECTORY;
    case EISDIR:
        return HR_IS_DIRECTORY;
    case EINVAL:
    case ENAMETOOLONG:
    case EBADF:
        return HR_INVALID;
    case ENOSYS:
    case EOPNOTSUPP:
    case EAFNOSUPPORT:
        return HR_UNSUPPORTED;
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENETDOWN:
    case EADDRNOTAVAIL:
        return HR_UNREACHABLE;
    case ECONNRESET:
    case EPIPE:
    case ETIMEDOUT:
    case ECONNABORTED:
    case ENOTCONN:
        return HR_PEER_LOST;
    case ECANCELED:
        return HR_CANCELED;
    case EINTR:
        return HR_INTERRUPTED;
    default:
        return HR_IO;
    }
}

hr_status hr_status_from_wire(int number)
{
    hr_status status = (hr_status)number;
    /* With HR_AGAIN nothing ends; the other two would speak of the program that hears them. */
    bool is_no_end = status == HR_AGAIN || status == HR_INVALID || status == HR_INTERNAL;
    return is_no_end || strcmp(hr_status_name(status), "HR_?") == 0 ? HR_PROTOCOL : status;
}

/* Length of the well-formed UTF-8 sequence at bytes, 0 if there is none (RFC 3629, table 3-7 of the
 * Unicode standard). C1 control characters (U+0080 to U+009F) count as none. */
static size_t utf8_sequence(const uint8_t *bytes, size_t len)
{
    static const struct {
        uint8_t first_low, first_high, second_low, second_high, length;
    } forms[] = {
        {0xC2, 0xC2, 0xA0, 0xBF, 2}, {0xC3, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
        {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3},
        {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (bytes[0] < forms[i].first_low || bytes[0] > forms[i].first_high)
            continue;
        if (forms[i].length > len || bytes[1] < forms[i].second_low ||
            bytes[1] > forms[i].second_high)
            return 0;
        for (size_t k = 2; k < forms[i].length; k++)
            if ((bytes[k] & 0xC0) != 0x80)
                return 0;
        return forms[i].length;
    }
    return 0;
}

/* A sentence may hold a peer's words: nothing in it commands a terminal. */
static void make_harmless(uint8_t *text)
{
    size_t len = strlen((const char *)text);
    for (size_t i = 0, step; i < len; i += step) {
        bool plain = text[i] >= 0x20 && text[i] < 0x7F;
        step = plain ? 1 : utf8_sequence(text + i, len - i);
        if (step == 0) {
            text[i] = '?';
            step = 1;
        }
    }
}

hr_status hr_error_set(hr_error *error, hr_status status, const char *format, ...)
{
    if (error->status != HR_OK)
        return error->status;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    if (error->text[0] == '\0' && status != HR_OK) /* a peer may say no word */
        snprintf(error->text, sizeof error->text, "%s", hr_status_text(status));
    make_harmless((uint8_t *)error->text);
    error->status = status;
    return status;
}

char *hr_quote(char *out, size_t out_size, const void *bytes, size_t len)
{
    const uint8_t *from = bytes;
    size_t used = 0;
    for (size_t i = 0; i < len;) {
        char piece[5];
        size_t taken = 1;
        size_t made;
        if (from[i] >= 0x20 && from[i] < 0x7F && from[i] != '\\') {
            piece[0] = (char)from[i];
            made = 1;
        } else if (from[i] == '\n' || from[i] == '\\') {
            piece[0] = '\\';
            piece[1] = from[i] == '\n' ? 'n' : '\\';
            made = 2;
        } else if ((taken = utf8_sequence(from + i, len - i)) != 0) {
            memcpy(piece, from + i, taken);
            made = taken;
        } else {
            snprintf(piece, sizeof piece, "\\x%02x", from[i]);
            made = 4;
            taken = 1;
        }
        if (used + made + 1 > out_size)
            break;
        memcpy(out + used, piece, made);
        used += made;
        i += taken;
    }
    if (out_size > 0)
        out[used] = '\0';
    return out;
}
