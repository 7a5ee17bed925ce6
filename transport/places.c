/* SPDX-License-Identifier: Apache-2.0 */
#include "places.h"

void hr_places_init(hr_places *places)
{
    hr_list_init(&places->armed);
    places->count = 0;
    places->gpu = false;
}

hr_status hr_places_arm(hr_places *places, hr_place *place)
{
    const hr_memory_kind kind = place->span.kind;
    if (kind != HR_MEMORY_HOST && !(kind == HR_MEMORY_CUDA && places->gpu))
        return HR_UNSUPPORTED;
    if (places->count == HR_LINK_PLACES_MAX)
        return HR_AGAIN;
    place->peeked = false;
    hr_list_append(&places->armed, &place->node);
    places->count++;
    return HR_OK;
}

bool hr_places_disarm(hr_places *places, hr_place *place)
{
    if (hr_list_is_empty(&place->node))
        return false;
    hr_list_remove(&place->node);
    places->count--;
    return true;
}

hr_place *hr_places_find(hr_places *places, uint64_t transfer, uint32_t chunk, uint32_t generation)
{
    for (hr_list *node = places->armed.next; node != &places->armed; node = node->next) {
        hr_place *place = HR_CONTAINER(node, hr_place, node);
        if (place->transfer == transfer && place->chunk == chunk && place->generation == generation)
            return place;
    }
    return NULL;
}

hr_status hr_places_take(hr_places *places, const hr_receipt *receipt, hr_place **place_out)
{
    hr_place *place =
        hr_places_find(places, receipt->transfer, receipt->chunk, receipt->generation);
    if (place == NULL || receipt->stored_len > place->span.len)
        return HR_PROTOCOL;
    hr_places_disarm(places, place);
    *place_out = place;
    return HR_OK;
}

void hr_places_clear(hr_places *places)
{
    while (hr_list_take_first(&places->armed) != NULL) {
    }
    places->count = 0;
}
