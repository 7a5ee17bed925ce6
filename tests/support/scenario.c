/* SPDX-License-Identifier: Apache-2.0 */
#include "scenario.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "env.h"

#define SAMPLES_LEN (24u << 20)
#define CHUNK       ((size_t)HR_CHUNK_LEN)

/* splitmix64: every seed, 0 too, gives a good sequence. */
static uint64_t next_u64(uint64_t *state)
{
    uint64_t value = *state += UINT64_C(0x9E3779B97F4A7C15);
    value = (value ^ (value >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94D049BB133111EB);
    return value ^ (value >> 31);
}

static uint64_t below(uint64_t *dice, uint64_t bound)
{
    return next_u64(dice) % bound;
}

/* Once in so many times. */
static bool one_in(uint64_t *dice, uint64_t times)
{
    return below(dice, times) == 0;
}

/* ---- content ---- */

/* Of the first half every page says the same over and over, so that it can be packed; the second is
 * noise. */
#define REPEATED 64
static bool is_repeated(size_t i)
{
    return i < SAMPLES_LEN / 2 / sizeof(uint64_t) && i % 512 >= REPEATED;
}

const uint8_t *hr_sample_bytes(const hr_sample *sample)
{
    static uint64_t samples[SAMPLES_LEN / sizeof(uint64_t)];
    if (samples[0] == 0) {
        uint64_t state = 1;
        for (size_t i = 0; i < SAMPLES_LEN / sizeof *samples; i++)
            samples[i] = is_repeated(i) ? samples[i - REPEATED] : next_u64(&state);
    }
    assert(sample->at + sample->len <= SAMPLES_LEN);
    return (const uint8_t *)samples + sample->at;
}

static hr_sample draw_sample(uint64_t *dice, size_t len)
{
    return (hr_sample){.at = below(dice, SAMPLES_LEN - len), .len = len};
}

/* Around the numbers at which something changes: blocks, chunks, nothing at all. */
static size_t draw_small_len(uint64_t *dice)
{
    static const size_t edges[] = {0, 1, 511, 4095, 4096, 4097, 65536};
    return one_in(dice, 2) ? edges[below(dice, sizeof edges / sizeof *edges)] : below(dice, 100000);
}

static size_t draw_large_len(uint64_t *dice)
{
    static const size_t edges[] = {CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 4095};
    return one_in(dice, 2) ? edges[below(dice, sizeof edges / sizeof *edges)]
                           : CHUNK + below(dice, 3 * CHUNK);
}

static void draw_file(uint64_t *dice, hr_scenario_file *file, unsigned number, bool large)
{
    static const char *const folders[] = {"", "", "a/", "a/b/", "c/"};
    const char *folder = folders[below(dice, sizeof folders / sizeof *folders)];
    snprintf(file->path, sizeof file->path, "t/%sf%u", folder, number);
    for (unsigned i = 0; i < HR_SCENARIO_VERSIONS_MAX; i++)
        file->versions[i] = draw_sample(dice, large ? draw_large_len(dice) : draw_small_len(dice));
    hr_sample *existing = &file->versions[HR_SCENARIO_VERSIONS_MAX - 1];
    if (existing->len < 64) /* else it may be what the source holds */
        *existing = draw_sample(dice, 64);
    if (one_in(dice, 2)) /* often a change does not show in the size */
        file->versions[1] = draw_sample(dice, file->versions[0].len);
}

static void draw_source(uint64_t *dice, hr_scenario *scenario)
{
    scenario->tree = one_in(dice, 5);
    scenario->export_root = one_in(dice, 3);
    unsigned most = scenario->tree ? HR_SCENARIO_FILES_MAX : one_in(dice, 3) ? 3 : 1;
    scenario->file_count = 1 + (unsigned)below(dice, most);
    unsigned large = 0;
    bool together = scenario->tree && scenario->seed % 4 == 1; /* as in a drawer */
    for (unsigned i = 0; i < scenario->file_count; i++) {
        bool is_large = large == 0 && (scenario->tree ? one_in(dice, 5) : !one_in(dice, 3));
        draw_file(dice, &scenario->files[i], i, is_large);
        if (together)
            snprintf(scenario->files[i].path, sizeof scenario->files[i].path, "t/a/f%u", i);
        large += is_large;
    }
}

/* ---- the request ---- */

static void draw_request(uint64_t *dice, hr_scenario *scenario)
{
    scenario->local = one_in(dice, 5);
    scenario->shared = one_in(dice, 2);
    if (one_in(dice, 2)) {
        unsigned rails = 1 + (unsigned)below(dice, 2);
        scenario->server.rails = one_in(dice, 8) ? 0 : rails;
        scenario->client.rails = one_in(dice, 8) ? 0 : rails;
    }
    scenario->clients = one_in(dice, 8) ? 2 : 1;
    scenario->second_step = below(dice, 4u << below(dice, 7));
    scenario->links = 1 + (unsigned)below(dice, 4);
    scenario->server.workers = 1 + (unsigned)below(dice, 3);
    scenario->client.workers = 1 + (unsigned)below(dice, 3);
    scenario->target = one_in(dice, 4)   ? HR_SCENARIO_TO_SPAN
                       : one_in(dice, 8) ? HR_SCENARIO_TO_HOST
                                         : HR_SCENARIO_TO_FILE;
    if (scenario->tree && scenario->target == HR_SCENARIO_TO_SPAN)
        scenario->target = HR_SCENARIO_TO_FILE;
    scenario->existing = one_in(dice, 8);
    scenario->overwrite = one_in(dice, scenario->existing ? 2 : 6);
    scenario->read_back = one_in(dice, 3);
    if (one_in(dice, 10))
        scenario->limit_bytes_per_s = (1u << 20) << below(dice, 8);
    if (one_in(dice, 12))
        scenario->deadline_ns = 1 + below(dice, HR_NS_PER_US << below(dice, 24));
}

/* ---- what goes wrong ---- */

/* From seldom to often, in 1/65536. */
static uint16_t draw_chance(uint64_t *dice)
{
    return (uint16_t)(200u << below(dice, 8));
}

/* Up to 8 s: less than the silence after which a peer is dead. */
static void draw_delays(uint64_t *dice, uint16_t *chance, uint64_t *delay_ns_max)
{
    *chance = draw_chance(dice);
    *delay_ns_max = HR_NS_PER_US << below(dice, 24);
}

/* Disks and networks take their time, each request its own: without it all would happen in the same
 * instant, and in the same order. */
static void draw_latency(uint64_t *dice, hr_scenario_side *side)
{
    if (one_in(dice, 5))
        return;
    side->storage.delay = (uint16_t)below(dice, 0x10000);
    side->storage.delay_ns_max = HR_NS_PER_US << below(dice, 12);
    side->transport.delayed = (uint16_t)below(dice, 0x10000);
    side->transport.delay_ns_max = HR_NS_PER_US << below(dice, 12);
}

/* Where content is written: a lost write is seen only by those who read back. */
static void draw_target_storage(uint64_t *dice, hr_scenario *scenario)
{
    hr_storage_faults *faults = &scenario->client.storage;
    switch (below(dice, 9)) {
    case 0:
        faults->write_error = draw_chance(dice);
        break;
    case 1:
        faults->no_space = draw_chance(dice);
        break;
    case 2:
        faults->sync_error = draw_chance(dice);
        break;
    case 3:
        faults->other_error = draw_chance(dice);
        break;
    case 4:
        faults->lost_write = draw_chance(dice);
        scenario->read_back = true;
        break;
    case 5:
        faults->torn_write = draw_chance(dice);
        break;
    case 6:
        /* The embedded server reads through the same storage, and digests what it read. */
        faults->flipped_bit = scenario->local ? 0 : draw_chance(dice);
        break;
    case 7:
        faults->fail_nth = 1 + below(dice, 60);
        break;
    default:
        draw_delays(dice, &faults->delay, &faults->delay_ns_max);
    }
}

static void draw_source_storage(uint64_t *dice, hr_storage_faults *faults)
{
    switch (below(dice, 4)) {
    case 0:
        faults->read_error = draw_chance(dice);
        break;
    case 1:
        faults->other_error = draw_chance(dice);
        break;
    case 2:
        faults->fail_nth = 1 + below(dice, 40);
        break;
    default:
        draw_delays(dice, &faults->delay, &faults->delay_ns_max);
    }
}

static void draw_transport(uint64_t *dice, hr_transport_faults *faults)
{
    switch (below(dice, 5)) {
    case 0:
        faults->refused = draw_chance(dice);
        break;
    case 1:
        faults->lost = draw_chance(dice);
        break;
    case 2:
        faults->corrupted = draw_chance(dice);
        break;
    case 3:
        faults->late = 0x8000;
        faults->lost = draw_chance(dice);
        draw_delays(dice, &faults->delayed, &faults->delay_ns_max);
        break;
    default:
        draw_delays(dice, &faults->delayed, &faults->delay_ns_max);
    }
}

static void draw_fault(uint64_t *dice, hr_scenario *scenario)
{
    switch (below(dice, 10)) {
    case 0:
    case 1:
    case 2:
    case 8:
    case 9:
        draw_target_storage(dice, scenario);
        break;
    case 3:
        draw_source_storage(dice, &scenario->server.storage);
        break;
    case 4:
        draw_transport(dice, &scenario->server.transport);
        break;
    case 5:
        draw_transport(dice, &scenario->client.transport);
        break;
    case 6:
        scenario->fail_nth = 1 + below(dice, 8u << below(dice, 6));
        break;
    default:
        if (one_in(dice, 8))
            scenario->client.memory_fail_nth = 1 + below(dice, scenario->client.workers);
        else
            draw_transport(dice, &scenario->server.transport);
    }
}

static void draw_event(uint64_t *dice, hr_scenario *scenario)
{
    static const hr_scenario_event_kind kinds[] = {
        HR_SCENARIO_CANCEL,       HR_SCENARIO_SERVER_KILL,  HR_SCENARIO_SERVER_CRASH,
        HR_SCENARIO_CLIENT_KILL,  HR_SCENARIO_CLIENT_KILL,  HR_SCENARIO_CLIENT_CRASH,
        HR_SCENARIO_CLIENT_CRASH, HR_SCENARIO_CLIENT_CRASH, HR_SCENARIO_SOURCE_CHANGE,
    };
    scenario->events[scenario->event_count++] = (hr_scenario_event){
        .kind = kinds[below(dice, sizeof kinds / sizeof *kinds)],
        .step = below(dice, 16u << below(dice, 5)),
        .which = (unsigned)below(dice, scenario->file_count),
        .attempt = (unsigned)below(dice, scenario->faulty_attempts),
    };
}

static void draw_troubles(uint64_t *dice, hr_scenario *scenario)
{
    scenario->faulty_attempts = 1 + (unsigned)below(dice, 3);
    scenario->crash_at_end = one_in(dice, 3);
    draw_latency(dice, &scenario->server);
    draw_latency(dice, &scenario->client);
    for (uint64_t i = below(dice, 4); i > 0; i--)
        draw_fault(dice, scenario);
    for (uint64_t i = below(dice, 4); i > 0; i--)
        draw_event(dice, scenario);
}

/* With dice of its own, so that the other stories stay what they are. */
static void draw_packing(hr_scenario *scenario, uint64_t seed)
{
    uint64_t dice = seed ^ UINT64_C(0x7061636b6564);
    scenario->packed = one_in(&dice, 5);
    scenario->container = (unsigned)below(&dice, 3); /* beside, lz4, zstd */
    if (scenario->tree && scenario->container == 0)
        scenario->container = 1; /* an index would be one of its files */
    /* What the server reads wrong is found by those who have a digest of it. */
    if (scenario->packed && scenario->container != 0 && !scenario->local && one_in(&dice, 4))
        scenario->server.storage.flipped_bit = draw_chance(&dice);
}

/* Likewise: power that fails around any operation of a disk, links that die again and again, a
 * machine that slept. */
static void draw_interruptions(hr_scenario *scenario, uint64_t seed)
{
    uint64_t dice = seed ^ UINT64_C(0x696e74657272);
    if (one_in(&dice, 4))
        scenario->events[scenario->event_count++] = (hr_scenario_event){
            .kind = one_in(&dice, 4) ? HR_SCENARIO_SERVER_STOP : HR_SCENARIO_CLIENT_STOP,
            .step = 1 + below(&dice, 4u << below(&dice, 5)),
            .which = (unsigned)below(&dice, 2),
            .attempt = (unsigned)below(&dice, scenario->faulty_attempts),
        };
    if (one_in(&dice, 12))
        scenario->events[scenario->event_count++] = (hr_scenario_event){
            .kind = HR_SCENARIO_CLOCK_JUMP,
            .step = below(&dice, 16u << below(&dice, 4)),
            .attempt = (unsigned)below(&dice, scenario->faulty_attempts),
        };
    if (one_in(&dice, 12)) {
        hr_transport_faults *faults = &scenario->server.transport;
        faults->flap_every = 1 + (uint32_t)below(&dice, 5);
        faults->late = one_in(&dice, 2) ? 0x8000 : faults->late;
    }
}

/* Likewise: a disk that is full, read-only or broken from some request on, for good or for a while.
 */
static void draw_outage(hr_scenario *scenario, uint64_t seed)
{
    static const hr_outage kinds[] = {HR_OUTAGE_FULL, HR_OUTAGE_READ_ONLY, HR_OUTAGE_CHANGES,
                                      HR_OUTAGE_ALL, HR_OUTAGE_READS};
    uint64_t dice = seed ^ UINT64_C(0x6f7574616765);
    if (!one_in(&dice, 5))
        return;
    bool server = one_in(&dice, 4); /* which only reads */
    hr_storage_faults *faults = &(server ? &scenario->server : &scenario->client)->storage;
    faults->outage = kinds[server ? 3 + below(&dice, 2) : below(&dice, 5)];
    faults->outage_from = 1 + below(&dice, 4u << below(&dice, 5));
    faults->outage_len = one_in(&dice, 2) ? 0 : 1 + below(&dice, 16);
}

/* Likewise, and few: what a handshake costs is a story. */
static void draw_secrecy(hr_scenario *scenario, uint64_t seed)
{
    uint64_t dice = seed ^ UINT64_C(0x736563726574);
    scenario->sealed = one_in(&dice, 16) && !scenario->local;
}

/* Likewise, and few: its kernels run on the CPU. What it decodes itself is wanted most. */
static void draw_gpu(hr_scenario *scenario, uint64_t seed)
{
    static const char *const calls[] = {
        "copy",           "kernel",     "cuMemcpyAsync",  "cuLaunchKernel", "cuEventSynchronize",
        "cuStreamCreate", "cuMemAlloc", "cuMemHostAlloc", "cuEventRecord",  "cuMemHostRegister"};
    static const unsigned results[] = {2, 700, 719}; /* out of memory; the context is lost */
    uint64_t dice = seed ^ UINT64_C(0x677075);
    if (!one_in(&dice, 40) || scenario->tree)
        return;
    scenario->target = HR_SCENARIO_TO_GPU;
    scenario->existing = scenario->overwrite = scenario->read_back = false;
    if (one_in(&dice, 2)) {
        scenario->packed = true;
        scenario->container = 1; /* lz4 */
    }
    if (one_in(&dice, 2)) {
        scenario->gpu_fails = calls[below(&dice, sizeof calls / sizeof *calls)];
        scenario->gpu_fail_nth = 1 + (unsigned)below(&dice, 2u << below(&dice, 4));
        scenario->gpu_result = results[below(&dice, 3)];
    }
    if (one_in(&dice, 3)) {
        scenario->gpu_flip_nth = 1 + (unsigned)below(&dice, 4);
        scenario->gpu_flips = 1 + (unsigned)below(&dice, 4);
    }
}

/* Likewise: in the target of a tree there are things of another type. */
static void draw_obstacles(hr_scenario *scenario, uint64_t seed)
{
    uint64_t dice = seed ^ UINT64_C(0x6f6273746163);
    if (!scenario->tree || !scenario->existing || scenario->target != HR_SCENARIO_TO_FILE)
        return;
    scenario->obstacle = (hr_scenario_obstacle)below(&dice, HR_SCENARIO_FULL_FOLDER + 1);
    scenario->remove = one_in(&dice, 2);
}

void hr_scenario_draw(hr_scenario *scenario, uint64_t seed)
{
    uint64_t dice = seed;
    *scenario = (hr_scenario){.seed = seed};
    draw_source(&dice, scenario);
    draw_request(&dice, scenario);
    draw_troubles(&dice, scenario);
    draw_packing(scenario, seed);
    draw_interruptions(scenario, seed);
    draw_outage(scenario, seed);
    draw_secrecy(scenario, seed);
    draw_gpu(scenario, seed);
    draw_obstacles(scenario, seed);
}

/* ---- for a person ---- */

static void print_side(const char *name, const hr_scenario_side *side)
{
    static const char *const outages[] = {"no outage",    "no reads", "no changes",
                                          "nothing goes", "full",     "read-only"};
    const hr_storage_faults *storage = &side->storage;
    const hr_transport_faults *transport = &side->transport;
    fprintf(stderr,
            "  %s: %u workers, %u rails, storage: read %u write %u space %u sync %u other %u lost "
            "%u torn %u "
            "flipped %u delay %u of %llu ns, nth %llu, %s from %llu for %llu\n",
            name, side->workers, side->rails, storage->read_error, storage->write_error,
            storage->no_space, storage->sync_error, storage->other_error, storage->lost_write,
            storage->torn_write, storage->flipped_bit, storage->delay,
            (unsigned long long)storage->delay_ns_max, (unsigned long long)storage->fail_nth,
            outages[storage->outage], (unsigned long long)storage->outage_from,
            (unsigned long long)storage->outage_len);
    fprintf(stderr,
            "    transport: refused %u lost %u corrupted %u delayed %u of %llu ns late %u "
            "flap %u; memory: "
            "nth %llu\n",
            transport->refused, transport->lost, transport->corrupted, transport->delayed,
            (unsigned long long)transport->delay_ns_max, transport->late, transport->flap_every,
            (unsigned long long)side->memory_fail_nth);
}

void hr_scenario_print(const hr_scenario *scenario)
{
    static const char *const targets[] = {"file", "span", "host", "gpu"};
    static const char *const obstacles[] = {"", "behind symlinks ", "behind empty directories ",
                                            "behind full directories "};
    static const char *const events[] = {
        "cancel",          "server killed",           "server crashes",
        "client killed",   "client crashes",          "source changes",
        "the clock jumps", "the client's disk stops", "the server's disk stops"};
    fprintf(stderr,
            "seed %llu: %s%s%s%s, %u links, %u clients, %s%s%s%s%s%s, to %s, limit %llu/s, "
            "deadline %llu ns\n",
            (unsigned long long)scenario->seed, scenario->tree ? "a tree" : "files",
            scenario->packed ? ", packed" : "", scenario->local ? ", local" : "",
            scenario->sealed ? ", sealed" : "", scenario->links, scenario->clients,
            scenario->shared ? "shared " : "", scenario->existing ? "existing " : "",
            obstacles[scenario->obstacle], scenario->overwrite ? "overwrite " : "",
            scenario->remove ? "delete " : "", scenario->read_back ? "read-back" : "",
            targets[scenario->target], (unsigned long long)scenario->limit_bytes_per_s,
            (unsigned long long)scenario->deadline_ns);
    for (unsigned i = 0; i < scenario->file_count; i++)
        fprintf(stderr, "  %s: %zu bytes, later %zu\n", scenario->files[i].path,
                scenario->files[i].versions[0].len, scenario->files[i].versions[1].len);
    print_side("server", &scenario->server);
    print_side("client", &scenario->client);
    fprintf(stderr, "  %u faulty attempts, allocation %llu fails\n", scenario->faulty_attempts,
            (unsigned long long)scenario->fail_nth);
    if (scenario->target == HR_SCENARIO_TO_GPU)
        fprintf(stderr, "  on the GPU: %s %u fails with %u, copies %u to %u are wrong\n",
                scenario->gpu_fails != NULL ? scenario->gpu_fails : "no call",
                scenario->gpu_fail_nth, scenario->gpu_result, scenario->gpu_flip_nth,
                scenario->gpu_flip_nth + scenario->gpu_flips);
    for (unsigned i = 0; i < scenario->event_count; i++)
        fprintf(stderr, "  attempt %u, step %llu: %s (%u)\n", scenario->events[i].attempt,
                (unsigned long long)scenario->events[i].step, events[scenario->events[i].kind],
                scenario->events[i].which);
}
