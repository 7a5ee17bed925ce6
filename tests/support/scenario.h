/* SPDX-License-Identifier: Apache-2.0 */
/* hr_scenario: what happens in one simulated story, drawn from a seed: what the source holds, who
 * asks for what, what fails, and what befalls them at which step. Plain data: a test may also write
 * one by hand. */
#ifndef HR_SCENARIO_H
#define HR_SCENARIO_H

#include "storage_memory.h"
#include "transport.h"

#define HR_SCENARIO_FILES_MAX    8
#define HR_SCENARIO_EVENTS_MAX   6
#define HR_SCENARIO_VERSIONS_MAX 4

typedef enum hr_scenario_target {
    HR_SCENARIO_TO_FILE,
    HR_SCENARIO_TO_SPAN, /* memory of the caller's */
    HR_SCENARIO_TO_HOST, /* memory of the engine's */
    HR_SCENARIO_TO_GPU,  /* memory of the caller's there */
} hr_scenario_target;

/* Bytes without a copy: a slice of one buffer that is made once for the process. */
typedef struct hr_sample {
    size_t at, len;
} hr_sample;

/* What has the name of every other file of a tree that exists. */
typedef enum hr_scenario_obstacle {
    HR_SCENARIO_NO_OBSTACLE,
    HR_SCENARIO_SYMLINK,
    HR_SCENARIO_EMPTY_FOLDER,
    HR_SCENARIO_FULL_FOLDER,
} hr_scenario_obstacle;

typedef struct hr_scenario_file {
    char path[32]; /* below the export */
    /* The first is what the source holds at the start, the others are what it changes into. */
    hr_sample versions[HR_SCENARIO_VERSIONS_MAX];
} hr_scenario_file;

typedef enum hr_scenario_event_kind {
    HR_SCENARIO_CANCEL,        /* of the get number which */
    HR_SCENARIO_SERVER_KILL,   /* the process dies and another one starts */
    HR_SCENARIO_SERVER_CRASH,  /* its machine does */
    HR_SCENARIO_CLIENT_KILL,   /* ends the attempt */
    HR_SCENARIO_CLIENT_CRASH,  /* ends the attempt; the machine boots anew */
    HR_SCENARIO_SOURCE_CHANGE, /* the file number which */
    HR_SCENARIO_CLOCK_JUMP,    /* by minutes: the machine slept */
    HR_SCENARIO_SERVER_ROOM,   /* a crowded server has room from now on */
    /* Of the disk operations from the start of the attempt: power fails at number step, before it
     * (which 0) or after it. A client's ends the attempt. */
    HR_SCENARIO_CLIENT_STOP,
    HR_SCENARIO_SERVER_STOP,
} hr_scenario_event_kind;

typedef struct hr_scenario_event {
    hr_scenario_event_kind kind;
    uint64_t step; /* counted from the start of the attempt */
    unsigned which, attempt;
} hr_scenario_event;

typedef struct hr_scenario_side {
    unsigned workers;
    unsigned rails; /* of imitated RDMA; 0: it has none */
    hr_storage_faults storage;
    hr_transport_faults transport;
    uint64_t memory_fail_nth;
} hr_scenario_side;

typedef struct hr_scenario {
    uint64_t seed; /* also of everything that is not said here */
    hr_scenario_file files[HR_SCENARIO_FILES_MAX];
    unsigned file_count;
    bool tree; /* one get of all of it; else one get a file */
    /* The files lie on the server as packed shards, and are unpacked on their way. Beside: as they
     * are, with an index. */
    bool packed;
    unsigned container;   /* hr_container */
    bool export_root;     /* the tree is the export itself, else a directory in it */
    bool local;           /* no server: the client has it within */
    bool sealed;          /* over TLS, and payloads cross encrypted */
    bool certified;       /* and each side has a certificate; else they share a key */
    bool crowded;         /* the server has no room for all of the links */
    bool shared;          /* links over the network offer peek */
    unsigned clients;     /* 2: both want the same, */
    uint64_t second_step; /* and the second one begins at this step */
    unsigned links;
    hr_scenario_target target;
    bool existing; /* every target is there already, with other content */
    hr_scenario_obstacle obstacle;
    bool overwrite, remove, read_back;
    uint64_t limit_bytes_per_s, deadline_ns;

    /* Faults are there in the first attempts; those that follow have none. */
    unsigned faulty_attempts;
    hr_scenario_side server, client;
    uint64_t fail_nth; /* allocation, from the start of each attempt */
    /* Of the driver without a GPU (fake.h), from the start of each attempt: a call that fails, of
     * that number and with that result (NULL: none); of so many copies there, from that number on,
     * a bit is wrong. */
    const char *gpu_fails;
    unsigned gpu_fail_nth, gpu_result, gpu_flip_nth, gpu_flips;
    hr_scenario_event events[HR_SCENARIO_EVENTS_MAX];
    unsigned event_count;
    bool crash_at_end; /* what was reported as there must survive it */
} hr_scenario;

/* The same seed gives the same scenario. */
void hr_scenario_draw(hr_scenario *scenario, uint64_t seed);
/* To stderr, for a person. */
void hr_scenario_print(const hr_scenario *scenario);

const uint8_t *hr_sample_bytes(const hr_sample *sample);

#endif
