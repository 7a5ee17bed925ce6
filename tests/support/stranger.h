/* SPDX-License-Identifier: Apache-2.0 */
/* hr_stranger: a TCP peer that says and hears raw bytes, for tests of what a real program does with
 * one that is hostile, slow or something else altogether. IPv4 on loopback. Every wait has a
 * watchdog. */
#ifndef HR_STRANGER_H
#define HR_STRANGER_H

#include <stdbool.h>
#include <stddef.h>

#include "status.h"

#define HR_STRANGER_WATCHDOG_MS 60000

/* "127.0.0.1:7431" -> a connected socket. */
HR_CHECKED hr_status hr_stranger_connect(const char *address, int *fd_out);
/* Listens on a free port; address_out like "127.0.0.1:40123". */
HR_CHECKED hr_status hr_stranger_listen(int *fd_out, char address_out[64]);
HR_CHECKED hr_status hr_stranger_accept(int listener, int *fd_out);
/* An address where nobody listens, and nobody else will: it stays bound as long as this process is.
 */
HR_CHECKED hr_status hr_stranger_unused(char address_out[64]);

/* All or nothing. HR_PEER_LOST: the other end closed. HR_DEADLINE: it does not read. */
HR_CHECKED hr_status hr_stranger_send(int fd, const void *bytes, size_t len);
/* Exactly len bytes. HR_PEER_LOST: the stream ended before. */
HR_CHECKED hr_status hr_stranger_receive(int fd, void *bytes, size_t len);
/* Reads and throws away until the other end closes or resets. False: the watchdog. */
bool hr_stranger_wait_closed(int fd);
/* Ends the connection with a reset instead of an orderly end. */
void hr_stranger_reset(int fd);

#endif
