/* SPDX-License-Identifier: Apache-2.0 */
/* hr_status: the one kind of error in Headrace. 0 is success, errors are negative. The numbers are
 * frozen: they travel on the wire as int32 and end in exit codes. Raw errno, work-completion and
 * CUDA codes are translated once, by whoever sees them first. */
#ifndef HR_STATUS_H
#define HR_STATUS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* name, number, exit code, text */
#define HR_STATUS_MAP(X)                                                                           \
    X(OK, 0, 0, "complete")                                                                        \
    X(AGAIN, -1, 8, "no room now, try again")                                                      \
    X(INTERNAL, -2, 1, "internal error")                                                           \
    X(INVALID, -3, 2, "invalid argument")                                                          \
    X(PARTIAL, -4, 3, "only a part succeeded")                                                     \
    X(NOT_FOUND, -5, 4, "not found")                                                               \
    X(INTEGRITY, -6, 5, "the bytes do not match their digest")                                     \
    X(DENIED, -7, 6, "permission denied")                                                          \
    X(POLICY, -8, 6, "refused by a rule")                                                          \
    X(NO_SPACE, -9, 7, "no space left")                                                            \
    X(NO_MEMORY, -10, 8, "out of memory")                                                          \
    X(UNREACHABLE, -11, 8, "cannot be reached")                                                    \
    X(PEER_LOST, -12, 8, "the peer is gone")                                                       \
    X(CHANGED, -13, 8, "the source changed while it was read")                                     \
    X(IO, -14, 8, "input/output error")                                                            \
    X(LIMIT, -15, 8, "a limit of the system was reached")                                          \
    X(INTERRUPTED, -16, 9, "interrupted, can be resumed")                                          \
    X(CANCELED, -17, 9, "canceled, can be resumed")                                                \
    X(EXISTS, -18, 10, "already exists")                                                           \
    X(BUSY, -19, 10, "in use by somebody else")                                                    \
    X(UNSUPPORTED, -20, 11, "not supported here")                                                  \
    X(VERSION, -21, 11, "versions do not agree")                                                   \
    X(PROTOCOL, -22, 11, "the peer does not speak this protocol")                                  \
    X(DEADLINE, -23, 12, "the deadline passed")                                                    \
    X(STALLED, -24, 12, "nothing moved for too long")                                              \
    X(NOT_DIRECTORY, -25, 2, "not a directory")                                                    \
    X(IS_DIRECTORY, -26, 2, "is a directory")

/* An ignored status is a compiler warning: the type is an enum, so each function that returns one
 * is marked with HR_CHECKED instead. */
#define HR_CHECKED __attribute__((warn_unused_result))
/* In the shared library; everything else is hidden. */
#define HR_API               __attribute__((visibility("default")))
#define HR_PRINTF(at, first) __attribute__((format(printf, at, first)))

typedef enum hr_status {
#define HR_STATUS_ENUM(name, number, exit_code, text) HR_##name = (number),
    HR_STATUS_MAP(HR_STATUS_ENUM)
#undef HR_STATUS_ENUM
} hr_status;

/* "HR_NOT_FOUND"; "HR_?" for a number that is none of ours. */
HR_API const char *hr_status_name(hr_status status);
/* "not found" */
HR_API const char *hr_status_text(hr_status status);
/* The frozen exit code of the headrace program. */
HR_API int hr_status_exit_code(hr_status status);
/* Translates an errno (positive). Never HR_OK. */
hr_status hr_status_from_errno(int error);
/* Makes a number from the wire into a status: what is unknown or positive is HR_PROTOCOL, and so
 * are HR_AGAIN, with which nothing ends, and HR_INVALID and HR_INTERNAL, which would speak of the
 * program that hears them. */
hr_status hr_status_from_wire(int number);

/* A status with the sentence that a person reads: what was asked, of what, what came back, what to
 * try. Owned by the object that failed. */
typedef struct hr_error {
    hr_status status;
    char text[500];
} hr_error;

/* Sets both and returns the status. The first error of an object is the one worth reading: a second
 * one is kept out unless the first was HR_OK. */
hr_status hr_error_set(hr_error *error, hr_status status, const char *format, ...) HR_PRINTF(3, 4);

/* Writes bytes (a name from outside) so that no control character reaches a terminal or a log:
 * printable ASCII and valid UTF-8 stay, the rest becomes \xNN or \n. Always terminated; returns
 * out, so that it can stand in a printf argument. */
HR_API char *hr_quote(char *out, size_t out_size, const void *bytes, size_t len);

#ifdef __cplusplus
}
#endif

#endif
