/* SPDX-License-Identifier: Apache-2.0 */
#include "permits.h"

#include <stdio.h>
#include <string.h>

#include "key.h"
#include "quantity.h"

#define WORD_MAX  HR_WHO_MAX
#define WORDS_MAX 4
#define WRONG_MAX 100

static hr_status parse_count(const char *word, uint64_t *most_out)
{
    unsigned count;
    hr_status status = hr_quantity_unsigned(word, &count);
    if (status == HR_OK)
        *most_out = count;
    return status;
}

static const struct {
    const char *name;
    hr_status (*parse)(const char *word, uint64_t *most_out); /* NULL: it is a right */
    uint64_t least, most;
    const char *wanted; /* at the end of a limit */
} kinds[] = {
    [HR_PERMIT_LIST] = {.name = "list"},
    [HR_PERMIT_READ] = {.name = "read"},
    [HR_PERMIT_SESSIONS] = {"sessions", parse_count, 1, 1000000, "number from 1 to 1000000"},
    [HR_PERMIT_TRANSFERS] = {"transfers", parse_count, 1, 1000000, "number from 1 to 1000000"},
    [HR_PERMIT_RATE] = {"rate", hr_quantity_rate, 1000, UINT64_C(1) << 50,
                        "rate from 1K on, as in 500M"},
    [HR_PERMIT_MEMORY] = {"memory", hr_quantity_bytes, 1 << 20, UINT64_C(1) << 50,
                          "size from 1MiB on"},
    [HR_PERMIT_MESSAGE] = {"message", hr_quantity_bytes, 1 << 10, 64 << 10,
                           "size from 1KiB to 64KiB"},
    [HR_PERMIT_SHARE] = {"share", parse_count, 1, 75, "number of per cent from 1 to 75"},
};
#define KINDS (sizeof kinds / sizeof kinds[0])

/* ---- reading ---- */

/* Splits a line at blanks. WORDS_MAX + 1: there are more; 0: nothing, or only a comment. */
static unsigned split(const char *line, size_t len, char words[WORDS_MAX][WORD_MAX])
{
    unsigned count = 0;
    size_t at = 0;
    for (;;) {
        while (at < len && (line[at] == ' ' || line[at] == '\t' || line[at] == '\r'))
            at++;
        if (at == len || line[at] == '#')
            return count;
        size_t from = at;
        while (at < len && line[at] != ' ' && line[at] != '\t' && line[at] != '\r')
            at++;
        if (count == WORDS_MAX || at - from >= WORD_MAX)
            return WORDS_MAX + 1;
        memcpy(words[count], line + from, at - from);
        words[count++][at - from] = '\0';
    }
}

static bool is_who(const char *who)
{
    if (strcmp(who, "anyone") == 0)
        return true;
    if (strncmp(who, "key:", 4) == 0)
        return strlen(who + 4) == HR_KEY_ID_LEN &&
               strspn(who + 4, "0123456789abcdef") == HR_KEY_ID_LEN;
    if (strncmp(who, "uid:", 4) == 0) {
        size_t len = strlen(who + 4);
        return len >= 1 && len <= 10 && strspn(who + 4, "0123456789") == len &&
               (who[4] != '0' || len == 1);
    }
    if (strncmp(who, "cert:", 5) != 0)
        return false;
    const char *star = strchr(who + 5, '*');
    bool has_good_star = star == NULL || (star == who + 5 && star[1] == '.' && star[2] != '\0' &&
                                          strchr(star + 1, '*') == NULL);
    return who[5] != '\0' && has_good_star;
}

/* KINDS: there is none of this name. */
static size_t find_kind(const char *name, bool is_limit)
{
    size_t kind = 0;
    while (kind < KINDS &&
           (strcmp(kinds[kind].name, name) != 0 || (kinds[kind].parse != NULL) != is_limit))
        kind++;
    return kind;
}

static bool parse_most(size_t kind, const char *word, uint64_t *most_out)
{
    return kinds[kind].parse(word, most_out) == HR_OK && *most_out >= kinds[kind].least &&
           *most_out <= kinds[kind].most;
}

/* False, and what is wrong with it. */
static bool parse_rule(char words[WORDS_MAX][WORD_MAX], unsigned count, hr_permit *rule_out,
                       char wrong_out[WRONG_MAX])
{
    bool is_limit = strcmp(words[0], "limit") == 0;
    const char *wrong = NULL;
    size_t kind = count == WORDS_MAX ? find_kind(words[2], is_limit) : KINDS;
    if (!is_limit && strcmp(words[0], "allow") != 0)
        wrong = "begins with neither allow nor limit";
    else if (count != WORDS_MAX)
        wrong = is_limit ? "is not: limit WHO WHAT MOST" : "is not: allow WHO list|read EXPORT";
    else if (!is_who(words[1]))
        wrong = "names nobody: key:ID, cert:NAME, cert:*.DOMAIN, uid:N or anyone is wanted";
    else if (kind == KINDS)
        wrong = is_limit ? "limits none of sessions, transfers, rate, memory, message, share"
                         : "allows neither list nor read";
    else if (!is_limit && strlen(words[3]) > HR_PERMITS_EXPORT_MAX)
        wrong = "has a longer name than exports have";
    if (wrong != NULL) {
        snprintf(wrong_out, WRONG_MAX, "%s", wrong);
        return false;
    }
    *rule_out = (hr_permit){.kind = (hr_permit_kind)kind};
    if (is_limit && !parse_most(kind, words[3], &rule_out->most)) {
        snprintf(wrong_out, WRONG_MAX, "has no %s at its end", kinds[kind].wanted);
        return false;
    }
    memcpy(rule_out->who, words[1], strlen(words[1]) + 1);
    if (!is_limit)
        memcpy(rule_out->export_name, words[3], strlen(words[3]) + 1);
    return true;
}

hr_status hr_permits_parse(const char *text, hr_permit *list, size_t *count_out, hr_error *error)
{
    char words[WORDS_MAX][WORD_MAX];
    size_t count = 0;
    unsigned number = 1;
    for (const char *line = text; *line != '\0'; number++) {
        size_t len = strcspn(line, "\n");
        unsigned word_count = split(line, len, words);
        if (word_count > 0) {
            if (count == HR_PERMITS_MAX)
                return hr_error_set(error, HR_LIMIT, "more than %d rules", HR_PERMITS_MAX);
            char wrong[WRONG_MAX];
            if (!parse_rule(words, word_count, &list[count], wrong))
                return hr_error_set(error, HR_INVALID, "line %u %s", number, wrong);
            count++;
        }
        line += len + (line[len] == '\n');
    }
    *count_out = count;
    return HR_OK;
}

/* ---- asking ---- */

static bool is_about(const hr_permit *rule, const char *who)
{
    if (strcmp(rule->who, "anyone") == 0 || strcmp(rule->who, who) == 0)
        return true;
    if (strncmp(rule->who, "cert:*.", 7) != 0 || strncmp(who, "cert:", 5) != 0)
        return false;
    const char *dot = strchr(who + 5, '.'); /* the star is one label, as in certificates */
    return dot != NULL && dot > who + 5 && strcmp(dot, rule->who + 6) == 0;
}

bool hr_permits_allow(const hr_permits *rules, const char *who, const char *export_name,
                      hr_permit_kind right)
{
    if (rules->list == NULL)
        return true;
    for (size_t i = 0; i < rules->count; i++) {
        const hr_permit *rule = &rules->list[i];
        bool grants =
            rule->kind == HR_PERMIT_READ || (rule->kind == right && right == HR_PERMIT_LIST);
        if (grants && is_about(rule, who) &&
            (strcmp(rule->export_name, "*") == 0 || strcmp(rule->export_name, export_name) == 0))
            return true;
    }
    return false;
}

uint64_t hr_permits_most(const hr_permits *rules, const char *who, hr_permit_kind kind,
                         uint64_t otherwise)
{
    uint64_t most = otherwise;
    for (size_t i = 0; i < rules->count; i++) {
        const hr_permit *rule = &rules->list[i];
        if (rule->kind == kind && is_about(rule, who) && rule->most < most)
            most = rule->most;
    }
    return most;
}
