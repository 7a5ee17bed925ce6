// SPDX-License-Identifier: Apache-2.0
// The audit of a server: every line is in its file or counted as lost, whatever becomes of the
// file, and nobody who notes something waits for the disk.
#include "folder.h"

#include <fcntl.h>
#include <fstream>
#include <jansson.h>
#include <mutex>
#include <sstream>
#include <string>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <vector>

extern "C" {
#include "audit.h"
}

namespace
{

// What a line says under this key: a text, or a number in digits.
std::string member(const std::string &line, const char *key)
{
    json_t *object = json_loads(line.c_str(), 0, nullptr);
    const json_t *value = json_object_get(object, key);
    std::string text = json_is_integer(value)  ? std::to_string(json_integer_value(value))
                       : json_is_string(value) ? json_string_value(value)
                                               : "";
    json_decref(object);
    return text;
}

class Audit : public Folder
{
  protected:
    Audit() : env_(*hr_env_system())
    {
        env_.context = this;
        env_.log_level = HR_LOG_INFO;
        env_.log = [](void *context, hr_log_level, const char *line) {
            Audit *self = static_cast<Audit *>(context);
            std::lock_guard<std::mutex> lock(self->mutex_);
            self->log_ += std::string(line) + "\n";
        };
    }
    void open(const std::string &path)
    {
        hr_error error = {};
        ASSERT_EQ(HR_OK, hr_audit_create(&env_, path.c_str(), &audit_, &error)) << error.text;
    }
    void close()
    {
        hr_audit_destroy(audit_);
        audit_ = nullptr;
    }
    void note(uint64_t session, const char *path = nullptr, const char *reason = nullptr)
    {
        hr_audit_event event = {};
        event.what = path != nullptr ? "transfer" : "session";
        event.session = session;
        event.who = "key:0011";
        event.peer = "127.0.0.1:9";
        event.path = path;
        event.reason = reason;
        event.size = 7;
        event.sent = 5;
        event.status = HR_PEER_LOST;
        hr_audit_note(audit_, &event);
    }
    static std::vector<std::string> lines(const std::string &path)
    {
        std::ifstream file(path);
        std::vector<std::string> all;
        for (std::string line; std::getline(file, line);)
            all.push_back(line);
        return all;
    }
    hr_env env_;
    std::string log_;
    std::mutex mutex_;
    hr_audit *audit_ = nullptr;
};

TEST_F(Audit, TellsOfATransferWhoseItWasAndHowItEnded)
{
    open(at("audit"));
    note(3, "data/a\nb", "the link was lost");
    note(4);
    note(5, nullptr, "");
    close();
    std::vector<std::string> all = lines(at("audit"));
    ASSERT_EQ(3u, all.size());
    EXPECT_EQ("transfer", member(all[0], "what"));
    EXPECT_EQ("3", member(all[0], "session"));
    EXPECT_EQ("data/a\\nb", member(all[0], "path"));
    EXPECT_EQ("5", member(all[0], "bytes_sent"));
    EXPECT_EQ("HR_PEER_LOST", member(all[0], "status"));
    EXPECT_EQ("the link was lost", member(all[0], "reason"));
    EXPECT_EQ("4", member(all[1], "session"));
    EXPECT_EQ(std::string::npos, all[1].find("path"));
    EXPECT_EQ(std::string::npos, all[2].find("reason"));
    EXPECT_EQ("", log_);
}

TEST_F(Audit, IsAppendedTo)
{
    for (uint64_t session : {1, 2}) {
        open(at("audit"));
        note(session);
        close();
    }
    ASSERT_EQ(2u, lines(at("audit")).size());
    EXPECT_EQ("2", member(lines(at("audit"))[1], "session"));
}

TEST_F(Audit, GoesOnInANewFileAfterItWasRenamed)
{
    open(at("audit"));
    note(1);
    close();
    open(at("audit"));
    ASSERT_EQ(0, rename(at("audit").c_str(), at("audit.1").c_str()));
    hr_audit_reopen(audit_);
    note(2);
    close();
    ASSERT_EQ(1u, lines(at("audit.1")).size());
    ASSERT_EQ(1u, lines(at("audit")).size());
    EXPECT_EQ("2", member(lines(at("audit"))[0], "session"));
    struct stat info;
    ASSERT_EQ(0, stat(at("audit").c_str(), &info));
    EXPECT_EQ(0600u, info.st_mode & 07777);
}

// A rotation that went wrong loses no line.
TEST_F(Audit, GoesOnInTheOldFileWhereANewOneCannotBe)
{
    open(at("audit"));
    ASSERT_EQ(0, rename(at("audit").c_str(), at("audit.1").c_str()));
    ASSERT_EQ(0, symlink("/etc/passwd", at("audit").c_str())); // never written through
    hr_audit_reopen(audit_);
    note(2);
    close();
    ASSERT_EQ(1u, lines(at("audit.1")).size());
    EXPECT_NE(std::string::npos, log_.find("going on in the old")) << log_;
}

TEST_F(Audit, ThatCannotBeOpenedIsRefused)
{
    ASSERT_EQ(0, symlink("elsewhere", at("link").c_str()));
    for (const std::string &path : {folder_, at("nothing/audit"), at("link")}) {
        hr_error error = {};
        hr_audit *audit = nullptr;
        EXPECT_NE(HR_OK, hr_audit_create(&env_, path.c_str(), &audit, &error)) << path;
        EXPECT_EQ(nullptr, audit);
        EXPECT_NE(std::string::npos, std::string(error.text).find(path)) << error.text;
    }
    env_.alloc = [](void *, size_t) -> void * { return nullptr; };
    hr_error error = {};
    EXPECT_EQ(HR_NO_MEMORY, hr_audit_create(&env_, at("audit").c_str(), &audit_, &error));
}

TEST_F(Audit, OnAFullDiskSaysThatLinesAreLost)
{
    open("/dev/full");
    note(1);
    close();
    EXPECT_NE(std::string::npos, log_.find("lines are lost")) << log_;
}

TEST_F(Audit, ThatNobodyKeepsNotesNothing)
{
    note(1);
    hr_audit_reopen(nullptr);
    hr_audit_destroy(nullptr);
}

// The disk stands still (a pipe that nobody reads from), and whoever notes something does not: what
// finds no room is counted, and the count is told at the end at the latest.
TEST_F(Audit, CountsWhatFindsNoRoom)
{
    ASSERT_EQ(0, mkfifo(at("pipe").c_str(), 0600));
    int reader = ::open(at("pipe").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ASSERT_GE(reader, 0);
    open(at("pipe"));
    const std::string reason(900, 'r');
    const uint64_t noted = 5000; // some 5 MB: more than is kept
    for (uint64_t i = 1; i <= noted; i++)
        note(i, nullptr, reason.c_str());
    ASSERT_EQ(0, fcntl(reader, F_SETFL, 0));
    std::thread closing([this] { close(); });
    std::string text;
    char piece[65536];
    for (ssize_t got; (got = read(reader, piece, sizeof piece)) > 0;)
        text.append(piece, (size_t)got);
    closing.join();
    ::close(reader);
    uint64_t told = 0, lost = 0, last = 0;
    std::istringstream all(text);
    for (std::string line; std::getline(all, line);) {
        if (member(line, "what") == "lost") {
            lost += std::stoull(member(line, "lines"));
            continue;
        }
        told++;
        uint64_t number = std::stoull(member(line, "session"));
        EXPECT_LT(last, number) << "in their order";
        last = number;
    }
    EXPECT_GT(lost, 0u);
    EXPECT_EQ(noted, told + lost);
}

} // namespace
