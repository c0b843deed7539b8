// SPDX-License-Identifier: Apache-2.0
// A closed loop of streams: each slot opens a stream, reads it to its end and opens the next. Chunks carry stamps of the machine's
// clock (upstream.c), found by scanning the bytes, so that any framing, merging or cutting on the way leaves the figures right.
#include "streams.h"

#include <getopt.h>
#include <netdb.h>

#define GRACE_NS (2 * NS_PER_S)         // for the streams that are open when the time is up
#define PAUSE_NS (10 * NS_PER_MS)       // before the next try after a failure: a dead gateway is not hammered
#define MOST_RETRIES 100

struct options options = {.host = "127.0.0.1", .path = "/v1/chat/completions", .connections = 64, .expect_chunks = 100,
                          .streams = UINT64_MAX, .ramp_ns = 100 * NS_PER_MS};
int loop;

static struct {
  uint64_t opened, finished, chunks, lost, extra, errors;
  char first_error[400];
  struct distribution ttft, gap, delay;
} results;

static const struct wire *wire;
static struct slot *slots;
static unsigned slots_open, slots_waiting, slots_begun, slots_unbegun;
static uint64_t open_until_ns = NEVER; // no stream is opened after this
static bool ended;

// ---- stamps ----

static void stamp_found(struct slot *slot, uint64_t now) {
  if (slot->seen == 0) {
    distribution_add(&results.ttft, now - slot->asked_ns);
    slots_begun++;
    slot->retries = 0;
  } else {
    distribution_add(&results.gap, now - slot->last_ns);
  }
  distribution_add(&results.delay, now > slot->stamp_ns ? now - slot->stamp_ns : 0);
  slot->last_ns = now;
  slot->seen++;
  results.chunks++;
}

// The rest of a stamp whose beginning has been seen. Gives where to go on.
static const char *read_digits(struct slot *slot, const char *at, const char *end, uint64_t now) {
  for (; at < end && *at >= '0' && *at <= '9'; at++) {
    slot->stamp_ns = slot->stamp_ns * 10 + (uint64_t)(*at - '0');
    if (++slot->stamp_length == STAMP_SIZE) {
      slot->stamp_length = 0;
      stamp_found(slot, now);
      return at + 1;
    }
  }
  if (at < end) slot->stamp_length = 0; // a T of another word
  return at;
}

void slot_read(struct slot *slot, const char *data, size_t length, uint64_t now) {
  const char *end = data + length;
  while (data < end) {
    if (slot->stamp_length == 0) {
      data = memchr(data, 'T', (size_t)(end - data));
      if (data == NULL) return;
      data++;
      slot->stamp_length = 1;
      slot->stamp_ns = 0;
    }
    data = read_digits(slot, data, end, now);
  }
}

// ---- slots ----

static bool may_open(uint64_t now) { return results.opened < options.streams && now < open_until_ns && !options.hold; }

static void slot_ended(struct slot *slot, uint64_t pause_ns) {
  uint64_t now = now_ns();
  slots_open--;
  if (slot->seen == 0) slots_unbegun++;
  slot->state = may_open(now) ? SLOT_WAITING : SLOT_DONE;
  slot->open_at_ns = now + pause_ns;
  if (slot->state == SLOT_WAITING) slots_waiting++;
}

static void count_chunks(const struct slot *slot) {
  if (slot->seen < options.expect_chunks)
    results.lost += options.expect_chunks - slot->seen;
  else
    results.extra += slot->seen - options.expect_chunks;
}

void slot_finished(struct slot *slot) {
  results.finished++;
  count_chunks(slot);
  slot_ended(slot, 0);
}

void slot_failed(struct slot *slot, bool begun, const char *problem, ...) {
  if (results.errors++ == 0) {
    va_list words;
    va_start(words, problem);
    vsnprintf(results.first_error, sizeof results.first_error, problem, words);
    va_end(words);
  }
  if (begun) count_chunks(slot);
  slot_ended(slot, PAUSE_NS);
}

void slot_again(struct slot *slot) {
  if (++slot->retries > MOST_RETRIES) {
    slot_failed(slot, false, "the connection was closed before any answer, %d times in a row", MOST_RETRIES);
    return;
  }
  slots_open--;
  results.opened--;
  slots_waiting++;
  slot->state = SLOT_WAITING;
  slot->open_at_ns = now_ns() + (slot->retries > 1 ? PAUSE_NS : 0);
}

static void open_slot(struct slot *slot) {
  slots_waiting--;
  if (results.opened >= options.streams || now_ns() >= open_until_ns) {
    slot->state = SLOT_DONE;
    return;
  }
  slot->state = SLOT_OPEN;
  slot->seen = slot->stamp_length = 0;
  slots_open++;
  results.opened++;
  wire->open(slot);
}

// Opens the slots whose time has come; gives when the next one's comes.
static uint64_t open_due(void) {
  uint64_t next = NEVER, now = now_ns();
  for (unsigned i = 0; slots_waiting > 0 && i < options.connections; i++) {
    struct slot *slot = &slots[i];
    if (slot->state != SLOT_WAITING) continue;
    if (slot->open_at_ns <= now)
      open_slot(slot);
    if (slot->state == SLOT_WAITING && slot->open_at_ns < next) next = slot->open_at_ns;
  }
  return next;
}

// ---- slow readers ----

static uint64_t read_slowly(void) {
  static uint64_t turn_ns;
  if (options.slow_bytes_per_s == 0) return NEVER;
  uint64_t now = now_ns();
  if (now >= turn_ns) {
    size_t share = (size_t)(options.slow_bytes_per_s * SLOW_TURN_NS / NS_PER_S);
    for (unsigned i = 0; i < options.connections; i++)
      if (slots[i].state == SLOT_OPEN) wire->read_slowly(&slots[i], share > 0 ? share : 1);
    turn_ns = now + SLOW_TURN_NS;
  }
  return turn_ns;
}

// ---- the loop ----

// --hold: tells when all streams stand, once.
static void announce_held(uint64_t now) {
  static bool announced;
  if (announced || slots_waiting > 0 || slots_begun + slots_unbegun < options.connections) return;
  announced = true;
  printf("{\"open\":%u}\n", slots_begun);
  fflush(stdout);
  if (options.seconds_ns > 0) open_until_ns = now + options.seconds_ns;
}

static bool all_over(uint64_t now) {
  if (ended) return true;
  if (options.hold) return open_until_ns != NEVER && now >= open_until_ns;
  if (slots_open == 0 && slots_waiting == 0) return true;
  return open_until_ns != NEVER && now >= open_until_ns + GRACE_NS;
}

static uint64_t earlier(uint64_t one, uint64_t other) { return one < other ? one : other; }

// The end of the time, then of the grace.
static uint64_t next_limit(uint64_t now) {
  if (open_until_ns == NEVER) return NEVER;
  return now < open_until_ns ? open_until_ns : open_until_ns + GRACE_NS;
}

static void on_end(struct watch *self, uint32_t events) {
  (void)self, (void)events;
  ended = true;
}

static void run(void) {
  struct watch end = {on_end};
  struct epoll_event events[256];
  watch_end(loop, &end);
  for (;;) {
    uint64_t next_ns = earlier(open_due(), read_slowly());
    wire->flush();
    uint64_t now = now_ns();
    if (options.hold) announce_held(now);
    if (all_over(now)) return;
    int count = loop_wait(loop, events, 256, earlier(next_ns, next_limit(now)));
    for (int i = 0; i < count; i++) {
      struct watch *watch = events[i].data.ptr;
      watch->ready(watch, events[i].events);
    }
  }
}

int connect_socket(void) {
  static struct addrinfo *address;
  if (address == NULL) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    char port[8];
    snprintf(port, sizeof port, "%d", options.port);
    int fault = getaddrinfo(options.host, port, &hints, &address);
    if (fault != 0) die("%s: %s", options.host, gai_strerror(fault));
  }
  int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket: %s", strerror(errno));
  set_nodelay(fd);
  // Else the kernel's buffer would take a whole stream at once and nobody would notice a slow reader.
  if (options.slow_bytes_per_s > 0) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){4096}, sizeof(int));
  // A refusal shows as an error of the socket, as it does where the connection is still under way.
  (void)connect(fd, address->ai_addr, address->ai_addrlen);
  return fd;
}

// ---- results ----

static void print_text(const char *text) {
  putchar('"');
  for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
    if (*at == '"' || *at == '\\')
      printf("\\%c", *at);
    else if (*at < 0x20 || *at >= 0x7f)
      printf("\\u%04x", *at);
    else
      putchar(*at);
  }
  putchar('"');
}

static void print_results(uint64_t took_ns) {
  printf("{\"streams\":%llu,\"chunks\":%llu,\"lost_chunks\":%llu,\"extra_chunks\":%llu,\"abandoned\":%u,\"errors\":%llu,"
         "\"first_error\":",
         (unsigned long long)results.finished, (unsigned long long)results.chunks, (unsigned long long)results.lost,
         (unsigned long long)results.extra, slots_open, (unsigned long long)results.errors);
  if (results.errors > 0)
    print_text(results.first_error);
  else
    fputs("null", stdout);
  printf(",\"seconds\":%.3f,\"cpu_us\":%.0f,", (double)took_ns / (double)NS_PER_S, cpu_us());
  distribution_print(stdout, "ttft_us", &results.ttft);
  putchar(',');
  distribution_print(stdout, "gap_us", &results.gap);
  putchar(',');
  distribution_print(stdout, "delay_us", &results.delay);
  puts("}");
}

// ---- options ----

static const char usage[] =
    "streams: load of streams on one gateway\n"
    "  --wire http|grpc      the protocol (http)\n"
    "  --host 127.0.0.1 --port N --path P   where\n"
    "  --body FILE           the request: JSON, or a serialised message (with or without gRPC's prefix of five bytes)\n"
    "  --header 'name: value'  may be repeated\n"
    "  --connections 64      streams open at a time\n"
    "  --h2-connections M    connections they share on gRPC (one for each 16)\n"
    "  --seconds S           open streams for so long, then let the last ones end\n"
    "  --streams N           open so many in all\n"
    "  --expect-chunks 100   stamps that a whole stream has\n"
    "  --ramp-ms 100         spreads the first openings over this time, so that the streams do not march in step\n"
    "  --slow-bytes-per-s B  each stream is read at this pace\n"
    "  --hold                open the streams (--connections or --streams of them), wait for the first stamp of each,\n"
    "                        say so, and keep them\n"
    "It prints one JSON object when it ends (with --hold one more when all are open), and ends early on SIGTERM.";

static void add_header(char *text) {
  char *colon = strchr(text + (text[0] == ':'), ':');
  if (colon == NULL) die("--header wants 'name: value', not %s", text);
  if (options.header_count == sizeof options.headers / sizeof options.headers[0]) die("--header: too many");
  *colon = '\0';
  char *value = colon + 1 + strspn(colon + 1, " ");
  options.headers[options.header_count++] = (struct header){text, value};
}

static uint64_t seconds_option(const char *text) {
  char *end;
  double seconds = strtod(text, &end);
  if (end == text || *end != '\0' || !(seconds > 0 && seconds < 1e6)) die("--seconds wants a time, not %s", text);
  return (uint64_t)(seconds * (double)NS_PER_S);
}

static const struct wire *wire_option(const char *text) {
  if (strcmp(text, "http") == 0) return &http_wire;
  if (strcmp(text, "grpc") == 0) return &grpc_wire;
  die("--wire is http or grpc, not %s", text);
}

static void read_options(int count, char **words) {
  enum { WIRE, HOST, PORT, PATH, BODY, HEADER, CONNECTIONS, H2_CONNECTIONS, SECONDS, STREAMS, EXPECT, RAMP, SLOW, HOLD, HELP };
  static const struct option known[] = {
      {"wire", 1, NULL, WIRE}, {"host", 1, NULL, HOST}, {"port", 1, NULL, PORT}, {"path", 1, NULL, PATH},
      {"body", 1, NULL, BODY}, {"header", 1, NULL, HEADER}, {"connections", 1, NULL, CONNECTIONS},
      {"h2-connections", 1, NULL, H2_CONNECTIONS}, {"seconds", 1, NULL, SECONDS}, {"streams", 1, NULL, STREAMS},
      {"expect-chunks", 1, NULL, EXPECT}, {"ramp-ms", 1, NULL, RAMP}, {"slow-bytes-per-s", 1, NULL, SLOW},
      {"hold", 0, NULL, HOLD}, {"help", 0, NULL, HELP}, {0}};
  wire = &http_wire;
  for (int option; (option = getopt_long(count, words, "", known, NULL)) >= 0;) {
    switch (option) {
      case WIRE: wire = wire_option(optarg); break;
      case HOST: options.host = optarg; break;
      case PORT: options.port = (uint16_t)number_option("port", optarg, 1, 65535); break;
      case PATH: options.path = optarg; break;
      case BODY: options.body = file_bytes(optarg); break;
      case HEADER: add_header(optarg); break;
      case CONNECTIONS: options.connections = (unsigned)number_option("connections", optarg, 1, 100000); break;
      case H2_CONNECTIONS: options.h2_connections = (unsigned)number_option("h2-connections", optarg, 1, 10000); break;
      case SECONDS: options.seconds_ns = seconds_option(optarg); break;
      case STREAMS: options.streams = number_option("streams", optarg, 1, UINT64_MAX - 1); break;
      case EXPECT: options.expect_chunks = (unsigned)number_option("expect-chunks", optarg, 0, 1000000); break;
      case RAMP: options.ramp_ns = number_option("ramp-ms", optarg, 0, 600000) * NS_PER_MS; break;
      case SLOW: options.slow_bytes_per_s = number_option("slow-bytes-per-s", optarg, 1, 1ULL << 30); break;
      case HOLD: options.hold = true; break;
      case HELP: puts(usage); exit(0);
      default: die("%s", usage);
    }
  }
  if (optind < count) die("%s is no option\n%s", words[optind], usage);
  if (options.port == 0 || options.body.end == 0) die("--port and --body are needed\n%s", usage);
  if (options.seconds_ns == 0 && options.streams == UINT64_MAX && !options.hold)
    die("--seconds, --streams or --hold is needed\n%s", usage);
  if (options.hold && options.streams != UINT64_MAX) {
    options.connections = (unsigned)earlier(options.streams, 100000);
    options.streams = UINT64_MAX;
  }
  if (options.h2_connections == 0) options.h2_connections = (options.connections + 15) / 16;
}

int main(int count, char **words) {
  read_options(count, words);
  loop = loop_open();
  slots = must(calloc(options.connections, sizeof *slots));
  wire->prepare();
  uint64_t begin = now_ns();
  for (unsigned i = 0; i < options.connections; i++)
    slots[i] = (struct slot){.index = i, .open_at_ns = begin + options.ramp_ns * i / options.connections};
  slots_waiting = options.connections;
  if (options.seconds_ns > 0 && !options.hold) open_until_ns = begin + options.seconds_ns;
  run();
  print_results(now_ns() - begin);
  return 0;
}
