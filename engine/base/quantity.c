/* SPDX-License-Identifier: Apache-2.0 */
#include "quantity.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>

/* Nine decimals are enough for a nanosecond in seconds; further ones are read and dropped. */
#define DECIMALS_MAX 9

/* What stands before a unit: digits / 10^decimals. */
typedef struct number {
    uint64_t digits;
    unsigned decimals;
} number;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static hr_status take_number(const char **text, number *number_out)
{
    number taken = {0};
    const char *at = *text;
    bool point = false;
    if (!is_digit(*at))
        return HR_INVALID;
    for (; is_digit(*at) || (*at == '.' && !point && is_digit(at[1])); at++) {
        if (*at == '.') {
            point = true;
            continue;
        }
        if (point && taken.decimals == DECIMALS_MAX)
            continue;
        unsigned digit = (unsigned)(*at - '0');
        if (taken.digits > (UINT64_MAX - digit) / 10)
            return HR_LIMIT;
        taken.digits = taken.digits * 10 + digit;
        taken.decimals += point;
    }
    *text = at;
    *number_out = taken;
    return HR_OK;
}

static hr_status scale(number from, uint64_t factor, uint64_t *value_out)
{
    unsigned __int128 value = (unsigned __int128)from.digits * factor;
    for (unsigned i = 0; i < from.decimals; i++)
        value /= 10;
    if (value > UINT64_MAX)
        return HR_LIMIT;
    /* A zero often means "none": a tiny number must not turn into it. */
    if (value == 0 && from.digits != 0)
        return HR_INVALID;
    *value_out = (uint64_t)value;
    return HR_OK;
}

/* Takes "", "B", "K", "KB", "KiB" and so on. */
static uint64_t take_byte_unit(const char **text)
{
    static const char prefixes[] = "KMGTP";
    const char *at = *text;
    uint64_t factor = 1;
    char upper = *at == 'k' || *at == 'm' || *at == 'g' || *at == 't' || *at == 'p'
                     ? (char)(*at - 'a' + 'A')
                     : *at;
    const char *prefix = upper != '\0' ? strchr(prefixes, upper) : NULL;
    if (prefix != NULL) {
        at++;
        bool binary = at[0] == 'i' && at[1] == 'B';
        at += binary;
        for (const char *step = prefixes; step <= prefix; step++)
            factor *= binary ? 1024 : 1000;
    }
    at += *at == 'B';
    *text = at;
    return factor;
}

static hr_status bytes_until(const char *text, const char *end, uint64_t *bytes_out)
{
    number taken;
    hr_status status = take_number(&text, &taken);
    if (status != HR_OK)
        return status;
    text += text[0] == ' ' && text[1] != '\0';
    uint64_t factor = take_byte_unit(&text);
    if (*text != '\0' && strcmp(text, end) != 0)
        return HR_INVALID;
    return scale(taken, factor, bytes_out);
}

hr_status hr_quantity_bytes(const char *text, uint64_t *bytes_out)
{
    return bytes_until(text, "", bytes_out);
}

hr_status hr_quantity_rate(const char *text, uint64_t *bytes_per_s_out)
{
    return bytes_until(text, "/s", bytes_per_s_out);
}

/* Nanoseconds of the unit that text starts with; 0 if it starts with none. */
static uint64_t take_time_unit(const char **text)
{
    /* The longer ones first: m is also the start of ms. */
    static const struct {
        const char *name;
        uint64_t ns;
    } units[] = {
        {"ns", 1},         {"us", 1000},       {"ms", 1000000},
        {"s", 1000000000}, {"m", 60000000000}, {"h", 3600000000000},
    };
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        size_t len = strlen(units[i].name);
        if (strncmp(*text, units[i].name, len) == 0) {
            *text += len;
            return units[i].ns;
        }
    }
    return 0;
}

hr_status hr_quantity_duration(const char *text, uint64_t *ns_out)
{
    uint64_t sum = 0;
    const char *start = text;
    do {
        bool first = text == start;
        number taken;
        hr_status status = take_number(&text, &taken);
        if (status != HR_OK)
            return status;
        bool bare = first && *text == '\0';
        uint64_t factor = bare ? 1000000000 : take_time_unit(&text);
        uint64_t part;
        if (factor == 0)
            return HR_INVALID;
        status = scale(taken, factor, &part);
        if (status != HR_OK)
            return status;
        if (part > UINT64_MAX - sum)
            return HR_LIMIT;
        sum += part;
    } while (*text != '\0');
    *ns_out = sum;
    return HR_OK;
}

hr_status hr_quantity_unsigned(const char *text, unsigned *number_out)
{
    number taken;
    hr_status status = take_number(&text, &taken);
    if (status != HR_OK)
        return status;
    if (*text != '\0' || taken.decimals != 0)
        return HR_INVALID;
    if (taken.digits > UINT_MAX)
        return HR_LIMIT;
    *number_out = (unsigned)taken.digits;
    return HR_OK;
}
