/* SPDX-License-Identifier: Apache-2.0 */
/* A whole session, client and server, of which one has been let in and then lies: about numbers,
 * names, lengths and digests, in messages and in receipts, as the input says. The other must end
 * with a status, in time, and give everything back; nothing is written behind a target or after its
 * end, and whom a client lied to serves the next one. Built with short chunks. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "duel.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
const char *__asan_default_options(void);

/* What is freed comes soon again: fresh pages cost more than all the rest. */
const char *__asan_default_options(void)
{
    return "quarantine_size_mb=16:thread_local_quarantine_size_kb=64:"
           "allocator_release_to_os_interval_ms=-1:malloc_context_size=4";
}

static hr_duel duel_of(uint8_t story)
{
    return (hr_duel){
        .tree = (story & 3) == 1,
        .to_span = (story & 3) == 2,
        .packed = (story & 4) != 0,
        .shared = (story & 8) != 0,
        .rdma = (story & 16) != 0,
        .again = (story & 32) != 0,
        .container = (story & 4) == 0 ? HR_CONTAINER_BESIDE
                     : (story & 64)   ? HR_CONTAINER_ZSTD
                                      : HR_CONTAINER_LZ4,
        .listed = (story & 128) != 0,
    };
}

static void fight(const hr_duel *duel, int must_succeed)
{
    hr_duel_result result;
    hr_duel_fight(duel, &result);
    if (result.problem[0] != '\0' || (must_succeed && !result.right)) {
        fprintf(stderr, "%s: %s\n", hr_status_name(result.status),
                result.problem[0] != '\0' ? result.problem : "nobody lied, and it did not come");
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 2)
        return 0;
    hr_duel duel = duel_of(bytes[0]);
    duel.liar = bytes[1] & 1 ? HR_SIDE_SERVER : HR_SIDE_CLIENT;
    duel.script = bytes + 2;
    duel.script_len = len - 2;
    fight(&duel, len == 2);
    if (bytes[1] & 2) {
        duel.script_len = 0;
        fight(&duel, 1);
    }
    return 0;
}
