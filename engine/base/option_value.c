/* SPDX-License-Identifier: Apache-2.0 */
/* One value of one option: read by its type, held against its bounds, stored. */
#include <assert.h>
#include <string.h>

#include "option_parser.h"
#include "quantity.h"

static hr_status read_flag(const char *text, bool *flag_out)
{
    static const char *const words[2][4] = {
        {"no", "false", "off", "0"},
        {"yes", "true", "on", "1"},
    };
    for (size_t i = 0; i < 8; i++) {
        if (strcmp(text, words[i % 2][i / 2]) == 0) {
            *flag_out = i % 2 == 1;
            return HR_OK;
        }
    }
    return HR_INVALID;
}

static hr_status read_choice(const hr_option *option, const char *text, uint64_t *index_out)
{
    for (unsigned i = 0; option->choices[i] != NULL; i++) {
        if (strcmp(text, option->choices[i]) == 0) {
            *index_out = i;
            return HR_OK;
        }
    }
    return HR_INVALID;
}

/* Everything that is a number in the end. */
static hr_status read_number(const hr_option *option, const char *text, uint64_t *number_out)
{
    hr_status status = HR_INVALID;
    unsigned number = 0;
    bool flag = false;
    switch (option->type) {
    case HR_OPTION_FLAG:
        status = read_flag(text, &flag);
        *number_out = flag;
        return status;
    case HR_OPTION_COUNT:
        status = read_flag(text, &flag);
        number = flag;
        if (status != HR_OK)
            status = hr_quantity_unsigned(text, &number);
        *number_out = number;
        return status;
    case HR_OPTION_UNSIGNED:
        status = hr_quantity_unsigned(text, &number);
        *number_out = number;
        return status;
    case HR_OPTION_BYTES:
        return hr_quantity_bytes(text, number_out);
    case HR_OPTION_RATE:
        return hr_quantity_rate(text, number_out);
    case HR_OPTION_DURATION:
        return hr_quantity_duration(text, number_out);
    case HR_OPTION_CHOICE:
        return read_choice(option, text, number_out);
    case HR_OPTION_STRING:
    case HR_OPTION_LIST:
        break;
    }
    return HR_INTERNAL; /* no number at all: the caller has asked before */
}

static const char *describe(const hr_option *option)
{
    switch (option->type) {
    case HR_OPTION_FLAG:
        return "yes or no";
    case HR_OPTION_COUNT:
    case HR_OPTION_UNSIGNED:
        return "a whole number";
    case HR_OPTION_BYTES:
        return "a number of bytes such as 64MiB or 1.5G";
    case HR_OPTION_RATE:
        return "bytes per second such as 500M or 1.5GiB/s";
    case HR_OPTION_DURATION:
        return "a duration such as 250ms, 90s or 1h30m";
    case HR_OPTION_STRING:
    case HR_OPTION_LIST:
    case HR_OPTION_CHOICE:
        break;
    }
    return "a value";
}

static hr_status refuse(hr_option_parser *parser, const hr_option *option, const char *where,
                        const char *value)
{
    char quoted[100];
    hr_quote(quoted, sizeof quoted, value, strlen(value));
    if (option->type != HR_OPTION_CHOICE)
        return hr_error_set(parser->error, HR_INVALID, "%s takes %s, not '%s'", where,
                            describe(option), quoted);
    char choices[200] = "";
    for (unsigned i = 0, used = 0; option->choices[i] != NULL && used < sizeof choices; i++)
        used += (unsigned)snprintf(choices + used, sizeof choices - used, "%s%s",
                                   i == 0 ? "" : ", ", option->choices[i]);
    return hr_error_set(parser->error, HR_INVALID, "%s takes one of %s, not '%s'", where, choices,
                        quoted);
}

/* A bound of the table itself is known to be readable. */
static bool is_beyond(const hr_option *option, const char *bound, uint64_t number, int side)
{
    uint64_t limit;
    if (bound == NULL)
        return false;
    hr_status status = read_number(option, bound, &limit);
    assert(status == HR_OK);
    (void)status;
    return side < 0 ? number < limit : number > limit;
}

static hr_status check_range(hr_option_parser *parser, const hr_option *option, const char *where,
                             const char *value, uint64_t number)
{
    bool is_small = is_beyond(option, option->min, number, -1);
    if (!is_small && !is_beyond(option, option->max, number, 1))
        return HR_OK;
    char quoted[100];
    hr_quote(quoted, sizeof quoted, value, strlen(value));
    return hr_error_set(parser->error, HR_INVALID, "%s must be at %s %s, not %s", where,
                        is_small ? "least" : "most", is_small ? option->min : option->max, quoted);
}

static void store_number(const hr_option *option, void *member, bool again, uint64_t number)
{
    if (option->type == HR_OPTION_FLAG)
        *(bool *)member = number != 0;
    else if (option->type == HR_OPTION_COUNT)
        *(unsigned *)member = (unsigned)number + (again ? *(unsigned *)member : 0);
    else if (option->type == HR_OPTION_UNSIGNED || option->type == HR_OPTION_CHOICE)
        *(unsigned *)member = (unsigned)number;
    else
        *(uint64_t *)member = number;
}

static hr_status append(hr_option_parser *parser, const hr_option *option, hr_option_list *list,
                        bool again, const char *where, const char *value)
{
    if (!again)
        list->count = 0;
    if (list->count == HR_OPTION_LIST_MAX)
        return hr_error_set(parser->error, HR_INVALID, "%s may be given at most %d times", where,
                            HR_OPTION_LIST_MAX);
    list->names[list->count] = option->name;
    list->values[list->count++] = value;
    return HR_OK;
}

static bool is_common(const hr_option *option)
{
    for (unsigned i = 0; i < hr_options_common_count; i++) {
        if (option == &hr_options_common[i])
            return true;
    }
    return false;
}

/* Options that share a list come from one place together. */
static void set_layer(hr_option_parser *parser, const hr_option *option, hr_option_layer layer)
{
    const hr_syntax *syntax = parser->syntax;
    for (unsigned i = 0; i < syntax->option_count; i++) {
        const hr_option *other = &syntax->options[i];
        bool shares = option->type == HR_OPTION_LIST && other->type == HR_OPTION_LIST &&
                      other->offset == option->offset;
        if (other == option || shares)
            parser->layers[i] = layer;
    }
}

hr_status hr_option_set(hr_option_parser *parser, const hr_option *option, hr_option_layer layer,
                        const char *where, const char *value)
{
    bool is_number = option->type != HR_OPTION_STRING && option->type != HR_OPTION_LIST;
    uint64_t number = 0;
    if (is_number) {
        hr_status status = read_number(option, value, &number);
        if (status != HR_OK)
            return refuse(parser, option, where, value);
        status = check_range(parser, option, where, value, number);
        if (status != HR_OK)
            return status;
    }
    bool common = is_common(option);
    bool again = false;
    if (!common) {
        hr_option_layer *set_by = &parser->layers[option - parser->syntax->options];
        if (*set_by > layer)
            return HR_OK;
        again = *set_by == layer && layer != HR_LAYER_DEFAULT;
        set_layer(parser, option, layer);
    }
    char *base = common ? (char *)&parser->invocation : parser->values;
    void *member = base + option->offset;
    if (is_number)
        store_number(option, member, again, number);
    else if (option->type == HR_OPTION_STRING)
        *(const char **)member = value;
    else
        return append(parser, option, member, again, where, value);
    return HR_OK;
}
