/* SPDX-License-Identifier: Apache-2.0 */
#include "address.h"

#include <string.h>

bool hr_address_is_file(const char *address)
{
    return strncmp(address, "unix:", 5) == 0;
}

/* A name that only begins like an address of loopback may lead anywhere. */
bool hr_address_is_loopback(const char *address)
{
    size_t digits = strspn(address, "0123456789.");
    return (strncmp(address, "127.", 4) == 0 && address[digits] == ':') ||
           strncmp(address, "[::1]:", 6) == 0 || strncmp(address, "localhost:", 10) == 0;
}
