/* SPDX-License-Identifier: Apache-2.0 */
/* The reader's side: payloads come by themselves; a receipt in the ring says which. */
#include <arpa/inet.h>
#include <string.h>

#include "verbs.h"

hr_status hr_verbs_link_arm(hr_link *base, hr_place *place)
{
    hr_verbs_link *link = (hr_verbs_link *)base;
    return link->ending ? HR_PEER_LOST : hr_places_arm(&link->places, place);
}

bool hr_verbs_link_disarm(hr_link *base, hr_place *place)
{
    return hr_places_disarm(&((hr_verbs_link *)base)->places, place);
}

void hr_verbs_take_receipt(hr_verbs_link *link, const struct ibv_wc *wc)
{
    uint8_t bytes[HR_RECEIPT_LEN];
    hr_receipt receipt;
    hr_place *place;
    uint32_t index = link->received % HR_VERBS_RING_LEN;
    if ((wc->wc_flags & IBV_WC_WITH_IMM) == 0 || ntohl(wc->imm_data) != index) {
        hr_verbs_link_end(link, HR_PROTOCOL);
        return;
    }
    link->received++;
    /* Out of the ring once: what a peer changes there later is not looked at. */
    memcpy(bytes, link->connection.receipts + (size_t)index * HR_RECEIPT_LEN, HR_RECEIPT_LEN);
    if (hr_receipt_unpack(bytes, &receipt) != HR_OK ||
        hr_places_take(&link->places, &receipt, &place) != HR_OK) {
        hr_verbs_link_end(link, HR_PROTOCOL);
        return;
    }
    /* Before the caller may grant again: each grant has its receive. */
    if (hr_verbs_post_receive(&link->connection) != 0)
        hr_verbs_link_end(link, HR_IO);
    link->base.events->landed(link->base.context, place, &receipt);
}
