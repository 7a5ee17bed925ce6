/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of hr_session share: session.c speaks on the channel and ends, session_open.c
 * opens what a client asks for, session_source.c closes it, session_link.c adopts links and takes
 * what is granted over them. */
#ifndef HR_SESSION_PARTS_H
#define HR_SESSION_PARTS_H

#include "session.h"

/* Frees the session, in time, once nothing of it is under way. To be called after whatever ended.
 */
void hr_session_end_if_over(hr_session *session);

/* session_open.c: each answers with opened, now or later. */
void hr_session_take_open(hr_session *session, const hr_message_open *open);
void hr_session_take_open_bundles(hr_session *session, const hr_message_open_bundles *open);

/* session_source.c */
/* NULL: no transfer of this number is open. */
hr_source *hr_session_find_source(hr_session *session, uint64_t transfer);
/* Of a source whose file is closed or was never opened. */
void hr_session_free_source(hr_source *source);
/* Detaches the file wherever it is attached, closes it, and frees the source. */
void hr_session_close_file(hr_source *source);
/* Answers a close that was waiting for the last shipment. */
void hr_session_settle_source(hr_source *source);
void hr_session_take_close(hr_session *session, uint64_t transfer);
void hr_session_take_cancel(hr_session *session, uint64_t transfer);
void hr_session_release_sources(hr_session *session);

/* session_link.c */
void hr_session_take_keys(hr_session *session, const hr_message_keys *keys);
void hr_session_take_grant(hr_session *session, const hr_grant *grant);
void hr_session_take_parted(hr_session *session, uint32_t link);

#endif
