/* SPDX-License-Identifier: Apache-2.0 */
/* How far NIC, drive and GPU are from each other. */
#include <stdio.h>
#include <string.h>

#include "distance.h"
#include "doctor.h"
#include "sysfs.h"

#define TOPIC "distance"

static void add(hr_parts *parts, const char *root, hr_part_kind kind, const char *name,
                const char *link)
{
    hr_part *part = &parts->parts[parts->count];
    if (parts->count == HR_PARTS_MAX || !hr_site_find(root, link, &part->site))
        return;
    part->kind = kind;
    snprintf(part->name, sizeof part->name, "%s", name);
    parts->count++;
}

static void add_class(hr_parts *parts, const char *root, hr_part_kind kind, const char *class)
{
    hr_sysfs_names names;
    hr_sysfs_list(root, class, &names);
    for (unsigned i = 0; i < names.count; i++) {
        char link[HR_SYSFS_PATH_MAX];
        snprintf(link, sizeof link, "%s/%s/device", class, names.names[i]);
        add(parts, root, kind, names.names[i], link);
    }
}

static void add_gpus(hr_parts *parts, const char *root)
{
    hr_sysfs_names names;
    hr_sysfs_list(root, "/sys/bus/pci/drivers/nvidia", &names);
    for (unsigned i = 0; i < names.count; i++) {
        char link[HR_SYSFS_PATH_MAX];
        if (strchr(names.names[i], ':') == NULL)
            continue; /* what is no address is a switch of the driver's */
        snprintf(link, sizeof link, "/sys/bus/pci/drivers/nvidia/%s", names.names[i]);
        add(parts, root, HR_PART_GPU, names.names[i], link);
    }
}

void hr_parts_find(const char *root, hr_parts *parts_out)
{
    *parts_out = (hr_parts){0};
    add_class(parts_out, root, HR_PART_NIC, "/sys/class/infiniband");
    /* Without RDMA the interfaces that have a device: loopback and bridges have none. */
    if (parts_out->count == 0)
        add_class(parts_out, root, HR_PART_NIC, "/sys/class/net");
    add_class(parts_out, root, HR_PART_DRIVE, "/sys/class/nvme");
    add_gpus(parts_out, root);
}

static const char *kind_name(hr_part_kind kind)
{
    return kind == HR_PART_NIC ? "NIC" : kind == HR_PART_DRIVE ? "drive" : "GPU";
}

static const hr_part *nearest(const hr_parts *parts, const hr_part *to, hr_part_kind kind,
                              hr_distance *distance_out)
{
    const hr_part *best = NULL;
    for (unsigned i = 0; i < parts->count; i++) {
        const hr_part *part = &parts->parts[i];
        hr_distance distance = hr_site_distance(&part->site, &to->site);
        if (part->kind != kind || (best != NULL && distance >= *distance_out))
            continue;
        best = part;
        *distance_out = distance;
    }
    return best;
}

/* One line a pair would be a page of its own on a machine with eight of each: the nearest is said.
 */
static void note_nearest(const hr_doctor *doctor, const hr_parts *parts, const hr_part *part,
                         hr_part_kind kind)
{
    hr_distance distance = HR_DISTANCE_UNKNOWN;
    const hr_part *other = nearest(parts, part, kind, &distance);
    char name[160];
    if (other == NULL)
        return;
    snprintf(name, sizeof name, "%s %s", kind_name(part->kind), part->name);
    if (distance == HR_DISTANCE_SYSTEM)
        hr_doctor_lacking(doctor, TOPIC, name, "lstopo",
                          "the nearest %s is %s, on another NUMA node: every byte crosses between "
                          "the processors",
                          kind_name(kind), other->name);
    else if (distance == HR_DISTANCE_UNKNOWN)
        hr_doctor_unknown(doctor, TOPIC, name, "",
                          "%s %s: at least one of them is not on a PCI bus", kind_name(kind),
                          other->name);
    else
        hr_doctor_ok(doctor, TOPIC, name, "nearest %s %s: %s", kind_name(kind), other->name,
                     hr_distance_text(distance));
}

static void note_part(const hr_doctor *doctor, const hr_parts *parts, const hr_part *part)
{
    char name[160];
    snprintf(name, sizeof name, "%s %s", kind_name(part->kind), part->name);
    if (part->site.node >= 0)
        hr_doctor_ok(doctor, TOPIC, name, "NUMA node %d", part->site.node);
    if (part->kind != HR_PART_NIC)
        note_nearest(doctor, parts, part, HR_PART_NIC);
    if (part->kind == HR_PART_GPU)
        note_nearest(doctor, parts, part, HR_PART_DRIVE);
}

void hr_doctor_distance(hr_doctor *doctor)
{
    hr_parts parts;
    hr_sysfs_names nodes;
    unsigned node_count = 0, kinds = 0;
    hr_parts_find(doctor->root, &parts);
    hr_sysfs_list(doctor->root, "/sys/devices/system/node", &nodes);
    for (unsigned i = 0; i < nodes.count; i++)
        node_count += strncmp(nodes.names[i], "node", 4) == 0 && nodes.names[i][4] >= '0' &&
                      nodes.names[i][4] <= '9';
    for (unsigned i = 0; i < parts.count; i++) {
        note_part(doctor, &parts, &parts.parts[i]);
        kinds |= 1u << parts.parts[i].kind;
    }
    hr_doctor_ok(doctor, TOPIC, "NUMA", "%u node%s", node_count == 0 ? 1 : node_count,
                 node_count > 1 ? "s" : "");
    if ((kinds & (kinds - 1)) == 0)
        hr_doctor_unknown(doctor, TOPIC, "pairs", "lspci -tv",
                          "of NIC, NVMe drive and GPU fewer than two are here: nothing is far from "
                          "anything");
}
