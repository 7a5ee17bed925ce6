/* SPDX-License-Identifier: Apache-2.0 */
/* The help, made from the table. */
#include <stdio.h>
#include <string.h>

#include "option.h"

#define WIDTH       80 /* columns of the oldest terminals */
#define HELP_COLUMN 29

/* Prints text from column, broken at blanks and indented to HELP_COLUMN. */
static void print_wrapped(FILE *out, int column, const char *text)
{
    if (column + 2 > HELP_COLUMN) {
        fputc('\n', out);
        column = 0;
    }
    fprintf(out, "%*s", HELP_COLUMN - column, "");
    column = HELP_COLUMN;
    while (*text != '\0') {
        int len = (int)strcspn(text, " ");
        if (column > HELP_COLUMN && column + 1 + len >= WIDTH) {
            fprintf(out, "\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        } else if (column > HELP_COLUMN) {
            fputc(' ', out);
            column++;
        }
        fprintf(out, "%.*s", len, text);
        column += len;
        text += len + (text[len] == ' ');
    }
    fputc('\n', out);
}

static int print_argument(FILE *out, const hr_option *option)
{
    if (option->argument != NULL)
        return fprintf(out, " %s", option->argument);
    int used = 0;
    for (unsigned i = 0; option->choices != NULL && option->choices[i] != NULL; i++)
        used += fprintf(out, "%c%s", i == 0 ? ' ' : '|', option->choices[i]);
    return used;
}

/* " (default 60s; 1 to 64)", or nothing. */
static void describe_value(char *out, size_t size, const hr_option *option)
{
    const char *fallback = option->fallback;
    char range[80] = "";
    if (option->min != NULL && option->max != NULL)
        snprintf(range, sizeof range, "%s to %s", option->min, option->max);
    else if (option->min != NULL)
        snprintf(range, sizeof range, "at least %s", option->min);
    else if (option->max != NULL)
        snprintf(range, sizeof range, "at most %s", option->max);
    out[0] = '\0';
    if (fallback != NULL || range[0] != '\0')
        snprintf(out, size, " (%s%s%s%s)", fallback != NULL ? "default " : "",
                 fallback != NULL ? fallback : "", fallback != NULL && range[0] != '\0' ? "; " : "",
                 range);
}

static void print_option(FILE *out, const hr_option *option)
{
    int column;
    char text[600];
    char value[120];
    if (option->letter != 0)
        column = fprintf(out, "  -%c, --%s", option->letter, option->name);
    else
        column = fprintf(out, "      --%s", option->name);
    column += print_argument(out, option);
    describe_value(value, sizeof value, option);
    snprintf(text, sizeof text, "%.*s%s.", (int)strlen(option->help) - 1, option->help, value);
    print_wrapped(out, column < 0 ? 0 : column, text);
}

static void print_program(const hr_syntax *syntax, FILE *out)
{
    fprintf(out, "%s\n\nusage:\n", syntax->summary);
    for (unsigned i = 0; i < syntax->verb_count; i++) {
        const hr_verb *verb = &syntax->verbs[i];
        int column = fprintf(out, "  %s %s %s", syntax->program, verb->name, verb->arguments);
        print_wrapped(out, column < 0 ? 0 : column, verb->summary);
    }
    fprintf(out, "\n%s help COMMAND tells the options of a command.\n", syntax->program);
}

static void print_sources(const hr_syntax *syntax, FILE *out)
{
    fprintf(out,
            "\nEvery option may also be set in the environment (%sNAME, _ for -) and in\n"
            "a config file: lines of name = value",
            syntax->environment);
    if (syntax->config != NULL)
        fprintf(out, " in ~/.config/%s/config or else in\n/etc/%s.conf", syntax->config,
                syntax->config);
    fprintf(out,
            ".\nThe command line counts more than the environment, and that more than a file.\n");
}

void hr_options_help(const hr_syntax *syntax, const hr_verb *verb, FILE *out)
{
    if (verb == NULL && syntax->verb_count > 0) {
        print_program(syntax, out);
        return;
    }
    unsigned bit = verb == NULL ? ~0u : 1u << (verb - syntax->verbs);
    if (verb == NULL)
        fprintf(out, "usage: %s [OPTION]...\n\n%s\n\n", syntax->program, syntax->summary);
    else
        fprintf(out, "usage: %s %s [OPTION]...%s%s\n\n%s\n\n", syntax->program, verb->name,
                verb->arguments[0] != '\0' ? " " : "", verb->arguments, verb->summary);
    if (verb != NULL && verb->details != NULL)
        fprintf(out, "%s\n\n", verb->details);
    for (unsigned i = 0; i < syntax->option_count; i++) {
        if ((syntax->options[i].verbs & bit) != 0)
            print_option(out, &syntax->options[i]);
    }
    for (unsigned i = 0; i < hr_options_common_count; i++)
        print_option(out, &hr_options_common[i]);
    print_sources(syntax, out);
}
