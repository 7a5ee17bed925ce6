/* SPDX-License-Identifier: Apache-2.0 */
/* The data links of a client: asking for tickets, opening, telling keys, choosing rails, opening
 * again what died. Part of hr_client; on worker 0. */
#ifndef HR_LINKS_H
#define HR_LINKS_H

#include "client.h"

/* Those that are wanted, less those that the server has no room for. */
unsigned hr_links_count(const struct hr_client *client);

void hr_links_init(struct hr_client *client, unsigned wanted);
/* Once: of which NICs there is a choice, for a target as in hr_client_options. */
HR_CHECKED hr_status hr_links_look_out(struct hr_client *client, const char *target);
/* All idle ones at once, when no tickets are under way. */
void hr_links_open(struct hr_client *client);
void hr_links_take_tickets(struct hr_client *client, const hr_message_tickets *tickets);
void hr_links_take_joined(struct hr_client *client, const hr_message_joined *joined);
void hr_links_take_parted(struct hr_client *client, const hr_message_parted *parted);
/* Closes all, and what was exposed for them; again and again until it is over. */
void hr_links_close(struct hr_client *client);
/* Nothing of any link is under way, and nothing is exposed. */
bool hr_links_are_over(const struct hr_client *client);

#endif
