/* SPDX-License-Identifier: Apache-2.0 */
#include "greeting.h"

#include <string.h>

#include "bytes.h"

/* The first byte is not 0x16, with which a TLS connection begins. */
static const uint8_t magic[8] = {'H', 'E', 'A', 'D', 'R', 'A', 'C', 'E'};
static const uint8_t zeros[HR_TICKET_LEN];

/* Where each field begins. */
enum {
    AT_MAGIC = 0,
    AT_MAJOR = 8,
    AT_KIND = 10,
    AT_RESERVED_8 = 11,
    AT_LINK = 12,
    AT_SESSION = 16,
    AT_TICKET = 24,
    AT_RESERVED_64 = 56,
};

_Static_assert(AT_TICKET + HR_TICKET_LEN == AT_RESERVED_64, "the ticket has 32 bytes");
_Static_assert(AT_RESERVED_64 + 8 == HR_GREETING_LEN, "a greeting has 64 bytes");

void hr_greeting_pack(const hr_greeting *greeting, uint8_t bytes_out[HR_GREETING_LEN])
{
    memcpy(bytes_out + AT_MAGIC, magic, sizeof magic);
    hr_put_u16(bytes_out + AT_MAJOR, greeting->major);
    bytes_out[AT_KIND] = (uint8_t)greeting->kind;
    bytes_out[AT_RESERVED_8] = 0;
    hr_put_u32(bytes_out + AT_LINK, greeting->link);
    hr_put_u64(bytes_out + AT_SESSION, greeting->session);
    memcpy(bytes_out + AT_TICKET, greeting->ticket, HR_TICKET_LEN);
    hr_put_u64(bytes_out + AT_RESERVED_64, 0);
}

hr_status hr_greeting_unpack(const uint8_t bytes[HR_GREETING_LEN], hr_greeting *greeting_out)
{
    if (memcmp(bytes + AT_MAGIC, magic, sizeof magic) != 0)
        return HR_PROTOCOL;
    if (bytes[AT_RESERVED_8] != 0 || hr_get_u64(bytes + AT_RESERVED_64) != 0)
        return HR_PROTOCOL;
    uint8_t kind = bytes[AT_KIND];
    if (kind != HR_GREETING_CHANNEL && kind != HR_GREETING_LINK)
        return HR_PROTOCOL;
    if (kind == HR_GREETING_CHANNEL && memcmp(bytes + AT_TICKET, zeros, HR_TICKET_LEN) != 0)
        return HR_PROTOCOL;
    *greeting_out = (hr_greeting){
        .kind = (hr_greeting_kind)kind,
        .major = hr_get_u16(bytes + AT_MAJOR),
        .session = hr_get_u64(bytes + AT_SESSION),
        .link = hr_get_u32(bytes + AT_LINK),
    };
    memcpy(greeting_out->ticket, bytes + AT_TICKET, HR_TICKET_LEN);
    return HR_OK;
}
