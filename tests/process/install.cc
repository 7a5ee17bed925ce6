// SPDX-License-Identifier: Apache-2.0
// What cmake --install puts into a directory works from there: another program finds the library in
// both ways that programs have, bash completes the options, and the manual knows every one of them.
#include "fixture.h"

#include <algorithm>
#include <regex>

namespace
{

class Install : public Headrace
{
  protected:
    void SetUp() override
    {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
        GTEST_SKIP() << "the library is built with a sanitizer, which the example is not";
#endif
        Headrace::SetUp();
        prefix_ = at("prefix");
        ASSERT_EQ(0, run(std::string(HEADRACE_CMAKE) +
                         " --install '" HEADRACE_BUILD "' --prefix '" + prefix_ + "'"))
            << said_;
    }
    // A line of shell, for which the server's key is the user's own; what it says is kept.
    int run(const std::string &command)
    {
        setenv("XDG_CONFIG_HOME", ConfigHome::of(Surroundings().user).c_str(), 1);
        int status = system(("{ " + command + "; } >'" + at("said") + "' 2>&1").c_str());
        said_ = read_text(at("said"));
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    std::string libraries() const
    {
        return prefix_ + "/" HEADRACE_LIBDIR;
    }
    void expect_example_works(const std::string &program)
    {
        offer("shard", CHUNK + 1, 1);
        serve();
        EXPECT_EQ(0, run("LD_LIBRARY_PATH='" + libraries() + "' '" + program + "' " + address_ +
                         " data/shard"))
            << said_;
        EXPECT_EQ(0u, said_.find("4194305 bytes of data/shard lie at ")) << said_;
        EXPECT_EQ(4, run("LD_LIBRARY_PATH='" + libraries() + "' '" + program + "' " + address_ +
                         " data/missing"))
            << said_;
    }
    // The long options that the help of a command tells.
    std::vector<std::string> options_of(const std::string &program, const std::string &verb)
    {
        EXPECT_EQ(0, run("'" + prefix_ + "/bin/" + program + "' help " + verb)) << said_;
        std::vector<std::string> options;
        const std::regex option("^ +(-., )?(--[a-z0-9-]+)", std::regex::multiline);
        for (std::sregex_iterator match(said_.begin(), said_.end(), option), end; match != end;
             ++match)
            options.push_back((*match)[2]);
        std::sort(options.begin(), options.end());
        return options;
    }
    // What bash offers for the last word of a line.
    std::vector<std::string> completions(const std::string &program,
                                         const std::vector<std::string> &words)
    {
        std::string line = "source '" + prefix_ +
                           "/" HEADRACE_DATADIR "/bash-completion/completions/" + program +
                           "'; COMP_WORDS=(" + program;
        for (const std::string &word : words)
            line += " '" + word + "'";
        std::string function = "_" + program;
        std::replace(function.begin(), function.end(), '-', '_');
        line += "); COMP_CWORD=" + std::to_string(words.size()) +
                "; compopt() { :; }; set -u; COMPREPLY=(); " + function +
                "; ((${#COMPREPLY[@]} == 0)) || printf '%s\\n' \"${COMPREPLY[@]}\"";
        write_text(at("script"), line);
        EXPECT_EQ(0, run("bash '" + at("script") + "'")) << said_;
        std::istringstream lines(said_);
        std::vector<std::string> found;
        for (std::string word; std::getline(lines, word);)
            found.push_back(word);
        std::sort(found.begin(), found.end());
        return found;
    }

    std::string prefix_, said_;
};

TEST_F(Install, PkgConfigFindsTheLibrary)
{
    const std::string flags =
        "$(PKG_CONFIG_PATH='" + libraries() + "/pkgconfig' pkg-config --cflags --libs headrace)";
    ASSERT_EQ(0, run("cc -Wall -Wextra -Werror '" HEADRACE_SOURCE "/examples/into_memory.c' -o '" +
                     at("example") + "' " + flags))
        << said_;
    expect_example_works(at("example"));
}

TEST_F(Install, CMakeFindsTheLibrary)
{
    const std::string build = at("example-build");
    ASSERT_EQ(0, run(std::string(HEADRACE_CMAKE) + " -S '" HEADRACE_SOURCE "/examples' -B '" +
                     build + "' -DCMAKE_PREFIX_PATH='" + prefix_ + "' && " + HEADRACE_CMAKE +
                     " --build '" + build + "'"))
        << said_;
    expect_example_works(build + "/into_memory");
}

TEST_F(Install, BashCompletesWhatTheHelpTells)
{
    if (run("bash --version") != 0)
        GTEST_SKIP() << "no bash";
    for (const char *verb : {"serve", "get", "ls", "pack", "verify"})
        EXPECT_EQ(options_of("headrace", verb), completions("headrace", {verb, "--"})) << verb;
    for (const char *verb : {"storage", "wire", "transfer"})
        EXPECT_EQ(options_of("headrace-bench", verb), completions("headrace-bench", {verb, "--"}))
            << verb;
    EXPECT_EQ((std::vector<std::string>{"get"}), completions("headrace", {"g"}));
    EXPECT_EQ((std::vector<std::string>{"verify"}), completions("headrace", {"help", "v"}));
    EXPECT_EQ((std::vector<std::string>{"zstd"}),
              completions("headrace", {"pack", "--codec", "z"}));
    EXPECT_EQ((std::vector<std::string>{"zstd"}),
              completions("headrace", {"pack", "--codec", "=", "z"}));
    EXPECT_TRUE(completions("headrace", {"get", "--limit", ""}).empty());
    EXPECT_TRUE(completions("headrace", {"get", "hr:"}).empty()); // bash offers files then
}

TEST_F(Install, TheManualKnowsEveryOption)
{
    for (const char *program : {"headrace", "headrace-bench"}) {
        const std::string path =
            prefix_ + "/" HEADRACE_MANDIR "/man1/" + std::string(program) + ".1";
        const std::string page = read_text(path);
        EXPECT_EQ(0, run("'" + prefix_ + "/bin/" + program + "' help")) << said_;
        const std::string help = said_;
        const std::regex verb("^  " + std::string(program) + " ([a-z]+) ", std::regex::multiline);
        size_t verbs = 0;
        for (std::sregex_iterator match(help.begin(), help.end(), verb), end; match != end;
             ++match, verbs++)
            for (const std::string &option : options_of(program, (*match)[1]))
                EXPECT_NE(std::string::npos,
                          page.find(std::regex_replace(option, std::regex("-"), "\\-")))
                    << program << " " << option;
        EXPECT_GE(verbs, 5u);
        if (run("groff --version") == 0) {
            EXPECT_EQ(0, run("groff -man -Tutf8 -ww -z '" + path + "'"));
            EXPECT_EQ("", said_);
        }
    }
}

} // namespace
