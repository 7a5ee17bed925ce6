/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the faulty transport share. */
#ifndef HR_FAULT_H
#define HR_FAULT_H

#include "transport.h"

typedef struct hr_fault {
    hr_transport base;
    hr_transport *inner;
    hr_transport_faults faults;
    uint64_t random, calls;
} hr_fault;

uint64_t hr_fault_random(hr_fault *fault);
/* True in chance of 65536 cases. */
bool hr_fault_happens(hr_fault *fault, uint16_t chance);
/* Counts a call that can fail; true if this one does. */
bool hr_fault_is_due(hr_fault *fault, const char *name);
/* When something delayed happens. */
uint64_t hr_fault_delayed_until_ns(hr_fault *fault);

hr_status hr_fault_channel_connect(hr_transport *transport, const char *address,
                                   const hr_greeting *greeting, const hr_channel_events *events,
                                   void *context, hr_channel **channel_out);
hr_status hr_fault_channel_adopt(hr_transport *transport, hr_incoming *incoming,
                                 const hr_channel_events *events, void *context,
                                 hr_channel **channel_out);
hr_status hr_fault_channel_send(hr_channel *channel, const void *bytes, size_t len);
void hr_fault_channel_close(hr_channel *channel);
void hr_fault_channel_destroy(hr_channel *channel);

hr_status hr_fault_link_connect(hr_transport *transport, const char *address, unsigned rail,
                                const hr_greeting *greeting, const hr_link_events *events,
                                void *context, hr_link **link_out);
hr_status hr_fault_link_adopt(hr_transport *transport, hr_incoming *incoming,
                              const hr_link_events *events, void *context, hr_link **link_out);
void hr_fault_link_aim(hr_link *link, const hr_link_ring *ring);
void hr_fault_link_write(hr_link *link, hr_link_write *write);
hr_status hr_fault_link_arm(hr_link *link, hr_place *place);
bool hr_fault_link_disarm(hr_link *link, hr_place *place);
bool hr_fault_link_peek(hr_link *link, uint64_t transfer, uint32_t chunk, uint32_t generation,
                        hr_span *span_out);
void hr_fault_link_close(hr_link *link);
void hr_fault_link_destroy(hr_link *link);

#endif
