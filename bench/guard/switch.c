// SPDX-License-Identifier: Apache-2.0
// Lets a Python program under valgrind begin and end counting, by ctypes. Outside valgrind these do nothing.
#include <valgrind/callgrind.h>

void start_counting(void) { CALLGRIND_START_INSTRUMENTATION; }
void set_to_zero(void) { CALLGRIND_ZERO_STATS; }
void write_counts(const char *name) { CALLGRIND_DUMP_STATS_AT(name); }
