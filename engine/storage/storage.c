/* SPDX-License-Identifier: Apache-2.0 */
#include "storage.h"

#include <string.h>

const char *hr_io_why(const hr_io *io)
{
    return io->error != 0 ? strerror(io->error) : hr_status_text(io->status);
}
