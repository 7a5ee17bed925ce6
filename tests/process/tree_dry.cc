// SPDX-License-Identifier: Apache-2.0
// What a dry run of a tree says is what comes of it: each kind of entry over each kind of thing
// that may have its name in the target, with the options that decide on that.
#include "fixture.h"

#include <algorithm>
#include <set>

namespace
{

constexpr uint64_t LARGE = (1 << 20) + 5; // a transfer of its own

// What each run says of each name, and in the end.
struct Said {
    std::set<std::string> files, removed;
    std::string end = "";
};

class TreeDry : public Headrace
{
  protected:
    // Makes what kind says, under a name. "same": as a source that has a file there.
    static void make(const std::string &kind, const std::string &path)
    {
        const std::string folder = path.substr(0, path.rfind('/'));
        int failed = 0;
        if (kind == "file" || kind == "same" || kind == "other")
            write_text(path, kind == "other" ? "another" : "content");
        else if (kind == "large")
            failed = hr_temp_write(path.c_str(), LARGE, 1);
        else if (kind == "symlink")
            failed = symlink("file-none", path.c_str());
        else if (kind == "symlink-out")
            failed = symlink("/tmp", path.c_str());
        else if (kind == "name")
            failed = link((folder + "/file-none").c_str(), path.c_str());
        else if (kind != "none")
            make_directory(path);
        const timespec old[2] = {{0, UTIME_OMIT}, {1000000000, 0}};
        if (kind == "file" || kind == "same" || kind == "large")
            failed |= utimensat(AT_FDCWD, path.c_str(), old, 0);
        EXPECT_EQ(0, failed) << path;
        if (kind == "full")
            make("same", path + "/inside");
        if (kind == "kept")
            make("same", path + "/kept");
        if (kind == "deep") {
            make("full", path + "/below");
            make("symlink", path + "/below/link");
        }
    }
    Said run(const std::string &tree, const std::vector<std::string> &options)
    {
        Program program;
        Said said;
        start_get(program, "hr://" + address_ + "/data", target(tree), options);
        program.wait();
        std::istringstream lines(program.out());
        for (std::string line; std::getline(lines, line);) {
            const Json json(line);
            const bool kept = line.find("\"kept\":true") != std::string::npos;
            if (json.text("type") == "file")
                said.files.insert(json.text("path") + ": " + json.text("status") + " " +
                                  json.text("text") + (kept ? " kept" : ""));
            if (json.text("type") == "removed")
                said.removed.insert(json.text("path"));
            if (json.text("type") != "summary")
                continue;
            said.end = json.text("text");
            for (const char *number : {"exit", "files", "files_failed", "files_kept", "removed",
                                       "bytes_total", "bytes_reused"})
                said.end += std::string(" ") + number + " " + std::to_string(json.number(number));
        }
        return said;
    }
};

std::vector<std::string> only_in(const std::set<std::string> &one,
                                 const std::set<std::string> &other)
{
    std::vector<std::string> names;
    std::set_difference(one.begin(), one.end(), other.begin(), other.end(),
                        std::back_inserter(names));
    return names;
}

void expect_same(const Said &dry, const Said &real, const std::string &what)
{
    const std::vector<std::string> none;
    EXPECT_EQ(none, only_in(dry.files, real.files)) << "only the dry run said so: " << what;
    EXPECT_EQ(none, only_in(real.files, dry.files)) << "only the real run said so: " << what;
    EXPECT_EQ(none, only_in(dry.removed, real.removed)) << "only said to be removed: " << what;
    EXPECT_EQ(none, only_in(real.removed, dry.removed)) << "only removed: " << what;
    EXPECT_EQ(dry.end, real.end) << what;
}

TEST_F(TreeDry, SaysWhatComesOfIt)
{
    const char *const sources[] = {"file", "large", "symlink", "name", "empty", "deep", "none"};
    const char *const targets[] = {"none",  "same", "other", "symlink", "symlink-out",
                                   "empty", "full", "deep",  "kept"};
    const std::vector<std::string> cases[] = {
        {},
        {"--overwrite"},
        {"--overwrite", "--delete"},
        {"--overwrite", "--delete", "--exclude", "kept"},
        {"--overwrite", "--delete", "--checksum"},
        {"--overwrite", "--include", "*-full", "--exclude", "*-other", "--exclude", "below/"},
    };
    for (const char *source : sources)
        for (const char *there : targets)
            make(source, data(std::string(source) + "-" + there));
    make("large", data("deep-same/below/large"));
    serve();
    for (const auto &options : cases) {
        const std::string tree = "tree" + std::to_string(&options - cases);
        make_directory(target(tree));
        for (const char *source : sources)
            for (const char *there : targets)
                make(there, target(tree + "/" + source + "-" + there));
        std::vector<std::string> dry_options = options;
        dry_options.push_back("--dry-run");
        const Said dry = run(tree, dry_options);
        expect_same(dry, run(tree, options), ::testing::PrintToString(options));
    }
}

// Nor is the directory that it goes into made, or missed.
TEST_F(TreeDry, OfATargetThatIsNotThere)
{
    make("deep", data("deep"));
    serve();
    for (const char *tree : {"new", "not/there"}) {
        const Said dry = run(tree, {"--dry-run"});
        EXPECT_FALSE(exists(target(tree)));
        expect_same(dry, run(tree, {}), tree);
    }
}

} // namespace
