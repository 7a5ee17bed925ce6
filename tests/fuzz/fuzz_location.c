/* SPDX-License-Identifier: Apache-2.0 */
/* What somebody pastes as a source and as a target. Of a server's it is an address and a path
 * without empty names; whatever is refused is refused with a sentence that holds no control byte.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "location.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void expect_sentence(const hr_error *error)
{
    if (error->text[0] == '\0')
        abort();
    for (const char *at = error->text; *at != '\0'; at++)
        if ((unsigned char)*at < ' ' || *at == 127)
            abort();
}

static void expect_names(const hr_cli_source *source)
{
    size_t len = strlen(source->path);
    if (source->address[0] == '\0' || strstr(source->path, "//") != NULL ||
        strchr(source->name, '/') != NULL)
        abort();
    if (len > 0 && (source->path[0] == '/' || source->path[len - 1] == '/'))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static hr_cli_source source;
    static hr_cli_target target;
    hr_error error = {.status = HR_OK};
    char *text = calloc(1, len + 1);
    if (text == NULL)
        abort();
    memcpy(text, bytes, len);
    memset(&source, 0, sizeof source);
    memset(&target, 0, sizeof target);
    bool is_source = hr_cli_source_parse(text, &source, &error) == HR_OK;
    if (!is_source)
        expect_sentence(&error);
    else if (!source.local)
        expect_names(&source);
    error = (hr_error){.status = HR_OK};
    if (hr_cli_target_parse(text, &target, &error) != HR_OK)
        expect_sentence(&error);
    else if (is_source && target.kind == HR_CLI_TARGET_PATH &&
             hr_cli_target_descend(&target, &source, &error) != HR_OK)
        expect_sentence(&error);
    free(text);
    return 0;
}
