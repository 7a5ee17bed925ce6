// SPDX-License-Identifier: Apache-2.0
// A tree of thousands of levels, whose paths are longer than a system call takes one.
#include "fixture.h"

namespace
{

constexpr int levels = 1000; // four thousand: scripts/trees
const char *const name = "level";

class TreeDeep : public Headrace
{
  protected:
    // The directory so many levels below.
    static int open_level(const std::string &top, int depth)
    {
        int fd = open(top.c_str(), O_RDONLY | O_DIRECTORY);
        for (int i = 0; i < depth && fd >= 0; i++) {
            int below = openat(fd, name, O_RDONLY | O_DIRECTORY);
            close(fd);
            fd = below;
        }
        return fd;
    }
    static void write_at(int dir, const char *file, const std::string &text)
    {
        int fd = openat(dir, file, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        ASSERT_EQ((ssize_t)text.size(), write(fd, text.data(), text.size()));
        close(fd);
    }
    static std::string read_at(int dir, const char *file)
    {
        char text[100];
        int fd = openat(dir, file, O_RDONLY);
        ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof text);
        if (fd >= 0)
            close(fd);
        return len < 0 ? "not there" : std::string(text, (size_t)len);
    }
    static std::string read_level(const std::string &top, int depth, const char *file)
    {
        int fd = open_level(top, depth);
        std::string text = read_at(fd, file);
        close(fd);
        return text;
    }
    // A file at some levels and at the last one.
    void offer_levels()
    {
        int fd = open(at("data").c_str(), O_RDONLY | O_DIRECTORY);
        for (int i = 0; i <= levels; i++) {
            if (i % 250 == 0)
                write_at(fd, "file", "of level " + std::to_string(i));
            if (i == levels)
                break;
            ASSERT_EQ(0, mkdirat(fd, name, 0755));
            int below = openat(fd, name, O_RDONLY | O_DIRECTORY);
            close(fd);
            fd = below;
        }
        ASSERT_EQ(0, symlinkat("what it says", fd, "link"));
        ASSERT_EQ(0, linkat(fd, "file", fd, "again", 0));
        close(fd);
    }
    void expect_levels(const std::string &top)
    {
        for (int i = 0; i <= levels; i += 250)
            EXPECT_EQ("of level " + std::to_string(i), read_level(top, i, "file"));
        EXPECT_EQ("of level " + std::to_string(levels), read_level(top, levels, "again"));
    }
    static void remove_levels(const std::string &top)
    {
        int fd = open_level(top, levels);
        for (int i = levels; i >= 0 && fd >= 0; i--) {
            for (const char *file : {"file", "link", "again"})
                unlinkat(fd, file, 0);
            int above = openat(fd, "..", O_RDONLY | O_DIRECTORY);
            close(fd);
            fd = above;
            if (i > 0)
                unlinkat(fd, name, AT_REMOVEDIR);
        }
        if (fd >= 0)
            close(fd);
    }
    void TearDown() override
    {
        remove_levels(at("data"));
        remove_levels(target("tree"));
    }
    Result get_tree(const std::vector<std::string> &more = {})
    {
        return get("hr://" + address_ + "/data", target("tree"), more);
    }
};

TEST_F(TreeDeep, ComesWholeAndIsKept)
{
    offer_levels();
    serve();
    Result result = get_tree();
    EXPECT_EQ(0, result.exit_code) << result.errors;
    expect_levels(target("tree"));
    result = get_tree({"--checksum"});
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_EQ(0u, result.moved());
    Program verify;
    verify.start({"verify", target("tree"), "--against", "hr://" + address_ + "/data"});
    EXPECT_EQ(0, verify.wait()) << verify.errors();

    int bottom = open_level(at("data"), levels);
    write_at(bottom, "file", "another text");
    ASSERT_EQ(0, unlinkat(bottom, "link", 0));
    close(bottom);
    result = get_tree({"--overwrite", "--delete"});
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_EQ(1u, result.summary.number("removed"));
    EXPECT_EQ("another text", read_level(target("tree"), levels, "file"));

    // With all that is in it: five files, and the further name of one.
    remove_levels(at("data"));
    result = get_tree({"--delete"});
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_EQ((uint64_t)levels + 6, result.summary.number("removed"));
    EXPECT_EQ(0, hr_temp_count(target("tree").c_str(), ""));
}

} // namespace
