/* SPDX-License-Identifier: Apache-2.0 */
/* hr_liar: a transport whose owner has authenticated and then lies: of the messages that it sends
 * and of the chunks that it writes some are changed, field by field, as a script of bytes says. For
 * a world's wrap_transport. One script at a time, of one side. */
#ifndef HR_LIAR_H
#define HR_LIAR_H

#include <stddef.h>
#include <stdint.h>

#include "message.h"
#include "transport.h"

/* The bytes stay the caller's. When they are used up nobody lies any more. */
void hr_liar_script(hr_side liar, const uint8_t *bytes, size_t len);
/* How often it lied. */
unsigned hr_liar_count(void);

HR_CHECKED hr_status hr_liar_client(hr_transport *inner, hr_transport **transport_out);
HR_CHECKED hr_status hr_liar_server(hr_transport *inner, hr_transport **transport_out);

#endif
