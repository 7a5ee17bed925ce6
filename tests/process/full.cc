// SPDX-License-Identifier: Apache-2.0
// A server that has no room for one more: who comes is told so, and that to come again helps.
#include "fixture.h"

#include <atomic>
#include <fcntl.h>
#include <future>
#include <thread>

extern "C" {
#include "headrace.h"
}

namespace
{

class Full : public Headrace
{
  protected:
    // Serves one session, as a program that holds the library does: the option is in the API alone.
    void serve_one(const std::string &listen, bool insecure)
    {
        thread_ = std::thread([this, listen, insecure] {
            hr_engine_options wanted = {};
            hr_error error = {};
            ASSERT_EQ(HR_OK, hr_engine_create(&wanted, &engine_, &error)) << error.text;
            ASSERT_EQ(HR_OK, hr_engine_start(engine_, &error)) << error.text;
            const std::string path = at("data"), key = ConfigHome::of(0) + "/headrace/key";
            hr_export directory = {"data", path.c_str(), false};
            hr_server_options options = {};
            hr_server *server = nullptr;
            options.listen = listen.c_str();
            options.exports = &directory;
            options.export_count = 1;
            options.trust.insecure = insecure;
            options.trust.key_path = key.c_str();
            options.sessions_max = 1;
            ASSERT_EQ(HR_OK, hr_server_open(engine_, &options, &server, &error)) << error.text;
            while (hr_server_status(server) == HR_AGAIN)
                hr_engine_step(engine_, HR_WAIT_FOREVER);
            EXPECT_EQ(HR_OK, hr_server_status(server)) << hr_server_error(server)->text;
            listening_.set_value(hr_server_address(server));
            while (!stop_)
                hr_engine_step(engine_, HR_WAIT_FOREVER);
            woken_.get_future().wait();
            hr_server_destroy(server);
            hr_engine_destroy(engine_);
        });
        address_ = listening_.get_future().get();
    }
    // One client has the session, and for minutes; then it is gone.
    void expect_second_told(const std::string &source, const std::vector<std::string> &options,
                            const std::string &said)
    {
        int large = open(data("large").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
        ASSERT_LE(0, large);
        EXPECT_EQ(0, ftruncate(large, 512 * (off_t)CHUNK));
        close(large);
        offer("file", CHUNK + 1);
        std::vector<std::string> slowly = options;
        slowly.insert(slowly.end(), {"--limit", "4M"});
        Program first;
        start_get(first, source + "large", target("large"), slowly);
        ASSERT_NE(0u, first.wait_verified(1));
        expect_refused(get(source + "file", target("file"), options), 8,
                       {said, "run the same command again"});
        EXPECT_FALSE(exists(target("file")));
        first.signal(SIGKILL);
        first.wait();
        Result again; // until the server, too, knows that the first one is gone
        do
            again = get(source + "file", target("file"), options);
        while (again.exit_code == 8);
        EXPECT_EQ(0, again.exit_code) << again.errors;
        EXPECT_TRUE(hr_temp_holds(target("file").c_str(), CHUNK + 1, 1));
    }
    void TearDown() override
    {
        // It may see the one before the other comes, and its engine is not to end before that.
        stop_ = true;
        hr_engine_wake(engine_);
        woken_.set_value();
        thread_.join();
    }

    std::promise<std::string> listening_;
    std::promise<void> woken_;
    std::atomic<bool> stop_{false};
    hr_engine *engine_ = nullptr;
    std::thread thread_;
};

TEST_F(Full, InClear)
{
    serve_one("127.0.0.1:0", true);
    expect_second_told("hr://" + address_ + "/data/", {"--insecure"}, "the server is full");
}

// An alert has no words.
TEST_F(Full, OverTls)
{
    serve_one("127.0.0.1:0", false);
    expect_second_told("hr://" + address_ + "/data/", {}, "it is full");
}

TEST_F(Full, OverASocketOfTheFileSystem)
{
    serve_one("unix:" + at("socket"), false);
    expect_second_told("hr+unix://" + at("socket") + ":data/", {}, "the server is full");
}

} // namespace
