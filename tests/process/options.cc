// SPDX-License-Identifier: Apache-2.0
// What the program is asked to do, and how it says that it was asked wrongly.
#include "fixture.h"

namespace
{

class Options : public Headrace
{
  protected:
    void run(const std::vector<std::string> &arguments, const Surroundings &under = {})
    {
        program_.start(arguments, under);
        exit_code_ = program_.wait();
    }
    void expect_usage(const std::vector<std::string> &arguments, const std::string &part)
    {
        run(arguments);
        std::string errors = program_.errors();
        EXPECT_EQ(2, exit_code_) << errors;
        EXPECT_NE(std::string::npos, errors.find(part)) << "'" << part << "' in: " << errors;
        EXPECT_EQ(errors.size() - 1, errors.find('\n')) << "one sentence: " << errors;
    }
    Program program_;
    int exit_code_ = -1;
};

TEST_F(Options, HelpAndVersionAreAnswers)
{
    for (const char *verb : {"serve", "get", "ls"}) {
        run({verb, "--help"});
        EXPECT_EQ(0, exit_code_);
        EXPECT_EQ(0u, program_.out().find(std::string("usage: headrace ") + verb));
        EXPECT_EQ("", program_.errors());
    }
    run({"--version"});
    EXPECT_EQ(0, exit_code_);
    EXPECT_EQ(0u, program_.out().find("headrace "));
}

TEST_F(Options, NothingAtAllIsAnsweredWithTheHelpOnStderr)
{
    run({});
    EXPECT_EQ(2, exit_code_);
    EXPECT_EQ("", program_.out());
    EXPECT_NE(std::string::npos, program_.errors().find("usage:"));
}

TEST_F(Options, WhatIsWrongIsNamed)
{
    expect_usage({"gte", "a", "b"}, "gte");
    expect_usage({"get", "a"}, "get");
    expect_usage({"get", "a", "b", "c"}, "c");
    expect_usage({"get", "a", "b", "--overwirte"}, "overwrite");
    expect_usage({"get", "a", "b", "--limit", "fast"}, "fast");
    expect_usage({"get", "a", "b", "--limit"}, "limit");
    expect_usage({"get", "a", "b", "--deadline", "5 parsecs"}, "parsecs");
    expect_usage({"get", "a", "b", "--links", "65"}, "64");
    expect_usage({"get", "a", "b", "--links", "0"}, "links");
    expect_usage({"get", "a", "b", "--io", "paper"}, "paper");
    expect_usage({"get", "a", "b", "--pool", "1G"}, "pool");
    expect_usage({"get", "hr://host:99999/x/y", "b"}, "99999");
    expect_usage({"get", "http://host/x", "b"}, "http://host/x");
    expect_usage({"get", "hr://host", "b"}, "export");
    expect_usage({"get", "hr://host/x/%zz", "b"}, "%");
    expect_usage({"get", "a", ""}, "empty");
    expect_usage({"serve"}, "nothing to serve");
    expect_usage({"serve", "--export", "name"}, "NAME=DIR");
    expect_usage({"ls"}, "ls");
}

TEST_F(Options, EnvironmentCountsLessThanTheCommandLine)
{
    offer("file", 10);
    Surroundings under;
    under.environment = {"HEADRACE_REQUIRE=gpu"};
    run({"get", data("file"), target("file"), "--json"}, under);
    EXPECT_EQ(11, exit_code_) << program_.errors();
    run({"get", data("file"), target("file"), "--json", "--require", "local"}, under);
    EXPECT_EQ(0, exit_code_) << program_.errors();
}

TEST_F(Options, ConfigurationFileCountsLessThanTheEnvironment)
{
    offer("file", 10);
    write_text(at("config"), "# a comment\nrequire = gpu\n");
    run({"get", data("file"), target("file"), "--config", at("config")});
    EXPECT_EQ(11, exit_code_) << program_.errors();
    Surroundings under;
    under.environment = {"HEADRACE_REQUIRE=local"};
    run({"get", data("file"), target("file"), "--config", at("config")}, under);
    EXPECT_EQ(0, exit_code_) << program_.errors();
}

TEST_F(Options, ConfigurationFileIsHeldToTheSameRules)
{
    write_text(at("config"), "links = 4\noverwirte = yes\n");
    run({"get", "a", "b", "--config", at("config")});
    EXPECT_EQ(2, exit_code_);
    EXPECT_NE(std::string::npos, program_.errors().find(at("config") + ":2")) << program_.errors();
    run({"get", "a", "b", "--config", at("no such file")});
    EXPECT_NE(0, exit_code_);
    EXPECT_NE(std::string::npos, program_.errors().find("no such file")) << program_.errors();
}

TEST_F(Options, RdmaMessagesOfAChunkFitIntoTheSendQueue)
{
#ifndef HEADRACE_HAS_VERBS
    GTEST_SKIP() << "built without RDMA";
#endif
    offer("file", 10);
    run({"get", data("file"), target("file"), "--rdma-message", "4KiB"});
    EXPECT_EQ(2, exit_code_) << program_.errors();
    EXPECT_NE(std::string::npos, program_.errors().find("try longer messages"))
        << program_.errors();
    run({"get", data("file"), target("file"), "--rdma-message", "4KiB", "--rdma-queue", "2048"});
    EXPECT_EQ(0, exit_code_) << program_.errors();
}

TEST_F(Options, ServerSaysWhatItCannotServe)
{
    run({"serve", at("nothing"), "--listen", "127.0.0.1:0"});
    EXPECT_EQ(4, exit_code_);
    EXPECT_NE(std::string::npos, program_.errors().find("nothing")) << program_.errors();

    offer("file", 1);
    run({"serve", data("file"), "--listen", "127.0.0.1:0"});
    EXPECT_EQ(2, exit_code_);
    EXPECT_NE(std::string::npos, program_.errors().find("file")) << program_.errors();

    run({"serve", "--listen", "127.0.0.1:0", "--export", "a=" + at("data"), "--export",
         "a=" + at("target")});
    EXPECT_NE(0, exit_code_);
    EXPECT_NE(std::string::npos, program_.errors().find("a")) << program_.errors();
}

TEST_F(Options, ServerSaysWhereItCannotListen)
{
    serve();
    run({"serve", at("data"), "--listen", address_});
    EXPECT_EQ(10, exit_code_) << program_.errors();
    EXPECT_NE(std::string::npos, program_.errors().find(address_)) << program_.errors();

    run({"serve", at("data"), "--listen", "nonsense"});
    EXPECT_EQ(2, exit_code_) << program_.errors();
    EXPECT_NE(std::string::npos, program_.errors().find("nonsense")) << program_.errors();
}

TEST_F(Options, InsecureIsSaidAtEachStartOnBothSides)
{
    offer("file", 10);
    serve({"--insecure"}, {}, "0.0.0.0:0");
    EXPECT_NE(std::string::npos, server_.errors().find("--insecure")) << server_.errors();
    std::string port = address_.substr(address_.rfind(':'));
    address_ = "127.0.0.1" + port;
    Result result = get(url("file"), target("file"), {"--insecure"});
    EXPECT_NE(std::string::npos, result.errors.find("--insecure")) << result.errors;
    expect_got(result, "file", 10);
}

// Nothing but the public API is seen from outside.
TEST_F(Options, SharedLibraryExportsThePublicNamesAlone)
{
    std::string command = std::string("nm -D --defined-only ") + HEADRACE_SHARED;
    FILE *pipe = popen(command.c_str(), "r");
    ASSERT_NE(nullptr, pipe);
    std::ifstream header_file(HEADRACE_SOURCE "/engine/headrace.h");
    std::ifstream status_file(HEADRACE_SOURCE "/engine/base/status.h");
    std::ostringstream headers;
    headers << header_file.rdbuf() << status_file.rdbuf();
    unsigned names = 0;
    char line[512];
    while (fgets(line, sizeof line, pipe) != nullptr) {
        std::string name(strrchr(line, ' ') + 1);
        name.pop_back();
        names++;
        EXPECT_EQ(0u, name.find("hr_")) << name;
        EXPECT_NE(std::string::npos, headers.str().find(name + "(")) << name;
    }
    EXPECT_EQ(0, pclose(pipe));
    EXPECT_GT(names, 30u);
}

} // namespace
