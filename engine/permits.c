/* SPDX-License-Identifier: Apache-2.0 */
#include "permits.h"

#include <stdlib.h>
#include <string.h>

#include "key.h"

#define WORD_MAX  HR_WHO_MAX
#define MOST_MAX  1000000u
#define WORDS_MAX 4

static const char *const kinds[] = {
    [HR_PERMIT_LIST] = "list",
    [HR_PERMIT_READ] = "read",
    [HR_PERMIT_SESSIONS] = "sessions",
    [HR_PERMIT_TRANSFERS] = "transfers",
};

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
    if (strncmp(who, "cert:", 5) != 0)
        return false;
    const char *star = strchr(who + 5, '*');
    bool has_good_star = star == NULL || (star == who + 5 && star[1] == '.' && star[2] != '\0' &&
                                          strchr(star + 1, '*') == NULL);
    return who[5] != '\0' && has_good_star;
}

static bool parse_most(const char *word, unsigned *most_out)
{
    char *end;
    size_t len = strlen(word);
    if (len == 0 || len > 7 || strspn(word, "0123456789") != len)
        return false;
    unsigned long most = strtoul(word, &end, 10);
    *most_out = (unsigned)most;
    return most >= 1 && most <= MOST_MAX;
}

/* NULL, or what is wrong with it. */
static const char *parse_rule(char words[WORDS_MAX][WORD_MAX], unsigned count, hr_permit *rule_out)
{
    bool is_limit = strcmp(words[0], "limit") == 0;
    if (!is_limit && strcmp(words[0], "allow") != 0)
        return "begins with neither allow nor limit";
    if (count != WORDS_MAX)
        return is_limit ? "is not: limit WHO sessions|transfers N"
                        : "is not: allow WHO list|read EXPORT";
    if (!is_who(words[1]))
        return "names nobody: key:ID, cert:NAME, cert:*.DOMAIN or anyone is wanted";
    unsigned kind = is_limit ? HR_PERMIT_SESSIONS : HR_PERMIT_LIST;
    if (strcmp(words[2], kinds[kind]) != 0 && strcmp(words[2], kinds[++kind]) != 0)
        return is_limit ? "limits neither sessions nor transfers" : "allows neither list nor read";
    *rule_out = (hr_permit){.kind = (hr_permit_kind)kind};
    if (is_limit && !parse_most(words[3], &rule_out->most))
        return "has no number from 1 to 1000000 at its end";
    if (!is_limit && strlen(words[3]) > HR_PERMITS_EXPORT_MAX)
        return "has a longer name than exports have";
    memcpy(rule_out->who, words[1], strlen(words[1]) + 1);
    if (!is_limit)
        memcpy(rule_out->export_name, words[3], strlen(words[3]) + 1);
    return NULL;
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
            const char *wrong = parse_rule(words, word_count, &list[count]);
            if (wrong != NULL)
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

unsigned hr_permits_most(const hr_permits *rules, const char *who, hr_permit_kind kind,
                         unsigned otherwise)
{
    unsigned most = otherwise;
    for (size_t i = 0; i < rules->count; i++) {
        const hr_permit *rule = &rules->list[i];
        if (rule->kind == kind && is_about(rule, who) && rule->most < most)
            most = rule->most;
    }
    return most;
}
