/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HR_CHUNK_LEN_H
#define HR_CHUNK_LEN_H

/* Content bytes of a chunk. Both sides of a session have the same. The simulator is built with a
 * short one (tests/CMakeLists.txt): what a story costs is its bytes, what it says is in its steps.
 */
#ifndef HR_CHUNK_LEN
#define HR_CHUNK_LEN (4u << 20)
#endif

#endif
