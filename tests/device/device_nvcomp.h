/* SPDX-License-Identifier: Apache-2.0 */
/* nvCOMP's LZ4 over the very blocks that device_bench decodes, where its wheel was carried along
 * (scripts/device): by the functions that its C API documents, from the library that is found when
 * this runs. Without the wheel there is none. */
#ifndef HR_DEVICE_NVCOMP_H
#define HR_DEVICE_NVCOMP_H

#include <stdint.h>

#include <string>
#include <vector>

struct device_nvcomp_block {
    const uint8_t *stored; /* in host memory; never a raw one */
    uint32_t stored_len, content_len;
    uint64_t content_at; /* in a copy's content */
};

struct device_nvcomp_load {
    std::vector<device_nvcomp_block> blocks; /* of one copy */
    uint32_t copies;
    uint8_t *target; /* on the device: copies after each other */
    uint64_t copy_content_len;
};

/* Seconds of each run. Empty: why says why. */
std::vector<double> device_nvcomp_runs(const device_nvcomp_load &load, int runs, std::string *why);

#endif
