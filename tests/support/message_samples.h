/* SPDX-License-Identifier: Apache-2.0 */
/* One message of every kind, with every field set: for round trips and as seeds of fuzzing. */
#ifndef HR_MESSAGE_SAMPLES_H
#define HR_MESSAGE_SAMPLES_H

#include "message.h"

typedef struct hr_message_sample {
    hr_side sender;
    hr_message message;
} hr_message_sample;

extern const hr_message_sample hr_message_samples[];
extern const size_t hr_message_sample_count;

#endif
