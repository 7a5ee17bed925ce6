// SPDX-License-Identifier: Apache-2.0
// headrace doctor, on whatever machine this is and under limits that are known.
#include "fixture.h"

#include <map>
#include <sys/resource.h>

namespace
{

class Doctor : public Headrace
{
  protected:
    // All findings by "topic/name"; the summary as "".
    std::map<std::string, Json> examine(const std::vector<std::string> &options = {},
                                        const Surroundings &under = {})
    {
        std::vector<std::string> arguments = {"doctor", "--json", "--dir", at("target")};
        arguments.insert(arguments.end(), options.begin(), options.end());
        program_.start(arguments, under);
        EXPECT_EQ(0, program_.wait()) << program_.errors();
        std::map<std::string, Json> found;
        std::istringstream lines(program_.out());
        for (std::string line; std::getline(lines, line);) {
            Json json(line);
            EXPECT_TRUE(json.is_valid()) << line;
            if (json.text("type") == "finding")
                found[json.text("topic") + "/" + json.text("name")] = json;
            else
                found[""] = json;
        }
        return found;
    }
    Program program_;
};

TEST_F(Doctor, EveryTopicIsSpokenOfAndEveryLackHasItsCommand)
{
    std::map<std::string, Json> found = examine();
    std::map<std::string, uint64_t> states;
    std::string topics;
    for (const auto &[name, json] : found) {
        if (name.empty())
            continue;
        states[json.text("state")]++;
        topics += " " + json.text("topic");
        EXPECT_NE("", json.text("text")) << name;
        EXPECT_TRUE(json.text("state") != "lacking" || json.text("remedy") != "") << name;
        EXPECT_TRUE(json.text("state") != "ok" || json.text("remedy") == "") << name;
    }
    for (const char *topic :
         {"gpu", "rdma", "distance", "memory", "io_uring", "storage", "tcp", "confinement"})
        EXPECT_NE(std::string::npos, topics.find(topic)) << topic;
    EXPECT_EQ("HR_OK", found[""].text("status"));
    EXPECT_EQ(states["ok"], found[""].number("ok"));
    EXPECT_EQ(states["lacking"], found[""].number("lacking"));
    EXPECT_EQ(states["unknown"], found[""].number("unknown"));
}

TEST_F(Doctor, PageForPeopleSaysTheSame)
{
    program_.start({"doctor", "--dir", at("target")});
    EXPECT_EQ(0, program_.wait()) << program_.errors();
    std::string page = program_.out();
    for (const std::string &part :
         {std::string("\nconfinement\n"), at("target"), std::string("things work")})
        EXPECT_NE(std::string::npos, page.find(part)) << part << " in:\n" << page;
    EXPECT_EQ("", program_.errors());
}

TEST_F(Doctor, WithoutIoUringThatIsWhatLacks)
{
    Surroundings under;
    under.no_io_uring = true;
    std::map<std::string, Json> found = examine({}, under);
    EXPECT_EQ("lacking", found["io_uring/rings"].text("state"));
    EXPECT_NE("", found["io_uring/rings"].text("remedy"));
    EXPECT_EQ(0u, found.count("io_uring/DEFER_TASKRUN"))
        << "nothing is told of rings there are not";
}

TEST_F(Doctor, LockedMemoryIsSaidWithItsFormula)
{
    if (getuid() != 0)
        GTEST_SKIP() << "not root: the limit of another user cannot be set";
    Surroundings under;
    under.user = NOBODY;
    under.limits = {{RLIMIT_MEMLOCK, 1 << 20}};
    std::map<std::string, Json> found = examine({"--pool", "32MiB", "--workers", "3"}, under);
    Json locked = found["memory/locked"];
    EXPECT_EQ("lacking", locked.text("state"));
    for (const char *part : {"32 MiB x (3 rings + ", "the limit is 1 MiB"})
        EXPECT_NE(std::string::npos, locked.text("text").find(part)) << locked.text("text");
    EXPECT_EQ(0u, locked.text("remedy").find("ulimit -l ")) << locked.text("remedy");
}

TEST_F(Doctor, DirectoryThatCannotBeTriedIsNoLack)
{
    if (getuid() != 0)
        GTEST_SKIP() << "not root: a directory of another user cannot be made";
    ASSERT_EQ(0, chmod(at("target").c_str(), 0555));
    Surroundings under;
    under.user = NOBODY;
    std::map<std::string, Json> found = examine({}, under);
    EXPECT_EQ("unknown", found["storage/O_DIRECT"].text("state"));
    EXPECT_NE(std::string::npos, found["storage/O_DIRECT"].text("text").find("Permission denied"));
}

TEST_F(Doctor, NothingIsLeftBehind)
{
    examine();
    EXPECT_EQ(0, hr_temp_count(at("target").c_str(), ""));
}

TEST_F(Doctor, DirectoryThatIsNotThereIsSaid)
{
    program_.start({"doctor", "--dir", at("nothing")});
    EXPECT_EQ(4, program_.wait());
    EXPECT_NE(std::string::npos, program_.errors().find(at("nothing"))) << program_.errors();
}

} // namespace
