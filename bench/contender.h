/* SPDX-License-Identifier: Apache-2.0 */
/* hr_bench_contender: one way to move bytes, of ours or of a peer. The contenders are rows of a
 * table, and so are the goals, which compare two or three of them. */
#ifndef HR_BENCH_CONTENDER_H
#define HR_BENCH_CONTENDER_H

#include "device.h"
#include "field.h"
#include "measure.h"

enum {
    HR_BENCH_IPERF3_CUBIC,
    HR_BENCH_WIRE_CUBIC,
    HR_BENCH_WIRE_CUBIC_DIGESTS,
    HR_BENCH_WIRE_RDMA_DIGESTS,
    HR_BENCH_IPERF3_RENO,
    HR_BENCH_WIRE_RENO,
    HR_BENCH_WIRE_RENO_DIGESTS,
    HR_BENCH_FIO_READ,
    HR_BENCH_DISK,
    HR_BENCH_FIO_WRITE,
    HR_BENCH_DISK_WRITE,
    HR_BENCH_DISK_TO_HOST,
    HR_BENCH_FIO_COPY,
    HR_BENCH_DISK_TO_FILE,
    HR_BENCH_RSYNC,
    HR_BENCH_WIRE_IPERF3, /* of wire --peers */
    HR_BENCH_WIRE_UCX,
    HR_BENCH_WIRE_IB,
    HR_BENCH_WIRE_ASKED, /* as the options of wire want it */
    HR_BENCH_DECODE_LZ4,
    HR_BENCH_DECODE_LIBLZ4,
    HR_BENCH_DECODE_ZSTD,
    HR_BENCH_DECODE_LIBZSTD,
    HR_BENCH_DECODE_PLANES,
    HR_BENCH_DECODE_PLANES_FP32,
    HR_BENCH_DECODE_GPU_LZ4,
    HR_BENCH_DECODE_GPU_PLANES,
    HR_BENCH_DECODE_GPU_PLANES_FP32,
    HR_BENCH_REGISTER_HUGE,
    HR_BENCH_REGISTER_PLAIN,
    HR_BENCH_REGISTER_NIC,
    HR_BENCH_REGISTER_NIC_GPU,
    HR_BENCH_REGISTER_PINNED,
    HR_BENCH_FILES_GET,
    HR_BENCH_FILES_RSYNC,
    HR_BENCH_FILES_CP,
    HR_BENCH_FANOUT_GET,
    HR_BENCH_LOADER_HOST,
    HR_BENCH_LOADER_GPU,
    HR_BENCH_CONTENDERS,
};

typedef struct hr_bench_contender hr_bench_contender;
struct hr_bench_contender {
    const char *name; /* in JSON */
    const char *title;
    const char *program;                           /* that must be installed; NULL: none */
    bool (*there)(char why_out[HR_BENCH_WHY_MAX]); /* what else it needs here; NULL: nothing */
    const char *congestion;                        /* of those over the wire */
    const char *memory;                            /* where its bytes end; NULL: "host" */
    const char *transport; /* what the bytes cross: "tcp", "none"; NULL: the path of a get tells */
    hr_status (*run)(hr_bench_field *field, const hr_bench_contender *contender,
                     hr_bench_measure *measure_out, hr_error *error);
    unsigned verbs;                                    /* bit i: the verb i measures it */
    bool (*wanted)(const hr_bench_settings *settings); /* NULL: always */
    bool digests;
    bool writes;      /* of those on the storage alone */
    bool from_disk;   /* its bytes come from the drive below the directory */
    unsigned codec;   /* of those that decode: hr_codec_id */
    unsigned element; /* hr_element of the content; 0: text */
    bool library;     /* by the library's own reader of frames */
    bool gpu;         /* it works in a GPU's memory */
    bool huge;        /* of those that register: pages */
    bool by_nic;      /* of the same: with a NIC */
};

extern const hr_bench_contender hr_bench_contenders[HR_BENCH_CONTENDERS];

/* The rate of ours must be at least so many times that of the peer, or of the lower of two. */
typedef struct hr_bench_goal {
    int ours;
    int peers[2]; /* the same twice: there is one */
    double least; /* 0: only told */
} hr_bench_goal;

extern const hr_bench_goal hr_bench_goals[];
extern const unsigned hr_bench_goal_count;

/* Whether a program of that name is in PATH. */
bool hr_bench_is_installed(const char *program);

/* ---- contender_*.c: what runs them ---- */

hr_status hr_bench_run_wire(hr_bench_field *field, const hr_bench_contender *contender,
                            hr_bench_measure *measure_out, hr_error *error);
hr_status hr_bench_run_iperf3(hr_bench_field *field, const hr_bench_contender *contender,
                              hr_bench_measure *measure_out, hr_error *error);
hr_status hr_bench_run_fio_storage(hr_bench_field *field, const hr_bench_contender *contender,
                                   hr_bench_measure *measure_out, hr_error *error);
hr_status hr_bench_run_fio_copy(hr_bench_field *field, const hr_bench_contender *contender,
                                hr_bench_measure *measure_out, hr_error *error);
hr_status hr_bench_run_rsync(hr_bench_field *field, const hr_bench_contender *contender,
                             hr_bench_measure *measure_out, hr_error *error);
hr_status hr_bench_run_disk(hr_bench_field *field, const hr_bench_contender *contender,
                            hr_bench_measure *measure_out, hr_error *error);
hr_status hr_bench_run_decode(hr_bench_field *field, const hr_bench_contender *contender,
                              hr_bench_measure *measure_out, hr_error *error);
hr_status hr_bench_run_register(hr_bench_field *field, const hr_bench_contender *contender,
                                hr_bench_measure *measure_out, hr_error *error);
hr_status hr_bench_run_register_device(hr_bench_field *field, const hr_bench_contender *contender,
                                       hr_bench_measure *measure_out, hr_error *error);

hr_status hr_bench_run_files_get(hr_bench_field *field, const hr_bench_contender *contender,
                                 hr_bench_measure *measure_out, hr_error *error);
hr_status hr_bench_run_files_rsync(hr_bench_field *field, const hr_bench_contender *contender,
                                   hr_bench_measure *measure_out, hr_error *error);
hr_status hr_bench_run_files_cp(hr_bench_field *field, const hr_bench_contender *contender,
                                hr_bench_measure *measure_out, hr_error *error);
hr_status hr_bench_run_fanout(hr_bench_field *field, const hr_bench_contender *contender,
                              hr_bench_measure *measure_out, hr_error *error);
hr_status hr_bench_run_loader(hr_bench_field *field, const hr_bench_contender *contender,
                              hr_bench_measure *measure_out, hr_error *error);

hr_status hr_bench_run_wire_iperf3(hr_bench_field *field, const hr_bench_contender *contender,
                                   hr_bench_measure *measure_out, hr_error *error);
hr_status hr_bench_run_wire_ucx(hr_bench_field *field, const hr_bench_contender *contender,
                                hr_bench_measure *measure_out, hr_error *error);
hr_status hr_bench_run_wire_ib(hr_bench_field *field, const hr_bench_contender *contender,
                               hr_bench_measure *measure_out, hr_error *error);

#endif
