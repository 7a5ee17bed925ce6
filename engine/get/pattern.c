/* SPDX-License-Identifier: Apache-2.0 */
/* A pattern is run as the small automaton that it is: a set of places in it, moved on by each byte
 * of the path. No pattern makes that slow, as trying one star after the other can be. */
#include "pattern.h"

#include <ctype.h>
#include <string.h>

typedef struct glob_text {
    const char *text;
    size_t len;
    bool literal; /* no wildcards, so that a backslash is one too */
} glob_text;

/* ---- one of a set ---- */

static bool is_of_kind(const char *kind, size_t len, unsigned char byte)
{
    static const struct {
        const char *name;
        int (*is)(int byte);
    } kinds[] = {
        {"alnum", isalnum}, {"alpha", isalpha}, {"blank", isblank}, {"cntrl", iscntrl},
        {"digit", isdigit}, {"graph", isgraph}, {"lower", islower}, {"print", isprint},
        {"punct", ispunct}, {"space", isspace}, {"upper", isupper}, {"xdigit", isxdigit},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strlen(kinds[i].name) == len && memcmp(kinds[i].name, kind, len) == 0)
            return kinds[i].is(byte) != 0;
    return false;
}

/* The bytes of "[:alpha:]" at at, 0 if there is no such thing. */
static size_t kind_len(const char *at)
{
    const char *end = at[0] == '[' && at[1] == ':' ? strstr(at + 2, ":]") : NULL;
    return end == NULL ? 0 : (size_t)(end + 2 - at);
}

static bool is_negated(const char *set)
{
    return set[1] == '!' || set[1] == '^';
}

/* The bytes of the set that starts at the bracket, 0 if it is never closed. A bracket that comes
 * first is one of its members. */
static size_t set_len(const char *set)
{
    size_t at = is_negated(set) ? 2 : 1;
    for (bool first = true; set[at] != '\0' && (first || set[at] != ']'); first = false) {
        size_t kind = kind_len(set + at);
        if (kind > 0)
            at += kind;
        else
            at += set[at] == '\\' && set[at + 1] != '\0' ? 2 : 1;
    }
    return set[at] == ']' ? at + 1 : 0;
}

/* One member, perhaps after a backslash; at goes behind it. */
static unsigned char member(const char *set, size_t *at)
{
    if (set[*at] == '\\')
        ++*at;
    return (unsigned char)set[(*at)++];
}

static bool set_has(const char *set, size_t len, unsigned char byte)
{
    size_t at = is_negated(set) ? 2 : 1;
    bool found = false;
    while (at < len - 1) {
        size_t kind = kind_len(set + at);
        if (kind > 0) {
            found |= is_of_kind(set + at + 2, kind - 4, byte);
            at += kind;
            continue;
        }
        unsigned char low = member(set, &at), high = low;
        if (set[at] == '-' && at + 1 < len - 1) {
            at++;
            high = member(set, &at);
        }
        found |= low <= byte && byte <= high;
    }
    return found != is_negated(set);
}

/* ---- one place ---- */

static size_t star_len(const glob_text *glob, size_t at)
{
    size_t len = 0;
    while (!glob->literal && at + len < glob->len && glob->text[at + len] == '*')
        len++;
    return len;
}

/* How long what stands at this place is, if it takes this byte; else 0. It is no star. */
static size_t takes(const glob_text *glob, size_t at, char byte)
{
    const char *token = glob->text + at;
    if (glob->literal || strchr("?[\\", token[0]) == NULL)
        return token[0] == byte;
    if (token[0] == '?')
        return byte != '/';
    if (token[0] == '[') {
        size_t len = set_len(token);
        return byte != '/' && set_has(token, len, (unsigned char)byte) ? len : 0;
    }
    return at + 1 < glob->len && token[1] == byte ? 2 : 0;
}

/* How long what stands at this place is. */
static size_t token_len(const glob_text *glob, size_t at)
{
    const char *token = glob->text + at;
    if (!glob->literal && token[0] == '[')
        return set_len(token);
    return !glob->literal && token[0] == '\\' && at + 1 < glob->len ? 2 : 1;
}

/* ---- all of it ---- */

/* Stars may stand for nothing. */
static void pass_stars(const glob_text *glob, bool *places)
{
    for (size_t at = 0; at < glob->len;) {
        size_t stars = star_len(glob, at);
        if (stars > 0 && places[at])
            places[at + stars] = true;
        at += stars > 0 ? stars : token_len(glob, at);
    }
}

static void move_on(const glob_text *glob, const bool *places, char byte, bool *next)
{
    memset(next, 0, glob->len + 1);
    for (size_t at = 0; at < glob->len;) {
        size_t stars = star_len(glob, at);
        if (stars > 0) {
            next[at] |= places[at] && (stars > 1 || byte != '/');
            at += stars;
            continue;
        }
        size_t taken = places[at] ? takes(glob, at, byte) : 0;
        if (taken > 0)
            next[at + taken] = true;
        at += token_len(glob, at);
    }
    pass_stars(glob, next);
}

/* Floating: from the start of the text, or from behind any slash in it. All of these are tried at
 * once. Open: also with a slash behind it, as if what is in it had no name. */
static bool glob_matches(const glob_text *glob, const char *text, bool open, bool floating)
{
    bool places[2][HR_PATTERN_MAX + 1] = {{true}};
    size_t len = strlen(text);
    pass_stars(glob, places[0]);
    for (size_t i = 0; i < len; i++) {
        bool *next = places[(i + 1) % 2];
        move_on(glob, places[i % 2], text[i], next);
        if (floating && text[i] == '/') {
            next[0] = true;
            pass_stars(glob, next);
        }
    }
    if (open && !places[len % 2][glob->len]) {
        move_on(glob, places[len % 2], '/', places[(len + 1) % 2]);
        len++;
    }
    return places[len % 2][glob->len];
}

/* Three stars at the end mean a directory itself too. */
static bool matches_from(const glob_text *glob, const char *path, bool is_dir, bool floating)
{
    bool open = is_dir && glob->len >= 3 && memcmp(glob->text + glob->len - 3, "***", 3) == 0;
    return glob_matches(glob, path, open, floating);
}

bool hr_pattern_matches(const char *pattern, const char *path, bool is_dir)
{
    glob_text glob = {.text = pattern, .len = strlen(pattern), .literal = !strpbrk(pattern, "*?[")};
    bool dirs_only = glob.len > 1 && pattern[glob.len - 1] == '/';
    bool anchored = pattern[0] == '/';
    glob.len -= dirs_only;
    glob.text += anchored;
    glob.len -= anchored;
    if (dirs_only && !is_dir)
        return false;
    if (anchored)
        return matches_from(&glob, path, is_dir, false);
    if (memchr(glob.text, '/', glob.len) == NULL && strstr(glob.text, "**") == NULL) {
        const char *slash = strrchr(path, '/');
        return matches_from(&glob, slash == NULL ? path : slash + 1, is_dir, false);
    }
    size_t stars = star_len(&glob, 0);
    if (stars >= 2 && stars < glob.len && glob.text[stars] == '/') {
        /* No directory is some directories too. */
        const glob_text inner = {.text = glob.text + stars + 1, .len = glob.len - stars - 1};
        if (matches_from(&inner, path, is_dir, false))
            return true;
    }
    return matches_from(&glob, path, is_dir, true);
}

bool hr_rules_exclude(const hr_rule *rules, size_t count, const char *path, bool is_dir)
{
    for (size_t i = 0; i < count; i++)
        if (hr_pattern_matches(rules[i].pattern, path, is_dir))
            return !rules[i].include;
    return false;
}

hr_status hr_pattern_check(const char *pattern, hr_error *error)
{
    char shown[100];
    size_t len = strlen(pattern);
    hr_quote(shown, sizeof shown, pattern, len);
    if (len == 0 || strcmp(pattern, "/") == 0)
        return hr_error_set(error, HR_INVALID, "a pattern is empty");
    if (len > HR_PATTERN_MAX)
        return hr_error_set(error, HR_INVALID, "the pattern '%s' is longer than %d bytes", shown,
                            HR_PATTERN_MAX);
    const glob_text glob = {.text = pattern, .len = len, .literal = !strpbrk(pattern, "*?[")};
    for (size_t at = 0, token; at < len; at += token) {
        token = token_len(&glob, at);
        if (token == 0)
            return hr_error_set(error, HR_INVALID,
                                "the pattern '%s' has a [ that is never closed; \\[ is the byte",
                                shown);
    }
    return HR_OK;
}
