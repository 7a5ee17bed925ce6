/* SPDX-License-Identifier: Apache-2.0 */
#include "contender.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "codec.h"
#include "transport.h"
#include "wire.h"

#define STORAGE  (1u << HR_BENCH_STORAGE)
#define TRANSFER (1u << HR_BENCH_TRANSFER)
#define PEERS    (1u << HR_BENCH_PEERS)

static bool goes_over_tcp(const hr_bench_settings *settings)
{
    return settings->address == NULL;
}

static bool goes_over_rdma(const hr_bench_settings *settings)
{
    return settings->address != NULL;
}

/* What is measured beside a get is here; what is fetched from elsewhere it is not. */
static bool has_shards_here(const hr_bench_settings *settings)
{
    return !hr_bench_is_served_elsewhere(settings);
}

static bool has_tcp_here(const hr_bench_settings *settings)
{
    return goes_over_tcp(settings) && has_shards_here(settings);
}

static bool has_rdma_here(const hr_bench_settings *settings)
{
    return goes_over_rdma(settings) && has_shards_here(settings);
}

static hr_status run_wire(hr_bench_field *field, const hr_bench_contender *contender,
                          hr_bench_measure *measure_out, hr_error *error)
{
    hr_bench_wire wire = {
        .duration_ns = field->settings->duration_ns,
        .links = 1,
        .slots = HR_BENCH_WIRE_SLOTS,
        .message_len = HR_CHUNK_LEN,
        .digests = contender->digests,
        .asks = field->settings->address != NULL,
        .congestion = contender->congestion,
        .address = field->settings->address,
    };
    return hr_bench_wire_run(&wire, measure_out, error);
}

static hr_status run_disk_to_host(hr_bench_field *field, const hr_bench_contender *contender,
                                  hr_bench_measure *measure_out, hr_error *error)
{
    (void)contender;
    return hr_bench_serving_get(&field->serving, "large", "host:", measure_out, error);
}

static hr_status run_disk_to_file(hr_bench_field *field, const hr_bench_contender *contender,
                                  hr_bench_measure *measure_out, hr_error *error)
{
    (void)contender;
    return hr_bench_serving_get(&field->serving, "large", field->material->target, measure_out,
                                error);
}

static bool wants_tcp_peers(const hr_bench_settings *settings)
{
    return settings->peers && goes_over_tcp(settings);
}

/* It has no run in both directions. */
static bool wants_ucx(const hr_bench_settings *settings)
{
    return wants_tcp_peers(settings) && !settings->both;
}

static bool wants_rdma_peers(const hr_bench_settings *settings)
{
    return settings->peers && goes_over_rdma(settings);
}

const hr_bench_contender hr_bench_contenders[HR_BENCH_CONTENDERS] = {
    [HR_BENCH_IPERF3_CUBIC] = {.name = "iperf3_cubic",
                               .title = "iperf3 -C cubic",
                               .transport = "tcp",
                               .verbs = PEERS,
                               .program = "iperf3",
                               .congestion = "cubic",
                               .run = hr_bench_run_iperf3},
    [HR_BENCH_WIRE_CUBIC] = {.name = "wire_cubic",
                             .title = "wire, cubic",
                             .transport = "tcp",
                             .verbs = PEERS,
                             .congestion = "cubic",
                             .run = run_wire},
    [HR_BENCH_WIRE_CUBIC_DIGESTS] = {.name = "wire_cubic_digests",
                                     .title = "wire, cubic, digests",
                                     .transport = "tcp",
                                     .verbs = TRANSFER | PEERS,
                                     .wanted = has_tcp_here,
                                     .congestion = "cubic",
                                     .digests = true,
                                     .run = run_wire},
    [HR_BENCH_WIRE_RDMA_DIGESTS] = {.name = "wire_rdma_digests",
                                    .title = "wire, RDMA, digests",
                                    .verbs = TRANSFER,
                                    .wanted = has_rdma_here,
                                    .digests = true,
                                    .run = run_wire},
    [HR_BENCH_IPERF3_RENO] = {.name = "iperf3_reno",
                              .title = "iperf3 -C reno",
                              .transport = "tcp",
                              .verbs = PEERS,
                              .program = "iperf3",
                              .congestion = "reno",
                              .run = hr_bench_run_iperf3},
    [HR_BENCH_WIRE_RENO] = {.name = "wire_reno",
                            .title = "wire, reno",
                            .transport = "tcp",
                            .verbs = PEERS,
                            .congestion = "reno",
                            .run = run_wire},
    [HR_BENCH_WIRE_RENO_DIGESTS] = {.name = "wire_reno_digests",
                                    .title = "wire, reno, digests",
                                    .transport = "tcp",
                                    .verbs = PEERS,
                                    .congestion = "reno",
                                    .digests = true,
                                    .run = run_wire},
    [HR_BENCH_FIO_READ] = {.name = "fio_read",
                           .title = "fio, reading",
                           .transport = "none",
                           .verbs = STORAGE | TRANSFER | PEERS,
                           .wanted = has_shards_here,
                           .program = "fio",
                           .from_disk = true,
                           .run = hr_bench_run_fio_storage},
    [HR_BENCH_DISK] = {.name = "storage_read",
                       .title = "storage, reading",
                       .transport = "none",
                       .verbs = STORAGE | PEERS,
                       .from_disk = true,
                       .run = hr_bench_run_disk},
    [HR_BENCH_FIO_WRITE] = {.name = "fio_write",
                            .title = "fio, writing",
                            .transport = "none",
                            .verbs = STORAGE | PEERS,
                            .program = "fio",
                            .writes = true,
                            .run = hr_bench_run_fio_storage},
    [HR_BENCH_DISK_WRITE] = {.name = "storage_write",
                             .title = "storage, writing",
                             .transport = "none",
                             .verbs = STORAGE | PEERS,
                             .writes = true,
                             .run = hr_bench_run_disk},
    [HR_BENCH_DISK_TO_HOST] = {.name = "disk_to_host",
                               .title = "disk to host:",
                               .verbs = TRANSFER | PEERS,
                               .from_disk = true,
                               .run = run_disk_to_host},
    [HR_BENCH_FIO_COPY] = {.name = "fio_copy",
                           .title = "fio, reading and writing",
                           .transport = "none",
                           .verbs = TRANSFER | PEERS,
                           .wanted = has_shards_here,
                           .program = "fio",
                           .from_disk = true,
                           .run = hr_bench_run_fio_copy},
    [HR_BENCH_DISK_TO_FILE] = {.name = "disk_to_file",
                               .title = "disk to file",
                               .verbs = TRANSFER | PEERS,
                               .from_disk = true,
                               .run = run_disk_to_file},
    [HR_BENCH_RSYNC] = {.name = "rsync",
                        .title = "rsync -W --fsync",
                        .transport = "none",
                        .verbs = TRANSFER | PEERS,
                        .wanted = has_shards_here,
                        .program = "rsync",
                        .from_disk = true,
                        .run = hr_bench_run_rsync},
    [HR_BENCH_WIRE_IPERF3] = {.name = "iperf3_wire",
                              .title = "iperf3",
                              .transport = "tcp",
                              .verbs = 1u << HR_BENCH_WIRE,
                              .wanted = wants_tcp_peers,
                              .program = "iperf3",
                              .run = hr_bench_run_wire_iperf3},
    [HR_BENCH_WIRE_UCX] = {.name = "ucx_wire",
                           .title = "ucx_perftest, put",
                           .transport = "tcp",
                           .verbs = 1u << HR_BENCH_WIRE,
                           .wanted = wants_ucx,
                           .program = "ucx_perftest",
                           .run = hr_bench_run_wire_ucx},
    [HR_BENCH_WIRE_IB] = {.name = "ib_write_bw",
                          .title = "ib_write_bw",
                          .verbs = 1u << HR_BENCH_WIRE,
                          .wanted = wants_rdma_peers,
                          .program = "ib_write_bw",
                          .run = hr_bench_run_wire_ib},
    [HR_BENCH_WIRE_ASKED] = {.name = "wire",
                             .title = "wire",
                             .verbs = 1u << HR_BENCH_WIRE,
                             .run = hr_bench_run_wire},
    [HR_BENCH_DECODE_LZ4] = {.name = "decode_lz4",
                             .title = "lz4, decoding",
                             .transport = "none",
                             .verbs = 1u << HR_BENCH_DECODE,
                             .codec = HR_CODEC_LZ4,
                             .run = hr_bench_run_decode},
    [HR_BENCH_DECODE_LIBLZ4] = {.name = "decode_liblz4",
                                .title = "liblz4, the same frames",
                                .transport = "none",
                                .verbs = 1u << HR_BENCH_DECODE,
                                .codec = HR_CODEC_LZ4,
                                .library = true,
                                .run = hr_bench_run_decode},
    [HR_BENCH_DECODE_ZSTD] = {.name = "decode_zstd",
                              .title = "zstd, decoding",
                              .transport = "none",
                              .verbs = 1u << HR_BENCH_DECODE,
                              .codec = HR_CODEC_ZSTD,
                              .run = hr_bench_run_decode},
    [HR_BENCH_DECODE_LIBZSTD] = {.name = "decode_libzstd",
                                 .title = "libzstd, the same frames",
                                 .transport = "none",
                                 .verbs = 1u << HR_BENCH_DECODE,
                                 .codec = HR_CODEC_ZSTD,
                                 .library = true,
                                 .run = hr_bench_run_decode},
    [HR_BENCH_DECODE_PLANES] = {.name = "decode_planes",
                                .title = "planes of bfloat16",
                                .transport = "none",
                                .verbs = 1u << HR_BENCH_DECODE,
                                .codec = HR_CODEC_PLANES,
                                .element = HR_ELEMENT_BF16,
                                .run = hr_bench_run_decode},
    [HR_BENCH_DECODE_PLANES_FP32] = {.name = "decode_planes_fp32",
                                     .title = "planes of float32",
                                     .transport = "none",
                                     .verbs = 1u << HR_BENCH_DECODE,
                                     .codec = HR_CODEC_PLANES,
                                     .element = HR_ELEMENT_FP32,
                                     .run = hr_bench_run_decode},
    [HR_BENCH_DECODE_GPU_LZ4] = {.name = "decode_gpu_lz4",
                                 .title = "GPU, lz4",
                                 .transport = "none",
                                 .memory = "gpu",
                                 .verbs = 1u << HR_BENCH_DECODE,
                                 .there = hr_bench_has_gpu,
                                 .gpu = true,
                                 .codec = HR_CODEC_LZ4,
                                 .run = hr_bench_run_decode},
    [HR_BENCH_DECODE_GPU_PLANES] = {.name = "decode_gpu_planes",
                                    .title = "GPU, planes of bfloat16",
                                    .transport = "none",
                                    .memory = "gpu",
                                    .verbs = 1u << HR_BENCH_DECODE,
                                    .there = hr_bench_has_gpu,
                                    .gpu = true,
                                    .codec = HR_CODEC_PLANES,
                                    .element = HR_ELEMENT_BF16,
                                    .run = hr_bench_run_decode},
    [HR_BENCH_DECODE_GPU_PLANES_FP32] = {.name = "decode_gpu_planes_fp32",
                                         .title = "GPU, planes of float32",
                                         .transport = "none",
                                         .memory = "gpu",
                                         .verbs = 1u << HR_BENCH_DECODE,
                                         .there = hr_bench_has_gpu,
                                         .gpu = true,
                                         .codec = HR_CODEC_PLANES,
                                         .element = HR_ELEMENT_FP32,
                                         .run = hr_bench_run_decode},
    [HR_BENCH_REGISTER_HUGE] = {.name = "register_huge",
                                .title = "registering, huge pages",
                                .transport = "none",
                                .verbs = 1u << HR_BENCH_REGISTER,
                                .huge = true,
                                .run = hr_bench_run_register},
    [HR_BENCH_REGISTER_PLAIN] = {.name = "register_plain",
                                 .title = "registering, plain pages",
                                 .transport = "none",
                                 .verbs = 1u << HR_BENCH_REGISTER,
                                 .run = hr_bench_run_register},
    [HR_BENCH_REGISTER_NIC] = {.name = "register_nic",
                               .title = "registering with a NIC",
                               .transport = "none",
                               .verbs = 1u << HR_BENCH_REGISTER,
                               .there = hr_bench_has_nic,
                               .by_nic = true,
                               .run = hr_bench_run_register_device},
    [HR_BENCH_REGISTER_NIC_GPU] = {.name = "register_nic_gpu",
                                   .title = "same, a GPU's memory",
                                   .transport = "none",
                                   .memory = "dma-buf",
                                   .verbs = 1u << HR_BENCH_REGISTER,
                                   .there = hr_bench_has_gpu_and_nic,
                                   .by_nic = true,
                                   .gpu = true,
                                   .run = hr_bench_run_register_device},
    [HR_BENCH_REGISTER_PINNED] = {.name = "register_pinned",
                                  .title = "pinning for a GPU",
                                  .transport = "none",
                                  .memory = "pinned",
                                  .verbs = 1u << HR_BENCH_REGISTER,
                                  .there = hr_bench_has_gpu,
                                  .run = hr_bench_run_register_device},
    [HR_BENCH_FILES_GET] = {.name = "files_get",
                            .title = "tree of files",
                            .verbs = 1u << HR_BENCH_FILES,
                            .from_disk = true,
                            .run = hr_bench_run_files_get},
    [HR_BENCH_FILES_RSYNC] = {.name = "rsync_files",
                              .title = "rsync -a",
                              .transport = "none",
                              .verbs = 1u << HR_BENCH_FILES,
                              .program = "rsync",
                              .from_disk = true,
                              .run = hr_bench_run_files_rsync},
    [HR_BENCH_FILES_CP] = {.name = "cp_files",
                           .title = "cp -a, sync",
                           .transport = "none",
                           .verbs = 1u << HR_BENCH_FILES,
                           .program = "cp",
                           .from_disk = true,
                           .run = hr_bench_run_files_cp},
    [HR_BENCH_FANOUT_GET] = {.name = "fanout",
                             .title = "one server, clients",
                             .verbs = 1u << HR_BENCH_FANOUT,
                             .from_disk = true,
                             .run = hr_bench_run_fanout},
    [HR_BENCH_LOADER_HOST] = {.name = "loader",
                              .title = "accelerators in training",
                              .verbs = 1u << HR_BENCH_LOADER,
                              .run = hr_bench_run_loader},
    [HR_BENCH_LOADER_GPU] = {.name = "loader_gpu",
                             .title = "same, into GPU memory",
                             .verbs = 1u << HR_BENCH_LOADER,
                             .there = hr_bench_has_gpu,
                             .memory = "gpu",
                             .gpu = true,
                             .run = hr_bench_run_loader},
};

/* The targets are those of the design. */
const hr_bench_goal hr_bench_goals[] = {
    {HR_BENCH_WIRE_CUBIC, {HR_BENCH_IPERF3_CUBIC, HR_BENCH_IPERF3_CUBIC}, 1.30},
    {HR_BENCH_WIRE_RENO, {HR_BENCH_IPERF3_RENO, HR_BENCH_IPERF3_RENO}, 1.30},
    {HR_BENCH_WIRE_CUBIC_DIGESTS, {HR_BENCH_IPERF3_CUBIC, HR_BENCH_IPERF3_CUBIC}, 0.95},
    {HR_BENCH_WIRE_RENO_DIGESTS, {HR_BENCH_IPERF3_RENO, HR_BENCH_IPERF3_RENO}, 0.95},
    {HR_BENCH_DISK, {HR_BENCH_FIO_READ, HR_BENCH_FIO_READ}, 0},
    {HR_BENCH_DISK_WRITE, {HR_BENCH_FIO_WRITE, HR_BENCH_FIO_WRITE}, 0},
    {HR_BENCH_DISK_TO_HOST, {HR_BENCH_FIO_READ, HR_BENCH_WIRE_CUBIC_DIGESTS}, 0.95},
    {HR_BENCH_DISK_TO_HOST, {HR_BENCH_FIO_READ, HR_BENCH_WIRE_RDMA_DIGESTS}, 0.95},
    {HR_BENCH_DISK_TO_FILE, {HR_BENCH_FIO_COPY, HR_BENCH_FIO_COPY}, 0.90},
    {HR_BENCH_DISK_TO_FILE, {HR_BENCH_RSYNC, HR_BENCH_RSYNC}, 0},
    {HR_BENCH_WIRE_ASKED, {HR_BENCH_WIRE_IPERF3, HR_BENCH_WIRE_IPERF3}, 0},
    {HR_BENCH_WIRE_ASKED, {HR_BENCH_WIRE_UCX, HR_BENCH_WIRE_UCX}, 0},
    {HR_BENCH_WIRE_ASKED, {HR_BENCH_WIRE_IB, HR_BENCH_WIRE_IB}, 0},
    {HR_BENCH_DECODE_LZ4, {HR_BENCH_DECODE_LIBLZ4, HR_BENCH_DECODE_LIBLZ4}, 0.95},
    {HR_BENCH_DECODE_ZSTD, {HR_BENCH_DECODE_LIBZSTD, HR_BENCH_DECODE_LIBZSTD}, 0.95},
    {HR_BENCH_FILES_GET, {HR_BENCH_FILES_RSYNC, HR_BENCH_FILES_RSYNC}, 3},
    {HR_BENCH_FILES_GET, {HR_BENCH_FILES_CP, HR_BENCH_FILES_CP}, 1},
};
const unsigned hr_bench_goal_count = sizeof hr_bench_goals / sizeof hr_bench_goals[0];

bool hr_bench_is_installed(const char *program)
{
    char path[HR_BENCH_PATH_MAX];
    const char *next = getenv("PATH");
    while (next != NULL && next[0] != '\0') {
        size_t len = strcspn(next, ":");
        snprintf(path, sizeof path, "%.*s/%s", (int)(len < 256 ? len : 256), next, program);
        if (access(path, X_OK) == 0)
            return true;
        next += next[len] == ':' ? len + 1 : len;
    }
    return false;
}
