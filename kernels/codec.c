/* SPDX-License-Identifier: Apache-2.0 */
#include "codec.h"

static const hr_codec *const codecs[] = {
    &hr_codec_stored,
    &hr_codec_lz4,
    &hr_codec_zstd,
    &hr_codec_planes,
};

const hr_codec *hr_codec_find(unsigned id)
{
    for (size_t i = 0; i < sizeof codecs / sizeof codecs[0]; i++)
        if ((unsigned)codecs[i]->id == id)
            return codecs[i];
    return NULL;
}
