// SPDX-License-Identifier: Apache-2.0
// What the upstream and the load generator share: the clock, stamps, buffers, watched sockets and the framing of HTTP/1.1.
// Everything here is a small static inline function, so that each program stays one list of files with no library between.
#ifndef TRUNKLINE_BENCH_H
#define TRUNKLINE_BENCH_H

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000ULL
#define NS_PER_MS 1000000ULL
#define NS_PER_US 1000ULL
#define NEVER UINT64_MAX
#define STAMP_DIGITS 19
#define STAMP_SIZE (1 + STAMP_DIGITS)
#define READ_SIZE 65536
#define CONTAINER(pointer, type, member) ((type *)(void *)((char *)(pointer) - offsetof(type, member)))

// ---- time and ends ----

static inline uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

__attribute__((noreturn, format(printf, 1, 2))) static inline void die(const char *format, ...) {
  va_list words;
  va_start(words, format);
  vfprintf(stderr, format, words);
  va_end(words);
  fputc('\n', stderr);
  exit(2);
}

static inline void *must(void *memory) {
  if (memory == NULL) die("out of memory");
  return memory;
}

// The processor time of this process, user and system.
static inline double cpu_us(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

// ---- stamps: T and 19 digits of CLOCK_MONOTONIC, so that any process of the machine can tell how old a chunk is ----

static inline void stamp_write(char *at, uint64_t ns) {
  at[0] = 'T';
  for (int i = STAMP_DIGITS; i > 0; i--, ns /= 10) at[i] = (char)('0' + ns % 10);
}

// ---- a growing buffer, read from its front ----

struct bytes {
  char *data;
  size_t start, end, size;
};

static inline size_t bytes_length(const struct bytes *bytes) { return bytes->end - bytes->start; }
static inline char *bytes_front(const struct bytes *bytes) { return bytes->data + bytes->start; }

// Makes room for `more` bytes behind the end and gives the place.
static inline char *bytes_reserve(struct bytes *bytes, size_t more) {
  if (bytes->start > 0 && (bytes->start == bytes->end || bytes->size - bytes->end < more)) {
    size_t length = bytes_length(bytes);
    memmove(bytes->data, bytes_front(bytes), length);
    bytes->start = 0;
    bytes->end = length;
  }
  if (bytes->data == NULL || bytes->size - bytes->end < more) {
    size_t size = bytes->size < 4096 ? 4096 : bytes->size;
    while (size - bytes->end < more) size *= 2;
    bytes->data = must(realloc(bytes->data, size));
    bytes->size = size;
  }
  return bytes->data + bytes->end;
}

static inline void bytes_append(struct bytes *bytes, const void *data, size_t length) {
  if (length == 0) return;
  memcpy(bytes_reserve(bytes, length), data, length);
  bytes->end += length;
}

static inline void bytes_text(struct bytes *bytes, const char *text) { bytes_append(bytes, text, strlen(text)); }

static inline void bytes_drop(struct bytes *bytes, size_t length) {
  bytes->start += length;
  if (bytes->start == bytes->end) bytes->start = bytes->end = 0;
}

static inline void bytes_free(struct bytes *bytes) {
  free(bytes->data);
  *bytes = (struct bytes){0};
}

static inline struct bytes file_bytes(const char *path) {
  struct bytes bytes = {0};
  FILE *file = fopen(path, "rb");
  if (file == NULL) die("%s: %s", path, strerror(errno));
  size_t got;
  while ((got = fread(bytes_reserve(&bytes, READ_SIZE), 1, READ_SIZE, file)) > 0) bytes.end += got;
  if (ferror(file)) die("%s: cannot be read", path);
  fclose(file);
  return bytes;
}

// ---- options ----

static inline uint64_t number_option(const char *name, const char *text, uint64_t least, uint64_t most) {
  char *end;
  errno = 0;
  unsigned long long number = strtoull(text, &end, 10);
  if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || number < least || number > most)
    die("--%s wants a whole number from %llu to %llu, not %s", name, (unsigned long long)least, (unsigned long long)most,
        text);
  return number;
}

// ---- watched sockets: the first member of whatever epoll reports, so that a report finds its owner ----

struct watch {
  void (*ready)(struct watch *self, uint32_t events);
};

static inline void watch_socket(int epoll, int operation, int fd, uint32_t events, struct watch *watch) {
  struct epoll_event event = {.events = events, .data.ptr = watch};
  if (epoll_ctl(epoll, operation, fd, &event) < 0) die("epoll_ctl: %s", strerror(errno));
}

// Opens the loop: as many sockets as the machine allows, and sleeps that end when they should (the kernel's default adds 50 us).
static inline int loop_open(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  prctl(PR_SET_TIMERSLACK, 1UL);
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) die("epoll_create1: %s", strerror(errno));
  return epoll;
}

// Waits for events until the deadline. A timerfd would do the same at twice the cost where a hypervisor keeps the clock: setting it
// and going to sleep each program the processor's timer, and this does so once (measured on such a machine: a wake-up with one write
// took 23 us of CPU by timerfd and 12 us so).
static inline int loop_wait(int epoll, struct epoll_event *events, int most, uint64_t deadline_ns) {
  struct timespec left = {0};
  if (deadline_ns != NEVER) {
    uint64_t now = now_ns();
    uint64_t left_ns = deadline_ns > now ? deadline_ns - now : 0;
    left = (struct timespec){.tv_sec = (time_t)(left_ns / NS_PER_S), .tv_nsec = (long)(left_ns % NS_PER_S)};
  }
  int count = epoll_pwait2(epoll, events, most, deadline_ns == NEVER ? NULL : &left, NULL);
  if (count < 0 && errno != EINTR) die("epoll_pwait2 (Linux 5.11 or newer): %s", strerror(errno));
  return count;
}

// SIGTERM and SIGINT come as an event of the loop: no handler, no race.
static inline void watch_end(int epoll, struct watch *watch) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigprocmask(SIG_BLOCK, &set, NULL);
  signal(SIGPIPE, SIG_IGN);
  int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  if (fd < 0) die("signalfd: %s", strerror(errno));
  watch_socket(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, watch);
}

static inline void set_nodelay(int fd) { setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)); }

// ---- a distribution of times: exact below 4 us, then 4096 steps for each doubling. A figure is at most 0.012 % off, so that what a
// ---- gateway adds to a gap of 5 ms shows to the microsecond.

#define STEP_BITS 12
#define STEPS (1U << STEP_BITS)

struct distribution {
  uint64_t counts[(64 - STEP_BITS + 1) * STEPS];
  uint64_t total, max;
};

static inline size_t distribution_place(uint64_t ns) {
  if (ns < STEPS) return (size_t)ns;
  unsigned doublings = 63U - (unsigned)__builtin_clzll(ns) - STEP_BITS;
  return ((size_t)doublings + 1) * STEPS + (size_t)((ns >> doublings) - STEPS);
}

// The middle of a place's step.
static inline double distribution_value(size_t place) {
  if (place < STEPS) return (double)place;
  unsigned doublings = (unsigned)(place / STEPS) - 1;
  uint64_t low = (STEPS + place % STEPS) << doublings;
  return (double)low + (double)((1ULL << doublings) - 1) / 2;
}

static inline void distribution_add(struct distribution *distribution, uint64_t ns) {
  distribution->counts[distribution_place(ns)]++;
  distribution->total++;
  if (ns > distribution->max) distribution->max = ns;
}

static inline double distribution_quantile(const struct distribution *distribution, double share) {
  // The smallest value that `share` of all values do not exceed.
  uint64_t wanted = (uint64_t)(share * (double)distribution->total + 0.999999), seen = 0;
  for (size_t place = 0; place < sizeof distribution->counts / sizeof distribution->counts[0]; place++) {
    seen += distribution->counts[place];
    if (seen >= wanted && seen > 0) {
      double value = distribution_value(place);
      return value > (double)distribution->max ? (double)distribution->max : value;
    }
  }
  return 0;
}

// Writes "name":{"p50":..,"p90":..,"p99":..,"max":..} in microseconds; nulls where nothing was measured.
static inline void distribution_print(FILE *out, const char *name, const struct distribution *distribution) {
  fprintf(out, "\"%s\":{", name);
  static const struct { const char *name; double share; } quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}};
  for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++) {
    if (distribution->total == 0)
      fprintf(out, "\"%s\":null,", quantiles[i].name);
    else
      fprintf(out, "\"%s\":%.1f,", quantiles[i].name, distribution_quantile(distribution, quantiles[i].share) / 1000);
  }
  if (distribution->total == 0)
    fputs("\"max\":null}", out);
  else
    fprintf(out, "\"max\":%.1f}", (double)distribution->max / 1000);
}

// ---- HTTP/1.1: header fields, and the chunked coding as a state machine that bears any cut ----

// The value of a field within a head, without the blanks before it; NULL where the field is absent.
static inline const char *head_field(const char *head, size_t length, const char *name, size_t *value_length) {
  const char *end = head + length;
  size_t name_length = strlen(name);
  for (const char *line = memchr(head, '\n', length); line != NULL && ++line < end; line = memchr(line, '\n', (size_t)(end - line))) {
    if ((size_t)(end - line) <= name_length || line[name_length] != ':' || strncasecmp(line, name, name_length) != 0) continue;
    const char *value = line + name_length + 1;
    while (value < end && (*value == ' ' || *value == '\t')) value++;
    const char *stop = memchr(value, '\r', (size_t)(end - value));
    *value_length = (size_t)((stop == NULL ? end : stop) - value);
    return value;
  }
  return NULL;
}

static inline bool head_field_is(const char *head, size_t length, const char *name, const char *wanted) {
  size_t value_length = 0;
  const char *value = head_field(head, length, name, &value_length);
  return value != NULL && value_length == strlen(wanted) && strncasecmp(value, wanted, value_length) == 0;
}

enum chunk_state { CHUNK_SIZE, CHUNK_SIZE_REST, CHUNK_BODY, CHUNK_END, CHUNK_TRAILER, CHUNK_DONE, CHUNK_BAD };

struct chunked {
  enum chunk_state state;
  uint64_t left;      // bytes of the chunk still to come
  bool line_has_text; // whether the current line has a character before its end
};

static inline int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = (char)(c | 0x20);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static inline void chunked_line_end(struct chunked *chunked) {
  switch (chunked->state) {
    case CHUNK_SIZE:
    case CHUNK_SIZE_REST:
      chunked->state = !chunked->line_has_text ? CHUNK_BAD : chunked->left > 0 ? CHUNK_BODY : CHUNK_TRAILER;
      break;
    case CHUNK_END:
      chunked->state = chunked->line_has_text ? CHUNK_BAD : CHUNK_SIZE;
      break;
    default: // a trailer's line; the empty one is the last
      if (!chunked->line_has_text) chunked->state = CHUNK_DONE;
  }
  chunked->line_has_text = false;
}

static inline void chunked_character(struct chunked *chunked, char c) {
  if (c == '\n') {
    chunked_line_end(chunked);
  } else if (c != '\r') {
    if (chunked->state == CHUNK_SIZE) {
      int digit = hex_digit(c);
      if (digit >= 0 && chunked->left < (1ULL << 56))
        chunked->left = chunked->left * 16 + (uint64_t)digit;
      else // an extension, or blanks
        chunked->state = chunked->line_has_text ? CHUNK_SIZE_REST : CHUNK_BAD;
    }
    chunked->line_has_text = true;
  }
}

// Takes bytes from `data` until a piece of the body is found (then *piece is its place, else NULL) or all is taken.
// Gives how many bytes it took; nothing more is taken once the state is CHUNK_DONE or CHUNK_BAD.
static inline size_t chunked_take(struct chunked *chunked, const char *data, size_t length, const char **piece, size_t *piece_length) {
  *piece = NULL;
  size_t at = 0;
  while (at < length && chunked->state < CHUNK_DONE) {
    if (chunked->state == CHUNK_BODY) {
      *piece = data + at;
      *piece_length = length - at < chunked->left ? length - at : (size_t)chunked->left;
      chunked->left -= *piece_length;
      if (chunked->left == 0) chunked->state = CHUNK_END;
      return at + *piece_length;
    }
    chunked_character(chunked, data[at++]);
  }
  return at;
}

#endif
