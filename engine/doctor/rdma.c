/* SPDX-License-Identifier: Apache-2.0 */
/* Whether there is an RDMA device at all; where not, how to come by one. */
#include <stdio.h>
#include <string.h>

#include "doctor.h"
#include "sysfs.h"

#define TOPIC "rdma"

/* The first interface that soft-RoCE could be put upon. */
static void find_interface(const hr_doctor *doctor, char *out, size_t size)
{
    hr_sysfs_names interfaces;
    hr_sysfs_list(doctor->root, "/sys/class/net", &interfaces);
    snprintf(out, size, "eth0");
    for (unsigned i = 0; i < interfaces.count; i++) {
        if (strcmp(interfaces.names[i], "lo") == 0)
            continue;
        snprintf(out, size, "%s", interfaces.names[i]);
        return;
    }
}

static void say_none(const hr_doctor *doctor)
{
    char interface[HR_SYSFS_NAME_MAX], remedy[160];
    if (!hr_sysfs_has_module(doctor->root, "rdma_rxe")) {
        hr_doctor_lacking(doctor, TOPIC, "devices",
                          "sudo apt-get install linux-image-amd64 # on Ubuntu "
                          "linux-modules-extra-$(uname -r)",
                          "none, and this kernel has no soft-RoCE (rdma_rxe) either, as those made "
                          "for clouds; data goes over TCP");
        return;
    }
    find_interface(doctor, interface, sizeof interface);
    /* crc32_generic: without it one kernel or another says only that it failed to add the link. */
    snprintf(remedy, sizeof remedy,
             "sudo modprobe -a rdma_rxe crc32_generic ib_uverbs rdma_ucm; "
             "sudo rdma link add rxe0 type rxe netdev %.16s",
             interface);
    hr_doctor_lacking(doctor, TOPIC, "devices", remedy,
                      "none; this kernel has soft-RoCE, which works over any interface");
}

void hr_doctor_rdma(hr_doctor *doctor)
{
    hr_sysfs_names devices;
    hr_sysfs_list(doctor->root, "/sys/class/infiniband", &devices);
    if (devices.count == 0) {
        say_none(doctor);
        return;
    }
    if (!hr_sysfs_has(doctor->root, "/dev/infiniband/uverbs0"))
        hr_doctor_lacking(doctor, TOPIC, "uverbs", "sudo modprobe ib_uverbs",
                          "%s is there and /dev/infiniband/uverbs0 is not: no program can open it",
                          devices.names[0]);
    hr_doctor_verbs(doctor);
}
