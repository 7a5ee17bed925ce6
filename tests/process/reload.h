// SPDX-License-Identifier: Apache-2.0
#ifndef HR_PROCESS_RELOAD_H
#define HR_PROCESS_RELOAD_H

#include "fixture.h"

// The server has read its keys and rules again; what it said about that.
inline std::string reload(Program &server)
{
    const size_t before = server.errors().size();
    server.signal(SIGHUP);
    const Json reloaded = server.next("reloaded");
    EXPECT_TRUE(reloaded.is_valid()) << server.errors();
    return server.errors().substr(before);
}

#endif
