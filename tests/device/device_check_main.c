/* SPDX-License-Identifier: Apache-2.0 */
/* The batches of the tests on a machine without GoogleTest, and under compute-sanitizer. */
#include <stdio.h>

#include "batch_check.h"
#include "device_gpu.h"

int main(void)
{
    batch_report report = {.text = ""};
    if (!device_gpu_there(report.text, sizeof report.text)) {
        printf("skipped: %s\n", report.text);
        return 11;
    }
    hr_status status = batch_check(device_gpu_run, &report);
    printf("%u chunks right, %u refused: %s\n", report.right, report.refused,
           status == HR_OK ? "as on the CPU" : report.text);
    return hr_status_exit_code(status);
}
