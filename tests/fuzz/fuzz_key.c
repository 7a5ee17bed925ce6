/* SPDX-License-Identifier: Apache-2.0 */
/* A file of shared keys. What was read comes back from what is printed of it; a refusal has a
 * sentence, and never a secret in it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "key.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* No run of as many hex digits as a secret has. */
static void expect_no_secret(const char *text)
{
    size_t run = 0;
    for (; *text != '\0'; text++) {
        run = strchr("0123456789abcdefABCDEF", *text) != NULL ? run + 1 : 0;
        if (run >= 2 * (size_t)HR_KEY_SECRET_LEN)
            abort();
    }
}

static void expect_back(const hr_key *key)
{
    static hr_key again[HR_KEYS_MAX];
    char line[HR_KEY_LINE_MAX];
    size_t count = 0;
    hr_error error = {.status = HR_OK};
    hr_key_print(key, line);
    if (hr_keys_parse(line, again, &count, &error) != HR_OK || count != 1 ||
        strcmp(again[0].id, key->id) != 0 ||
        memcmp(again[0].secret, key->secret, sizeof key->secret) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static hr_key list[HR_KEYS_MAX];
    hr_keys keys = {.list = list};
    hr_error error = {.status = HR_OK};
    char *text = calloc(1, len + 1);
    if (text == NULL)
        abort();
    memcpy(text, bytes, len);
    if (hr_keys_parse(text, list, &keys.count, &error) == HR_OK) {
        for (size_t i = 0; i < keys.count && i < 4; i++)
            expect_back(&list[i]);
        if (keys.count > 0 && hr_keys_find(&keys, list[0].id, HR_KEY_ID_LEN) == NULL)
            abort();
    } else {
        if (error.text[0] == '\0')
            abort();
        expect_no_secret(error.text);
    }
    free(text);
    return 0;
}
