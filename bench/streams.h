// SPDX-License-Identifier: Apache-2.0
// What the parts of the load generator share: a slot is a place for one open stream; a wire opens streams and brings their bytes.
#ifndef TRUNKLINE_BENCH_STREAMS_H
#define TRUNKLINE_BENCH_STREAMS_H

#include "bench.h"

struct header {
  char *name, *value;
};

struct options {
  const char *host, *path;
  uint16_t port;
  struct bytes body;
  struct header headers[64];
  size_t header_count;
  unsigned connections, h2_connections, expect_chunks;
  uint64_t streams; // to open in all; UINT64_MAX without a limit
  uint64_t seconds_ns, ramp_ns;
  uint64_t slow_bytes_per_s; // 0 reads as fast as it can
  bool hold;
};

enum slot_state { SLOT_WAITING, SLOT_OPEN, SLOT_DONE };

struct slot {
  unsigned index;
  enum slot_state state;
  unsigned retries;      // in a row, without a stream that began
  uint64_t open_at_ns;   // SLOT_WAITING: when to open
  uint64_t asked_ns;     // when the request was written
  uint64_t last_ns;      // when the last stamp arrived
  unsigned seen;         // stamps of this stream
  unsigned stamp_length; // how much of a stamp the bytes so far end with
  uint64_t stamp_ns;     // the digits of that part
};

extern struct options options;
extern int loop; // the epoll descriptor

// Slow readers take their share once in this time, small against the gaps that people see and large against the cost of a turn.
#define SLOW_TURN_NS (50 * NS_PER_MS)

// Looks for stamps in bytes of an answer, which may be cut anywhere.
void slot_read(struct slot *slot, const char *data, size_t length, uint64_t now);
// The stream is over: to its proper end, or cut (`problem` says how; `begun` tells whether an answer had begun).
void slot_finished(struct slot *slot);
__attribute__((format(printf, 3, 4))) void slot_failed(struct slot *slot, bool begun, const char *problem, ...);
// The connection had gone before the request reached anyone: the slot opens its stream anew, as any client would.
void slot_again(struct slot *slot);

struct wire {
  void (*prepare)(void);
  void (*open)(struct slot *slot);
  void (*flush)(void);                            // after each turn of the loop: sends what was gathered
  void (*read_slowly)(struct slot *, size_t most); // takes at most so many bytes of an open stream
};
extern const struct wire http_wire, grpc_wire;

// A socket that connects to --host and --port; it is writable once it stands.
int connect_socket(void);

#endif
