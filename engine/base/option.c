/* SPDX-License-Identifier: Apache-2.0 */
/* Each value is checked where it is found and stored if no later layer has been there before, so
 * that the order in which the layers are read does not matter: the command line comes first, since
 * it names the config file. */
#include "option.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "option_parser.h"
#include "suggest.h"

#define ENVIRONMENT_NAME_MAX 80

const hr_option hr_options_common[] = {
    {
        .name = "config",
        .argument = "FILE",
        .type = HR_OPTION_STRING,
        .verbs = ~0u,
        .help = "Reads options from FILE (lines of name = value) and from no other file.",
        .offset = offsetof(hr_invocation, config),
    },
    {
        .name = "help",
        .letter = 'h',
        .type = HR_OPTION_FLAG,
        .verbs = ~0u,
        .help = "Prints this.",
        .offset = offsetof(hr_invocation, help),
    },
    {
        .name = "version",
        .type = HR_OPTION_FLAG,
        .verbs = ~0u,
        .help = "Prints the version.",
        .offset = offsetof(hr_invocation, version),
    },
};
const unsigned hr_options_common_count = sizeof hr_options_common / sizeof hr_options_common[0];

static const hr_option *find_name(const hr_syntax *syntax, const char *name, size_t len)
{
    for (unsigned i = 0; i < syntax->option_count + hr_options_common_count; i++) {
        const hr_option *option = i < syntax->option_count
                                      ? &syntax->options[i]
                                      : &hr_options_common[i - syntax->option_count];
        if (strncmp(option->name, name, len) == 0 && option->name[len] == '\0')
            return option;
    }
    return NULL;
}

static const hr_option *find_letter(const hr_syntax *syntax, char letter)
{
    for (unsigned i = 0; i < syntax->option_count; i++) {
        if (syntax->options[i].letter == letter)
            return &syntax->options[i];
    }
    for (unsigned i = 0; i < hr_options_common_count; i++) {
        if (hr_options_common[i].letter == letter)
            return &hr_options_common[i];
    }
    return NULL;
}

static bool has_argument(const hr_option *option)
{
    return option->type != HR_OPTION_FLAG && option->type != HR_OPTION_COUNT;
}

static hr_status refuse_unknown(hr_option_parser *parser, const char *name, size_t len)
{
    char word[64];
    hr_quote(word, sizeof word, name, len);
    hr_suggestion suggestion = {.word = word};
    for (unsigned i = 0; i < parser->syntax->option_count; i++)
        hr_suggest_consider(&suggestion, parser->syntax->options[i].name);
    for (unsigned i = 0; i < hr_options_common_count; i++)
        hr_suggest_consider(&suggestion, hr_options_common[i].name);
    if (suggestion.best != NULL)
        return hr_error_set(parser->error, HR_INVALID, "there is no option --%s; is --%s meant?",
                            word, suggestion.best);
    return hr_error_set(parser->error, HR_INVALID, "there is no option --%s; see %s help", word,
                        parser->syntax->program);
}

/* argv[*at] starts with "--" and goes on. */
static hr_status take_long(hr_option_parser *parser, int argc, char **argv, int *at)
{
    const char *name = argv[*at] + 2;
    size_t len = strcspn(name, "=");
    const char *value = name[len] == '=' ? name + len + 1 : NULL;
    const hr_option *option = find_name(parser->syntax, name, len);
    if (option == NULL)
        return refuse_unknown(parser, name, len);
    if (value == NULL && !has_argument(option))
        value = "yes";
    if (value == NULL && *at + 1 < argc)
        value = argv[++*at];
    if (value == NULL)
        return hr_error_set(parser->error, HR_INVALID, "--%s needs a value", option->name);
    char where[64];
    snprintf(where, sizeof where, "--%s", option->name);
    return hr_option_set(parser, option, HR_LAYER_COMMAND_LINE, where, value);
}

/* argv[*at] is "-" and letters: flags, of which the last may take what follows as its value. */
static hr_status take_letters(hr_option_parser *parser, int argc, char **argv, int *at)
{
    for (const char *letter = argv[*at] + 1; *letter != '\0'; letter++) {
        const hr_option *option = find_letter(parser->syntax, *letter);
        char quoted[8];
        if (option == NULL)
            return hr_error_set(parser->error, HR_INVALID, "there is no option -%s; see %s help",
                                hr_quote(quoted, sizeof quoted, letter, 1),
                                parser->syntax->program);
        const char *value = "yes";
        bool takes_rest = has_argument(option);
        if (takes_rest && letter[1] != '\0')
            value = letter + 1;
        else if (takes_rest)
            value = *at + 1 < argc ? argv[++*at] : NULL;
        if (value == NULL)
            return hr_error_set(parser->error, HR_INVALID, "-%c needs a value", *letter);
        char where[64];
        snprintf(where, sizeof where, "-%c (--%s)", *letter, option->name);
        hr_status status = hr_option_set(parser, option, HR_LAYER_COMMAND_LINE, where, value);
        if (status != HR_OK || takes_rest)
            return status;
    }
    return HR_OK;
}

const hr_verb *hr_verb_find(const hr_syntax *syntax, const char *name, hr_error *error)
{
    char word[64];
    hr_quote(word, sizeof word, name, strlen(name));
    hr_suggestion suggestion = {.word = word};
    for (unsigned i = 0; i < syntax->verb_count; i++) {
        if (strcmp(syntax->verbs[i].name, name) == 0)
            return &syntax->verbs[i];
        hr_suggest_consider(&suggestion, syntax->verbs[i].name);
    }
    if (error == NULL)
        return NULL;
    if (suggestion.best != NULL)
        hr_error_set(error, HR_INVALID, "there is no command '%s'; is %s meant?", word,
                     suggestion.best);
    else
        hr_error_set(error, HR_INVALID, "there is no command '%s'; see %s help", word,
                     syntax->program);
    return NULL;
}

/* Stores the options and moves all other words, in their order, to the front of argv + 1. */
static hr_status walk_words(hr_option_parser *parser, int argc, char **argv)
{
    hr_invocation *invocation = &parser->invocation;
    bool only_words = false;
    int kept = 1;
    invocation->arguments = argv + 1;
    for (int at = 1; at < argc; at++) {
        hr_status status = HR_OK;
        if (only_words || argv[at][0] != '-' || argv[at][1] == '\0')
            argv[kept++] = argv[at];
        else if (strcmp(argv[at], "--") == 0)
            only_words = true;
        else if (argv[at][1] == '-')
            status = take_long(parser, argc, argv, &at);
        else
            status = take_letters(parser, argc, argv, &at);
        if (status != HR_OK)
            return status;
    }
    invocation->argument_count = (unsigned)(kept - 1);
    return HR_OK;
}

static hr_status take_verb(hr_option_parser *parser)
{
    hr_invocation *invocation = &parser->invocation;
    const hr_syntax *syntax = parser->syntax;
    if (syntax->verb_count == 0 || invocation->argument_count == 0)
        return HR_OK;
    invocation->verb = hr_verb_find(syntax, invocation->arguments[0], parser->error);
    if (invocation->verb == NULL)
        return HR_INVALID;
    invocation->arguments++;
    invocation->argument_count--;
    unsigned bit = 1u << (invocation->verb - syntax->verbs);
    for (unsigned i = 0; i < syntax->option_count; i++) {
        const hr_option *option = &syntax->options[i];
        if (parser->layers[i] == HR_LAYER_COMMAND_LINE && (option->verbs & bit) == 0)
            return hr_error_set(parser->error, HR_INVALID, "%s has no option --%s; see %s help %s",
                                invocation->verb->name, option->name, syntax->program,
                                invocation->verb->name);
    }
    return HR_OK;
}

static hr_status check_arguments(hr_option_parser *parser)
{
    const hr_verb *verb = parser->invocation.verb;
    unsigned count = parser->invocation.argument_count;
    if (verb == NULL || (count >= verb->arguments_min && count <= verb->arguments_max))
        return HR_OK;
    bool few = count < verb->arguments_min;
    return hr_error_set(parser->error, HR_INVALID, "%s: %s; it is %s %s %s", verb->name,
                        few ? "an argument is missing" : "there are more arguments than it takes",
                        parser->syntax->program, verb->name, verb->arguments);
}

/* "read-back" is HEADRACE_READ_BACK. */
static const char *environment_name(const hr_syntax *syntax, const hr_option *option,
                                    char name_out[ENVIRONMENT_NAME_MAX])
{
    int used = snprintf(name_out, ENVIRONMENT_NAME_MAX, "%s%s", syntax->environment, option->name);
    assert(used > 0 && used < ENVIRONMENT_NAME_MAX);
    (void)used;
    for (char *c = name_out; *c != '\0'; c++) {
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
        else if (*c == '-')
            *c = '_';
    }
    return name_out;
}

static hr_status read_environment(hr_option_parser *parser)
{
    const hr_syntax *syntax = parser->syntax;
    char name[ENVIRONMENT_NAME_MAX];
    for (unsigned i = 0; i < syntax->option_count; i++) {
        const char *value = getenv(environment_name(syntax, &syntax->options[i], name));
        /* An empty variable is how many scripts say "not set". */
        if (value == NULL || value[0] == '\0')
            continue;
        hr_status status =
            hr_option_set(parser, &syntax->options[i], HR_LAYER_ENVIRONMENT, name, value);
        if (status != HR_OK)
            return status;
    }
    if (parser->invocation.config == NULL) {
        const char *file = getenv(environment_name(syntax, &hr_options_common[0], name));
        if (file != NULL && file[0] != '\0')
            parser->invocation.config = file;
    }
    return HR_OK;
}

static hr_status set_defaults(hr_option_parser *parser)
{
    const hr_syntax *syntax = parser->syntax;
    for (unsigned i = 0; i < syntax->option_count; i++) {
        const hr_option *option = &syntax->options[i];
        if (option->fallback == NULL)
            continue;
        hr_status status =
            hr_option_set(parser, option, HR_LAYER_DEFAULT, option->name, option->fallback);
        assert(status == HR_OK);
        if (status != HR_OK)
            return status;
    }
    return HR_OK;
}

hr_status hr_options_parse(const hr_syntax *syntax, int argc, char **argv, void *values,
                           hr_invocation *invocation, hr_error *error)
{
    assert(syntax->option_count <= HR_OPTIONS_MAX && syntax->verb_count <= 32);
    hr_option_parser parser = {.syntax = syntax, .values = values, .error = error};
    hr_status status = set_defaults(&parser);
    if (status == HR_OK)
        status = walk_words(&parser, argc, argv);
    if (status == HR_OK)
        status = take_verb(&parser);
    bool only_asked = parser.invocation.help || parser.invocation.version;
    if (status == HR_OK && !only_asked)
        status = check_arguments(&parser);
    if (status == HR_OK && !only_asked)
        status = read_environment(&parser);
    if (status == HR_OK && !only_asked)
        status = hr_option_read_file(&parser);
    if (status != HR_OK) {
        hr_invocation_release(&parser.invocation);
        return status;
    }
    *invocation = parser.invocation;
    return HR_OK;
}

void hr_invocation_release(hr_invocation *invocation)
{
    free(invocation->file_text);
    invocation->file_text = NULL;
}
