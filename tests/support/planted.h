/* SPDX-License-Identifier: Apache-2.0 */
/* Bugs to plant in a simulated world, as wrappers of its seams: what the simulator does not find in
 * them it would not find in the engine either. */
#ifndef HR_PLANTED_H
#define HR_PLANTED_H

#include "storage_memory.h"
#include "transport.h"

/* fdatasync says that it has synced, and has not. */
HR_CHECKED hr_status hr_planted_lying_sync(hr_storage *inner, hr_storage **storage_out);
/* The fsync of the directory, after the rename, is left out. */
HR_CHECKED hr_status hr_planted_no_directory_sync(hr_storage *inner, hr_storage **storage_out);
/* What one run has locked another one may write too. */
HR_CHECKED hr_status hr_planted_no_lock(hr_storage *inner, hr_storage **storage_out);
/* A failed fdatasync is taken for a good one. */
HR_CHECKED hr_status hr_planted_sync_error_ignored(hr_storage *inner, hr_storage **storage_out);
/* So is a failed write. */
HR_CHECKED hr_status hr_planted_write_error_ignored(hr_storage *inner, hr_storage **storage_out);
/* The file gets its name first, and is synced then. */
HR_CHECKED hr_status hr_planted_rename_before_sync(hr_storage *inner, hr_storage **storage_out);
/* Nothing is removed. */
HR_CHECKED hr_status hr_planted_no_removal(hr_storage *inner, hr_storage **storage_out);
/* The server does not see that a file became another one. */
HR_CHECKED hr_status hr_planted_blind_source(hr_storage *inner, hr_storage **storage_out);
/* The client does not compare digests: what lands is what it expects. */
HR_CHECKED hr_status hr_planted_no_comparison(hr_transport *inner, hr_transport **transport_out);
/* The same receipt is accepted twice. */
HR_CHECKED hr_status hr_planted_receipt_twice(hr_transport *inner, hr_transport **transport_out);
/* Neither transfer nor generation of a receipt are compared: what an old grant brought for a chunk
 * is taken for what the new one asked for. */
HR_CHECKED hr_status hr_planted_generation_ignored(hr_transport *inner,
                                                   hr_transport **transport_out);
/* The sender digests what it has spoilt, so that it matches. */
HR_CHECKED hr_status hr_planted_digest_of_damage(hr_transport *inner, hr_transport **transport_out);
/* No fence: a payload lands in a place whose link is down, and whose memory is its owner's again.
 * Only for places in memory that outlives the engine. */
HR_CHECKED hr_status hr_planted_late_landing(hr_transport *inner, hr_transport **transport_out);

/* Sends and writes by these instead of the inner transport's own, which they find in the transport
 * of the channel or the link. write may be NULL. */
HR_CHECKED hr_status hr_planted_transport(
    hr_transport *inner, hr_status (*send)(hr_channel *channel, const void *bytes, size_t len),
    void (*write)(hr_link *link, hr_link_write *write), hr_transport **transport_out);

#endif
