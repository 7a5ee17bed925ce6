/* SPDX-License-Identifier: Apache-2.0 */
/* hr_option: one table that makes the command line, the environment, the config file and the help
 * of a program. Adding an option is adding a row and a member of the program's struct.
 *
 * What is named in several places counts from the first of: command line, environment
 * (HEADRACE_NAME), config file, the default in the table. Values are checked wherever they stand,
 * also those that count nothing in the end.
 *
 * The config file is --config FILE, else the environment's HEADRACE_CONFIG, else the first that
 * exists of $XDG_CONFIG_HOME/headrace/config (XDG_CONFIG_HOME being ~/.config where it is not set)
 * and /etc/headrace.conf. Its lines are `name = value`, empty, or start with #. */
#ifndef HR_OPTION_H
#define HR_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "status.h"

/* What a value looks like, and what member of the program's struct it is stored in. */
typedef enum hr_option_type {
    HR_OPTION_FLAG,     /* bool. No argument; yes or no may follow after =, and must in a file */
    HR_OPTION_COUNT,    /* unsigned. As a flag, and each repetition adds one */
    HR_OPTION_STRING,   /* const char * */
    HR_OPTION_LIST,     /* hr_option_list. Each repetition adds one */
    HR_OPTION_UNSIGNED, /* unsigned */
    HR_OPTION_BYTES,    /* uint64_t */
    HR_OPTION_RATE,     /* uint64_t, bytes per second */
    HR_OPTION_DURATION, /* uint64_t, nanoseconds */
    HR_OPTION_CHOICE,   /* unsigned, index in choices */
} hr_option_type;

#define HR_OPTION_LIST_MAX 64

typedef struct hr_option_list {
    const char *values[HR_OPTION_LIST_MAX];
    const char *names[HR_OPTION_LIST_MAX]; /* of the option that each came by: several may share one
                                              list, and then their order is kept */
    unsigned count;
} hr_option_list;

typedef struct hr_option {
    const char *name;     /* "read-back" */
    char letter;          /* 0: none */
    const char *argument; /* as the help calls it: "RATE"; NULL: a choice shows its choices */
    hr_option_type type;
    unsigned verbs;             /* bit i: verbs[i] of the syntax takes it */
    const char *fallback;       /* the default as text; NULL: zero */
    const char *min, *max;      /* as text; NULL: no bound */
    const char *const *choices; /* ends with NULL */
    const char *help;           /* a sentence, with its full stop */
    size_t offset;              /* of its member in the program's struct */
} hr_option;

/* A row of a table of them: its name, the end of its type's, its member of the program's struct,
 * its verbs and its help; then what else it has, as in .argument = "N", .max = "64". */
#define HR_OPTION_ROW(values, name_text, kind, member, verb_bits, ...)                             \
    {                                                                                              \
        .name = (name_text), .type = HR_OPTION_##kind, .verbs = (verb_bits),                       \
        .offset = offsetof(values, member), .help = __VA_ARGS__                                    \
    }

typedef struct hr_verb {
    const char *name;
    const char *arguments; /* as the help calls them: "SOURCE TARGET" */
    unsigned arguments_min, arguments_max;
    const char *summary; /* one line */
    const char *details; /* paragraphs for its own help, lines broken; may be NULL */
} hr_verb;

#define HR_OPTIONS_MAX 64

typedef struct hr_syntax {
    const char *program;     /* "headrace" */
    const char *environment; /* "HEADRACE_" */
    const char *config;      /* "headrace": the folder and file names above; NULL: no file unless
                                --config names one */
    const char *summary;     /* a sentence */
    const hr_verb *verbs;
    unsigned verb_count;
    const hr_option *options; /* at most HR_OPTIONS_MAX, besides --help, --version and --config */
    unsigned option_count;
} hr_syntax;

/* What the words of the command line were, apart from the values. Strings, here and in the values,
 * are those of argv and the environment, or lie in file_text. */
typedef struct hr_invocation {
    const hr_verb *verb; /* NULL: none was named */
    char **arguments;    /* the words that are no options, in argv, which is reordered */
    unsigned argument_count;
    bool help, version; /* asked for: nothing else was looked at */
    const char *config;
    char *file_text;
} hr_invocation;

/* Fills values, a struct of the program's, and *invocation. HR_INVALID with a sentence if anything
 * is unknown, misplaced or out of range: then invocation is as before and values is of no use. */
HR_CHECKED hr_status hr_options_parse(const hr_syntax *syntax, int argc, char **argv, void *values,
                                      hr_invocation *invocation, hr_error *error);
/* The strings in values end with it. */
void hr_invocation_release(hr_invocation *invocation);

/* verb NULL: the program's own help, with the list of its verbs. */
void hr_options_help(const hr_syntax *syntax, const hr_verb *verb, FILE *out);
/* NULL: there is none of that name. error (may be NULL) gets the sentence, with a suggestion. */
const hr_verb *hr_verb_find(const hr_syntax *syntax, const char *name, hr_error *error);

/* --help, --version and --config, which every program has; their offsets are into hr_invocation.
 * For the files of this folder. */
extern const hr_option hr_options_common[];
extern const unsigned hr_options_common_count;

#endif
