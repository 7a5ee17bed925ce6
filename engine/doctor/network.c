/* SPDX-License-Identifier: Apache-2.0 */
/* TCP's congestion controls: each is set on a socket. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "doctor.h"
#include "sysfs.h"

#define TOPIC "tcp"

static int try_control(const char *name)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0)
        return errno;
    int error = 0;
    if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)) != 0)
        error = errno;
    close(fd);
    return error;
}

/* What the operator chose stands first; the others are what --congestion may be given. */
static void note_default(const hr_doctor *doctor)
{
    char name[32];
    if (!hr_sysfs_read(doctor->root, "/proc/sys/net/ipv4/tcp_congestion_control", name,
                       sizeof name)) {
        hr_doctor_unknown(doctor, TOPIC, "default", "sysctl net.ipv4.tcp_congestion_control",
                          "the kernel does not say which congestion control is its own");
        return;
    }
    hr_doctor_ok(doctor, TOPIC, "default", "%s%s", name,
                 strcmp(name, "bbr") == 0 ? ", which paces loopback to less than half" : "");
}

void hr_doctor_network(hr_doctor *doctor)
{
    static const struct {
        const char *name, *what_for;
    } controls[] = {
        {"cubic", "the usual one, fastest on loopback"},
        {"bbr", "for long and lossy ways"},
    };
    note_default(doctor);
    for (size_t i = 0; i < sizeof controls / sizeof controls[0]; i++) {
        char remedy[160];
        int error = try_control(controls[i].name);
        snprintf(remedy, sizeof remedy, "sudo modprobe tcp_%s", controls[i].name);
        if (error == EPERM)
            snprintf(remedy, sizeof remedy,
                     "sudo sysctl -w net.ipv4.tcp_allowed_congestion_control='reno cubic %s'",
                     controls[i].name);
        if (error == 0)
            hr_doctor_ok(doctor, TOPIC, controls[i].name, "%s", controls[i].what_for);
        else
            hr_doctor_lacking(doctor, TOPIC, controls[i].name, remedy, "%s; %s", strerror(error),
                              controls[i].what_for);
    }
}
