/* SPDX-License-Identifier: Apache-2.0 */
#include "elements.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"

/* ---- runs ---- */

static int compare_runs(const void *a, const void *b)
{
    const hr_elements_run *left = a, *right = b;
    return left->from < right->from ? -1 : left->from > right->from;
}

/* Brings runs into order and makes one of those that touch and are alike. False: some overlap. */
static bool settle(hr_elements *elements)
{
    hr_elements_run *runs = elements->runs;
    size_t count = 0;
    if (elements->count > 0)
        qsort(runs, elements->count, sizeof *runs, compare_runs);
    for (size_t i = 0; i < elements->count; i++) {
        hr_elements_run *last = count > 0 ? &runs[count - 1] : NULL;
        if (last != NULL && runs[i].from < last->to)
            return false;
        if (last != NULL && runs[i].from == last->to && runs[i].element == last->element)
            last->to = runs[i].to;
        else
            runs[count++] = runs[i];
    }
    elements->count = count;
    return true;
}

static hr_status make_room(hr_elements *elements, const hr_env *env, size_t count)
{
    elements->runs = hr_alloc(env, (count + 1) * sizeof *elements->runs);
    return elements->runs != NULL ? HR_OK : HR_NO_MEMORY;
}

static void forget(hr_elements *elements, const hr_env *env)
{
    hr_elements_fini(elements, env);
    *elements = (hr_elements){0};
}

/* ---- safetensors: a length of 8 bytes, JSON of that length, the tensors ---- */

static hr_element element_of_dtype(const char *dtype)
{
    if (strcmp(dtype, "BF16") == 0)
        return HR_ELEMENT_BF16;
    return strcmp(dtype, "F32") == 0 ? HR_ELEMENT_FP32 : HR_ELEMENT_OTHER;
}

/* {"dtype": "BF16", "shape": [...], "data_offsets": [from, to]}, which count from data_at on. */
static bool read_tensor(json_t *tensor, uint64_t data_at, uint64_t file_len, hr_elements_run *run)
{
    const char *dtype;
    json_int_t from, to;
    if (json_unpack(tensor, "{s:s, s:[I, I!]}", "dtype", &dtype, "data_offsets", &from, &to) != 0 ||
        from < 0 || to < from || (uint64_t)to > file_len - data_at)
        return false;
    run->from = data_at + (uint64_t)from;
    run->to = data_at + (uint64_t)to;
    run->element = element_of_dtype(dtype);
    return true;
}

static bool read_tensors(hr_elements *elements, json_t *table, uint64_t data_at, uint64_t file_len)
{
    const char *name;
    json_t *tensor;
    json_object_foreach(table, name, tensor)
    {
        hr_elements_run run;
        if (strcmp(name, "__metadata__") == 0)
            continue;
        if (!read_tensor(tensor, data_at, file_len, &run))
            return false;
        if (run.to > run.from)
            elements->runs[elements->count++] = run;
    }
    return settle(elements);
}

static hr_status read_safetensors(hr_elements *elements, const hr_env *env, const uint8_t *head,
                                  size_t len, uint64_t file_len)
{
    uint64_t header_len = len > 8 ? hr_get_u64(head) : 0;
    if (header_len < 2 || header_len > len - 8 || head[8] != '{')
        return HR_OK;
    json_error_t ignored;
    json_t *table = json_loadb((const char *)head + 8, (size_t)header_len, 0, &ignored);
    if (!json_is_object(table)) {
        json_decref(table);
        return HR_OK;
    }
    hr_status status = make_room(elements, env, json_object_size(table));
    if (status == HR_OK && read_tensors(elements, table, 8 + header_len, file_len))
        elements->header = "safetensors";
    else
        forget(elements, env);
    json_decref(table);
    return status;
}

/* ---- .npy: a magic, a version, a length, the literal of a Python dictionary, the array ---- */

/* What stands between the quotes after 'descr': as in {'descr': '<f4', ...}. */
static bool find_descr(const uint8_t *text, size_t len, char out[8])
{
    static const char key[] = "'descr':";
    const uint8_t *at = memmem(text, len, key, sizeof key - 1);
    const uint8_t *end = text + len;
    size_t used = 0;
    if (at == NULL)
        return false;
    at += sizeof key - 1;
    while (at < end && *at == ' ')
        at++;
    if (at == end || *at++ != '\'')
        return false;
    while (at < end && *at != '\'' && used < 7)
        out[used++] = (char)*at++;
    out[used] = '\0';
    return at < end && *at == '\'';
}

/* numpy knows no bfloat16: what adds it saves values as two bytes of nothing in particular. */
static hr_element element_of_descr(const char *descr)
{
    if (strcmp(descr, "<V2") == 0 || strcmp(descr, "|V2") == 0)
        return HR_ELEMENT_BF16;
    return strcmp(descr, "<f4") == 0 ? HR_ELEMENT_FP32 : HR_ELEMENT_OTHER;
}

static hr_status read_npy(hr_elements *elements, const hr_env *env, const uint8_t *head, size_t len,
                          uint64_t file_len)
{
    static const uint8_t magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};
    char descr[8];
    if (len < 12 || memcmp(head, magic, sizeof magic) != 0)
        return HR_OK;
    bool first = head[6] == 1; /* later versions have a longer length */
    size_t text_at = first ? 10 : 12,
           text_len = first ? hr_get_u16(head + 8) : hr_get_u32(head + 8);
    if (text_len > len - text_at || !find_descr(head + text_at, text_len, descr))
        return HR_OK;
    hr_status status = make_room(elements, env, 1);
    if (status != HR_OK)
        return status;
    elements->runs[0] = (hr_elements_run){text_at + text_len, file_len, element_of_descr(descr)};
    elements->count = 1;
    elements->header = ".npy";
    return HR_OK;
}

/* ---- the interface ---- */

hr_status hr_elements_read(hr_elements *elements, const hr_env *env, const uint8_t *head,
                           size_t len, uint64_t file_len)
{
    *elements = (hr_elements){0};
    hr_status status = read_safetensors(elements, env, head, len, file_len);
    if (status == HR_OK && elements->header == NULL)
        status = read_npy(elements, env, head, len, file_len);
    return status;
}

void hr_elements_fini(hr_elements *elements, const hr_env *env)
{
    hr_release(env, elements->runs);
    elements->runs = NULL;
}

/* The first run that ends after offset. */
static size_t find_run(const hr_elements *elements, uint64_t offset)
{
    size_t low = 0, high = elements->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (elements->runs[middle].to <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

hr_element hr_elements_at(const hr_elements *elements, uint64_t offset, size_t len)
{
    uint64_t bf16 = 0, fp32 = 0, end = offset + len;
    if (elements->header == NULL)
        return HR_ELEMENT_UNKNOWN;
    for (size_t i = find_run(elements, offset); i < elements->count; i++) {
        const hr_elements_run *run = &elements->runs[i];
        if (run->from >= end)
            break;
        uint64_t from = run->from > offset ? run->from : offset;
        uint64_t held = hr_min_u64(run->to, end) - from;
        bf16 += run->element == HR_ELEMENT_BF16 ? held : 0;
        fp32 += run->element == HR_ELEMENT_FP32 ? held : 0;
    }
    if (bf16 == 0 && fp32 == 0)
        return HR_ELEMENT_OTHER;
    return fp32 > bf16 ? HR_ELEMENT_FP32 : HR_ELEMENT_BF16;
}
