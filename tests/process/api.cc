// SPDX-License-Identifier: Apache-2.0
// The library as other programs use it: engines that they step, in loops and threads of their own.
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <netinet/in.h>
#include <poll.h>
#include <set>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "tasks.h"

extern "C" {
#include "headrace.h"
#include "temp.h"
}

namespace
{

constexpr size_t CHUNK = 4 << 20;
constexpr size_t SIZE = 5 * CHUNK + 4321;

// An engine with what was opened in it, in the order in which it has to go.
class Engine
{
  public:
    explicit Engine(unsigned workers = 1)
    {
        hr_engine_options options = {};
        hr_error error = {};
        options.workers = workers;
        EXPECT_EQ(HR_OK, hr_engine_create(&options, &engine_, &error)) << error.text;
    }
    Engine(const Engine &) = delete;
    Engine &operator=(const Engine &) = delete;
    ~Engine()
    {
        hr_engine_destroy(engine_);
    }
    void start()
    {
        hr_error error = {};
        EXPECT_EQ(HR_OK, hr_engine_start(engine_, &error)) << error.text;
    }
    operator hr_engine *()
    {
        return engine_;
    }

  private:
    hr_engine *engine_ = nullptr;
};

class Client
{
  public:
    Client(hr_engine *engine, const std::string &address, unsigned links = 0) : engine_(engine)
    {
        hr_client_options options = {};
        hr_error error = {};
        options.address = address.c_str();
        options.links = links;
        options.trust.insecure = true;
        EXPECT_EQ(HR_OK, hr_client_open(engine, &options, &client_, &error)) << error.text;
    }
    Client(const Client &) = delete;
    Client &operator=(const Client &) = delete;
    ~Client()
    {
        hr_client_destroy(client_);
    }
    operator hr_client *()
    {
        return client_;
    }
    hr_engine *engine()
    {
        return engine_;
    }

  private:
    hr_engine *engine_;
    hr_client *client_ = nullptr;
};

class Get
{
  public:
    Get(Client &client, const hr_get_options &options) : engine_(client.engine())
    {
        hr_error error = {};
        EXPECT_EQ(HR_OK, hr_get_start(client, &options, &get_, &error)) << error.text;
    }
    Get(const Get &) = delete;
    Get &operator=(const Get &) = delete;
    ~Get()
    {
        hr_get_destroy(get_);
    }
    hr_status wait()
    {
        while (hr_get_status(get_) == HR_AGAIN)
            hr_engine_step(engine_, HR_WAIT_FOREVER);
        return hr_get_status(get_);
    }
    void wait_verified(uint64_t bytes)
    {
        while (hr_get_status(get_) == HR_AGAIN && count().bytes_verified < bytes)
            hr_engine_step(engine_, HR_WAIT_FOREVER);
    }
    hr_get_progress count() const
    {
        return hr_get_count(get_);
    }
    std::string text() const
    {
        return hr_get_error(get_)->text;
    }
    operator hr_get *()
    {
        return get_;
    }

  private:
    hr_engine *engine_;
    hr_get *get_ = nullptr;
};

// A server that a thread of its own steps.
class ServerThread
{
  public:
    ServerThread(const std::string &path, unsigned workers)
    {
        std::promise<std::string> address;
        std::future<std::string> future = address.get_future();
        thread_ = std::thread([this, path, workers, &address] { run(path, workers, address); });
        address_ = future.get();
    }
    ServerThread(const ServerThread &) = delete;
    ServerThread &operator=(const ServerThread &) = delete;
    ~ServerThread()
    {
        // It may see the one before the other comes, and its engine is not to end before that.
        stop_ = true;
        hr_engine_wake(engine_);
        woken_.set_value();
        thread_.join();
    }
    const std::string &address() const
    {
        return address_;
    }

  private:
    void run(const std::string &path, unsigned workers, std::promise<std::string> &address)
    {
        Engine engine(workers);
        hr_export directory = {"data", path.c_str(), false};
        hr_server_options options = {};
        hr_server *server = nullptr;
        hr_error error = {};
        options.listen = "127.0.0.1:0";
        options.exports = &directory;
        options.export_count = 1;
        options.trust.insecure = true;
        engine.start();
        EXPECT_EQ(HR_OK, hr_server_open(engine, &options, &server, &error)) << error.text;
        while (hr_server_status(server) == HR_AGAIN)
            hr_engine_step(engine, HR_WAIT_FOREVER);
        EXPECT_EQ(HR_OK, hr_server_status(server)) << hr_server_error(server)->text;
        engine_ = engine;
        address.set_value(hr_server_address(server));
        while (!stop_)
            hr_engine_step(engine, HR_WAIT_FOREVER);
        woken_.get_future().wait();
        hr_server_destroy(server);
    }

    std::atomic<bool> stop_{false};
    std::promise<void> woken_;
    hr_engine *engine_ = nullptr;
    std::thread thread_;
    std::string address_;
};

class Api : public ::testing::Test
{
  protected:
    Api()
    {
        char path[HR_TEMP_PATH_MAX] = "";
        EXPECT_EQ(HR_OK, hr_temp_make(path));
        temp_ = path;
        EXPECT_EQ(HR_OK, hr_temp_write((temp_ + "/file").c_str(), SIZE, 1));
        server_ = std::make_unique<ServerThread>(temp_, 2);
    }
    ~Api() override
    {
        server_.reset();
        EXPECT_EQ(HR_OK, hr_temp_remove(temp_.c_str()));
    }
    const std::string &address() const
    {
        return server_->address();
    }
    static hr_get_options to_span(std::vector<uint8_t> &memory, const char *path = "data/file")
    {
        hr_get_options options = {};
        options.path = path;
        options.target_span = hr_span_host(memory.data(), memory.size());
        return options;
    }
    // By way of a file, as tests know content by files.
    void expect_content(const std::vector<uint8_t> &memory)
    {
        std::string copy = temp_ + "/copy";
        FILE *file = fopen(copy.c_str(), "wb");
        ASSERT_NE(nullptr, file);
        EXPECT_EQ(SIZE, fwrite(memory.data(), 1, SIZE, file));
        EXPECT_EQ(0, fclose(file));
        EXPECT_TRUE(hr_temp_holds(copy.c_str(), SIZE, 1));
    }

    std::string temp_;
    std::unique_ptr<ServerThread> server_;
};

TEST_F(Api, FetchesIntoASpanAndNotBeyond)
{
    Engine engine;
    Client client(engine, address());
    std::vector<uint8_t> memory(SIZE + 8192, 0xA5);
    Get get(client, to_span(memory));
    ASSERT_EQ(HR_OK, get.wait()) << get.text();
    expect_content(memory);
    for (size_t i = SIZE; i < memory.size(); i++)
        ASSERT_EQ(0xA5, memory[i]) << i;
    hr_get_progress count = get.count();
    EXPECT_EQ(1u, count.files_done);
    EXPECT_EQ(SIZE, count.bytes);
    EXPECT_EQ(SIZE, count.bytes_verified);
    EXPECT_EQ(SIZE, count.bytes_moved);
    EXPECT_GT(count.first_byte_ns, 0u);
}

TEST_F(Api, FetchesIntoASpanThatIsNotAligned)
{
    Engine engine;
    Client client(engine, address());
    std::vector<uint8_t> memory(SIZE + 1);
    hr_get_options options = to_span(memory);
    options.target_span = hr_span_host(memory.data() + 1, SIZE);
    Get get(client, options);
    ASSERT_EQ(HR_OK, get.wait()) << get.text();
    memory.erase(memory.begin());
    expect_content(memory);
}

TEST_F(Api, ServesAClientWithinTheProcess)
{
    Engine engine;
    hr_client_options options = {};
    hr_client *client = nullptr;
    hr_error error = {};
    options.local_path = temp_.c_str();
    ASSERT_EQ(HR_OK, hr_client_open(engine, &options, &client, &error)) << error.text;
    std::vector<uint8_t> memory(SIZE);
    hr_get_options get_options = to_span(memory, "local/file");
    hr_get *get = nullptr;
    ASSERT_EQ(HR_OK, hr_get_start(client, &get_options, &get, &error)) << error.text;
    while (hr_get_status(get) == HR_AGAIN)
        hr_engine_step(engine, HR_WAIT_FOREVER);
    EXPECT_EQ(HR_OK, hr_get_status(get)) << hr_get_error(get)->text;
    expect_content(memory);
    hr_get_destroy(get);
    hr_client_destroy(client);
}

TEST_F(Api, IsSteppedByALoopOfTheCallers)
{
    Engine engine;
    if (hr_engine_fd(engine) < 0)
        GTEST_SKIP() << "no io_uring: its stand-in has no descriptor to wait on";
    Client client(engine, address());
    std::vector<uint8_t> memory(SIZE);
    Get get(client, to_span(memory));
    hr_engine_step(engine, 0);
    while (hr_get_status(get) == HR_AGAIN) {
        struct pollfd fd = {hr_engine_fd(engine), POLLIN, 0};
        uint64_t due_ns = hr_engine_due_ns(engine);
        int due_ms = due_ns == HR_WAIT_FOREVER ? -1 : (int)(due_ns / 1000000 + 1);
        ASSERT_GE(::poll(&fd, 1, due_ms), 0);
        hr_engine_step(engine, 0);
    }
    EXPECT_EQ(HR_OK, hr_get_status(get)) << get.text();
    expect_content(memory);
}

TEST_F(Api, IsCanceledFromAnotherThread)
{
    Engine engine;
    Client client(engine, address());
    std::string target = temp_ + "/target";
    hr_get_options options = {};
    options.path = "data/file";
    options.target_path = target.c_str();
    options.limit_bytes_per_s = 1 << 20; // one chunk in 4 s
    Get get(client, options);
    get.wait_verified(1);
    std::thread other([&] { hr_get_cancel(get); });
    EXPECT_EQ(HR_CANCELED, get.wait());
    other.join();
    EXPECT_EQ(9, hr_status_exit_code(hr_get_status(get)));
    EXPECT_EQ(-1, access(target.c_str(), F_OK));

    options.limit_bytes_per_s = 0;
    Get again(client, options);
    EXPECT_EQ(HR_OK, again.wait()) << again.text();
    EXPECT_GT(again.count().bytes_reused, 0u);
    EXPECT_TRUE(hr_temp_holds(target.c_str(), SIZE, 1));
}

TEST_F(Api, AComparisonIsCanceledFromAnotherThread)
{
    const int silent = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); // it takes, and never says
    sockaddr_in at = {};
    socklen_t len = sizeof at;
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(0, bind(silent, reinterpret_cast<sockaddr *>(&at), sizeof at));
    ASSERT_EQ(0, listen(silent, 1));
    ASSERT_EQ(0, getsockname(silent, reinterpret_cast<sockaddr *>(&at), &len));
    const std::string address = "127.0.0.1:" + std::to_string(ntohs(at.sin_port));
    Engine engine;
    hr_client_options client_options = {};
    hr_client *client = nullptr;
    hr_error error = {};
    client_options.address = address.c_str();
    client_options.trust.insecure = true;
    client_options.connect_timeout_ns = HR_WAIT_FOREVER / 4;
    ASSERT_EQ(HR_OK, hr_client_open(engine, &client_options, &client, &error)) << error.text;
    hr_compare_options options = {};
    hr_compare *compare = nullptr;
    options.tree = options.source = client;
    options.tree_path = options.source_path = "data";
    ASSERT_EQ(HR_OK, hr_compare_start(&options, &compare, &error)) << error.text;
    std::thread other([&] { hr_compare_cancel(compare); });
    while (hr_compare_status(compare) == HR_AGAIN)
        hr_engine_step(engine, HR_WAIT_FOREVER);
    other.join();
    EXPECT_EQ(HR_CANCELED, hr_compare_status(compare)) << hr_compare_error(compare)->text;
    hr_compare_destroy(compare);
    hr_client_destroy(client);
    close(silent);
}

// The server answers all the same, and is to close again what it has opened: else it would have 256
// of them, and end the session.
TEST_F(Api, ManyThatWereCanceledBeforeTheyWereOpened)
{
    Engine engine;
    Client client(engine, address());
    std::vector<uint8_t> memory(SIZE);
    const hr_get_options options = to_span(memory);
    Get first(client, options);
    EXPECT_EQ(HR_OK, first.wait()) << first.text();
    for (int i = 0; i < 400; i++) {
        Get given_up(client, options);
        if (i % 100 == 99) { // so that no more are opening than may be
            Get get(client, options);
            EXPECT_EQ(HR_OK, get.wait()) << get.text();
        }
    }
    Get last(client, options);
    EXPECT_EQ(HR_OK, last.wait()) << last.text();
    expect_content(memory);
}

TEST_F(Api, WakeEndsAStep)
{
    Engine engine;
    std::thread other([&] { hr_engine_wake(engine); });
    hr_engine_step(engine, HR_WAIT_FOREVER);
    other.join();
}

TEST_F(Api, GivesUpAtTheDeadline)
{
    Engine engine;
    Client client(engine, address());
    std::vector<uint8_t> memory(SIZE);
    hr_get_options options = to_span(memory);
    options.limit_bytes_per_s = 1 << 20;
    options.deadline_ns = 200000000;
    Get get(client, options);
    EXPECT_EQ(HR_DEADLINE, get.wait());
    EXPECT_NE(std::string::npos, get.text().find("deadline")) << get.text();
    // Nothing lands any more: the memory is the caller's again.
    std::fill(memory.begin(), memory.end(), 0xA5);
    Get another(client, to_span(memory));
    EXPECT_EQ(HR_OK, another.wait()) << another.text();
    expect_content(memory);
}

TEST_F(Api, GivesUpWhereNothingMoves)
{
    Engine engine;
    Client client(engine, address());
    std::vector<uint8_t> memory(SIZE);
    hr_get_options options = to_span(memory);
    options.limit_bytes_per_s = 1024;
    options.stall_ns = 300000000;
    Get get(client, options);
    EXPECT_EQ(HR_STALLED, get.wait());
    EXPECT_NE("", get.text());
}

TEST_F(Api, Lists)
{
    ASSERT_EQ(HR_OK, hr_temp_write((temp_ + "/other").c_str(), 77, 1));
    Engine engine;
    Client client(engine, address());
    hr_listing *listing = nullptr;
    hr_error error = {};
    std::set<std::pair<std::string, uint64_t>> found;
    ASSERT_EQ(HR_OK, hr_listing_open(client, "data", &listing, &error)) << error.text;
    for (;;) {
        hr_entry entry;
        while (hr_listing_next(listing, &entry)) {
            EXPECT_EQ(HR_ENTRY_FILE, entry.type);
            found.emplace(std::string(entry.name, entry.name_len), entry.size);
        }
        if (hr_listing_status(listing) != HR_AGAIN)
            break;
        hr_engine_step(engine, HR_WAIT_FOREVER);
    }
    EXPECT_EQ(HR_OK, hr_listing_status(listing)) << hr_listing_error(listing)->text;
    EXPECT_EQ((std::set<std::pair<std::string, uint64_t>>{{"file", SIZE}, {"other", 77}}), found);
    hr_listing_destroy(listing);
}

TEST_F(Api, TellsWhatWentWrong)
{
    Engine engine;
    Client client(engine, address());
    std::vector<uint8_t> memory(SIZE);
    {
        Get get(client, to_span(memory, "data/nothing"));
        EXPECT_EQ(HR_NOT_FOUND, get.wait());
        EXPECT_NE(std::string::npos, get.text().find("data/nothing")) << get.text();
        EXPECT_STREQ("not found", hr_status_text(hr_get_status(get)));
        EXPECT_STREQ("HR_NOT_FOUND", hr_status_name(hr_get_status(get)));
        EXPECT_EQ(4, hr_status_exit_code(hr_get_status(get)));
    }
    {
        std::vector<uint8_t> small(SIZE - 1);
        Get get(client, to_span(small));
        EXPECT_EQ(HR_INVALID, get.wait());
        EXPECT_NE(std::string::npos, get.text().find(std::to_string(SIZE))) << get.text();
    }
    {
        Get get(client, to_span(memory, "data"));
        EXPECT_EQ(HR_IS_DIRECTORY, get.wait()) << get.text();
        EXPECT_NE(std::string::npos, get.text().find("directory")) << get.text();
    }
    hr_get *get = nullptr;
    hr_error error = {};
    hr_get_options options = to_span(memory);
    options.target_host = true;
    EXPECT_EQ(HR_INVALID, hr_get_start(client, &options, &get, &error));
    EXPECT_NE(std::string(), error.text);
    EXPECT_EQ(nullptr, get);
    // The client is of use as before.
    Get good(client, to_span(memory));
    EXPECT_EQ(HR_OK, good.wait()) << good.text();
}

TEST_F(Api, AClientThatCannotConnectFailsItsGets)
{
    Engine engine;
    Client client(engine, "127.0.0.1:1");
    std::vector<uint8_t> memory(16);
    Get get(client, to_span(memory));
    EXPECT_EQ(HR_UNREACHABLE, get.wait()) << get.text();
    EXPECT_EQ(HR_UNREACHABLE, hr_client_status(client));
    EXPECT_NE(std::string::npos, std::string(hr_client_error(client)->text).find("127.0.0.1:1"));
}

TEST_F(Api, ServesTwoClientsOfOneEngineAtOnce)
{
    Engine engine(2);
    Client one(engine, address()), two(engine, address());
    std::vector<uint8_t> first(SIZE), second(SIZE), third(SIZE);
    Get a(one, to_span(first)), b(two, to_span(second)), c(one, to_span(third));
    EXPECT_EQ(HR_OK, a.wait()) << a.text();
    EXPECT_EQ(HR_OK, b.wait()) << b.text();
    EXPECT_EQ(HR_OK, c.wait()) << c.text();
    expect_content(first);
    expect_content(second);
    expect_content(third);
}

TEST_F(Api, HasWorkersWithThreadsOfTheirOwn)
{
    Engine engine(3);
    engine.start();
    Client client(engine, address(), 3);
    std::vector<uint8_t> memory(SIZE);
    Get get(client, to_span(memory));
    EXPECT_EQ(HR_OK, get.wait()) << get.text();
    EXPECT_EQ(3u, get.count().links);
    expect_content(memory);

    std::string target = temp_ + "/target";
    hr_get_options options = {};
    options.path = "data/file";
    options.target_path = target.c_str();
    options.read_back = true;
    Get to_file(client, options);
    EXPECT_EQ(HR_OK, to_file.wait()) << to_file.text();
    EXPECT_TRUE(hr_temp_holds(target.c_str(), SIZE, 1));
}

// A handler of the program's would run on a thread of ours, beside the destruction of what it uses.
TEST_F(Api, TakesNoSignals)
{
    const std::set<std::string> before = tasks();
    Engine engine(3);
    engine.start();
    const std::string audit = temp_ + "/audit";
    hr_export directory = {"data", temp_.c_str(), false};
    hr_server_options options = {};
    hr_server *server = nullptr;
    hr_error error = {};
    options.listen = "127.0.0.1:0";
    options.exports = &directory;
    options.export_count = 1;
    options.trust.insecure = true;
    options.audit_path = audit.c_str();
    ASSERT_EQ(HR_OK, hr_server_open(engine, &options, &server, &error)) << error.text;
    const std::set<std::string> ours = tasks_since(before);
    EXPECT_GT(ours.size(), 3u) << "two workers, helpers, the audit's writer";
    expect_signals_blocked(ours);
    hr_server_destroy(server);
}

TEST_F(Api, CanBeDestroyedAtAnyTime)
{
    Engine engine(2);
    engine.start();
    std::vector<uint8_t> memory(SIZE);
    for (unsigned steps = 0; steps < 40; steps++) {
        Client client(engine, address(), 2);
        Get get(client, to_span(memory));
        for (unsigned i = 0; i < steps && hr_get_status(get) == HR_AGAIN; i++)
            hr_engine_step(engine, HR_WAIT_FOREVER);
    }
    Client client(engine, address());
    Get get(client, to_span(memory));
    EXPECT_EQ(HR_OK, get.wait()) << get.text();
    expect_content(memory);
}

TEST_F(Api, ReportsEachFileOfATree)
{
    ASSERT_EQ(HR_OK, hr_temp_write((temp_ + "/other").c_str(), 77, 1));
    ASSERT_EQ(0, symlink("other", (temp_ + "/link").c_str()));
    ASSERT_EQ(0, mkfifo((temp_ + "/fifo").c_str(), 0666));
    Engine engine;
    Client client(engine, address());
    std::set<std::pair<std::string, hr_status>> reports;
    hr_get_options options = {};
    options.path = "data";
    options.target_host = true;
    options.context = &reports;
    options.file_done = [](void *context, const hr_file_report *report) {
        auto *all = static_cast<std::set<std::pair<std::string, hr_status>> *>(context);
        all->emplace(report->path, report->status);
    };
    Get get(client, options);
    EXPECT_EQ(HR_PARTIAL, get.wait());
    EXPECT_EQ((std::set<std::pair<std::string, hr_status>>{
                  {"file", HR_OK}, {"other", HR_OK}, {"link", HR_OK}, {"fifo", HR_UNSUPPORTED}}),
              reports);
    EXPECT_EQ(4u, get.count().files);
    EXPECT_EQ(1u, get.count().files_failed);
}

TEST_F(Api, AnEngineSaysWhatItIsAndHolds)
{
    Engine engine;
    hr_footprint_row rows[16];
    EXPECT_NE(std::string(), hr_engine_describe(engine));
    ASSERT_GT(hr_engine_footprint(engine, rows, 16), 0u);
    EXPECT_GT(rows[0].bytes, 0u);
    EXPECT_NE(std::string(), rows[0].why);
    EXPECT_NE(std::string(), hr_version());
}

} // namespace
