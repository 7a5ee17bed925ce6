// SPDX-License-Identifier: Apache-2.0
// What a server offers, name by name.
#include "fixture.h"

#include <set>

namespace
{

class List : public Headrace
{
  protected:
    struct Listing {
        int exit_code;
        std::string out, errors;
    };
    static Listing ls(const std::vector<std::string> &arguments)
    {
        Program program;
        std::vector<std::string> all = {"ls"};
        all.insert(all.end(), arguments.begin(), arguments.end());
        program.start(all);
        int exit_code = program.wait();
        return {exit_code, program.out(), program.errors()};
    }
    static std::set<std::string> lines(const std::string &text, char end = '\n')
    {
        std::set<std::string> all;
        std::istringstream stream(text);
        for (std::string line; std::getline(stream, line, end);)
            EXPECT_TRUE(all.insert(line).second) << "twice: " << line;
        return all;
    }
    std::string root() const
    {
        return "hr://" + address_;
    }
};

TEST_F(List, TellsTheExports)
{
    serve({"--export", "more=" + at("target")});
    Listing listing = ls({root()});
    EXPECT_EQ(0, listing.exit_code) << listing.errors;
    EXPECT_EQ((std::set<std::string>{"data/", "more/"}), lines(listing.out));
}

// The server holds the directory, and not its name; a new one is another.
TEST_F(List, OfAnExportThatWasRemovedSaysWhatToDo)
{
    const std::string gone = at("gone");
    make_directory(gone);
    serve({"--export", "gone=" + gone});
    ASSERT_EQ(0, rmdir(gone.c_str()));
    make_directory(gone);
    Listing listing = ls({root() + "/gone"});
    EXPECT_EQ(4, listing.exit_code) << listing.errors;
    EXPECT_NE(std::string::npos, listing.errors.find("the server has to be started again"))
        << listing.errors;
    expect_refused(get(root() + "/gone", target("tree")), 4, {"has to be started again"});
}

TEST_F(List, TellsTheEntriesOfADirectory)
{
    make_directory(data("sub"));
    offer("file", 4321);
    ASSERT_EQ(0, symlink("file", data("link").c_str()));
    serve();
    Listing listing = ls({root() + "/data"});
    EXPECT_EQ(0, listing.exit_code) << listing.errors;
    EXPECT_EQ((std::set<std::string>{"sub/", "file", "link"}), lines(listing.out));

    listing = ls({"-l", url("file")});
    EXPECT_EQ(0, listing.exit_code) << listing.errors;
    EXPECT_EQ(0u, listing.out.find("-rw-r--r--")) << listing.out;
    EXPECT_NE(std::string::npos, listing.out.find(" 4321 ")) << listing.out;
}

TEST_F(List, OfAnEmptyDirectoryIsEmpty)
{
    serve();
    Listing listing = ls({root() + "/data"});
    EXPECT_EQ(0, listing.exit_code) << listing.errors;
    EXPECT_EQ("", listing.out);
}

TEST_F(List, IsJsonForPrograms)
{
    offer("file", 4321);
    serve();
    Program program;
    program.start({"ls", root() + "/data", "--json"});
    Json entry = program.next("entry");
    EXPECT_EQ("file", entry.text("name"));
    EXPECT_EQ("file", entry.text("kind"));
    EXPECT_EQ(4321u, entry.number("size"));
    EXPECT_EQ(1u, program.next("summary").number("entries"));
    EXPECT_EQ(0, program.wait());
}

TEST_F(List, QuotesWhatCouldHarmATerminal)
{
    write_text(data("two\nlines"), "");
    write_text(data("not utf-8 \xff"), "");
    write_text(data("\x1b[31mred"), "");
    serve();
    Listing listing = ls({root() + "/data"});
    EXPECT_EQ((std::set<std::string>{"two\\nlines", "not utf-8 \\xff", "\\x1b[31mred"}),
              lines(listing.out));
    listing = ls({"-0", root() + "/data"});
    EXPECT_EQ((std::set<std::string>{"two\nlines", "not utf-8 \xff", "\x1b[31mred"}),
              lines(listing.out, '\0'));
}

TEST_F(List, OfManyNamesIsCompleteAndHasNoneTwice)
{
    constexpr unsigned COUNT = 2500; // three pages
    std::set<std::string> expected;
    for (unsigned i = 0; i < COUNT; i++) {
        std::string name = std::to_string(i) + std::string(240, 'x');
        write_text(data(name), "");
        expected.insert(name);
    }
    serve();
    Listing listing = ls({root() + "/data"});
    EXPECT_EQ(0, listing.exit_code) << listing.errors;
    EXPECT_EQ(expected, lines(listing.out));
}

TEST_F(List, OfALocalDirectory)
{
    offer("file", 1);
    Listing listing = ls({at("data")});
    EXPECT_EQ(0, listing.exit_code) << listing.errors;
    EXPECT_EQ("file\n", listing.out);
}

TEST_F(List, SaysWhatIsNotThereAndWhatIsNotOffered)
{
    ASSERT_EQ(0, symlink("/etc", data("out").c_str()));
    serve();
    const struct {
        std::string source, part;
        int exit_code;
    } cases[] = {
        {url("nothing"), "data/nothing", 4},
        {root() + "/other", "other", 4},
        {url(".."), "data/..", 6},
        {url("out"), "data/out", 6},
    };
    for (const auto &one : cases) {
        Listing listing = ls({one.source});
        EXPECT_EQ(one.exit_code, listing.exit_code) << one.source;
        EXPECT_EQ("", listing.out);
        EXPECT_NE(std::string::npos, listing.errors.find(one.part)) << listing.errors;
        EXPECT_EQ(listing.errors.size() - 1, listing.errors.find('\n')) << listing.errors;
    }
}

TEST_F(List, OfAServerThatIsNotThere)
{
    char address[64];
    ASSERT_EQ(HR_OK, hr_stranger_unused(address));
    Listing listing = ls({std::string("hr://") + address});
    EXPECT_EQ(8, listing.exit_code);
    EXPECT_NE(std::string::npos, listing.errors.find(address)) << listing.errors;
}

} // namespace
