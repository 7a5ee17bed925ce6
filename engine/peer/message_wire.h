/* SPDX-License-Identifier: Apache-2.0 */
/* Between hr_message and what protoc-c makes of headrace.proto: for the message files only. Pure.
 */
#ifndef HR_MESSAGE_WIRE_H
#define HR_MESSAGE_WIRE_H

#include <headrace.pb-c.h>
#include <stdbool.h>

#include "message.h"

/* The one member of an envelope that is being packed. */
typedef union hr_message_body {
    Headrace__Hello hello;
    Headrace__Welcome welcome;
    Headrace__List list;
    Headrace__Entries entries;
    Headrace__Open open;
    Headrace__OpenBundles open_bundles;
    Headrace__Opened opened;
    Headrace__Keys keys;
    Headrace__Tickets tickets;
    Headrace__Joined joined;
    Headrace__Parted parted;
    Headrace__Grants grants;
    Headrace__Failed failed;
    Headrace__Transfer transfer;
    Headrace__Closed closed;
    Headrace__Error error;
    Headrace__Ping ping;
    Headrace__Digest digest;
    Headrace__Digested digested;
} hr_message_body;

/* Both borrow the bytes of the other side and take arrays from the arena. False: the arena is used
 * up, or (from the wire) a field of fixed length has another one. */
HR_CHECKED bool hr_message_to_wire(const hr_message *message, hr_arena *arena,
                                   hr_message_body *body, Headrace__Envelope *envelope);
HR_CHECKED bool hr_message_from_wire(const Headrace__Envelope *envelope, hr_arena *arena,
                                     hr_message *message);

#endif
