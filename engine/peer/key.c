/* SPDX-License-Identifier: Apache-2.0 */
#include "key.h"

#include <stdio.h>
#include <string.h>

static const char magic[] = "headrace-key-1";
static const char digits[] = "0123456789abcdef";

static void print_hex(const uint8_t *bytes, size_t len, char *text_out)
{
    for (size_t i = 0; i < len; i++) {
        *text_out++ = digits[bytes[i] >> 4];
        *text_out++ = digits[bytes[i] & 15];
    }
    *text_out = '\0';
}

static bool parse_hex(const char *text, size_t len, uint8_t *bytes_out)
{
    for (size_t i = 0; i < 2 * len; i++) {
        const char *at = text[i] == '\0' ? NULL : strchr(digits, text[i]);
        if (at == NULL)
            return false;
        unsigned half = (unsigned)(at - digits);
        bytes_out[i / 2] = (uint8_t)(i % 2 == 0 ? half << 4 : bytes_out[i / 2] | half);
    }
    return true;
}

void hr_key_make(const hr_env *env, hr_key *key_out)
{
    uint8_t id[HR_KEY_ID_LEN / 2];
    env->random(env->context, id, sizeof id);
    print_hex(id, sizeof id, key_out->id);
    env->random(env->context, key_out->secret, HR_KEY_SECRET_LEN);
}

void hr_key_print(const hr_key *key, char line_out[HR_KEY_LINE_MAX])
{
    char secret[2 * HR_KEY_SECRET_LEN + 1];
    print_hex(key->secret, HR_KEY_SECRET_LEN, secret);
    snprintf(line_out, HR_KEY_LINE_MAX, "%s %s %s\n", magic, key->id, secret);
    explicit_bzero(secret, sizeof secret);
}

static bool parse_line(const char *line, size_t len, hr_key *key_out)
{
    enum {
        MAGIC_LEN = sizeof magic - 1,
        AT_ID = MAGIC_LEN + 1,
        AT_SECRET = AT_ID + HR_KEY_ID_LEN + 1,
        LEN = AT_SECRET + 2 * HR_KEY_SECRET_LEN,
    };
    uint8_t id[HR_KEY_ID_LEN / 2];
    if (len != LEN || memcmp(line, magic, MAGIC_LEN) != 0 || line[MAGIC_LEN] != ' ' ||
        line[AT_SECRET - 1] != ' ' || !parse_hex(line + AT_ID, sizeof id, id) ||
        !parse_hex(line + AT_SECRET, HR_KEY_SECRET_LEN, key_out->secret))
        return false;
    print_hex(id, sizeof id, key_out->id);
    return true;
}

hr_status hr_keys_parse(const char *text, hr_key *list, size_t *count_out, hr_error *error)
{
    size_t count = 0;
    unsigned number = 1;
    for (const char *line = text; *line != '\0'; number++) {
        size_t len = strcspn(line, "\n");
        size_t next = len + (line[len] == '\n');
        while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\r'))
            len--;
        if (len > 0 && line[0] != '#') {
            if (count == HR_KEYS_MAX)
                return hr_error_set(error, HR_LIMIT, "more than %d keys", HR_KEYS_MAX);
            hr_keys so_far = {.list = list, .count = count};
            if (!parse_line(line, len, &list[count]))
                return hr_error_set(error, HR_INVALID,
                                    "line %u is no key, or one that was cut short", number);
            if (hr_keys_find(&so_far, list[count].id, HR_KEY_ID_LEN) != NULL)
                return hr_error_set(error, HR_INVALID, "line %u has the id of an earlier key",
                                    number);
            count++;
        }
        line += next;
    }
    if (count == 0)
        return hr_error_set(error, HR_INVALID, "there is no key in it");
    *count_out = count;
    return HR_OK;
}

const hr_key *hr_keys_find(const hr_keys *keys, const void *id, size_t id_len)
{
    if (id_len != HR_KEY_ID_LEN)
        return NULL;
    for (size_t i = 0; i < keys->count; i++)
        if (memcmp(keys->list[i].id, id, id_len) == 0)
            return &keys->list[i];
    return NULL;
}
