// SPDX-License-Identifier: Apache-2.0
// A server among its clients: many at once, slow ones, stopped ones, and its own end.
#include "fixture.h"
#include "wire.h"

#include <memory>

namespace
{

using Server = Headrace;

TEST_F(Server, EndsWithZeroAndTellsItsClients)
{
    offer("file", 12 * CHUNK);
    serve();
    Held held(address_, 2);
    Program client;
    start_get(client, held.url("file"), target("file"));
    ASSERT_NE(0u, wait_noted(client, 2 * CHUNK));
    end_server();
    expect_refused(result_of(client), 8, {"server", "again"});
    EXPECT_FALSE(exists(target("file")));
    serve();
    Result result = get(url("file"), target("file"));
    expect_got(result, "file", 12 * CHUNK);
    EXPECT_GT(result.reused(), 0u);
}

TEST_F(Server, EndsOnAnInterruptToo)
{
    serve();
    is_serving_ = false;
    server_.signal(SIGINT);
    EXPECT_EQ(0, server_.wait()) << server_.errors();
    EXPECT_EQ("", server_.errors());
}

TEST_F(Server, CountsWhatItDid)
{
    offer("file", CHUNK + 7);
    serve();
    expect_got(get(url("file"), target("file")), "file", CHUNK + 7);
    is_serving_ = false;
    server_.signal(SIGTERM);
    EXPECT_EQ(0, server_.wait());
    Json summary = server_.next("summary");
    EXPECT_EQ(1u, summary.number("sessions"));
    EXPECT_EQ(1u, summary.number("transfers"));
    EXPECT_EQ(CHUNK + 7, summary.number("bytes_sent"));
    EXPECT_EQ(0u, summary.number("refused"));
}

TEST_F(Server, ServesTwentyClientsAtOnce)
{
    offer("file", 2 * CHUNK + 1);
    serve({"--workers", "2"});
    std::vector<std::unique_ptr<Program>> clients;
    for (unsigned i = 0; i < 20; i++) {
        clients.push_back(std::make_unique<Program>());
        start_get(*clients.back(), url("file"), target(std::to_string(i)));
    }
    for (unsigned i = 0; i < clients.size(); i++) {
        Result result = result_of(*clients[i]);
        EXPECT_EQ(0, result.exit_code) << result.errors;
        EXPECT_TRUE(hr_temp_holds(target(std::to_string(i)).c_str(), 2 * CHUNK + 1, 1));
    }
    EXPECT_FALSE(has_drafts());
}

// The stopped one takes nothing from its socket, with as much on the way to it as it asked for.
TEST_F(Server, IsNotStoppedByAClientThatIs)
{
    offer("file", 30 * CHUNK);
    offer("small", CHUNK);
    serve();
    Held held(address_, 2);
    Program stopped;
    start_get(stopped, held.url("file"), "host:");
    ASSERT_NE(0u, stopped.wait_verified(2 * CHUNK));
    stopped.stop_for_good();
    held.let_go();
    for (const char *name : {"one", "two"})
        expect_got(get(url("small"), target(name)), name, CHUNK);
    stopped.signal(SIGCONT);
    Result result = result_of(stopped);
    if (result.exit_code != 0) { // it stood for longer than the 10 s after which a peer is given up
        expect_refused(result, 8, {});
        result = get(url("file"), "host:");
    }
    EXPECT_EQ(0, result.exit_code) << result.errors;
}

TEST_F(Server, ThatIsStoppedForGoodIsNoticed)
{
    offer("file", 30 * CHUNK);
    serve();
    Held held(address_, 2);
    Program client;
    start_get(client, held.url("file"), target("file"));
    ASSERT_NE(0u, wait_noted(client, 2 * CHUNK));
    server_.stop_for_good();
    expect_refused(result_of(client), 8, {"nothing was heard", held.address(), "again"});
    EXPECT_FALSE(exists(target("file")));
    server_.signal(SIGCONT);
    Result result = get(url("file"), target("file"));
    expect_got(result, "file", 30 * CHUNK);
    EXPECT_GT(result.reused(), 0u);
}

TEST_F(Server, OutlivesClientsThatAreKilled)
{
    offer("file", 30 * CHUNK);
    serve({"--workers", "2"});
    for (unsigned i = 0; i < 5; i++) {
        Program client;
        start_get(client, url("file"), "host:", {"--limit", "100M", "--links", "3"});
        ASSERT_NE(0u, client.wait_verified(CHUNK));
        client.signal(SIGKILL);
        client.wait();
    }
    expect_got(get(url("file"), target("file")), "file", 30 * CHUNK);
}

TEST_F(Server, WithoutDescriptorsTurnsSomeAwayAndServesTheRest)
{
    offer("file", CHUNK);
    Surroundings under;
    under.limits = {{RLIMIT_NOFILE, 48}};
    serve({}, under);
    std::vector<std::unique_ptr<Program>> clients;
    for (unsigned i = 0; i < 24; i++) {
        clients.push_back(std::make_unique<Program>());
        start_get(*clients.back(), url("file"), target(std::to_string(i)), {"--links", "4"});
    }
    for (unsigned i = 0; i < clients.size(); i++) {
        Result result = result_of(*clients[i]);
        EXPECT_TRUE(result.exit_code == 0 || result.exit_code == 8 || result.exit_code == 11)
            << result.errors;
        EXPECT_EQ(result.exit_code == 0, exists(target(std::to_string(i))));
    }
    expect_got(get(url("file"), target("file")), "file", CHUNK);
}

} // namespace
