/* SPDX-License-Identifier: Apache-2.0 */
#include "transfer_parts.h"

#include <stdio.h>
#include <string.h>

#include "codec.h"

/* The shard's name for a sentence. */
const char *hr_transfer_shown(const hr_transfer *transfer, char *buffer, size_t len)
{
    return hr_quote(buffer, len, transfer->path, strlen(transfer->path));
}

static void start_opening(hr_transfer *transfer, hr_client *client,
                          const hr_transfer_events *events, void *context)
{
    transfer->client = client;
    transfer->env = client->env;
    transfer->events = events;
    transfer->context = context;
    transfer->number = ++client->next_transfer;
    transfer->timer.fire = hr_transfer_fire;
    transfer->state = HR_TRANSFER_OPENING;
    transfer->unanswered = true;
    hr_list_append(&client->transfers, &transfer->node);
}

void hr_transfer_open_bundles(hr_transfer *transfer, hr_client *client,
                              const hr_message_open_bundles *open, hr_bundles *bundles,
                              const hr_transfer_events *events, void *context)
{
    start_opening(transfer, client, events, context);
    snprintf(transfer->path, sizeof transfer->path, "%.*s", (int)open->path.len,
             (const char *)open->path.at);
    transfer->target.bundles = bundles;
    hr_message message = {.kind = HR_MESSAGE_OPEN_BUNDLES, .open_bundles = *open};
    message.open_bundles.transfer = transfer->number;
    hr_client_send(client, &message);
}

void hr_transfer_open(hr_transfer *transfer, hr_client *client, const char *path,
                      const hr_transfer_events *events, void *context)
{
    start_opening(transfer, client, events, context);
    snprintf(transfer->path, sizeof transfer->path, "%s", path);
    hr_client_send(client,
                   &(hr_message){
                       .kind = HR_MESSAGE_OPEN,
                       .open = {.transfer = transfer->number,
                                .path = hr_bytes_make(transfer->path, strlen(transfer->path)),
                                .content = transfer->content,
                                .listed = transfer->listed},
                   });
}

/* What is to be known of a packed shard. */
static bool take_packing(hr_transfer *transfer, const hr_message_opened *opened)
{
    transfer->codec = opened->codec;
    transfer->stored_len = opened->stored_len;
    if (opened->codec == HR_CODEC_STORED)
        return true;
    hr_status status = hr_engine_decoders(transfer->client->engine, &transfer->target.decoders);
    if (status == HR_OK && opened->direct.len > 0) {
        transfer->uncompressed = hr_alloc(transfer->env, opened->direct.len);
        status = transfer->uncompressed == NULL ? HR_NO_MEMORY : HR_OK;
    }
    if (status != HR_OK) {
        hr_transfer_end(transfer, status, "getting ready to decode: %s", hr_status_text(status));
        return false;
    }
    if (opened->direct.len > 0)
        memcpy(transfer->uncompressed, opened->direct.at, opened->direct.len);
    return true;
}

/* The server decides how an export is protected. False: it cannot be fetched so. */
static bool take_key(hr_transfer *transfer, const hr_message_opened *opened)
{
    char name[200];
    hr_client *client = transfer->client;
    if (opened->cipher == HR_CIPHER_NONE && client->requires_aead) {
        hr_transfer_end(transfer, HR_UNSUPPORTED,
                        "%s is served in clear, and aead is required: the server protects an "
                        "export with --protect NAME=aead",
                        hr_transfer_shown(transfer, name, sizeof name));
        return false;
    }
    if (opened->cipher == HR_CIPHER_NONE)
        return true;
    hr_status status = hr_seal_derive(client->control.filter, opened->cipher, transfer->number,
                                      opened->salt, &transfer->key);
    if (status == HR_UNSUPPORTED)
        hr_transfer_end(transfer, status, "%s comes in cipher %u, which this build cannot read",
                        hr_transfer_shown(transfer, name, sizeof name), opened->cipher);
    else if (status != HR_OK)
        hr_transfer_end(transfer, status, "getting the key of %s: %s",
                        hr_transfer_shown(transfer, name, sizeof name), hr_status_text(status));
    return status == HR_OK;
}

void hr_transfer_take_opened(hr_transfer *transfer, const hr_message_opened *opened)
{
    bool is_bundles = transfer->target.bundles != NULL;
    transfer->unanswered = false;
    if (opened->status == HR_OK && (opened->type == HR_NODE_REGULAR || is_bundles))
        transfer->server_open = true;
    if (transfer->state != HR_TRANSFER_OPENING)
        return;
    if (opened->status != HR_OK) {
        hr_transfer_end(transfer, opened->status, "%.*s", (int)opened->text.len,
                        (const char *)opened->text.at);
        return;
    }
    if (is_bundles && opened->type != HR_NODE_DIRECTORY) {
        hr_transfer_end(transfer, HR_PROTOCOL, "the server opened a file where bundles were meant");
        return;
    }
    char name[200];
    if (hr_codec_find(opened->codec) == NULL ||
        (opened->codec != HR_CODEC_STORED && !transfer->content)) {
        hr_transfer_end(transfer, HR_UNSUPPORTED,
                        "%s comes in codec %u, which this build cannot read, or was not asked for",
                        hr_transfer_shown(transfer, name, sizeof name), opened->codec);
        return;
    }
    if (opened->text.len > 0)
        hr_log(transfer->env, HR_LOG_WARN, "%s comes as it is: %.*s",
               hr_transfer_shown(transfer, name, sizeof name), (int)opened->text.len,
               (const char *)opened->text.at);
    if (!take_packing(transfer, opened) ||
        ((opened->type == HR_NODE_REGULAR || is_bundles) && !take_key(transfer, opened)))
        return;
    transfer->state = HR_TRANSFER_OPENED;
    transfer->is_directory = opened->type == HR_NODE_DIRECTORY;
    transfer->size = opened->size;
    transfer->mtime_ns = opened->mtime_ns;
    transfer->mode = opened->mode;
    transfer->uid = opened->uid;
    transfer->gid = opened->gid;
    transfer->sparse = opened->sparse;
    transfer->chunk_len = opened->chunk_len;
    memcpy(transfer->identity, opened->identity, HR_IDENTITY_LEN);
    transfer->events->opened(transfer->context, transfer);
}
