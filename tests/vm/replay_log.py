#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# replay_log.py LOG OUT: what power failing at some moment leaves on a disk whose writes dm-log-writes has
# logged (Documentation/admin-guide/device-mapper/log-writes.rst). Reads lines on stdin: each is a number of
# entries that reached the disk; OUT then holds them, and on stdout comes a line with the last mark among
# them. Without lines before: prints the numbers of entries that end with a flush, and the sum.
import os, struct, sys

MAGIC, FLUSH, FUA, DISCARD, MARK = 0x6A736677736872, 1, 2, 4, 8


def entries(log):
    magic, version, count, sector = struct.unpack("<QQQI", log.read(28))
    assert magic == MAGIC and version == 1, "this is no log of dm-log-writes"
    at = sector
    for _ in range(count):
        log.seek(at)
        where, sectors, flags, data_len = struct.unpack("<QQQQ", log.read(32))
        at += sector
        mark = ""
        if flags & MARK:
            log.seek(at - sector + 32)
            mark = log.read(data_len).split(b"\0")[0].decode()
        yield where * sector, sectors * sector, flags, at, mark
        if not flags & (DISCARD | MARK):
            at += sectors * sector


log = open(sys.argv[1], "rb")
rows = list(entries(log))
print(*[i + 1 for i, row in enumerate(rows) if row[2] & (FLUSH | FUA)], len(rows), flush=True)
out, done, mark = os.open(sys.argv[2], os.O_RDWR), 0, "none"
for line in sys.stdin:
    for where, length, flags, at, said in rows[done:int(line)]:
        mark = said or mark
        if flags & MARK or length == 0:
            continue
        log.seek(at)
        os.pwrite(out, bytes(length) if flags & DISCARD else log.read(length), where)
    done = int(line)
    print(mark, flush=True)
