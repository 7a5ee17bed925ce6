/* SPDX-License-Identifier: Apache-2.0 */
/* What files and chunks are filled with. The same seed gives the same bytes. Pure. */
#ifndef HR_BENCH_CONTENT_H
#define HR_BENCH_CONTENT_H

#include <stddef.h>
#include <stdint.h>

/* Nothing compresses it, and it is made faster than any drive takes it. */
void hr_bench_fill_random(uint8_t *out, size_t len, uint64_t seed);
/* Words of one to twelve letters, the nth as often as 1/n: about as compressible as prose. */
void hr_bench_fill_text(uint8_t *out, size_t len, uint64_t seed);
/* Weights in bfloat16: normal, of the spread that layers have. */
void hr_bench_fill_weights(uint8_t *out, size_t len, uint64_t seed);

#endif
