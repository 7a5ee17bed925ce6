/* SPDX-License-Identifier: Apache-2.0 */
#include "rails.h"

#include <stdio.h>
#include <string.h>

void hr_rails_add(hr_rails *rails, const char *address, uint32_t nics)
{
    unsigned at = 0;
    if (address[0] == '\0' || strlen(address) >= sizeof rails->rails[0].address)
        return;
    while (at < rails->count && strcmp(rails->rails[at].address, address) != 0)
        at++;
    if (at == HR_RAILS_MAX)
        return;
    hr_rail_health *rail = &rails->rails[at];
    if (at == rails->count) {
        rails->count++;
        *rail = (hr_rail_health){0};
        snprintf(rail->address, sizeof rail->address, "%s", address);
    }
    rail->nics = nics;
}

uint32_t hr_rails_prefer(const hr_rails *rails, unsigned number)
{
    return rails->count == 0 ? HR_RAIL_NONE : number % rails->count;
}

uint32_t hr_rails_choose(const hr_rails *rails, unsigned number, uint64_t now_ns)
{
    for (unsigned i = 0; i < rails->count; i++) {
        unsigned rail = (number + i) % rails->count;
        if (rails->rails[rail].rests_until_ns <= now_ns)
            return rail;
    }
    return HR_RAIL_NONE;
}

void hr_rails_worked(hr_rails *rails, uint32_t rail)
{
    if (rail < rails->count)
        rails->rails[rail].proved = true;
}

bool hr_rails_failed(hr_rails *rails, uint32_t rail, uint64_t now_ns)
{
    if (rail >= rails->count)
        return false;
    hr_rail_health *health = &rails->rails[rail];
    if (now_ns - health->errors_since_ns > HR_RAIL_WINDOW_NS) {
        health->errors = 0;
        health->errors_since_ns = now_ns;
    }
    if (++health->errors < HR_RAIL_ERRORS_MAX && health->proved)
        return false;
    health->errors = 0;
    health->rests_until_ns = now_ns + HR_RAIL_REST_NS;
    return true;
}

uint64_t hr_rails_wake(hr_rails *rails, uint64_t now_ns)
{
    uint64_t next_ns = UINT64_MAX;
    for (unsigned i = 0; i < rails->count; i++) {
        hr_rail_health *health = &rails->rails[i];
        if (health->rests_until_ns <= now_ns)
            health->rests_until_ns = 0;
        else if (health->rests_until_ns < next_ns)
            next_ns = health->rests_until_ns;
    }
    return next_ns;
}

bool hr_rails_never_worked(const hr_rails *rails)
{
    for (unsigned i = 0; i < rails->count; i++)
        if (rails->rails[i].proved)
            return false;
    return true;
}
