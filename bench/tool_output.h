/* SPDX-License-Identifier: Apache-2.0 */
/* What other programs report about themselves, as JSON on their stdout. It comes from outside: what
 * does not look as expected is refused with HR_PROTOCOL and a sentence. Pure. */
#ifndef HR_BENCH_TOOL_OUTPUT_H
#define HR_BENCH_TOOL_OUTPUT_H

#include "measure.h"

#define HR_BENCH_CLASS_MAX 24

/* iperf3 -J: what arrived, with --bidir on both sides, and the CPU time of both ends. */
HR_CHECKED hr_status hr_bench_iperf3_read(const char *text, hr_bench_measure *measure_out,
                                          hr_error *error);
/* fio --output-format=json: the bytes that were read, or those written if none were, over the time
 * of the slowest job, whether it reads or writes. */
HR_CHECKED hr_status hr_bench_fio_read(const char *text, hr_bench_measure *measure_out,
                                       hr_error *error);
/* headrace get --json: its summary line. CPU time is that of the receiver. */
HR_CHECKED hr_status hr_bench_get_read(const char *text, hr_bench_measure *measure_out,
                                       hr_error *error);
/* What the bytes crossed, of the path that a get or a wire tells: "tcp", "verbs", "local"; and
 * "soft-RoCE" wherever that was, though a get says "verbs (rxe0, soft-RoCE)". */
void hr_bench_path_class(const char *path, char class_out[HR_BENCH_CLASS_MAX]);
/* headrace serve --json: the line that tells the address, and with --footprint the one that tells
 * the bytes of its slots. */
HR_CHECKED hr_status hr_bench_listening_read(const char *line, char address_out[64],
                                             hr_error *error);
HR_CHECKED hr_status hr_bench_footprint_read(const char *line, uint64_t *slots_len_out,
                                             hr_error *error);

/* headrace-bench wire --listen, "listening", and serve, "serving": the port. */
HR_CHECKED hr_status hr_bench_port_read(const char *line, const char *type, unsigned *port_out,
                                        hr_error *error);

/* ucx_perftest: its final line, of messages of that length. */
HR_CHECKED hr_status hr_bench_ucx_read(const char *text, uint64_t message_len,
                                       hr_bench_measure *measure_out, hr_error *error);
/* ib_write_bw: the row of that length. It tells a rate in MiB/s and a number of messages. The note
 * is the device. */
HR_CHECKED hr_status hr_bench_ib_read(const char *text, uint64_t message_len,
                                      hr_bench_measure *measure_out, hr_error *error);

#endif
