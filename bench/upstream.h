// SPDX-License-Identifier: Apache-2.0
// What the parts of the fake upstream share: its settings, its loop with timers, and what it counted.
#ifndef TRUNKLINE_BENCH_UPSTREAM_H
#define TRUNKLINE_BENCH_UPSTREAM_H

#include "bench.h"

enum mode { MODE_NONE, MODE_WHOLE, MODE_BURST, MODE_PACED, MODE_IDLE };

struct settings {
  unsigned chunks;
  size_t chunk_bytes, answer_bytes;
  uint64_t gap_ns;
  const char *grpc_answer, *grpc_chunk;
};

struct counted {
  uint64_t requests, chunks;
  struct distribution late; // how long after its time a paced chunk was written
};

extern struct settings settings;
extern struct counted counted;
extern int loop; // the epoll descriptor

// A moment to be woken at. The list of them is sorted; since all gaps are equal, a new one nearly always goes to its end.
struct timer {
  struct timer *before, *after;
  uint64_t deadline_ns;
  void (*fire)(struct timer *self);
};

void timer_start(struct timer *timer, uint64_t deadline_ns);
void timer_stop(struct timer *timer);
static inline void count_late(const struct timer *timer, uint64_t now) { distribution_add(&counted.late, now - timer->deadline_ns); }

// When the next chunk of a paced stream is due. Deadlines stand on a grid that begins with the first chunk, so that lateness never
// adds up; where a whole gap was missed the grid moves instead, so that no two chunks leave together.
uint64_t next_deadline(uint64_t deadline_ns, uint64_t now);

// What lies buried is freed after the events at hand: one of them may still point to it.
struct grave {
  struct grave *next;
  void (*free)(struct grave *self);
};
void bury(struct grave *grave);

// The mode that a text names by one of the words burst, paced and idle; MODE_NONE without.
enum mode named_mode(const char *text, size_t length);

// A listening socket on loopback.
struct listener {
  struct watch watch;
  int fd;
};

// Opens it and gives the port it got; port 0 takes a free one.
uint16_t listener_open(struct listener *listener, uint16_t port);
// The next connection that waits, ready for use, or -1.
int listener_accept(struct listener *listener);

uint16_t http_open(uint16_t port);
uint16_t grpc_open(uint16_t port); // 0 where the program is built without libnghttp2
void grpc_flush(void);             // sends what the connections have gathered

#endif
