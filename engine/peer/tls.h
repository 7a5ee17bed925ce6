/* SPDX-License-Identifier: Apache-2.0 */
/* The filter that is TLS 1.3, over memory BIOs: no sockets, no session tickets, no early data. */
#ifndef HR_TLS_H
#define HR_TLS_H

#include "filter.h"
#include "identity.h"

/* host: the name that a server's certificate must have (a client's filter; else NULL). */
HR_CHECKED hr_status hr_filter_tls_create(const hr_env *env, const hr_identity *identity,
                                          hr_side side, const char *host,
                                          const hr_filter_sink *sink, hr_filter **filter_out);

#define HR_TLS_ALERT_LEN 7
/* The record that tells a client, before there are keys, why it is not answered: HR_UNSUPPORTED,
 * or what may pass. Nobody has signed it. */
void hr_tls_alert(hr_status status, uint8_t alert_out[HR_TLS_ALERT_LEN]);

#endif
