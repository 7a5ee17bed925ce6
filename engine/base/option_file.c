/* SPDX-License-Identifier: Apache-2.0 */
/* The config file: found, read whole into memory that the values then point into, and taken line by
 * line. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "option_parser.h"
#include "suggest.h"

/* Nobody writes so long a file by hand: it is a mistake such as --config /dev/zero. */
#define FILE_LEN_MAX  (1 << 20)
#define FILE_PATH_MAX 4096

/* The first of the usual files that can be opened; its name is left in path. NULL: none is there;
 * another errno than ENOENT is for the caller to tell. */
static FILE *open_usual(const char *config, char path[FILE_PATH_MAX])
{
    const char *folder = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    path[0] = '\0';
    if (folder != NULL && folder[0] == '/')
        snprintf(path, FILE_PATH_MAX, "%s/%s/config", folder, config);
    else if (home != NULL && home[0] == '/')
        snprintf(path, FILE_PATH_MAX, "%s/.config/%s/config", home, config);
    FILE *file = path[0] != '\0' ? fopen(path, "re") : NULL;
    /* One in a home that may not be entered (after su) is as good as none; one that is seen and may
     * not be read is not. */
    bool hidden = file == NULL && errno == EACCES && access(path, F_OK) != 0;
    bool next =
        path[0] == '\0' || hidden || (file == NULL && (errno == ENOENT || errno == ENOTDIR));
    if (!next)
        return file;
    snprintf(path, FILE_PATH_MAX, "/etc/%s.conf", config);
    return fopen(path, "re");
}

static hr_status read_whole(hr_option_parser *parser, FILE *file, const char *path)
{
    char *text = calloc(1, FILE_LEN_MAX + 1);
    if (text == NULL)
        return hr_error_set(parser->error, HR_NO_MEMORY, "reading %s: out of memory", path);
    size_t len = fread(text, 1, FILE_LEN_MAX + 1, file);
    const char *trouble = NULL;
    if (ferror(file))
        trouble = strerror(errno);
    else if (len > FILE_LEN_MAX)
        trouble = "it is too long to be a config file";
    else if (strlen(text) != len)
        trouble = "it holds a zero byte";
    if (trouble != NULL) {
        free(text);
        return hr_error_set(parser->error, HR_INVALID, "reading the config file %s: %s", path,
                            trouble);
    }
    parser->invocation.file_text = text;
    return HR_OK;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Cuts blanks off both ends, in place. */
static char *trim(char *text)
{
    while (is_blank(*text))
        text++;
    char *end = text + strlen(text);
    while (end > text && is_blank(end[-1]))
        end--;
    *end = '\0';
    return text;
}

static const hr_option *find_option(const hr_syntax *syntax, hr_suggestion *suggestion)
{
    for (unsigned i = 0; i < syntax->option_count; i++) {
        if (strcmp(syntax->options[i].name, suggestion->word) == 0)
            return &syntax->options[i];
        hr_suggest_consider(suggestion, syntax->options[i].name);
    }
    return NULL;
}

/* line ends with 0 and may be changed. */
static hr_status take_line(hr_option_parser *parser, const char *path, unsigned number, char *line)
{
    char *name = trim(line);
    if (name[0] == '\0' || name[0] == '#')
        return HR_OK;
    char *equals = strchr(name, '=');
    if (equals == NULL)
        return hr_error_set(parser->error, HR_INVALID, "%s:%u: a line is name = value", path,
                            number);
    *equals = '\0';
    name = trim(name);
    hr_suggestion suggestion = {.word = name};
    const hr_option *option = find_option(parser->syntax, &suggestion);
    if (option == NULL) {
        char quoted[64];
        hr_quote(quoted, sizeof quoted, name, strlen(name));
        return hr_error_set(parser->error, HR_INVALID, "%s:%u: there is no option '%s'%s%s%s", path,
                            number, quoted, suggestion.best != NULL ? "; is " : "",
                            suggestion.best != NULL ? suggestion.best : "",
                            suggestion.best != NULL ? " meant?" : "");
    }
    char where[FILE_PATH_MAX + 80];
    snprintf(where, sizeof where, "%s:%u: %s", path, number, name);
    return hr_option_set(parser, option, HR_LAYER_FILE, where, trim(equals + 1));
}

static hr_status take_lines(hr_option_parser *parser, const char *path)
{
    unsigned number = 0;
    char *rest = parser->invocation.file_text;
    while (rest != NULL) {
        char *line = strsep(&rest, "\n");
        hr_status status = take_line(parser, path, ++number, line);
        if (status != HR_OK)
            return status;
    }
    return HR_OK;
}

hr_status hr_option_read_file(hr_option_parser *parser)
{
    char path[FILE_PATH_MAX] = "";
    const char *named = parser->invocation.config;
    FILE *file;
    if (named != NULL) {
        snprintf(path, sizeof path, "%s", named);
        file = fopen(named, "re");
    } else if (parser->syntax->config != NULL) {
        file = open_usual(parser->syntax->config, path);
    } else {
        return HR_OK;
    }
    if (file == NULL) {
        bool missing = errno == ENOENT || errno == ENOTDIR;
        if (named == NULL && missing)
            return HR_OK;
        return hr_error_set(parser->error, hr_status_from_errno(errno),
                            "opening the config file %s: %s", path, strerror(errno));
    }
    hr_status status = read_whole(parser, file, path);
    fclose(file);
    return status == HR_OK ? take_lines(parser, path) : status;
}
