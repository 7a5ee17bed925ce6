/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of hr_server: listens, gives each channel a session, brings links to theirs. */
#ifndef HR_SERVER_H
#define HR_SERVER_H

#include "engine.h"
#include "session.h"
#include "store.h"

/* A server that is reached within the process only: what an embedded client asks. settled is called
 * once, when its status is no longer HR_AGAIN. */
HR_CHECKED hr_status hr_server_open_inproc(hr_engine *engine, const hr_export *export,
                                           void (*settled)(void *context), void *context,
                                           hr_server **server_out, hr_error *error);
/* Ends it without stepping the engine: closed is called when it is gone and freed. */
void hr_server_close(hr_server *server, void (*closed)(void *context), void *context);

#endif
