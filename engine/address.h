/* SPDX-License-Identifier: Apache-2.0 */
/* What the address of a server says by itself: "host:port" or "unix:/path". Pure. */
#ifndef HR_ADDRESS_H
#define HR_ADDRESS_H

#include <stdbool.h>

/* Only this machine can reach it. */
bool hr_address_is_loopback(const char *address);
/* "unix:/path": a socket of the file system. */
bool hr_address_is_file(const char *address);

#endif
