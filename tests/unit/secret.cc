// SPDX-License-Identifier: Apache-2.0
// Files that hold keys: which are believed, what is said of those that are not, and that nothing
// half-written ever has the name of a key.
#include "folder.h"

#include <cstdlib>
#include <fstream>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

extern "C" {
#include "secret.h"
}

namespace
{

class Secret : public Folder
{
  protected:
    std::string make(const std::string &text, mode_t mode)
    {
        unlink(at("key").c_str());
        std::ofstream(at("key")) << text;
        EXPECT_EQ(0, chmod(at("key").c_str(), mode));
        return at("key");
    }
    // The text, or the status and what was said.
    hr_status read(const std::string &path, bool is_private = true)
    {
        char *text = nullptr;
        error_ = {};
        hr_status status =
            hr_secret_read(hr_env_system(), path.c_str(), is_private, &text, &error_);
        text_ = text != nullptr ? text : "";
        hr_secret_release(hr_env_system(), text);
        return status;
    }
    hr_status create(const std::string &path, const char *text = "a key")
    {
        error_ = {};
        return hr_secret_create(path.c_str(), text, &error_);
    }
    hr_status replace(const std::string &path, const char *text = "a key")
    {
        error_ = {};
        return hr_secret_replace(path.c_str(), text, &error_);
    }
    bool said(const std::string &part) const
    {
        return std::string(error_.text).find(part) != std::string::npos;
    }
    std::string text_;
    hr_error error_ = {};
};

TEST_F(Secret, IsReadFromAFileOfItsOwnerAlone)
{
    const struct {
        mode_t mode;
        hr_status is_private, is_public;
        const char *advice;
    } rows[] = {
        {0600, HR_OK, HR_OK, ""},
        {0400, HR_OK, HR_OK, ""},
        {0640, HR_POLICY, HR_OK, "chmod 600"},
        {0604, HR_POLICY, HR_OK, "chmod 600"},
        {0644, HR_POLICY, HR_OK, "chmod 600"},
        {0620, HR_POLICY, HR_POLICY, "chmod 600"},
        {0602, HR_POLICY, HR_POLICY, "chmod 600"},
    };
    for (const auto &row : rows) {
        std::string path = make("a key", row.mode);
        EXPECT_EQ(row.is_private, read(path, true)) << row.mode;
        EXPECT_TRUE(said(row.advice)) << error_.text;
        EXPECT_EQ(row.is_public, read(path, false)) << row.mode;
        EXPECT_EQ(row.is_public == HR_OK ? "a key" : "", text_);
        EXPECT_EQ(row.is_public != HR_OK, said("chmod go-w")) << error_.text;
    }
}

TEST_F(Secret, IsInNoFileThatIsNone)
{
    ASSERT_EQ(0, mkfifo(at("fifo").c_str(), 0600)); // and nobody waits for its other end
    const struct {
        std::string path;
        hr_status status;
        const char *said;
    } rows[] = {
        {folder_, HR_INVALID, "is no regular file"},
        {at("fifo"), HR_INVALID, "is no regular file"},
        {at("nothing"), HR_NOT_FOUND, "opening"},
        {at("nothing/key"), HR_NOT_FOUND, "opening"},
    };
    for (const auto &row : rows) {
        EXPECT_EQ(row.status, read(row.path)) << row.path;
        EXPECT_TRUE(said(row.said) && said(row.path)) << error_.text;
    }
    EXPECT_EQ(HR_INVALID, read(make(std::string("a\0key", 5), 0600)));
    EXPECT_TRUE(said("is no text")) << error_.text;
    EXPECT_EQ(HR_INVALID, read(make(std::string(HR_SECRET_LEN_MAX + 1, 'k'), 0600)));
    EXPECT_TRUE(said("is longer than")) << error_.text;
    EXPECT_EQ(HR_OK, read(make(std::string(HR_SECRET_LEN_MAX, 'k'), 0600)));
    EXPECT_EQ(size_t{HR_SECRET_LEN_MAX}, text_.size());
    // A file that says it is empty, and has more than any key.
    EXPECT_EQ(HR_IO, read("/proc/self/mem", false)) << error_.text;
}

TEST_F(Secret, OfSomebodyElseIsNotBelieved)
{
    if (geteuid() != 0)
        GTEST_SKIP() << "not root: no file of somebody else can be made";
    std::string path = make("a key", 0600);
    ASSERT_EQ(0, chown(path.c_str(), 65534, 65534));
    EXPECT_EQ(HR_POLICY, read(path));
    EXPECT_TRUE(said("belongs to user 65534")) << error_.text;
}

TEST_F(Secret, OutOfMemoryIsSaid)
{
    hr_env env = *hr_env_system();
    env.alloc = [](void *, size_t) -> void * { return nullptr; };
    char *text = nullptr;
    EXPECT_EQ(HR_NO_MEMORY,
              hr_secret_read(&env, make("a key", 0600).c_str(), true, &text, &error_));
    EXPECT_EQ(nullptr, text);
    EXPECT_TRUE(said("out of memory")) << error_.text;
}

TEST_F(Secret, IsMadeWholeOrNotAtAll)
{
    const std::string path = at("key");
    ASSERT_EQ(HR_OK, create(path, "first")) << error_.text;
    EXPECT_EQ(HR_EXISTS, create(path, "second"));
    EXPECT_EQ(HR_OK, read(path));
    EXPECT_EQ("first", text_);
    ASSERT_EQ(HR_OK, replace(path, "third")) << error_.text;
    EXPECT_EQ(HR_OK, read(path));
    EXPECT_EQ("third", text_);
    // Beneath what is missing, beneath a file, in place of a directory, where nothing can be made.
    ASSERT_EQ(0, mkdir(at("folder").c_str(), 0700));
    for (const std::string &wrong :
         {at("nothing/key"), at("key/key"), at("folder"), std::string("/proc/self/key")}) {
        EXPECT_NE(HR_OK, create(wrong));
        EXPECT_TRUE(said("making " + wrong)) << error_.text;
        EXPECT_NE(HR_OK, replace(wrong));
        EXPECT_TRUE(said("making " + wrong)) << error_.text;
    }
    const std::string longest(HR_SECRET_PATH_MAX, 'p');
    EXPECT_EQ(HR_INVALID, create(longest));
    EXPECT_EQ(HR_INVALID, replace(longest));
    EXPECT_EQ(1, hr_temp_count(folder_.c_str(), "key")) << "nothing is left beside it";
    EXPECT_EQ(0, hr_temp_count(folder_.c_str(), "folder.")) << "nothing is left beside it";
}

TEST_F(Secret, DirectoriesAreMadeForTheirOwner)
{
    EXPECT_EQ(HR_OK, hr_secret_make_directories(at("a/b/key").c_str(), &error_)) << error_.text;
    EXPECT_EQ(HR_OK, hr_secret_make_directories(at("a/b/key").c_str(), &error_)) << "there already";
    struct stat info;
    ASSERT_EQ(0, stat(at("a/b").c_str(), &info));
    EXPECT_EQ(0700u, info.st_mode & 07777);
    EXPECT_NE(0, stat(at("a/b/key").c_str(), &info));
    std::ofstream(at("file")) << "no directory";
    error_ = {};
    EXPECT_NE(HR_OK, hr_secret_make_directories(at("file/b/key").c_str(), &error_));
    EXPECT_TRUE(said("making " + at("file/b"))) << error_.text;
}

// What was set is set again at the end.
class Variable
{
  public:
    Variable(const char *name, const char *value) : name_(name)
    {
        const char *old = getenv(name);
        had_ = old != nullptr;
        old_ = had_ ? old : "";
        if (value != nullptr)
            setenv(name, value, 1);
        else
            unsetenv(name);
    }
    Variable(const Variable &) = delete;
    Variable &operator=(const Variable &) = delete;
    ~Variable()
    {
        if (had_)
            setenv(name_, old_.c_str(), 1);
        else
            unsetenv(name_);
    }

  private:
    const char *name_;
    std::string old_;
    bool had_;
};

TEST_F(Secret, OfAUserIsWhereOthersKeepTheirs)
{
    const std::string longest = "/" + std::string(HR_SECRET_PATH_MAX - 13, 'h');
    const struct {
        const char *config, *home;
        hr_status status;
        const char *path;
    } rows[] = {
        {"/etc/x", "/home/me", HR_OK, "/etc/x/headrace/key"},
        {nullptr, "/home/me", HR_OK, "/home/me/.config/headrace/key"},
        {"", "/home/me", HR_OK, "/home/me/.config/headrace/key"},
        {"x", "/home/me", HR_OK, "/home/me/.config/headrace/key"},
        {nullptr, nullptr, HR_UNSUPPORTED, "--key FILE"},
        {nullptr, "me", HR_UNSUPPORTED, "--key FILE"},
        {longest.c_str(), nullptr, HR_INVALID, "too long"},
    };
    for (const auto &row : rows) {
        Variable config("XDG_CONFIG_HOME", row.config), home("HOME", row.home);
        char path[HR_SECRET_PATH_MAX] = "";
        error_ = {};
        EXPECT_EQ(row.status, hr_secret_own_path(path, &error_));
        if (row.status == HR_OK)
            EXPECT_STREQ(row.path, path);
        else
            EXPECT_TRUE(said(row.path)) << error_.text;
    }
}

} // namespace
