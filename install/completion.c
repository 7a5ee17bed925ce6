/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "document.h"

static void print_names(FILE *out, const hr_option *options, unsigned count, unsigned bit)
{
    for (unsigned i = 0; i < count; i++)
        if (bit == 0 || (options[i].verbs & bit) != 0)
            fprintf(out, " --%s", options[i].name);
}

static void print_verb_names(FILE *out, const hr_syntax *syntax, const char *between)
{
    for (unsigned i = 0; i < syntax->verb_count; i++)
        fprintf(out, "%s%s", i == 0 ? "" : between, syntax->verbs[i].name);
}

/* "--threads|-T" */
static void print_pattern(FILE *out, const hr_option *option)
{
    fprintf(out, "    --%s", option->name);
    if (option->letter != 0)
        fprintf(out, "|-%c", option->letter);
    fputs(") ", out);
}

/* What may follow an option: its choices, a file, or something that nobody can know. */
static void print_value(FILE *out, const hr_option *option)
{
    if (option->choices != NULL) {
        print_pattern(out, option);
        fputs("values='", out);
        for (unsigned i = 0; option->choices[i] != NULL; i++)
            fprintf(out, "%s%s", i == 0 ? "" : " ", option->choices[i]);
        fputs("' ;;\n", out);
    } else if (option->argument != NULL && strcmp(option->argument, "FILE") == 0) {
        print_pattern(out, option);
        fputs("return ;;\n", out);
    } else if (option->argument != NULL) {
        print_pattern(out, option);
        fputs("compopt +o default; return ;;\n", out);
    }
}

static void print_values(FILE *out, const hr_syntax *syntax)
{
    fputs("    case $previous in\n", out);
    for (unsigned i = 0; i < syntax->option_count; i++)
        print_value(out, &syntax->options[i]);
    for (unsigned i = 0; i < hr_options_common_count; i++)
        print_value(out, &hr_options_common[i]);
    fputs("    esac\n", out);
}

static void print_words(FILE *out, const hr_syntax *syntax)
{
    fputs("    case $verb in\n    '') words='", out);
    print_verb_names(out, syntax, " ");
    print_names(out, hr_options_common, hr_options_common_count, 0);
    fputs("' ;;\n", out);
    for (unsigned i = 0; i < syntax->verb_count; i++) {
        fprintf(out, "    %s) words='", syntax->verbs[i].name);
        if (strcmp(syntax->verbs[i].name, "help") == 0)
            print_verb_names(out, syntax, " ");
        print_names(out, syntax->options, syntax->option_count, 1u << i);
        print_names(out, hr_options_common, hr_options_common_count, 0);
        fputs("' ;;\n", out);
    }
    fputs("    esac\n", out);
}

/* A function of bash has no '-' in its name. */
static void print_function_name(FILE *out, const hr_syntax *syntax)
{
    fputc('_', out);
    for (const char *at = syntax->program; *at != '\0'; at++)
        fputc(*at == '-' ? '_' : *at, out);
}

void hr_document_completion(const hr_syntax *syntax, FILE *out)
{
    fprintf(out,
            "# SPDX-License-Identifier: Apache-2.0\n"
            "# bash completion of %s, made from its option table\n",
            syntax->program);
    print_function_name(out, syntax);
    fputs("()\n{\n"
          "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
          "    local verb='' words='' values='' word\n"
          "    # bash makes a word of the = in --option=value\n"
          "    if [[ $current == '=' ]]; then\n"
          "        current=''\n"
          "    elif [[ $previous == '=' ]]; then\n"
          "        previous=${COMP_WORDS[COMP_CWORD - 2]}\n"
          "    fi\n"
          "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD - 1}\"; do\n"
          "        case $word in\n"
          "        ",
          out);
    print_verb_names(out, syntax, "|");
    fputs(") verb=$word; break ;;\n        esac\n    done\n", out);
    print_values(out, syntax);
    print_words(out, syntax);
    fputs("    if [[ -n $values ]]; then\n"
          "        mapfile -t COMPREPLY < <(compgen -W \"$values\" -- \"$current\")\n"
          "    elif [[ $current == -* || -z $verb || $verb == help ]]; then\n"
          "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
          "    fi\n"
          "}\n"
          "complete -o default -F ",
          out);
    print_function_name(out, syntax);
    fprintf(out, " %s\n", syntax->program);
}
