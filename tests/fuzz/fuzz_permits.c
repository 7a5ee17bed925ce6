/* SPDX-License-Identifier: Apache-2.0 */
/* A file of rules about who may do what. A refusal names its line; of what was read no limit lets
 * more through than there is without it, and who may read may list. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "permits.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void ask(const hr_permits *rules, const char *who, const char *export_name)
{
    if (hr_permits_allow(rules, who, export_name, HR_PERMIT_READ) &&
        !hr_permits_allow(rules, who, export_name, HR_PERMIT_LIST))
        abort();
    for (int kind = HR_PERMIT_SESSIONS; kind <= HR_PERMIT_SHARE; kind++)
        if (hr_permits_most(rules, who, (hr_permit_kind)kind, 7) != 7 && rules->count == 0)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static hr_permit list[HR_PERMITS_MAX];
    hr_permits rules = {.list = list};
    hr_error error = {.status = HR_OK};
    char *text = calloc(1, len + 1);
    if (text == NULL)
        abort();
    memcpy(text, bytes, len);
    if (hr_permits_parse(text, list, &rules.count, &error) == HR_OK) {
        ask(&rules, "key:00112233445566ff", "data");
        ask(&rules, "cert:node1.lab", "data");
        ask(&rules, "uid:1000", "");
        for (size_t i = 0; i < rules.count && i < 4; i++)
            ask(&rules, list[i].who, list[i].export_name);
    } else if (error.text[0] == '\0') {
        abort();
    }
    free(text);
    return 0;
}
