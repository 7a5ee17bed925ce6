// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>
#include <sys/stat.h>
#include <unistd.h>

extern "C" {
#include "location.h"
#include "temp.h"
}

namespace
{

hr_cli_source source(const std::string &text)
{
    hr_cli_source parsed = {};
    hr_error error = {};
    EXPECT_EQ(hr_cli_source_parse(text.c_str(), &parsed, &error), HR_OK) << text << error.text;
    return parsed;
}

void expect_no_source(const std::string &text, const std::string &part)
{
    hr_cli_source parsed = {};
    parsed.name[0] = 'x';
    hr_error error = {};
    EXPECT_EQ(hr_cli_source_parse(text.c_str(), &parsed, &error), HR_INVALID) << text;
    EXPECT_NE(std::string(error.text).find(part), std::string::npos) << text << ": " << error.text;
    EXPECT_EQ(parsed.name[0], 'x') << "outputs are set only on success";
}

hr_cli_target target(const std::string &text)
{
    hr_cli_target parsed = {};
    hr_error error = {};
    EXPECT_EQ(hr_cli_target_parse(text.c_str(), &parsed, &error), HR_OK) << text << error.text;
    return parsed;
}

void expect_no_target(const std::string &text, const std::string &part)
{
    hr_cli_target parsed = {};
    hr_error error = {};
    EXPECT_EQ(hr_cli_target_parse(text.c_str(), &parsed, &error), HR_INVALID) << text;
    EXPECT_NE(std::string(error.text).find(part), std::string::npos) << text << ": " << error.text;
}

TEST(Source, SplitsAUrl)
{
    hr_cli_source at = source("hr://node-7.example:9000/data/run 1/shard.bin");
    EXPECT_FALSE(at.local);
    EXPECT_STREQ(at.address, "node-7.example:9000");
    EXPECT_STREQ(at.path, "data/run 1/shard.bin");
    EXPECT_STREQ(at.name, "shard.bin");
}

TEST(Source, OverASocketOfThisMachine)
{
    hr_cli_source at = source("hr+unix:///run/head%3Arace.sock:data/a:b");
    EXPECT_FALSE(at.local);
    EXPECT_STREQ(at.address, "unix:/run/head:race.sock");
    EXPECT_STREQ(at.path, "data/a:b");
    EXPECT_STREQ(at.name, "a:b");
    EXPECT_STREQ(source("hr+unix:///s").path, "");
    expect_no_source("hr+unix://s:data", "hr+unix:///path");
    expect_no_source("hr+unix:///" + std::string(400, 's') + ":data", "hr+unix:///path");
}

TEST(Source, KnowsTheDefaultPortAndBothKindsOfAddress)
{
    EXPECT_STREQ(source("hr://10.0.0.1/d/f").address, "10.0.0.1:7431");
    EXPECT_STREQ(source("hr://[::1]/d/f").address, "[::1]:7431");
    EXPECT_STREQ(source("hr://[fe80::1%eth0]:80/d/f").address, "[fe80::1%eth0]:80");
    EXPECT_STREQ(source("HR://host:65535/d").address, "host:65535");
}

TEST(Source, DropsSlashesThatSayNothing)
{
    EXPECT_STREQ(source("hr://h//d///e/f//").path, "d/e/f");
    EXPECT_STREQ(source("hr://h//d///e/f//").name, "f");
    for (const char *text : {"hr://h", "hr://h/", "hr://h//"}) {
        EXPECT_STREQ(source(text).path, "") << text;
        EXPECT_STREQ(source(text).name, "") << text;
    }
    EXPECT_STREQ(source("hr://h/d").name, "d");
}

TEST(Source, LeavesItToTheServerToRefuseDots)
{
    EXPECT_STREQ(source("hr://h/d/../../etc/passwd").path, "d/../../etc/passwd");
}

TEST(Source, DecodesBytes)
{
    EXPECT_STREQ(source("hr://h/d/100%25%0a%Fe?a#b").path, "d/100%\n\xFE?a#b");
    for (const char *text : {"hr://h/d/%", "hr://h/d/%4", "hr://h/d/%zz", "hr://h/d/100%"})
        expect_no_source(text, "%25");
    expect_no_source("hr://h/d/a%2Fb", "%2F");
    expect_no_source("hr://h/d/a%00b", "%00");
}

TEST(Source, RefusesWhatIsNoHostOrPort)
{
    for (const char *text :
         {"hr://", "hr:///d/f", "hr://:80/d", "hr://a b/d", "hr://me@h/d", "hr://::1/d",
          "hr://[::1/d", "hr://[]/d", "hr://[h]/d", "hr://[::1]x:80/d", "hr://h\n/d"})
        expect_no_source(text, "is no host");
    for (const char *text : {"hr://h:/d", "hr://h:0/d", "hr://h:65536/d", "hr://h:8x/d",
                             "hr://h:+80/d", "hr://h:080000/d"})
        expect_no_source(text, "is no port");
    expect_no_source("hr://" + std::string(400, 'h') + "/d", "is no host");
}

TEST(Source, RefusesOtherSchemesAndSuggestsTheForm)
{
    expect_no_source("https://h/d", "hr://host[:port]/export/path");
    expect_no_source("s3://bucket/key", "hr://host[:port]/export/path");
}

TEST(Source, BoundsLengths)
{
    std::string name(255, 'n');
    EXPECT_EQ(source("hr://h/d/" + name).name, name);
    expect_no_source("hr://h/d/" + name + "n", "longer than 255");
    expect_no_source("hr://h/" + std::string(5000, 'n'), "longer than 4095");
    expect_no_source(std::string(4096, 'n'), "longer than 4095");
    expect_no_source("", "empty");
}

TEST(Source, TakesAnythingElseAsALocalPath)
{
    for (const char *text : {"./a", "/a/b", "a", "hr:/a", "hr", "a:b", "./hr://h/x", "100%"}) {
        EXPECT_TRUE(source(text).local) << text;
        EXPECT_STREQ(source(text).path, text);
    }
}

class LocalSource : public testing::Test
{
  protected:
    void SetUp() override
    {
        ASSERT_EQ(hr_temp_make(folder_), HR_OK);
        ASSERT_EQ(mkdir((folder() + "/tree").c_str(), 0755), 0);
        ASSERT_EQ(hr_temp_write((folder() + "/tree/f").c_str(), 10, 1), HR_OK);
        ASSERT_EQ(symlink("tree/f", (folder() + "/link").c_str()), 0);
    }
    void TearDown() override
    {
        EXPECT_EQ(hr_temp_remove(folder_), HR_OK);
    }
    std::string folder() const
    {
        return folder_;
    }
    hr_cli_source resolved(const std::string &text)
    {
        hr_cli_source at = source(text);
        hr_error error = {};
        EXPECT_EQ(hr_cli_source_resolve(&at, &error), HR_OK) << error.text;
        return at;
    }
    char folder_[HR_TEMP_PATH_MAX];
};

TEST_F(LocalSource, ServesTheParentAndAsksForTheLastName)
{
    hr_cli_source at = resolved(folder() + "/tree/f");
    EXPECT_EQ(at.root, folder() + "/tree");
    EXPECT_STREQ(at.path, "local/f");
    EXPECT_STREQ(at.name, "f");
}

TEST_F(LocalSource, NamesATreeAlsoWhereItIsWrittenAsADot)
{
    for (const char *text : {"/tree", "/tree/", "/tree/.", "/tree//"}) {
        hr_cli_source at = resolved(folder() + text);
        EXPECT_EQ(at.root, folder()) << text;
        EXPECT_STREQ(at.path, "local/tree") << text;
        EXPECT_STREQ(at.name, "tree") << text;
    }
}

TEST_F(LocalSource, FollowsASymlinkAndKeepsItsName)
{
    hr_cli_source at = resolved(folder() + "/link");
    EXPECT_EQ(at.root, folder() + "/tree");
    EXPECT_STREQ(at.path, "local/f");
    EXPECT_STREQ(at.name, "link");
}

TEST_F(LocalSource, ServesTheRootItself)
{
    hr_cli_source at = resolved("/");
    EXPECT_STREQ(at.root, "/");
    EXPECT_STREQ(at.path, "local");
    EXPECT_STREQ(at.name, "");
    at = resolved("/usr");
    EXPECT_STREQ(at.root, "/");
}

TEST_F(LocalSource, SaysWhatIsMissing)
{
    hr_cli_source at = source(folder() + "/none\n");
    hr_error error = {};
    EXPECT_EQ(hr_cli_source_resolve(&at, &error), HR_NOT_FOUND);
    EXPECT_EQ(std::string(error.text),
              "opening '" + folder() + "/none\\n': No such file or directory");
}

TEST_F(LocalSource, SaysHowAServerIsNamedToWhoNamesItAsForRsync)
{
    hr_cli_source at = source("storage:data/none");
    hr_error error = {};
    EXPECT_EQ(hr_cli_source_resolve(&at, &error), HR_NOT_FOUND);
    EXPECT_NE(std::string(error.text).find("hr://host[:port]/export/path"), std::string::npos)
        << error.text;
}

TEST(Locations, ADashIsNoFile)
{
    hr_cli_source at = {};
    hr_cli_target to = {};
    hr_error error = {};
    EXPECT_EQ(hr_cli_source_parse("-", &at, &error), HR_INVALID);
    EXPECT_EQ(hr_cli_target_parse("-", &to, &error), HR_INVALID);
    EXPECT_NE(std::string(error.text).find("./-"), std::string::npos) << error.text;
    EXPECT_EQ(hr_cli_target_parse("./-", &to, &error), HR_OK);
}

TEST(Target, KnowsMemoryGpusAndPaths)
{
    EXPECT_EQ(target("host:").kind, HR_CLI_TARGET_HOST);
    EXPECT_EQ(target("cuda:0").kind, HR_CLI_TARGET_CUDA);
    EXPECT_EQ(target("cuda:12").device, 12u);
    for (const char *text : {"./host:", "host", "host:x", "./cuda:0", "/a", "a"}) {
        EXPECT_EQ(target(text).kind, HR_CLI_TARGET_PATH) << text;
        EXPECT_STREQ(target(text).path, text);
        EXPECT_FALSE(target(text).below);
    }
    EXPECT_TRUE(target("a/").below);
    EXPECT_TRUE(target("/").below);
}

TEST(Target, RefusesWhatItCannotBe)
{
    for (const char *text : {"cuda:", "cuda:x", "cuda:-1", "cuda:1x", "cuda: 1", "cuda:99999"})
        expect_no_target(text, "number of a GPU");
    expect_no_target("hr://h/d", "is no target");
    expect_no_target("", "empty");
    expect_no_target(std::string(4096, 'n'), "longer than 4095");
}

TEST(Target, DescendsToTheNameOfTheSource)
{
    hr_cli_source from = source("hr://h/d/f");
    hr_error error = {};
    for (const char *text : {"dir", "dir/", "dir//"}) {
        hr_cli_target to = target(text);
        EXPECT_EQ(hr_cli_target_descend(&to, &from, &error), HR_OK);
        EXPECT_STREQ(to.path, "dir/f");
        EXPECT_FALSE(to.below);
    }
    hr_cli_target root = target("/");
    EXPECT_EQ(hr_cli_target_descend(&root, &from, &error), HR_OK);
    EXPECT_STREQ(root.path, "/f");

    hr_cli_target too_long = target(std::string(4094, 'n'));
    EXPECT_EQ(hr_cli_target_descend(&too_long, &from, &error), HR_INVALID);
    hr_cli_source nameless = source("hr://h");
    hr_error second = {};
    hr_cli_target to = target("dir/");
    EXPECT_EQ(hr_cli_target_descend(&to, &nameless, &second), HR_INVALID);
    EXPECT_STREQ(to.path, "dir/");
}

} // namespace
