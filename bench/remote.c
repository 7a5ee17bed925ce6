/* SPDX-License-Identifier: Apache-2.0 */
#include "remote.h"

#include <stdio.h>
#include <string.h>

#include "demand.h"
#include "env.h"
#include "line.h"
#include "tool_output.h"

#define START_NS (600 * HR_NS_PER_S) /* a login, and the making of files */
#define STOP_NS  (60 * HR_NS_PER_S)  /* their removal */

static void name_words(hr_bench_launch_words *words, const hr_bench_settings *settings,
                       unsigned verb)
{
    *words = (hr_bench_launch_words){.count = 0};
    hr_bench_words_add(words, "serve", NULL);
    hr_bench_words_add(words, "--directory", settings->directory);
    hr_bench_words_add(words, "--listen",
                       settings->listen != NULL ? settings->listen : "0.0.0.0:0");
    hr_bench_words_add_trust(words, settings);
    if (verb != HR_BENCH_LOADER) {
        uint64_t len = verb == HR_BENCH_TRANSFER ? settings->size : settings->shard_len;
        hr_bench_words_add_number(words, "--shard", len, "");
        return;
    }
    hr_bench_words_add(words, "--trains", NULL);
    hr_bench_words_add_number(words, "--size", settings->size, "");
    hr_bench_words_add(words, "--codec", hr_bench_codec_names[settings->codec]);
    hr_bench_words_add_demand(words, settings);
}

static bool are_same(const hr_bench_launch_words *a, const hr_bench_launch_words *b)
{
    bool same = a->count == b->count;
    for (unsigned i = 0; same && i < a->count; i++)
        same = strcmp(a->list[i], b->list[i]) == 0;
    return same;
}

/* It says where it listens, which is everywhere; how it is reached we know. */
static hr_status name_source(hr_bench_remote *remote, const hr_bench_settings *settings,
                             unsigned verb, hr_error *error)
{
    const char *line;
    char host[256];
    unsigned port = 0;
    hr_status status = hr_bench_child_line(&remote->server, START_NS, &line, error);
    if (status == HR_OK)
        status = hr_bench_port_read(line, "serving", &port, error);
    hr_bench_line_host(settings->host, host);
    snprintf(remote->source, sizeof remote->source,
             strchr(host, ':') != NULL ? "hr://[%.200s]:%u/shards/%s" : "hr://%.200s:%u/shards/%s",
             host, port, verb == HR_BENCH_LOADER ? "tree" : "small");
    return status;
}

hr_status hr_bench_remote_start(hr_bench_remote *remote, const hr_bench_settings *settings,
                                unsigned verb, hr_error *error)
{
    hr_bench_launch_words words;
    name_words(&words, settings, verb);
    if (remote->server.name != NULL && are_same(&words, &remote->words))
        return HR_OK;
    hr_bench_remote_stop(remote);
    name_words(&remote->words, settings, verb);
    hr_status status =
        hr_bench_launch(&remote->server, settings, settings->host, remote->words.list, error);
    if (status == HR_OK)
        status = name_source(remote, settings, verb, error);
    if (status != HR_OK)
        hr_bench_remote_stop(remote);
    return status;
}

void hr_bench_remote_stop(hr_bench_remote *remote)
{
    hr_bench_child_leave(&remote->server, STOP_NS);
    hr_bench_child_stop(&remote->server);
}
