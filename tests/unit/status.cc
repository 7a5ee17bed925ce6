// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cerrno>
#include <string.h>
#include <string>

extern "C" {
#include "status.h"
}

namespace
{

std::string quote(const std::string &bytes, size_t size = 100)
{
    std::string out(size, '#');
    return hr_quote(&out[0], size, bytes.data(), bytes.size());
}

TEST(Status, HasNameTextAndExitCodeForEachNumber)
{
    EXPECT_STREQ("HR_NOT_FOUND", hr_status_name(HR_NOT_FOUND));
    EXPECT_STREQ("not found", hr_status_text(HR_NOT_FOUND));
    EXPECT_EQ(4, hr_status_exit_code(HR_NOT_FOUND));
    EXPECT_STREQ("HR_?", hr_status_name((hr_status)12345));
    EXPECT_EQ(1, hr_status_exit_code((hr_status)12345));
}

TEST(Status, FromTheWireIsOneOfOursOrAProtocolError)
{
    EXPECT_EQ(HR_NO_SPACE, hr_status_from_wire(-9));
    EXPECT_EQ(HR_PROTOCOL, hr_status_from_wire(1));
    EXPECT_EQ(HR_PROTOCOL, hr_status_from_wire(HR_INVALID));
    EXPECT_EQ(HR_PROTOCOL, hr_status_from_wire(HR_INTERNAL));
    EXPECT_EQ(HR_PROTOCOL, hr_status_from_wire(HR_AGAIN));
    EXPECT_EQ(HR_PROTOCOL, hr_status_from_wire(-1000));
}

// What a script is told when a system call fails.
TEST(Status, OfAnErrnoHasTheExitCodeThatTheReadmePromises)
{
    const struct {
        int error, exit_code;
    } table[] = {
        {ENOENT, 4},        {EACCES, 6},       {EPERM, 6},       {EROFS, 6},
        {EXDEV, 6},         {ELOOP, 6},        {ENOSPC, 7},      {EDQUOT, 7},
        {EFBIG, 7},         {EEXIST, 10},      {ENOTEMPTY, 10},  {EWOULDBLOCK, 10},
        {EBUSY, 10},        {EADDRINUSE, 10},  {EINVAL, 2},      {ENAMETOOLONG, 2},
        {EBADF, 2},         {ENOSYS, 11},      {EOPNOTSUPP, 11}, {EAFNOSUPPORT, 11},
        {ECONNREFUSED, 8},  {EHOSTUNREACH, 8}, {ENETUNREACH, 8}, {ENETDOWN, 8},
        {EADDRNOTAVAIL, 8}, {ECONNRESET, 8},   {EPIPE, 8},       {ETIMEDOUT, 8},
        {ECONNABORTED, 8},  {ENOTCONN, 8},     {ECANCELED, 9},   {EINTR, 9},
        {EIO, 8},           {EUCLEAN, 8},      {ENOMEM, 8},      {ENOBUFS, 8},
        {EMFILE, 8},        {ENFILE, 8},       {ENOTDIR, 2},     {EISDIR, 2},
    };
    for (const auto &row : table)
        EXPECT_EQ(row.exit_code, hr_status_exit_code(hr_status_from_errno(row.error)))
            << strerror(row.error);
}

TEST(Error, KeepsTheFirstSentence)
{
    hr_error error = {};
    EXPECT_EQ(HR_IO, hr_error_set(&error, HR_IO, "chunk %d", 7));
    EXPECT_EQ(HR_IO, hr_error_set(&error, HR_DENIED, "another"));
    EXPECT_STREQ("chunk 7", error.text);
}

TEST(Error, HoldsNothingThatCommandsATerminal)
{
    hr_error error = {};
    EXPECT_EQ(HR_PROTOCOL,
              hr_error_set(&error, HR_PROTOCOL, "%s", "a\nb\x1b[31m\x7f\xc2\x9b\xff\xc3\xa9 c"));
    EXPECT_STREQ("a?b?[31m????\xc3\xa9 c", error.text);
}

TEST(Error, IsCutWhereItIsTooLong)
{
    hr_error error = {};
    std::string text(1000, 'x');
    EXPECT_EQ(HR_IO, hr_error_set(&error, HR_IO, "%s", text.c_str()));
    EXPECT_EQ(sizeof error.text - 1, strlen(error.text));
}

TEST(Quote, KeepsWhatIsHarmlessAndShowsTheRest)
{
    EXPECT_EQ("plain \xc3\xa9", quote("plain \xc3\xa9"));
    EXPECT_EQ("a\\nb", quote("a\nb"));
    EXPECT_EQ("a\\\\b", quote("a\\b"));
    EXPECT_EQ("\\xff\\x1b\\xc2\\x9b", quote("\xff\x1b\xc2\x9b"));
}

TEST(Quote, IsCutBetweenCharactersAndTerminated)
{
    EXPECT_EQ("ab", quote("ab\xff", 6));
    EXPECT_EQ("ab\\xff", quote("ab\xff", 7));
    EXPECT_EQ("", quote("a", 1));
}

} // namespace
