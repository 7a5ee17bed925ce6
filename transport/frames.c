/* SPDX-License-Identifier: Apache-2.0 */
#include "frames.h"

void hr_frames_init(hr_frames *frames)
{
    hr_places_init(&frames->places);
    frames->landing = NULL;
}

hr_span hr_frames_next(hr_frames *frames)
{
    if (frames->landing != NULL)
        return hr_span_host(frames->landing->span.addr, frames->receipt.stored_len);
    return hr_span_host(frames->header, HR_RECEIPT_LEN);
}

hr_status hr_frames_take(hr_frames *frames, hr_place **landed_out)
{
    hr_place *place = frames->landing;
    if (place == NULL) {
        hr_status status = hr_receipt_unpack(frames->header, &frames->receipt);
        if (status == HR_OK)
            status = hr_places_take(&frames->places, &frames->receipt, &place);
        if (status != HR_OK)
            return status;
        if (frames->receipt.stored_len > 0) {
            frames->landing = place;
            *landed_out = NULL;
            return HR_OK;
        }
    }
    frames->landing = NULL;
    *landed_out = place;
    return HR_OK;
}
