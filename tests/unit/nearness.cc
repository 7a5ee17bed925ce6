// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

// The headers are C, and C leaves members out.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

extern "C" {
#include "nearness.h"
}

namespace
{

hr_site SiteOf(const std::string &path, int node = -1)
{
    hr_site site = {};
    snprintf(site.path, sizeof site.path, "%s", path.c_str());
    site.node = node;
    return site;
}

hr_rail_info Rail(const std::string &path, uint64_t gbit_per_s, int node = -1)
{
    hr_rail_info rail = {};
    rail.site = SiteOf(path, node);
    rail.bits_per_s = gbit_per_s * 1000000000;
    return rail;
}

// The numbers of the rails, best first.
std::vector<unsigned> Sorted(const std::vector<hr_rail_info> &rails,
                             const std::vector<hr_site> &drives)
{
    std::vector<hr_rail_address> addresses(rails.size());
    for (unsigned i = 0; i < rails.size(); i++)
        addresses[i].rail = i;
    hr_nearness_sort(addresses.data(), addresses.size(), rails.data(), drives.data(),
                     drives.size());
    std::vector<unsigned> order;
    for (const hr_rail_address &address : addresses)
        order.push_back(address.rail);
    return order;
}

using Order = std::vector<unsigned>;

const std::string ROOT = "/sys/devices/pci0000:00/";
const std::string OTHER_ROOT = "/sys/devices/pci0000:80/";
const std::string SWITCH = ROOT + "0000:00:01.0/0000:01:00.0/";
const hr_site DRIVE = SiteOf(SWITCH + "0000:02:00.0/0000:03:00.0", 0);
const std::string BESIDE_IT = SWITCH + "0000:02:01.0/0000:04:00.0";
const std::string SAME_ROOT = ROOT + "0000:00:02.0/0000:05:00.0";
const std::string FAR_AWAY = OTHER_ROOT + "0000:80:01.0/0000:81:00.0";
const std::string SOFT = "/sys/devices/virtual/net/d0";

TEST(Nearness, TheNearestServesEvenIfItIsSlower)
{
    EXPECT_EQ(
        Sorted({Rail(FAR_AWAY, 400, 1), Rail(SAME_ROOT, 200, 0), Rail(BESIDE_IT, 100, 0)}, {DRIVE}),
        (Order{2, 1, 0}));
}

TEST(Nearness, OfTwoOnOtherRootsTheSameNumaNodeIsNearer)
{
    EXPECT_EQ(Sorted({Rail(FAR_AWAY, 400, 1), Rail(FAR_AWAY, 100, 0)}, {DRIVE}), (Order{1, 0}));
}

TEST(Nearness, OfThoseAsNearTheFastestAndThenTheFirst)
{
    EXPECT_EQ(Sorted({Rail(SAME_ROOT, 100), Rail(SAME_ROOT, 200), Rail(SAME_ROOT, 200)}, {DRIVE}),
              (Order{1, 2, 0}));
}

TEST(Nearness, WithoutAPlaceInTheTreeSpeedDecides)
{
    EXPECT_EQ(Sorted({Rail(SOFT, 10), Rail(SOFT, 25)}, {DRIVE}), (Order{1, 0}));
    EXPECT_EQ(Sorted({Rail(BESIDE_IT, 100), Rail(FAR_AWAY, 400)}, {}), (Order{1, 0}));
    EXPECT_EQ(Sorted({Rail(SOFT, 400), Rail(BESIDE_IT, 10)}, {DRIVE}), (Order{1, 0}));
}

TEST(Nearness, TheNearestOfSeveralDrivesCounts)
{
    const hr_site other = SiteOf(OTHER_ROOT + "0000:80:02.0/0000:82:00.0", 1);
    EXPECT_EQ(hr_nearness(&std::vector<hr_rail_info>{Rail(FAR_AWAY, 1, 1)}[0], &other, 1),
              HR_DISTANCE_HOST);
    EXPECT_EQ(Sorted({Rail(SAME_ROOT, 100, 0), Rail(FAR_AWAY, 100, 1), Rail(BESIDE_IT, 100, 0)},
                     {DRIVE, other}),
              (Order{2, 0, 1}));
}

} // namespace
