/* SPDX-License-Identifier: Apache-2.0 */
#include "progress.h"

#include <stdio.h>

#include "units.h"

/* A count may go back: of small files that come once more. */
static uint64_t more_than(uint64_t count, uint64_t other)
{
    return count > other ? count - other : 0;
}

bool hr_cli_progress_is_due(const hr_cli_progress *progress, uint64_t now_ns)
{
    return now_ns >= progress->due_ns;
}

void hr_cli_progress_sample(hr_cli_progress *progress, uint64_t now_ns,
                            const hr_get_progress *count)
{
    unsigned slot = progress->count++ % HR_CLI_PROGRESS_SEEN;
    progress->seen[slot].at_ns = now_ns;
    /* What was there is counted as fast as it is looked at, and says nothing of what is to come. */
    progress->seen[slot].bytes = more_than(count->bytes_verified, count->bytes_reused);
    progress->seen[slot].files =
        more_than(count->files_done + count->files_failed, count->files_kept);
    progress->due_ns = now_ns + HR_CLI_PROGRESS_NS;
}

/* How much came in the time that is remembered, and how long that is. */
static double seen_seconds(const hr_cli_progress *progress, uint64_t *bytes_out,
                           uint64_t *files_out)
{
    *bytes_out = *files_out = 0;
    if (progress->count < 2)
        return 0;
    unsigned newest = (progress->count - 1) % HR_CLI_PROGRESS_SEEN;
    unsigned oldest =
        progress->count > HR_CLI_PROGRESS_SEEN ? progress->count % HR_CLI_PROGRESS_SEEN : 0;
    *bytes_out = more_than(progress->seen[newest].bytes, progress->seen[oldest].bytes);
    *files_out = more_than(progress->seen[newest].files, progress->seen[oldest].files);
    return (double)(progress->seen[newest].at_ns - progress->seen[oldest].at_ns) / 1e9;
}

uint64_t hr_cli_progress_rate(const hr_cli_progress *progress)
{
    uint64_t bytes, files;
    double seconds = seen_seconds(progress, &bytes, &files);
    return seconds > 0 ? (uint64_t)((double)bytes / seconds) : 0;
}

double hr_cli_progress_left(const hr_cli_progress *progress, const hr_get_progress *count)
{
    uint64_t bytes, files, over = count->files_done + count->files_failed;
    double seconds = seen_seconds(progress, &bytes, &files);
    uint64_t bytes_left = more_than(count->bytes, count->bytes_verified);
    uint64_t files_left = more_than(count->files, over);
    if (count->listing || seconds <= 0 || bytes + files == 0 || (bytes == 0 && bytes_left > 0))
        return -1;
    /* The time went to bytes and to files; to these at most half of it where there were both. */
    double each = HR_CLI_PROGRESS_FILE, most = bytes > 0 ? seconds / 2 : seconds;
    if (files > 0 && (bytes == 0 || each * (double)files > most))
        each = most / (double)files;
    double of_bytes = bytes > 0 ? (seconds - each * (double)files) / (double)bytes : 0;
    return (double)bytes_left * of_bytes + (double)files_left * each;
}

/* "  24%  1.10 GB/s  3.45 s left", as much of it as is known. */
static void describe_pace(char *out, size_t size, const hr_get_progress *count, uint64_t rate,
                          double left)
{
    char text[HR_CLI_UNIT_MAX];
    int used = 0;
    uint64_t verified = count->bytes_verified < count->bytes ? count->bytes_verified : count->bytes;
    out[0] = '\0';
    if (!count->listing && count->bytes > 0)
        used += snprintf(out, size, "  %u%%",
                         (unsigned)((double)verified / (double)count->bytes * 100));
    used += snprintf(out + used, size - (size_t)used, "  %s", hr_cli_rate(text, rate));
    bool are_named = count->files_done + count->files_failed >= count->files;
    if (!count->listing && verified == count->bytes && count->files > 1)
        snprintf(out + used, size - (size_t)used, "  %s",
                 are_named ? "finishing directories" : "syncing and naming");
    else if (left >= 0)
        snprintf(out + used, size - (size_t)used, "  %s left", hr_cli_duration(text, left));
}

void hr_cli_progress_line(char out[HR_CLI_LINE_MAX], const hr_get_progress *count, uint64_t rate,
                          double left, const char *path)
{
    char verified[HR_CLI_UNIT_MAX], total[HR_CLI_UNIT_MAX];
    char pace[100], files[80] = "";
    describe_pace(pace, sizeof pace, count, rate, left);
    if (count->files > 1)
        snprintf(files, sizeof files, "  %llu of %llu files", (unsigned long long)count->files_done,
                 (unsigned long long)count->files);
    snprintf(out, HR_CLI_LINE_MAX, "%s of %s%s%s%s  %s",
             hr_cli_bytes(verified, count->bytes_verified), hr_cli_bytes(total, count->bytes),
             count->listing ? " and more" : "", pace, files, path);
}
