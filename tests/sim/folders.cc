// SPDX-License-Identifier: Apache-2.0
// A tree of small directories, of which a list asks for many: with a peer that knows that, with an
// older one, and with one that answers in part, or something else.
#include "changed_words.h"

#include <string>
#include <vector>

extern "C" {
#include "loop_sim.h"
#include "world.h"
}

using namespace changed_words;

namespace
{

constexpr unsigned FOLDERS = 60;

class Folders : public testing::Test
{
  protected:
    hr_status status_ = HR_AGAIN;
    hr_get_progress progress_ = {};
    std::vector<std::string> paths_, failed_;
    unsigned lists_ = 0;

    void SetUp() override
    {
        for (unsigned i = 0; i < FOLDERS; i++) {
            const std::string folder = "/d" + std::to_string(i);
            for (unsigned j = 0; j < i % 4; j++)
                paths_.push_back(folder + "/" + std::to_string(j));
            paths_.push_back(folder + "/below/last");
        }
    }
    static void file_done(void *context, const hr_file_report *file)
    {
        auto *self = static_cast<Folders *>(context);
        if (file->status != HR_OK)
            self->failed_.emplace_back(file->path);
    }
    // side_of_client: whose words are changed.
    void get(bool side_of_client)
    {
        hr_world world;
        hr_engine *there = nullptr, *here = nullptr;
        hr_server *server = nullptr;
        hr_client *client = nullptr;
        hr_get *get = nullptr;
        hr_error error = {};
        ASSERT_EQ(HR_OK, hr_world_init(&world, 1));
        (side_of_client ? world.client_side : world.server_side).wrap_transport = wrap;
        for (const std::string &path : paths_)
            ASSERT_EQ(HR_OK, hr_disk_put(world.server_disk, ("/data" + path).c_str(), "x", 1));
        ASSERT_EQ(HR_OK, hr_world_engine(&world, true, &there, &error)) << error.text;
        ASSERT_EQ(HR_OK, hr_world_engine(&world, false, &here, &error)) << error.text;
        hr_export exported = {.name = "data", .path = "/data"};
        hr_server_options offered = {.listen = "127.0.0.1:7431", .exports = &exported};
        offered.export_count = 1;
        offered.trust.insecure = true;
        ASSERT_EQ(HR_OK, hr_server_open(there, &offered, &server, &error)) << error.text;
        while (hr_server_status(server) == HR_AGAIN)
            ASSERT_TRUE(hr_sim_step(&world.sim, HR_NEVER));
        hr_client_options wanted = {.address = "127.0.0.1:7431"};
        wanted.trust.insecure = true;
        ASSERT_EQ(HR_OK, hr_client_open(here, &wanted, &client, &error)) << error.text;
        hr_get_options options = {};
        options.path = "data";
        options.target_path = "/copy";
        options.file_done = file_done;
        options.context = this;
        ASSERT_EQ(HR_OK, hr_get_start(client, &options, &get, &error)) << error.text;
        while (hr_get_status(get) == HR_AGAIN)
            ASSERT_TRUE(hr_sim_step(&world.sim, HR_NEVER));
        status_ = hr_get_status(get);
        progress_ = hr_get_count(get);
        hr_get_destroy(get);
        unsigned missing = 0;
        for (const std::string &path : paths_) {
            const void *bytes;
            size_t len;
            missing +=
                hr_disk_get(world.client_disk, ("/copy" + path).c_str(), &bytes, &len) != HR_OK;
        }
        EXPECT_EQ(paths_.size() - progress_.files_done, missing);
        hr_client_destroy(client);
        hr_server_destroy(server);
        hr_engine_destroy(here);
        hr_engine_destroy(there);
        hr_world_fini(&world);
        EXPECT_EQ(0u, world.sim.allocated);
    }
    // Of what the server says of many directories.
    void change_answers(std::function<void(hr_message_entries &)> answer)
    {
        change = [answer](hr_message &message) {
            if (message.kind != HR_MESSAGE_ENTRIES || message.entries.folder_count < 2)
                return false;
            answer(message.entries);
            return true;
        };
    }
    void count_lists(uint64_t features_lost)
    {
        change = [this, features_lost](hr_message &message) {
            lists_ += message.kind == HR_MESSAGE_LIST;
            if (message.kind == HR_MESSAGE_HELLO)
                message.hello.features &= ~features_lost;
            return message.kind == HR_MESSAGE_HELLO;
        };
    }
};

TEST_F(Folders, AreListedTogether)
{
    count_lists(0);
    get(true);
    EXPECT_EQ(HR_OK, status_);
    EXPECT_EQ(paths_.size(), progress_.files_done);
    EXPECT_EQ(3u, lists_); // the tree, what is in it, and what is below that
}

TEST_F(Folders, AreListedOneByOneWithAnOlderPeer)
{
    count_lists(HR_FEATURE_FOLDERS | HR_FEATURE_LISTS);
    get(true);
    EXPECT_EQ(HR_OK, status_);
    EXPECT_EQ(paths_.size(), progress_.files_done);
    EXPECT_EQ(1 + 2 * FOLDERS, lists_);
}

TEST_F(Folders, ThatAreAnsweredInPartAreAskedForAgain)
{
    unsigned cut = 0;
    change_answers([&cut](hr_message_entries &page) {
        page.folder_count = 1 + cut++ % 2;
        page.count = page.counts[0] + (page.folder_count == 2 ? page.counts[1] : 0);
        page.cookie = 0;
    });
    get(false);
    EXPECT_EQ(HR_OK, status_);
    EXPECT_EQ(paths_.size(), progress_.files_done);
    EXPECT_LT(FOLDERS, cut);
}

// What it held is not brought, and all others are.
TEST_F(Folders, OneThatCannotBeListedIsNamed)
{
    bool done = false;
    change_answers([&done](hr_message_entries &page) {
        static uint32_t counts[2];
        if (done)
            return;
        counts[0] = page.counts[0];
        page.counts = counts;
        page.count = counts[0];
        page.folder_count = 2;
        page.status = HR_NOT_FOUND;
        page.text = hr_bytes_make("gone", 4);
        page.cookie = 0;
        done = true;
    });
    get(false);
    EXPECT_EQ(HR_PARTIAL, status_);
    ASSERT_EQ(1u, failed_.size());
    EXPECT_EQ("d1", failed_[0]);
    EXPECT_EQ(paths_.size() - 2, progress_.files_done); // d1 held two
}

TEST_F(Folders, OtherThanThoseAskedForAreRefused)
{
    change_answers([](hr_message_entries &page) {
        static uint32_t counts[HR_MESSAGE_FOLDERS_MAX];
        counts[0] = (uint32_t)page.count;
        page.counts = counts;
        page.folder_count++;
    });
    get(false);
    EXPECT_EQ(HR_PROTOCOL, status_);

    change_answers([](hr_message_entries &page) { page.folder_count = 0; });
    status_ = HR_AGAIN;
    get(false);
    EXPECT_EQ(HR_PROTOCOL, status_);
}

} // namespace
