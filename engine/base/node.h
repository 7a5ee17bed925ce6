/* SPDX-License-Identifier: Apache-2.0 */
/* A NUMA node: the processors and the memory that sit together. Staying near one is an
 * optimisation: where it cannot be had nothing is said and nothing fails. */
#ifndef HR_NODE_H
#define HR_NODE_H

#include <sched.h>
#include <stdbool.h>

/* "0-3,8", as in cpulist; what is numbered past CPU_SETSIZE is left out. False: it is none, or
 * empty. Pure. */
bool hr_node_parse_list(const char *text, cpu_set_t *processors_out);
/* The calling thread runs there from now on, on what of it this process may use at all. root stands
 * before /sys. False: there is no such node (-1 is none), and it stays where it is. */
bool hr_node_stay(const char *root, int node);
/* Memory that the calling thread touches first is taken from there, as long as there is some; -1:
 * from where the thread runs, as usual. False: nothing has changed, for the process was started
 * with a policy of its own (numactl), or the kernel knows none. */
bool hr_node_prefer_memory(int node);

#endif
