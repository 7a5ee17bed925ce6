/* SPDX-License-Identifier: Apache-2.0 */
#include "gauge.h"

#include <assert.h>
#include <stdbool.h>

static bool is_processor(int stage)
{
    return stage == HR_GAUGE_DIGEST || stage == HR_GAUGE_VERIFY;
}

static void add(uint64_t *counter, uint64_t value)
{
    __atomic_store_n(counter, *counter + value, __ATOMIC_RELAXED);
}

/* Chunks that have not come as far as the stage. A client that shares its worker with a server has
 * its place armed for a chunk that is counted at the server too. */
static unsigned before(const hr_gauge *gauge, int stage)
{
    unsigned granted = gauge->rows[HR_GAUGE_GRANT].now, at_server = 0, count = 0;
    for (int i = HR_GAUGE_TURN; i <= HR_GAUGE_WIRE; i++) {
        at_server += gauge->rows[i].now;
        count += i < stage ? gauge->rows[i].now : 0;
    }
    return count + (granted > at_server ? granted - at_server : 0);
}

static void count_time(hr_gauge *gauge, uint64_t passed_ns)
{
    bool processor = gauge->rows[HR_GAUGE_DIGEST].now + gauge->rows[HR_GAUGE_VERIFY].now > 0;
    for (int i = 0; i < HR_GAUGE_STAGES; i++) {
        hr_gauge_row *row = &gauge->rows[i];
        if (row->now > 0 && (!processor || is_processor(i))) {
            add(&row->busy_ns, passed_ns);
            add(&row->chunk_ns, passed_ns * row->now);
        } else if (row->now == 0 && before(gauge, i) > 0) {
            add(&row->starved_ns, passed_ns);
        } else {
            add(&row->blocked_ns, passed_ns);
        }
    }
}

static bool is_empty(const hr_gauge *gauge)
{
    unsigned count = 0;
    for (int i = 0; i < HR_GAUGE_STAGES; i++)
        count += gauge->rows[i].now;
    return count == 0;
}

void hr_gauge_move(hr_gauge *gauge, hr_gauge_stage from, hr_gauge_stage to, uint64_t len)
{
    uint64_t now_ns = hr_now_ns(gauge->env);
    if (from == to)
        return;
    if (!is_empty(gauge))
        count_time(gauge, now_ns - gauge->changed_ns);
    gauge->changed_ns = now_ns;
    if (from != HR_GAUGE_NONE) {
        hr_gauge_row *row = &gauge->rows[from];
        assert(row->now > 0);
        row->now--;
        add(&row->chunks, 1);
        add(&row->bytes, len);
    }
    if (to != HR_GAUGE_NONE) {
        hr_gauge_row *row = &gauge->rows[to];
        row->now++;
        if (row->now > row->most)
            __atomic_store_n(&row->most, row->now, __ATOMIC_RELAXED);
    }
}

static uint64_t look(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

void hr_gauge_sum(const hr_gauge *gauge, hr_gauge_row rows[HR_GAUGE_STAGES])
{
    for (int i = 0; i < HR_GAUGE_STAGES; i++) {
        const hr_gauge_row *row = &gauge->rows[i];
        rows[i].busy_ns += look(&row->busy_ns);
        rows[i].starved_ns += look(&row->starved_ns);
        rows[i].blocked_ns += look(&row->blocked_ns);
        rows[i].chunk_ns += look(&row->chunk_ns);
        rows[i].chunks += look(&row->chunks);
        rows[i].bytes += look(&row->bytes);
        unsigned most = __atomic_load_n(&row->most, __ATOMIC_RELAXED);
        rows[i].most = most > rows[i].most ? most : rows[i].most;
    }
}
