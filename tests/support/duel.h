/* SPDX-License-Identifier: Apache-2.0 */
/* hr_duel: one get between a client and a server of which one may lie. The two
 * engines, their disks and the network are made once for the process and serve every duel, so that
 * one costs its own steps and nothing else: what a fuzzer needs. Each begins with the same seed, an
 * empty target and nothing in the air, and must end so. */
#ifndef HR_DUEL_H
#define HR_DUEL_H

#include <stdbool.h>

#include "index.h"
#include "message.h"
#include "status.h"

typedef struct hr_duel {
    bool tree;              /* of three files; else one of a bit more than a chunk */
    bool to_span;           /* into memory of the caller's; never a tree */
    bool packed;            /* unpacked on its way, */
    hr_container container; /* from this; beside: as it is, with an index */
    bool shared;            /* links offer peek */
    bool rdma;              /* an imitated one */
    bool again;             /* brought twice: a tree is compared by digests, a file replaced */
    bool listed;            /* the client lists the export before the get */
    hr_side liar;           /* lies as hr_liar_script has it; with no script nobody does */
    const uint8_t *script;
    size_t script_len;
} hr_duel;

/* What came of it. problem: "" if it ended with a status and a sentence, in time, gave everything
 * back and wrote nowhere else. */
typedef struct hr_duel_result {
    hr_status status;
    bool right; /* the target holds the bytes of the source */
    char problem[400];
} hr_duel_result;

void hr_duel_fight(const hr_duel *duel, hr_duel_result *result_out);

#endif
