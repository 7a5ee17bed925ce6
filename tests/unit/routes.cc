// SPDX-License-Identifier: Apache-2.0
// Which of a client's NICs a link goes out by, and what is said of it.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

// The headers are C, and C leaves members out.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

extern "C" {
#include "routes.h"
}

namespace
{

constexpr unsigned NONE = HR_RAIL_ANY;
const std::string ROOT = "/sys/devices/pci0000:00/";
const std::string SWITCH = ROOT + "0000:00:01.0/0000:01:00.0/";
const std::string TARGET = SWITCH + "0000:02:00.0/0000:03:00.0";
const std::string BESIDE_IT = SWITCH + "0000:02:01.0/0000:04:00.0";
const std::string SAME_ROOT = ROOT + "0000:00:02.0/0000:05:00.0";
const std::string FAR_AWAY = "/sys/devices/pci0000:80/0000:80:01.0/0000:81:00.0";

class Routes : public testing::Test
{
  protected:
    hr_routes routes_ = {};

    void Add(const std::string &path, uint64_t gbit_per_s)
    {
        hr_rail_info *nic = &routes_.nics[routes_.count++];
        snprintf(nic->site.path, sizeof nic->site.path, "%s", path.c_str());
        nic->site.node = -1;
        nic->bits_per_s = gbit_per_s * 1000000000;
    }
    void SetTarget(const std::string &path)
    {
        routes_.has_target = true;
        snprintf(routes_.target.path, sizeof routes_.target.path, "%s", path.c_str());
        routes_.target.node = -1;
    }
    // The addresses as the links take them, of rails that the server named in this order.
    std::string Sorted(const std::vector<std::pair<std::string, uint32_t>> &rails)
    {
        std::vector<hr_route> found(rails.size());
        std::string order;
        for (size_t i = 0; i < rails.size(); i++) {
            snprintf(found[i].address, sizeof found[i].address, "%s", rails[i].first.c_str());
            found[i].nics = rails[i].second;
        }
        hr_routes_sort(&routes_, found.data(), found.size());
        for (const hr_route &route : found)
            order += route.address;
        return order;
    }
    std::string Explained(unsigned nic)
    {
        char text[160];
        hr_routes_explain(&routes_, nic, text, sizeof text);
        return text;
    }
};

TEST_F(Routes, OfThoseThatReachItTheNearestToTheTarget)
{
    Add(FAR_AWAY, 400);
    Add(SAME_ROOT, 200);
    Add(BESIDE_IT, 100);
    SetTarget(TARGET);
    EXPECT_EQ(2u, hr_routes_choose(&routes_, 7, 0));
    EXPECT_EQ(2u, hr_routes_choose(&routes_, 7, 1)); // the others are no help
    EXPECT_EQ(1u, hr_routes_choose(&routes_, 3, 0));
    EXPECT_EQ(0u, hr_routes_choose(&routes_, 1, 0));
    EXPECT_EQ(NONE, hr_routes_choose(&routes_, 0, 0));
}

TEST_F(Routes, WithoutATargetTheFastestInTurns)
{
    Add(FAR_AWAY, 100);
    Add(SAME_ROOT, 200);
    Add(BESIDE_IT, 200);
    EXPECT_EQ(1u, hr_routes_choose(&routes_, 7, 0));
    EXPECT_EQ(2u, hr_routes_choose(&routes_, 7, 1));
    EXPECT_EQ(1u, hr_routes_choose(&routes_, 7, 2));
    EXPECT_EQ(0u, hr_routes_choose(&routes_, 1, 5));
}

TEST_F(Routes, TheServersRailsThatTheNearestReachesComeFirst)
{
    Add(FAR_AWAY, 400);
    Add(BESIDE_IT, 100);
    EXPECT_EQ("ab", Sorted({{"a", 1}, {"b", 2}})); // the faster
    SetTarget(TARGET);
    EXPECT_EQ("ba", Sorted({{"a", 1}, {"b", 2}}));
    EXPECT_EQ("bca", Sorted({{"a", 0}, {"b", 2}, {"c", 1}})); // behind a router
    EXPECT_EQ("cabd", Sorted({{"a", 1}, {"b", 1}, {"c", 3}, {"d", 0}}));
    EXPECT_EQ("abc", Sorted({{"a", 2}, {"b", 2}, {"c", 2}})); // as the server said
}

TEST_F(Routes, WhatWasTakenIsExplained)
{
    Add(FAR_AWAY, 100);
    Sorted({{"a", 1}});
    EXPECT_EQ("", Explained(0)); // no choice, nothing to say
    Add(BESIDE_IT, 100);
    Add(SAME_ROOT, 100);
    Sorted({{"a", 0}});
    EXPECT_EQ(", of 3 NICs the routing table's choice", Explained(1));
    Sorted({{"a", 2}});
    EXPECT_EQ(", of 3 NICs the one in a network of the server's", Explained(1));
    Sorted({{"a", 3}, {"b", 2}});
    EXPECT_EQ(", one of 2 NICs", Explained(1)); // into memory, which is as near to all
    SetTarget(TARGET);
    EXPECT_EQ(", of 2 NICs the nearest to the target: one PCI switch between (PIX)", Explained(1));
    EXPECT_EQ(", of 2 NICs not the nearest to the target: another NUMA node (SYS)", Explained(0));
    Sorted({{"a", 7}});
    routes_.nics[2] = routes_.nics[1];
    EXPECT_EQ(", of 3 NICs one of the 2 nearest to the target: one PCI switch between (PIX)",
              Explained(2));
}

} // namespace
