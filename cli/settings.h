/* SPDX-License-Identifier: Apache-2.0 */
/* hr_cli_settings: the values of all options, and the table that they come from. */
#ifndef HR_CLI_SETTINGS_H
#define HR_CLI_SETTINGS_H

#include "option.h"

typedef struct hr_cli_settings {
    /* the engine */
    unsigned workers;
    unsigned io;        /* hr_io_choice */
    unsigned transport; /* hr_transport_choice */
    const char *rdma_devices;
    uint64_t rdma_message_len;
    unsigned rdma_queue, rdma_timeout, rdma_retries;
    const char *congestion;
    bool footprint, stages;

    /* what is said */
    bool json, quiet;
    unsigned verbose;

    /* peers */
    bool insecure;
    bool unconfined;
    const char *key, *ca, *crl;

    /* serve */
    hr_option_list exports;
    hr_option_list protect;
    const char *rules_path, *audit;
    const char *listen;
    uint64_t pool_len;

    /* get */
    bool unpack, as_is;
    bool overwrite, dry_run, read_back, strict, preserve, checksum, remove;
    hr_option_list rules; /* by "include" and "exclude" */
    uint64_t limit_bytes_per_s;
    uint64_t deadline_ns, stall_ns;
    unsigned links, max_sms;
    const char *require;

    /* key */
    const char *cluster;

    /* ls */
    bool long_form, print0;

    /* pack, verify */
    unsigned codec; /* hr_pack_codec */
    unsigned level, threads;
    const char *against;

    /* doctor */
    const char *directory;
} hr_cli_settings;

/* The verbs, in the order of hr_cli_syntax.verbs. */
enum {
    HR_CLI_SERVE,
    HR_CLI_GET,
    HR_CLI_LS,
    HR_CLI_PACK,
    HR_CLI_VERIFY,
    HR_CLI_DOCTOR,
    HR_CLI_KEY,
    HR_CLI_HELP,
    HR_CLI_VERBS
};

extern const hr_syntax hr_cli_syntax;

#endif
