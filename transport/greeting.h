/* SPDX-License-Identifier: Apache-2.0 */
/* hr_greeting: the 64 bytes that open a connection without TLS: a data link (always), or a channel
 * of a server that was told --insecure. Layout: docs/PROTOCOL.md. Pure. */
#ifndef HR_GREETING_H
#define HR_GREETING_H

#include <stdint.h>

#include "status.h"

#define HR_GREETING_LEN 64
#define HR_TICKET_LEN   32

typedef enum hr_greeting_kind {
    HR_GREETING_CHANNEL = 1,
    HR_GREETING_LINK = 2,
    HR_GREETING_TLS = 3, /* none was sent, a TLS record was: a channel. Never on the wire */
} hr_greeting_kind;

typedef struct hr_greeting {
    hr_greeting_kind kind;
    uint16_t major; /* of the protocol */
    uint64_t session;
    uint32_t link;                 /* the client's number for it */
    uint8_t ticket[HR_TICKET_LEN]; /* zero for a channel */
} hr_greeting;

void hr_greeting_pack(const hr_greeting *greeting, uint8_t bytes_out[HR_GREETING_LEN]);
/* HR_PROTOCOL: not a greeting. The major is not judged here: the session says a sentence with both
 * numbers. */
HR_CHECKED hr_status hr_greeting_unpack(const uint8_t bytes[HR_GREETING_LEN],
                                        hr_greeting *greeting_out);

#endif
