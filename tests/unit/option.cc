// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

extern "C" {
#include "option.h"
#include "temp.h"
}

namespace
{

struct Values {
    bool eager;
    unsigned loud;
    const char *word;
    hr_option_list items;
    unsigned links;
    uint64_t pool;
    uint64_t limit;
    uint64_t patience;
    unsigned io;
};

enum { FETCH = 1 << 0, SHOW = 1 << 1 };
const char *const kChoices[] = {"auto", "uring", "threads", nullptr};

hr_option row(const char *name, char letter, hr_option_type type, unsigned verbs, size_t offset)
{
    hr_option option = {};
    option.name = name;
    option.letter = letter;
    option.argument = "VALUE";
    option.type = type;
    option.verbs = verbs;
    option.offset = offset;
    option.help =
        "Helps with something that takes a longish sentence to say, so that it is broken.";
    return option;
}

std::vector<hr_option> table()
{
    std::vector<hr_option> rows = {
        row("eager", 'e', HR_OPTION_FLAG, FETCH | SHOW, offsetof(Values, eager)),
        row("loud", 'l', HR_OPTION_COUNT, FETCH, offsetof(Values, loud)),
        row("word", 'w', HR_OPTION_STRING, FETCH, offsetof(Values, word)),
        row("item", 0, HR_OPTION_LIST, FETCH, offsetof(Values, items)),
        row("links", 0, HR_OPTION_UNSIGNED, FETCH, offsetof(Values, links)),
        row("pool-size", 0, HR_OPTION_BYTES, FETCH, offsetof(Values, pool)),
        row("limit", 0, HR_OPTION_RATE, FETCH, offsetof(Values, limit)),
        row("patience", 0, HR_OPTION_DURATION, FETCH, offsetof(Values, patience)),
        row("io", 0, HR_OPTION_CHOICE, FETCH, offsetof(Values, io)),
        row("other-item", 0, HR_OPTION_LIST, FETCH, offsetof(Values, items)),
    };
    rows[4].min = "1";
    rows[4].max = "64";
    rows[4].fallback = "2";
    rows[5].min = "4MiB";
    rows[8].choices = kChoices;
    rows[8].argument = nullptr;
    return rows;
}

class Option : public testing::Test
{
  protected:
    void SetUp() override
    {
        ASSERT_EQ(hr_temp_make(folder_), HR_OK);
        setenv("XDG_CONFIG_HOME", folder_, 1);
        rows_ = table();
        syntax_.program = "tool";
        syntax_.environment = "HRTEST_";
        syntax_.config = "hrtest-tool";
        syntax_.summary = "Does things.";
        syntax_.verbs = kVerbs;
        syntax_.verb_count = 2;
        syntax_.options = rows_.data();
        syntax_.option_count = static_cast<unsigned>(rows_.size());
    }
    void TearDown() override
    {
        hr_invocation_release(&invocation_);
        EXPECT_EQ(hr_temp_remove(folder_), HR_OK);
        unsetenv("XDG_CONFIG_HOME");
        for (const char *name : {"HRTEST_LINKS", "HRTEST_POOL_SIZE", "HRTEST_EAGER", "HRTEST_ITEM",
                                 "HRTEST_CONFIG", "HRTEST_LIMIT"})
            unsetenv(name);
    }

    hr_status parse(std::vector<std::string> words)
    {
        hr_invocation_release(&invocation_);
        values_ = {};
        error_ = {};
        words.insert(words.begin(), "tool");
        words_ = words;
        pointers_.clear();
        for (std::string &word : words_)
            pointers_.push_back(&word[0]);
        pointers_.push_back(nullptr);
        return hr_options_parse(&syntax_, static_cast<int>(words_.size()), pointers_.data(),
                                &values_, &invocation_, &error_);
    }
    std::string arguments()
    {
        std::string all;
        for (unsigned i = 0; i < invocation_.argument_count; i++)
            all += std::string(i == 0 ? "" : ",") + invocation_.arguments[i];
        return all;
    }
    void expect_refused(std::vector<std::string> words, const std::string &sentence)
    {
        EXPECT_EQ(parse(words), HR_INVALID);
        EXPECT_EQ(error_.status, HR_INVALID);
        EXPECT_EQ(std::string(error_.text), sentence);
    }
    std::string write(const std::string &name, const std::string &text)
    {
        std::string path = std::string(folder_) + "/" + name;
        std::ofstream(path, std::ios::binary) << text;
        return path;
    }
    std::string help(const hr_verb *verb)
    {
        char *text = nullptr;
        size_t len = 0;
        FILE *out = open_memstream(&text, &len);
        hr_options_help(&syntax_, verb, out);
        fclose(out);
        std::string copy(text, len);
        free(text);
        return copy;
    }

    static constexpr hr_verb kVerbs[] = {
        {"fetch", "SOURCE TARGET", 2, 2, "Fetches.", nullptr},
        {"show", "[SOURCE]", 0, 1, "Shows.", "In detail."},
    };
    char folder_[HR_TEMP_PATH_MAX];
    std::vector<hr_option> rows_;
    hr_syntax syntax_ = {};
    Values values_ = {};
    hr_invocation invocation_ = {};
    hr_error error_ = {};
    std::vector<std::string> words_;
    std::vector<char *> pointers_;
};

constexpr hr_verb Option::kVerbs[];

TEST_F(Option, ReadsEveryTypeInEveryPlace)
{
    ASSERT_EQ(parse({"--links=7", "fetch", "--pool-size", "64MiB", "a", "--limit=1.5G/s", "-e",
                     "--patience", "1m30s", "b", "--io", "threads", "-wx", "--item=1", "--item",
                     "2", "-ll"}),
              HR_OK)
        << error_.text;
    EXPECT_EQ(invocation_.verb, &kVerbs[0]);
    EXPECT_EQ(arguments(), "a,b");
    EXPECT_TRUE(values_.eager);
    EXPECT_EQ(values_.loud, 2u);
    EXPECT_STREQ(values_.word, "x");
    ASSERT_EQ(values_.items.count, 2u);
    EXPECT_STREQ(values_.items.values[0], "1");
    EXPECT_STREQ(values_.items.values[1], "2");
    EXPECT_EQ(values_.links, 7u);
    EXPECT_EQ(values_.pool, 64u << 20);
    EXPECT_EQ(values_.limit, 1500000000u);
    EXPECT_EQ(values_.patience, UINT64_C(90000000000));
    EXPECT_EQ(values_.io, 2u);
}

TEST_F(Option, TakesOneDashAndAllAfterTwoDashesAsArguments)
{
    ASSERT_EQ(parse({"fetch", "-", "--", "--links"}), HR_OK) << error_.text;
    EXPECT_EQ(arguments(), "-,--links");
    EXPECT_EQ(values_.links, 2u);
}

TEST_F(Option, TakesTheNextWordAsValueWhateverItLooksLike)
{
    ASSERT_EQ(parse({"fetch", "a", "b", "--word", "--eager", "-w", "-x"}), HR_OK);
    EXPECT_STREQ(values_.word, "-x");
    EXPECT_FALSE(values_.eager);
}

TEST_F(Option, LetsTheLastOneCount)
{
    ASSERT_EQ(parse({"show", "-e", "--eager=no"}), HR_OK);
    EXPECT_FALSE(values_.eager);
}

TEST_F(Option, PrefersCommandLineToEnvironmentToFileToDefault)
{
    ASSERT_EQ(parse({"show"}), HR_OK);
    EXPECT_EQ(values_.links, 2u);

    std::string file =
        write("c", "# comment\n\n  links = 3\r\nitem = f1\nitem = f2\npool-size=8MiB");
    ASSERT_EQ(parse({"show", "--config", file}), HR_OK) << error_.text;
    EXPECT_EQ(values_.links, 3u);
    EXPECT_EQ(values_.items.count, 2u);
    EXPECT_EQ(values_.pool, 8u << 20);

    setenv("HRTEST_LINKS", "4", 1);
    setenv("HRTEST_ITEM", "e", 1);
    setenv("HRTEST_CONFIG", file.c_str(), 1);
    ASSERT_EQ(parse({"show"}), HR_OK) << error_.text;
    EXPECT_EQ(values_.links, 4u);
    EXPECT_EQ(values_.items.count, 1u);
    EXPECT_STREQ(values_.items.values[0], "e");
    EXPECT_EQ(values_.pool, 8u << 20);

    ASSERT_EQ(parse({"fetch", "a", "b", "--links", "5", "--item", "c"}), HR_OK) << error_.text;
    EXPECT_EQ(values_.links, 5u);
    EXPECT_EQ(values_.items.count, 1u);
    EXPECT_STREQ(values_.items.values[0], "c");
}

TEST_F(Option, FindsTheConfigFileOfTheUser)
{
    std::string folder = std::string(folder_) + "/hrtest-tool";
    ASSERT_EQ(system(("mkdir " + folder).c_str()), 0);
    std::string file = write("hrtest-tool/config", "links = 9\n");
    ASSERT_EQ(parse({"show"}), HR_OK) << error_.text;
    EXPECT_EQ(values_.links, 9u);
    // One that is named replaces it.
    ASSERT_EQ(parse({"show", "--config", write("other", "eager = yes\n")}), HR_OK);
    EXPECT_EQ(values_.links, 2u);
    EXPECT_TRUE(values_.eager);
}

TEST_F(Option, RefusesABadConfigFileByNameAndLine)
{
    std::string file = write("c", "links = 3\n\nlinx = 4\n");
    expect_refused({"show", "--config", file},
                   file + ":3: there is no option 'linx'; is links meant?");
    file = write("c", "links = 65");
    expect_refused({"show", "--config", file}, file + ":1: links must be at most 64, not 65");
    file = write("c", "\nlinks\n");
    expect_refused({"show", "--config", file}, file + ":2: a line is name = value");
    file = write("c", "eager = perhaps\n");
    expect_refused({"show", "--config", file}, file + ":1: eager takes yes or no, not 'perhaps'");
    file = write("c", std::string("links\0 = 3", 10));
    expect_refused({"show", "--config", file},
                   "reading the config file " + file + ": it holds a zero byte");
    expect_refused({"show", "--config", "/dev/zero"},
                   "reading the config file /dev/zero: it is too long to be a config file");
}

TEST_F(Option, SaysThatANamedConfigFileIsMissing)
{
    EXPECT_EQ(parse({"show", "--config", "/nowhere/at all"}), HR_NOT_FOUND);
    EXPECT_STREQ(error_.text, "opening the config file /nowhere/at all: No such file or directory");
}

TEST_F(Option, ChecksValuesThatDoNotCount)
{
    setenv("HRTEST_LINKS", "many", 1);
    expect_refused({"fetch", "a", "b", "--links", "5"},
                   "HRTEST_LINKS takes a whole number, not 'many'");
}

TEST_F(Option, TakesAnEmptyVariableAsNotSet)
{
    setenv("HRTEST_LINKS", "", 1);
    ASSERT_EQ(parse({"show"}), HR_OK);
    EXPECT_EQ(values_.links, 2u);
}

TEST_F(Option, LetsFileAndEnvironmentNameOptionsOfOtherVerbs)
{
    setenv("HRTEST_LIMIT", "1M", 1);
    EXPECT_EQ(parse({"show"}), HR_OK) << error_.text;
    expect_refused({"show", "--limit", "1M"}, "show has no option --limit; see tool help show");
    expect_refused({"--limit", "1M", "show"}, "show has no option --limit; see tool help show");
}

TEST_F(Option, RefusesValuesOutsideTheirRange)
{
    expect_refused({"fetch", "a", "b", "--links=0"}, "--links must be at least 1, not 0");
    expect_refused({"fetch", "a", "b", "--links=65"}, "--links must be at most 64, not 65");
    EXPECT_EQ(parse({"fetch", "a", "b", "--links=64"}), HR_OK);
    EXPECT_EQ(parse({"fetch", "a", "b", "--links=1"}), HR_OK);
    expect_refused({"fetch", "a", "b", "--pool-size=4MB"},
                   "--pool-size must be at least 4MiB, not 4MB");
}

TEST_F(Option, RefusesValuesOfAnotherKind)
{
    expect_refused({"fetch", "a", "b", "--links=7x"}, "--links takes a whole number, not '7x'");
    expect_refused({"fetch", "a", "b", "--limit=fast"},
                   "--limit takes bytes per second such as 500M or 1.5GiB/s, not 'fast'");
    expect_refused({"fetch", "a", "b", "--patience=1y"},
                   "--patience takes a duration such as 250ms, 90s or 1h30m, not '1y'");
    expect_refused({"fetch", "a", "b", "--io=fast\n"},
                   "--io takes one of auto, uring, threads, not 'fast\\n'");
    expect_refused({"fetch", "a", "b", "--links"}, "--links needs a value");
    expect_refused({"fetch", "a", "b", "-w"}, "-w needs a value");
}

TEST_F(Option, SuggestsWhatWasMeant)
{
    expect_refused({"show", "--eagre"}, "there is no option --eagre; is --eager meant?");
    expect_refused({"show", "--poolsize=1"},
                   "there is no option --poolsize; is --pool-size meant?");
    expect_refused({"show", "--pat"}, "there is no option --pat; is --patience meant?");
    expect_refused({"show", "--quux"}, "there is no option --quux; see tool help");
    expect_refused({"show", "-x"}, "there is no option -x; see tool help");
    expect_refused({"fech"}, "there is no command 'fech'; is fetch meant?");
    expect_refused({"download"}, "there is no command 'download'; see tool help");
}

TEST_F(Option, CountsArguments)
{
    expect_refused({"fetch", "a"}, "fetch: an argument is missing; it is tool fetch SOURCE TARGET");
    expect_refused({"fetch", "a", "b", "c"}, "fetch: there are more arguments than it takes; it is "
                                             "tool fetch SOURCE TARGET");
    EXPECT_EQ(parse({"show"}), HR_OK);
}

TEST_F(Option, KeepsTheOrderOfOptionsThatShareAList)
{
    setenv("HRTEST_ITEM", "of the environment", 1);
    ASSERT_EQ(parse({"fetch", "a", "b", "--other-item=1", "--item=2", "--other-item=3"}), HR_OK);
    std::string all;
    for (unsigned i = 0; i < values_.items.count; i++)
        all += std::string(values_.items.names[i]) + "=" + values_.items.values[i] + " ";
    EXPECT_EQ(all, "other-item=1 item=2 other-item=3 ");
}

TEST_F(Option, BoundsLists)
{
    std::vector<std::string> words = {"fetch", "a", "b"};
    for (int i = 0; i < HR_OPTION_LIST_MAX; i++)
        words.push_back("--item=x");
    EXPECT_EQ(parse(words), HR_OK);
    words.push_back("--item=x");
    expect_refused(words, "--item may be given at most 64 times");
}

TEST_F(Option, GivesHelpEvenWhereArgumentsAndFilesAreWrong)
{
    setenv("HRTEST_LINKS", "many", 1);
    ASSERT_EQ(parse({"fetch", "--help"}), HR_OK);
    EXPECT_TRUE(invocation_.help);
    EXPECT_EQ(invocation_.verb, &kVerbs[0]);
    ASSERT_EQ(parse({"--version"}), HR_OK);
    EXPECT_TRUE(invocation_.version);
    EXPECT_EQ(invocation_.verb, nullptr);
}

TEST_F(Option, MakesTheHelpOfEachVerb)
{
    std::string text = help(&kVerbs[0]);
    EXPECT_NE(text.find("usage: tool fetch [OPTION]... SOURCE TARGET"), std::string::npos);
    EXPECT_NE(text.find("  -e, --eager "), std::string::npos);
    EXPECT_NE(text.find("--io auto|uring|threads"), std::string::npos);
    EXPECT_NE(text.find("(default 2; 1 to 64)"), std::string::npos);
    EXPECT_NE(text.find("(at least 4MiB)"), std::string::npos);
    EXPECT_NE(text.find("--config FILE"), std::string::npos);
    EXPECT_EQ(help(&kVerbs[1]).find("--links"), std::string::npos);
    EXPECT_NE(help(&kVerbs[1]).find("In detail."), std::string::npos);
    EXPECT_NE(help(nullptr).find("tool fetch SOURCE TARGET"), std::string::npos);

    for (const hr_verb *verb : {&kVerbs[0], &kVerbs[1]}) {
        std::istringstream lines(help(verb));
        for (std::string line; std::getline(lines, line);)
            EXPECT_LT(line.size(), 81u) << line;
    }
}

} // namespace
