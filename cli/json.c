/* SPDX-License-Identifier: Apache-2.0 */
/* JSON is UTF-8, names of files are bytes. A name that is not UTF-8 is shown with U+FFFD where it
 * is broken, which is for people, and given in hexadecimal beside it, which is for programs. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"

/* Length of the UTF-8 sequence at the start, as RFC 3629 has it; 0 if there is none. */
static size_t sequence_len(const uint8_t *bytes, size_t len)
{
    size_t want = bytes[0] < 0x80   ? 1
                  : bytes[0] < 0xC2 ? 0
                  : bytes[0] < 0xE0 ? 2
                  : bytes[0] < 0xF0 ? 3
                  : bytes[0] < 0xF5 ? 4
                                    : 0;
    if (want == 0 || want > len)
        return 0;
    for (size_t i = 1; i < want; i++) {
        if ((bytes[i] & 0xC0) != 0x80)
            return 0;
    }
    bool overlong = (bytes[0] == 0xE0 && bytes[1] < 0xA0) || (bytes[0] == 0xF0 && bytes[1] < 0x90);
    bool surrogate = bytes[0] == 0xED && bytes[1] >= 0xA0;
    bool beyond = bytes[0] == 0xF4 && bytes[1] >= 0x90;
    return overlong || surrogate || beyond ? 0 : want;
}

static bool is_utf8(const uint8_t *bytes, size_t len)
{
    for (size_t at = 0, step; at < len; at += step) {
        step = sequence_len(bytes + at, len - at);
        if (step == 0)
            return false;
    }
    return true;
}

json_t *hr_cli_json_text(const void *bytes, size_t len)
{
    static const char replacement[] = "\xEF\xBF\xBD";
    const uint8_t *from = bytes;
    if (is_utf8(from, len))
        return json_stringn(bytes, len);
    char *text = malloc(len * 3);
    size_t used = 0;
    if (text == NULL)
        return NULL;
    for (size_t at = 0; at < len;) {
        size_t step = sequence_len(from + at, len - at);
        memcpy(text + used, step > 0 ? (const char *)from + at : replacement, step > 0 ? step : 3);
        used += step > 0 ? step : 3;
        at += step > 0 ? step : 1;
    }
    json_t *string = json_stringn(text, used);
    free(text);
    return string;
}

static json_t *hex_text(const uint8_t *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    char *text = malloc(len * 2);
    if (text == NULL)
        return NULL;
    for (size_t i = 0; i < len; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    json_t *string = json_stringn(text, len * 2);
    free(text);
    return string;
}

void hr_cli_json_name(json_t *object, const char *key, const char *name, size_t len)
{
    char key_hex[40];
    json_object_set_new(object, key, hr_cli_json_text(name, len));
    if (is_utf8((const uint8_t *)name, len))
        return;
    snprintf(key_hex, sizeof key_hex, "%s_hex", key);
    json_object_set_new(object, key_hex, hex_text((const uint8_t *)name, len));
}
