/* SPDX-License-Identifier: Apache-2.0 */
/* Content as people have it, from a seed: for the tests of the decoders and for what measures them.
 */
#ifndef HR_LANE_MATERIAL_H
#define HR_LANE_MATERIAL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum lane_material {
    LANE_TEXT,     /* words by Zipf's law */
    LANE_TOKENS16, /* numbers of such words, two bytes each */
    LANE_TOKENS32,
    LANE_COLUMNS, /* rows of a table: a counter, a day, a price, a flag, column by column */
    LANE_WEIGHTS, /* bfloat16, normally distributed */
    LANE_WEIGHTS_FP32,
    LANE_NOISE,
    LANE_SHORT, /* matches of 4 to 8 bytes */
    LANE_LONG,  /* matches of hundreds of bytes */
    LANE_MATERIALS,
} lane_material;

const char *lane_material_name(lane_material kind);
void lane_material_fill(lane_material kind, uint8_t *bytes, size_t len, uint32_t seed);

#ifdef __cplusplus
}
#endif

#endif
