/* SPDX-License-Identifier: Apache-2.0 */
/* What keeps a server inside its exports: paths that cannot lead out, and a process that may open
 * nothing else. */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "doctor.h"
#include "thread.h"

#define TOPIC "confinement"

static int open_beneath(int dir, const char *path)
{
    struct open_how how = {
        .flags = O_PATH | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    long fd = syscall(SYS_openat2, dir, path, &how, sizeof how);
    if (fd < 0)
        return errno;
    close((int)fd);
    return 0;
}

static void note_openat2(const hr_doctor *doctor)
{
    int dir = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int inside = open_beneath(dir, "."), outside = open_beneath(dir, "..");
    if (inside == 0 && outside == EXDEV)
        hr_doctor_ok(doctor, TOPIC, "openat2", "a path that leads out of its directory is refused");
    else
        hr_doctor_lacking(doctor, TOPIC, "openat2",
                          inside == ENOSYS ? "sudo apt-get install linux-image-amd64"
                                           : "docker run --security-opt seccomp=unconfined ...",
                          "opening beneath a directory: %s; exports cannot be served without",
                          strerror(inside != 0 ? inside : outside));
    if (dir >= 0)
        close(dir);
}

/* On a thread of its own, which it confines for good: nothing may be opened any more. */
static void *confine(void *result)
{
    int *error = result;
    const struct landlock_ruleset_attr nothing = {
        .handled_access_fs = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
    };
    long rules = syscall(SYS_landlock_create_ruleset, &nothing, sizeof nothing, 0);
    *error = rules < 0 ? errno : 0;
    if (*error == 0 && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
                        syscall(SYS_landlock_restrict_self, rules, 0) != 0))
        *error = errno;
    if (rules >= 0)
        close((int)rules);
    if (*error != 0)
        return NULL;
    int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root >= 0) {
        close(root);
        *error = EPROTO;
    } else if (errno != EACCES) {
        *error = errno;
    }
    return NULL;
}

static void note_landlock(const hr_doctor *doctor)
{
    pthread_t thread;
    int error = 0;
    int made = hr_thread_start(&thread, confine, &error);
    if (made == 0)
        pthread_join(thread, NULL);
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (made != 0)
        hr_doctor_unknown(doctor, TOPIC, "Landlock", "", "no thread to try it on: %s",
                          strerror(made));
    else if (error == 0)
        hr_doctor_ok(doctor, TOPIC, "Landlock", "version %ld; a confined thread could open nothing",
                     version);
    else if (error == EOPNOTSUPP)
        hr_doctor_lacking(doctor, TOPIC, "Landlock",
                          "cat /sys/kernel/security/lsm   (then boot with lsm=landlock,...)",
                          "the kernel has it and it is switched off");
    else
        hr_doctor_lacking(doctor, TOPIC, "Landlock", "sudo apt-get install linux-image-amd64",
                          "confining a thread: %s; it came with Linux 5.13", strerror(error));
}

void hr_doctor_confinement(hr_doctor *doctor)
{
    note_openat2(doctor);
    note_landlock(doctor);
}
