/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <string.h>

#include "document.h"

/* Text as troff takes it for what it is. */
static void print_text(FILE *out, const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        bool starts_line = at == text || at[-1] == '\n';
        if (starts_line && (*at == '.' || *at == '\''))
            fputs("\\&", out);
        if (*at == '\\')
            fputs("\\e", out);
        else if (*at == '-')
            fputs("\\-", out);
        else
            fputc(*at, out);
    }
}

static void print_upper(FILE *out, const char *text)
{
    for (; *text != '\0'; text++)
        fputc(toupper((unsigned char)*text), out);
}

static void print_verb_start(FILE *out, const hr_syntax *syntax, const hr_verb *verb)
{
    fputs(".B ", out);
    print_text(out, syntax->program);
    fputc(' ', out);
    print_text(out, verb->name);
    fputc('\n', out);
}

static void print_synopsis(FILE *out, const hr_syntax *syntax)
{
    fputs(".SH SYNOPSIS\n", out);
    for (unsigned i = 0; i < syntax->verb_count; i++) {
        print_verb_start(out, syntax, &syntax->verbs[i]);
        fputs("[\\fIOPTION\\fR]... ", out);
        print_text(out, syntax->verbs[i].arguments);
        fputs("\n.br\n", out);
    }
}

static void print_verbs(FILE *out, const hr_syntax *syntax)
{
    fputs(".SH COMMANDS\n", out);
    for (unsigned i = 0; i < syntax->verb_count; i++) {
        const hr_verb *verb = &syntax->verbs[i];
        fputs(".SS ", out);
        print_text(out, verb->name);
        fputc('\n', out);
        print_text(out, verb->summary);
        fputc('\n', out);
        if (verb->details != NULL) {
            fputs(".PP\n.nf\n", out);
            print_text(out, verb->details);
            fputs("\n.fi\n", out);
        }
    }
}

static void print_argument(FILE *out, const hr_option *option)
{
    if (option->argument != NULL) {
        fputs(" \\fI", out);
        print_text(out, option->argument);
        fputs("\\fR", out);
        return;
    }
    for (unsigned i = 0; option->choices != NULL && option->choices[i] != NULL; i++) {
        fputs(i == 0 ? " " : "|", out);
        print_text(out, option->choices[i]);
    }
}

static void print_range(FILE *out, const hr_option *option)
{
    const char *between = "\n";
    if (option->fallback != NULL) {
        fputs("\nDefault: ", out);
        print_text(out, option->fallback);
        between = "; ";
    }
    if (option->min != NULL) {
        fprintf(out, "%sat least ", between);
        print_text(out, option->min);
        between = ", ";
    }
    if (option->max != NULL) {
        fprintf(out, "%sat most ", between);
        print_text(out, option->max);
    }
    if (option->fallback != NULL || option->min != NULL || option->max != NULL)
        fputc('.', out);
}

static void print_takers(FILE *out, const hr_syntax *syntax, const hr_option *option)
{
    const char *between = "\n.br\nOf: ";
    for (unsigned i = 0; i < syntax->verb_count; i++) {
        if ((option->verbs >> i & 1) == 0)
            continue;
        fputs(between, out);
        print_text(out, syntax->verbs[i].name);
        between = ", ";
    }
    fputs(".\n", out);
}

static void print_option(FILE *out, const hr_syntax *syntax, const hr_option *option)
{
    fputs(".TP\n", out);
    if (option->letter != 0)
        fprintf(out, "\\fB\\-%c\\fR, ", option->letter);
    fputs("\\fB\\-\\-", out);
    print_text(out, option->name);
    fputs("\\fR", out);
    print_argument(out, option);
    fputc('\n', out);
    print_text(out, option->help);
    print_range(out, option);
    if (syntax != NULL)
        print_takers(out, syntax, option);
    else
        fputc('\n', out);
}

static void print_options(FILE *out, const hr_syntax *syntax)
{
    fputs(".SH OPTIONS\n", out);
    for (unsigned i = 0; i < syntax->option_count; i++)
        print_option(out, syntax, &syntax->options[i]);
    for (unsigned i = 0; i < hr_options_common_count; i++)
        print_option(out, NULL, &hr_options_common[i]);
}

static void print_sources(FILE *out, const hr_syntax *syntax)
{
    fputs(".SH ENVIRONMENT\nEvery option is also a variable: its name in capitals, with _ for \\-, "
          "after\n.BR ",
          out);
    print_text(out, syntax->environment);
    fputs(" .\nThe command line counts more than the environment, and that more than a file.\n",
          out);
    fputs(".SH FILES\nLines of\n.IR \"name \" = \" value\" ,\nin the file that\n.B "
          "\\-\\-config\nnames",
          out);
    if (syntax->config != NULL)
        fprintf(out,
                ", else in the first of these that exists.\n.TP\n.I ~/.config/%s/config\n"
                "Of the user.\n.TP\n.I /etc/%s.conf\nOf the machine",
                syntax->config, syntax->config);
    fputs(".\n", out);
}

/* A sentence that begins with the program's name, without that and its full stop: so lists of
 * manual pages have it. */
static void print_summary(FILE *out, const hr_syntax *syntax)
{
    char text[200];
    size_t name_len = strlen(syntax->program);
    const char *summary = syntax->summary;
    if (strncmp(summary, syntax->program, name_len) == 0 && summary[name_len] == ' ')
        summary += name_len + 1;
    size_t len = strlen(summary);
    snprintf(text, sizeof text, "%.*s", (int)(len > 0 && summary[len - 1] == '.' ? len - 1 : len),
             summary);
    print_text(out, text);
}

void hr_document_man(const hr_syntax *syntax, const char *version, FILE *rest, FILE *out)
{
    char line[512];
    fputs(".\\\" SPDX-License-Identifier: Apache-2.0\n.\\\" Made from the option table.\n.TH ",
          out);
    print_upper(out, syntax->program);
    fprintf(out, " 1 \"\" \"headrace %s\" \"User Commands\"\n.SH NAME\n", version);
    print_text(out, syntax->program);
    fputs(" \\- ", out);
    print_summary(out, syntax);
    fputc('\n', out);
    print_synopsis(out, syntax);
    print_verbs(out, syntax);
    print_options(out, syntax);
    print_sources(out, syntax);
    while (fgets(line, sizeof line, rest) != NULL)
        fputs(line, out);
}
