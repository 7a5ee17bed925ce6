/* SPDX-License-Identifier: Apache-2.0 */
/* The codecs as device_bench needs them: codec.h is C. */
#ifndef HR_DEVICE_CODEC_H
#define HR_DEVICE_CODEC_H

#include <stddef.h>
#include <stdint.h>

typedef enum device_codec { DEVICE_STORED, DEVICE_LZ4, DEVICE_PLANES } device_codec;

const char *device_codec_name(device_codec codec);
uint32_t device_codec_id(device_codec codec);
/* Bytes written; 0: there was no room. */
size_t device_encode(device_codec codec, uint8_t *content, size_t content_len, uint8_t *stored,
                     size_t room);
/* LZ4 sequences in an encoded chunk; 0 with other codecs. */
uint64_t device_sequences(device_codec codec, const uint8_t *stored, size_t len);

/* Where each block of an encoded chunk lies, its length behind its place. Returns how many there
 * are; 0 with other codecs, and if one of them is raw. */
#define DEVICE_BLOCKS_MAX 64
uint32_t device_blocks(device_codec codec, const uint8_t *stored, size_t len,
                       uint32_t places_out[2 * DEVICE_BLOCKS_MAX]);

#endif
