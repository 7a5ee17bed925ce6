// SPDX-License-Identifier: Apache-2.0
// What the faulty storage does to its callers, and what an hr_disk loses.
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <memory>
#include <set>

#include "storage_bench.h"

using namespace storage_bench;

namespace
{

const uint16_t always = 65535; // 65535 of 65536 times, and in none of these tests the other time
const unsigned new_file = HR_IO_READABLE | HR_IO_WRITABLE | HR_IO_CREATE;

class OnDisk : public testing::Test
{
  protected:
    void SetUp() override
    {
        hr_sim_init(&sim, 1);
        ASSERT_EQ(hr_disk_create(&sim.env, 1 << 20, &disk), HR_OK);
        client.reset(make_client());
    }
    void TearDown() override
    {
        client.reset();
        faulty.reset();
        hr_disk_destroy(disk);
        EXPECT_EQ(sim.allocated, 0u);
    }
    Client *make_client(const hr_storage_faults *faults = nullptr)
    {
        hr_loop *loop = nullptr;
        hr_storage *storage = nullptr;
        EXPECT_EQ(hr_loop_sim_create(&sim, &loop), HR_OK);
        EXPECT_EQ(hr_storage_memory_create(loop, disk, &storage), HR_OK);
        if (faults != nullptr) {
            EXPECT_EQ(hr_storage_fault_create(storage, faults, &requests, &storage), HR_OK);
        }
        return new Client(loop, storage);
    }
    void with(const hr_storage_faults &faults)
    {
        faulty.reset(make_client(&faults));
    }
    hr_file *opened(const std::string &name, unsigned flags = new_file)
    {
        hr_file *file = nullptr;
        EXPECT_EQ(client->open(nullptr, name, flags, &file), HR_OK) << name;
        return file;
    }
    // Empty if it is not there: no test writes an empty file.
    Bytes content_of(const std::string &path)
    {
        const void *bytes;
        size_t len;
        if (hr_disk_get(disk, path.c_str(), &bytes, &len) != HR_OK)
            return {};
        const auto *at = static_cast<const uint8_t *>(bytes);
        return Bytes(at, at + len);
    }
    hr_status write(Client *through, hr_file *file, uint64_t offset, Bytes bytes)
    {
        return through->move(HR_IO_WRITE, file, offset, bytes.data(), bytes.size());
    }

    hr_sim sim;
    hr_disk *disk = nullptr;
    std::unique_ptr<Client> client, faulty;
    uint64_t requests = 0;
};

// ---- faults ----

using StorageFault = OnDisk;

TEST_F(StorageFault, FailsReadsAndWritesAndChangesNothing)
{
    hr_storage_faults faults = {};
    faults.read_error = faults.write_error = always;
    with(faults);
    hr_file *file = opened("file");
    Bytes bytes(10);
    EXPECT_EQ(write(faulty.get(), file, 0, {1, 2, 3}), HR_IO);
    EXPECT_EQ(faulty->move(HR_IO_READ, file, 0, bytes.data(), 10), HR_IO);
    EXPECT_EQ(content_of("file"), Bytes{});
    EXPECT_EQ(faulty->on_file(HR_IO_SYNC, file), HR_OK) << "no other kind";
    EXPECT_EQ(client->close(file), HR_OK);
}

TEST_F(StorageFault, LosesWritesAndSaysNothing)
{
    hr_storage_faults faults = {};
    faults.lost_write = always;
    with(faults);
    ASSERT_EQ(client->put(nullptr, "file", {7, 7, 7}), HR_OK);
    hr_file *file = opened("file");
    EXPECT_EQ(write(faulty.get(), file, 0, {1, 2, 3}), HR_OK);
    EXPECT_EQ(content_of("file"), (Bytes{7, 7, 7}));
    EXPECT_EQ(client->close(file), HR_OK);
}

TEST_F(StorageFault, TearsWrites)
{
    std::set<size_t> lengths;
    for (uint64_t seed = 0; seed < 20; seed++) {
        hr_storage_faults faults = {};
        faults.seed = seed;
        faults.torn_write = always;
        with(faults);
        const std::string name = "file " + std::to_string(seed);
        const Bytes content = noise(10000, seed);
        hr_file *file = opened(name);
        EXPECT_EQ(write(faulty.get(), file, 0, content), HR_IO);
        const Bytes left = content_of(name);
        ASSERT_LT(left.size(), content.size());
        EXPECT_TRUE(std::equal(left.begin(), left.end(), content.begin())) << "a prefix";
        lengths.insert(left.size());
        EXPECT_EQ(client->close(file), HR_OK);
    }
    EXPECT_GT(lengths.size(), 10u);
}

TEST_F(StorageFault, FlipsExactlyOneBit)
{
    hr_storage_faults faults = {};
    faults.flipped_bit = always;
    with(faults);
    const Bytes content = noise(5000, 3);
    ASSERT_EQ(client->put(nullptr, "file", content), HR_OK);
    hr_file *file = opened("file");
    Bytes back(5000);
    ASSERT_EQ(faulty->move(HR_IO_READ, file, 0, back.data(), back.size()), HR_OK);
    int wrong = 0;
    for (size_t i = 0; i < back.size(); i++)
        wrong += __builtin_popcount(static_cast<unsigned>(back[i] ^ content[i]));
    EXPECT_EQ(wrong, 1);
    EXPECT_EQ(client->close(file), HR_OK);
}

TEST_F(StorageFault, RunsOutOfSpace)
{
    hr_storage_faults faults = {};
    faults.no_space = always;
    with(faults);
    hr_file *file = opened("file");
    EXPECT_EQ(write(faulty.get(), file, 0, {1}), HR_NO_SPACE);
    EXPECT_EQ(faulty->on_file(HR_IO_ALLOCATE, file, 100), HR_NO_SPACE);
    EXPECT_EQ(content_of("file"), Bytes{});
    EXPECT_EQ(client->close(file), HR_OK);
}

TEST_F(StorageFault, AFailedSyncIsNotMadeGoodByTheNext)
{
    const Bytes synced(600, 1), unsynced(600, 2);
    bool lost = false;
    for (uint64_t seed = 0; seed < 20; seed++) {
        ASSERT_EQ(hr_disk_put(disk, "file", synced.data(), synced.size()), HR_OK);
        hr_storage_faults faults = {};
        faults.seed = seed;
        faults.sync_error = 32768;
        with(faults);
        hr_file *file = opened("file");
        ASSERT_EQ(write(faulty.get(), file, 0, unsynced), HR_OK);
        bool failed = false;
        for (int i = 0; i < 10; i++) {
            const hr_status status = faulty->on_file(HR_IO_SYNC, file);
            EXPECT_FALSE(failed && status != HR_OK) << "it fails once and then pretends";
            failed = failed || status != HR_OK;
            if (i == 0 && !failed)
                break;
        }
        hr_disk_crash(disk, seed);
        if (!failed) {
            EXPECT_EQ(content_of("file"), unsynced);
        }
        lost = lost || (failed && content_of("file") != unsynced);
        EXPECT_EQ(client->close(file), HR_OK);
    }
    EXPECT_TRUE(lost);
}

TEST_F(StorageFault, FailsOtherRequestsButGivesHandlesBack)
{
    ASSERT_EQ(client->put(nullptr, "file", {1}), HR_OK);
    hr_storage_faults faults = {};
    faults.other_error = always;
    with(faults);
    hr_file *file = opened("file");
    hr_dir *dir = nullptr;
    ASSERT_EQ(client->open_dir(nullptr, "", 0, &dir), HR_OK);
    hr_file *none;
    std::vector<Entry> entries;
    EXPECT_EQ(faulty->open(nullptr, "file", HR_IO_READABLE, &none), HR_IO);
    EXPECT_EQ(faulty->list(dir, "", 4096, &entries), HR_IO);
    EXPECT_EQ(faulty->on_file(HR_IO_LOCK, file), HR_IO);
    EXPECT_EQ(faulty->close(file), HR_IO); // leaks nothing: TearDown counts
    EXPECT_EQ(faulty->close_dir(dir), HR_IO);
}

TEST_F(StorageFault, MayHaveRenamedWhenItSaysThatItFailed)
{
    std::set<bool> happened;
    for (uint64_t seed = 0; seed < 20; seed++) {
        const std::string from = "from " + std::to_string(seed), to = "to " + std::to_string(seed);
        ASSERT_EQ(client->put(nullptr, from, {1}), HR_OK);
        hr_storage_faults faults = {};
        faults.seed = seed;
        faults.other_error = always;
        with(faults);
        EXPECT_EQ(faulty->rename(nullptr, from, to), HR_IO);
        happened.insert(content_of(to) == Bytes{1});
        EXPECT_NE(content_of(to) == Bytes{1}, content_of(from) == Bytes{1});
    }
    EXPECT_EQ(happened.size(), 2u);
}

TEST_F(StorageFault, FailsTheNthRequestOnly)
{
    hr_storage_faults faults = {};
    faults.fail_nth = 3;
    with(faults);
    hr_file *file = opened("file");
    for (int nth = 1; nth <= 5; nth++)
        EXPECT_EQ(faulty->on_file(HR_IO_SYNC, file), nth == 3 ? HR_IO : HR_OK) << nth;
    EXPECT_EQ(requests, 5u);
    EXPECT_EQ(client->close(file), HR_OK);
}

TEST_F(StorageFault, AnswersLater)
{
    hr_storage_faults faults = {};
    faults.delay = always;
    faults.delay_ns_max = HR_NS_PER_MS;
    with(faults);
    hr_file *file = opened("file");
    const uint64_t start_ns = sim.now_ns;
    for (int i = 0; i < 10; i++)
        EXPECT_EQ(faulty->on_file(HR_IO_SYNC, file), HR_OK);
    EXPECT_GT(sim.now_ns, start_ns);
    EXPECT_LE(sim.now_ns, start_ns + 10 * HR_NS_PER_MS);
    EXPECT_EQ(client->close(file), HR_OK);
}

TEST_F(StorageFault, DoesTheSameForTheSameSeed)
{
    std::vector<hr_status> first;
    for (int round = 0; round < 2; round++) {
        hr_storage_faults faults = {};
        faults.seed = 42;
        faults.write_error = faults.no_space = faults.torn_write = 10000;
        with(faults);
        std::vector<hr_status> statuses;
        hr_file *file = opened("file");
        for (int i = 0; i < 200; i++)
            statuses.push_back(write(faulty.get(), file, 0, {1, 2}));
        EXPECT_EQ(client->close(file), HR_OK);
        EXPECT_EQ(std::set<hr_status>(statuses.begin(), statuses.end()).size(), 3u);
        if (round == 0)
            first = statuses;
        else
            EXPECT_EQ(statuses, first);
    }
}

// ---- crashes ----

using Disk = OnDisk;

TEST_F(Disk, KeepsWhatWasSynced)
{
    for (uint64_t seed = 0; seed < 50; seed++) {
        const Bytes content = noise(5000, seed);
        const std::string name = "dir/file " + std::to_string(seed);
        hr_dir *dir = nullptr;
        ASSERT_EQ(client->open_dir(nullptr, "dir", HR_IO_CREATE, &dir), HR_OK);
        ASSERT_EQ(client->close_dir(dir), HR_OK);
        hr_file *file = opened(name);
        ASSERT_EQ(write(client.get(), file, 0, content), HR_OK);
        ASSERT_EQ(client->on_file(HR_IO_SYNC, file), HR_OK);
        ASSERT_EQ(client->close(file), HR_OK);
        ASSERT_EQ(client->on_path(HR_IO_SYNC_DIR, nullptr, "dir"), HR_OK);
        ASSERT_EQ(client->on_path(HR_IO_SYNC_DIR, nullptr, ""), HR_OK);
        hr_disk_crash(disk, seed);
        EXPECT_TRUE(content_of(name) == content) << "seed " << seed;
        hr_disk_crash(disk, seed + 1);
        EXPECT_TRUE(content_of(name) == content) << "seed " << seed;
    }
}

TEST_F(Disk, LosesKeepsAndTearsWhatWasNot)
{
    int kept = 0, lost = 0, torn = 0;
    const Bytes before(4096, 1), after(4096, 2);
    for (uint64_t seed = 0; seed < 200; seed++) {
        ASSERT_EQ(hr_disk_put(disk, "file", before.data(), before.size()), HR_OK);
        hr_file *file = opened("file");
        ASSERT_EQ(write(client.get(), file, 0, after), HR_OK);
        ASSERT_EQ(client->close(file), HR_OK);
        hr_disk_crash(disk, seed);
        const Bytes left = content_of("file");
        ASSERT_EQ(left.size(), before.size());
        for (size_t sector = 0; sector < left.size(); sector += 512)
            EXPECT_EQ(memcmp(&left[sector], &left[sector + 1], 511), 0) << "a torn sector";
        (left == after ? kept : left == before ? lost : torn)++;
    }
    EXPECT_GT(kept, 10);
    EXPECT_GT(lost, 10);
    EXPECT_GT(torn, 10);
}

TEST_F(Disk, BringsBackWhatWasCutOff)
{
    std::set<size_t> sizes;
    const Bytes before = noise(3000, 1);
    for (uint64_t seed = 0; seed < 40; seed++) {
        ASSERT_EQ(hr_disk_put(disk, "file", before.data(), before.size()), HR_OK);
        hr_file *file = opened("file");
        ASSERT_EQ(client->on_file(HR_IO_TRUNCATE, file, 100), HR_OK);
        ASSERT_EQ(client->close(file), HR_OK);
        hr_disk_crash(disk, seed);
        const Bytes left = content_of("file");
        EXPECT_TRUE(std::equal(left.begin(), left.end(), before.begin()));
        sizes.insert(left.size());
    }
    EXPECT_EQ(sizes, (std::set<size_t>{100, 3000}));
}

TEST_F(Disk, LosesNamesWhoseDirectoryWasNotSynced)
{
    std::set<bool> there, removed_there;
    for (uint64_t seed = 0; seed < 40; seed++) {
        const std::string made = "made " + std::to_string(seed), gone = "gone";
        ASSERT_EQ(hr_disk_put(disk, gone.c_str(), "x", 1), HR_OK);
        hr_file *file = opened(made);
        ASSERT_EQ(write(client.get(), file, 0, {1}), HR_OK);
        ASSERT_EQ(client->on_file(HR_IO_SYNC, file), HR_OK);
        ASSERT_EQ(client->close(file), HR_OK);
        ASSERT_EQ(client->on_path(HR_IO_REMOVE, nullptr, gone), HR_OK);
        hr_disk_crash(disk, seed);
        there.insert(!content_of(made).empty());
        removed_there.insert(!content_of(gone).empty());
    }
    EXPECT_EQ(there.size(), 2u) << "syncing a file does not sync its name";
    EXPECT_EQ(removed_there.size(), 2u);
}

TEST_F(Disk, NeverLosesARenamedFile)
{
    std::set<std::string> outcomes;
    for (uint64_t seed = 0; seed < 100; seed++) {
        // Names of its own: a crash may leave one file under both, for the next turn to write to.
        const std::string from = "part" + std::to_string(seed), to = "final" + std::to_string(seed);
        ASSERT_EQ(hr_disk_put(disk, from.c_str(), "new", 3), HR_OK);
        ASSERT_EQ(hr_disk_put(disk, to.c_str(), "old", 3), HR_OK);
        ASSERT_EQ(client->rename(nullptr, from.c_str(), to.c_str()), HR_OK);
        hr_disk_crash(disk, seed);
        const Bytes part = content_of(from.c_str()), final = content_of(to.c_str());
        outcomes.insert(std::string(part.begin(), part.end()) + "/" +
                        std::string(final.begin(), final.end()));
    }
    EXPECT_EQ(outcomes.count("/old"), 0u) << "neither name";
    EXPECT_EQ(outcomes.count("new/old"), 1u);
    EXPECT_EQ(outcomes.count("/new"), 1u);
}

TEST_F(Disk, TakesHandlesAndLocksWithIt)
{
    for (bool crash : {true, false}) {
        hr_dir *dir = nullptr;
        ASSERT_EQ(client->open_dir(nullptr, "", 0, &dir), HR_OK);
        hr_file *file = opened("file");
        ASSERT_EQ(write(client.get(), file, 0, {1, 2, 3}), HR_OK);
        ASSERT_EQ(client->on_file(HR_IO_LOCK, file), HR_OK);
        ASSERT_EQ(client->on_file(HR_IO_SYNC, file), HR_OK);
        ASSERT_EQ(client->on_path(HR_IO_SYNC_DIR, dir, ""), HR_OK);
        if (crash)
            hr_disk_crash(disk, 1);
        else
            hr_disk_kill(disk);
        Bytes bytes(3);
        EXPECT_EQ(client->move(HR_IO_READ, file, 0, bytes.data(), 3), HR_IO);
        EXPECT_EQ(write(client.get(), file, 0, {9}), HR_IO);
        EXPECT_EQ(client->on_path(HR_IO_LOOKUP, dir, "file"), HR_IO);
        hr_file *again = opened("file");
        EXPECT_EQ(client->on_file(HR_IO_LOCK, again), HR_OK);
        EXPECT_EQ(client->close(again), HR_OK);
        EXPECT_EQ(client->close(file), HR_OK);
        EXPECT_EQ(client->close_dir(dir), HR_OK);
        EXPECT_EQ(content_of("file"), (Bytes{1, 2, 3}));
    }
}

TEST_F(Disk, KeepsUnsyncedBytesWhenOnlyTheProcessDies)
{
    ASSERT_EQ(client->put(nullptr, "file", {1, 2, 3}), HR_OK);
    hr_disk_kill(disk);
    EXPECT_EQ(content_of("file"), (Bytes{1, 2, 3}));
}

TEST_F(Disk, HasAnEnd)
{
    hr_file *file = opened("file");
    EXPECT_EQ(write(client.get(), file, 0, Bytes(1 << 20, 1)), HR_OK);
    EXPECT_EQ(write(client.get(), file, 1 << 20, {1}), HR_NO_SPACE);
    EXPECT_EQ(client->on_file(HR_IO_ALLOCATE, file, (1 << 20) + 1), HR_NO_SPACE);
    EXPECT_EQ(client->put(nullptr, "other", {1}), HR_NO_SPACE);
    ASSERT_EQ(client->on_path(HR_IO_REMOVE, nullptr, "file"), HR_OK);
    EXPECT_EQ(client->put(nullptr, "other", {1}), HR_NO_SPACE) << "it is still open";
    EXPECT_EQ(client->close(file), HR_OK);
    EXPECT_EQ(client->put(nullptr, "other", {1}), HR_OK);
    hr_disk_crash(disk, 7);
    EXPECT_EQ(client->put(nullptr, "third", Bytes((1 << 20) - 1)), HR_OK) << "the sums are right";
}

TEST_F(Disk, CrashesTheSameWayForTheSameSeed)
{
    Bytes left[2];
    for (Bytes &result : left) {
        ASSERT_EQ(hr_disk_put(disk, "file", Bytes(9000, 1).data(), 9000), HR_OK);
        hr_file *file = opened("file");
        ASSERT_EQ(write(client.get(), file, 100, noise(8000, 5)), HR_OK);
        hr_disk_crash(disk, 11);
        ASSERT_EQ(client->close(file), HR_OK);
        result = content_of("file");
    }
    EXPECT_TRUE(left[0] == left[1]);
}

TEST_F(Disk, WalksItsTree)
{
    ASSERT_EQ(hr_disk_put(disk, "a/b/c", "12", 2), HR_OK);
    ASSERT_EQ(hr_disk_put(disk, "a/d", "1", 1), HR_OK);
    ASSERT_EQ(hr_disk_put(disk, "e", "", 0), HR_OK);
    std::map<std::string, uint64_t> seen;
    auto visit = [](void *context, const char *path, const hr_file_info *info) {
        (*static_cast<std::map<std::string, uint64_t> *>(context))[path] = info->size;
    };
    hr_disk_walk(disk, "", visit, &seen);
    EXPECT_EQ(seen, (std::map<std::string, uint64_t>{
                        {"a", 0}, {"a/b", 0}, {"a/b/c", 2}, {"a/d", 1}, {"e", 0}}));
    seen.clear();
    hr_disk_walk(disk, "/a/b/", visit, &seen);
    EXPECT_EQ(seen, (std::map<std::string, uint64_t>{{"a/b/c", 2}}));
    seen.clear();
    hr_disk_walk(disk, "missing", visit, &seen);
    EXPECT_TRUE(seen.empty());
}

TEST_F(Disk, LooksChangedAfterEveryChangeThoughTheClockStands)
{
    hr_file *file = opened("file");
    hr_file_info before, after;
    for (int i = 0; i < 3; i++) {
        ASSERT_EQ(client->stat(file, &before), HR_OK);
        ASSERT_EQ(write(client.get(), file, 0, {static_cast<uint8_t>(i)}), HR_OK);
        ASSERT_EQ(client->stat(file, &after), HR_OK);
        EXPECT_GT(after.mtime_ns, before.mtime_ns);
        EXPECT_GT(after.ctime_ns, before.ctime_ns);
    }
    EXPECT_EQ(client->close(file), HR_OK);
}

} // namespace
