/* SPDX-License-Identifier: Apache-2.0 */
/* Brings one file of a server into memory of this program's, verified:
 *
 *     into_memory storage:7431 corpus/shard-0001.tar
 *
 * Built with `pkg-config --cflags --libs headrace`, or with the CMakeLists.txt beside it. */
#include <headrace/headrace.h>
#include <stdio.h>
#include <stdlib.h>

static int explain(const char *what, hr_status status, const hr_error *error)
{
    fprintf(stderr, "into_memory: %s: %s\n", what,
            error->text[0] != '\0' ? error->text : hr_status_text(status));
    return hr_status_exit_code(status);
}

/* A file lists itself: that is how its size is known. */
static hr_status find_size(hr_engine *engine, hr_client *client, const char *path,
                           uint64_t *size_out, hr_error *error)
{
    hr_listing *listing = NULL;
    hr_entry entry;
    hr_status status = hr_listing_open(client, path, &listing, error);
    if (status != HR_OK)
        return status;
    bool found = false;
    while (!found && (status = hr_listing_status(listing)) == HR_AGAIN) {
        found = hr_listing_next(listing, &entry);
        if (!found)
            hr_engine_step(engine, HR_WAIT_FOREVER);
    }
    if (found && entry.type == HR_ENTRY_FILE) {
        *size_out = entry.size;
        status = HR_OK;
    } else if (status == HR_OK || found) {
        status = HR_IS_DIRECTORY;
    } else {
        *error = *hr_listing_error(listing);
    }
    hr_listing_destroy(listing);
    return status;
}

static hr_status bring(hr_engine *engine, hr_client *client, const char *path, hr_span memory,
                       hr_error *error)
{
    hr_get *get = NULL;
    hr_get_options options = {.path = path, .target_span = memory};
    hr_status status = hr_get_start(client, &options, &get, error);
    if (status != HR_OK)
        return status;
    while ((status = hr_get_status(get)) == HR_AGAIN)
        hr_engine_step(engine, HR_WAIT_FOREVER);
    if (status == HR_OK)
        printf("%zu bytes of %s lie at %p, verified: %s\n", memory.len, path, memory.addr,
               hr_get_path(get));
    else
        *error = *hr_get_error(get);
    hr_get_destroy(get);
    return status;
}

static int run(hr_engine *engine, hr_client *client, const char *path)
{
    hr_error error = {.status = HR_OK};
    uint64_t size = 0;
    hr_status status = find_size(engine, client, path, &size, &error);
    if (status != HR_OK)
        return explain(path, status, &error);
    void *memory = malloc(size > 0 ? size : 1);
    if (memory == NULL)
        return explain(path, HR_NO_MEMORY, &error);
    status = bring(engine, client, path, hr_span_host(memory, size), &error);
    free(memory);
    return status == HR_OK ? EXIT_SUCCESS : explain(path, status, &error);
}

int main(int argc, char **argv)
{
    hr_error error = {.status = HR_OK};
    hr_engine *engine = NULL;
    hr_client *client = NULL;
    if (argc != 3) {
        fprintf(stderr, "usage: into_memory HOST:PORT EXPORT/PATH\n");
        return 2;
    }
    hr_engine_options engine_options = {.workers = 1};
    hr_status status = hr_engine_create(&engine_options, &engine, &error);
    if (status != HR_OK)
        return explain("starting", status, &error);
    hr_client_options client_options = {.address = argv[1]};
    status = hr_client_open(engine, &client_options, &client, &error);
    int result = status == HR_OK ? run(engine, client, argv[2]) : explain(argv[1], status, &error);
    hr_client_destroy(client);
    hr_engine_destroy(engine);
    return result;
}
