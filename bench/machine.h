/* SPDX-License-Identifier: Apache-2.0 */
/* hr_bench_machine: where the numbers were measured, without which they say little. */
#ifndef HR_BENCH_MACHINE_H
#define HR_BENCH_MACHINE_H

#include <stdint.h>

typedef struct hr_bench_machine {
    char kernel[80];
    char cpu[80];
    char governor[32]; /* of the clocks; "?": the kernel does not tell */
    char clocks[64];   /* "800 to 3500 MHz, turbo on"; "?" likewise */
    char settings[96]; /* of the kernel, that move the numbers: huge pages, NUMA balancing */
    unsigned cores;
    uint64_t memory_len;
    char drives[200];     /* "nvme0 MODEL FIRMWARE, vda"; "none" */
    char nics[200];       /* RDMA devices with their firmware, else interfaces */
    char gpu[120];        /* the driver's own line; "none" */
    double load;          /* how many wanted a core in the last minute: more than none is noise */
    char congestion[32];  /* the system's default */
    char utc[24];         /* "2026-11-22T10:00:00Z" */
    char fingerprint[20]; /* of all but load and time, in hexadecimal */
} hr_bench_machine;

hr_bench_machine hr_bench_machine_read(void);

#endif
