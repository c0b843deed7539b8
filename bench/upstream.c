// SPDX-License-Identifier: Apache-2.0
// A fake provider that is never the bottleneck: prepared answers, one thread, one epoll loop, one write per answer or paced chunk.
// It speaks openai_chat on HTTP/1.1 (upstream_http.c) and trunkline.v1 on gRPC (upstream_grpc.c); the model's name says how it answers:
// burst (all chunks at once), paced (one every gap), idle (one, then silence), else a whole answer unless the call streams.
#include "upstream.h"

#include <getopt.h>

struct settings settings = {.chunks = 100, .chunk_bytes = 200, .answer_bytes = 600, .gap_ns = 5000 * NS_PER_US};
struct counted counted;
int loop;

static struct timer timers = {.before = &timers, .after = &timers};
static struct grave *graves;
static bool ended;

// ---- timers ----

void timer_start(struct timer *timer, uint64_t deadline_ns) {
  timer_stop(timer);
  struct timer *before = timers.before;
  while (before != &timers && before->deadline_ns > deadline_ns) before = before->before;
  timer->deadline_ns = deadline_ns;
  timer->before = before;
  timer->after = before->after;
  before->after->before = timer;
  before->after = timer;
}

void timer_stop(struct timer *timer) {
  if (timer->before == NULL) return;
  timer->before->after = timer->after;
  timer->after->before = timer->before;
  timer->before = timer->after = NULL;
}

uint64_t next_deadline(uint64_t deadline_ns, uint64_t now) {
  uint64_t next = deadline_ns + settings.gap_ns;
  return next > now ? next : now + settings.gap_ns;
}

static void fire_due(void) {
  uint64_t now = now_ns();
  while (timers.after != &timers && timers.after->deadline_ns <= now) {
    struct timer *timer = timers.after;
    timer_stop(timer);
    timer->fire(timer);
  }
}

static uint64_t first_deadline(void) { return timers.after == &timers ? NEVER : timers.after->deadline_ns; }

// ---- what the two wires share ----

void bury(struct grave *grave) {
  grave->next = graves;
  graves = grave;
}

static void free_buried(void) {
  while (graves != NULL) {
    struct grave *grave = graves;
    graves = grave->next;
    grave->free(grave);
  }
}

enum mode named_mode(const char *text, size_t length) {
  static const struct { const char *word; enum mode mode; } words[] = {
      {"burst", MODE_BURST}, {"paced", MODE_PACED}, {"idle", MODE_IDLE}};
  for (size_t i = 0; length > 0 && i < sizeof words / sizeof words[0]; i++)
    if (memmem(text, length, words[i].word, strlen(words[i].word)) != NULL) return words[i].mode;
  return MODE_NONE;
}

uint16_t listener_open(struct listener *listener, uint16_t port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket: %s", strerror(errno));
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
  set_nodelay(fd); // accepted sockets inherit it
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  if (bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 4096) < 0 ||
      getsockname(fd, (struct sockaddr *)&address, &size) < 0)
    die("cannot listen on port %d: %s", port, strerror(errno));
  listener->fd = fd;
  watch_socket(loop, EPOLL_CTL_ADD, fd, EPOLLIN, &listener->watch);
  return ntohs(address.sin_port);
}

int listener_accept(struct listener *listener) {
  int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) die("accept: %s", strerror(errno));
  return fd;
}

// ---- the loop ----

static void on_end(struct watch *self, uint32_t events) {
  (void)self, (void)events;
  ended = true;
}

static void serve(void) {
  struct watch end = {on_end};
  watch_end(loop, &end);
  struct epoll_event events[256];
  while (!ended) {
    int count = loop_wait(loop, events, 256, first_deadline());
    for (int i = 0; i < count; i++) {
      struct watch *watch = events[i].data.ptr;
      watch->ready(watch, events[i].events);
    }
    fire_due();
    grpc_flush();
    free_buried();
  }
}

// What it did and cost, so that a measurement can tell that the upstream was not the bottleneck.
static void print_counted(void) {
  fprintf(stderr, "{\"requests\":%llu,\"chunks\":%llu,\"cpu_us\":%.0f,", (unsigned long long)counted.requests,
          (unsigned long long)counted.chunks, cpu_us());
  distribution_print(stderr, "late_us", &counted.late);
  fputs("}\n", stderr);
}

static const char usage[] =
    "upstream: a fake provider on loopback\n"
    "  --http-port N     HTTP/1.1 on this port; 0 takes a free one (the default)\n"
    "  --grpc-port N     gRPC (HTTP/2, plaintext) too; needs the two files\n"
    "  --grpc-answer F   a serialised trunkline.v1.ChatCompletion\n"
    "  --grpc-chunk F    a serialised trunkline.v1.ChatCompletionChunk with the text T0000000000000000000\n"
    "  --chunks 100      content chunks in a stream\n"
    "  --chunk-bytes 200 bytes of one event on HTTP\n"
    "  --gap-us 5000     between the chunks of a paced stream\n"
    "  --answer-bytes 600  bytes of a whole answer on HTTP\n"
    "  --stats           when it ends, say on stderr what it did and cost\n"
    "It prints its ports as one line of JSON and ends on SIGTERM.";

int main(int count, char **words) {
  enum { HTTP_PORT, GRPC_PORT, ANSWER, CHUNK, CHUNKS, CHUNK_BYTES, GAP, ANSWER_BYTES, STATS, HELP };
  static const struct option options[] = {
      {"http-port", 1, NULL, HTTP_PORT}, {"grpc-port", 1, NULL, GRPC_PORT}, {"grpc-answer", 1, NULL, ANSWER},
      {"grpc-chunk", 1, NULL, CHUNK}, {"chunks", 1, NULL, CHUNKS}, {"chunk-bytes", 1, NULL, CHUNK_BYTES},
      {"gap-us", 1, NULL, GAP}, {"answer-bytes", 1, NULL, ANSWER_BYTES}, {"stats", 0, NULL, STATS},
      {"help", 0, NULL, HELP}, {0}};
  uint16_t http_port = 0, grpc_port = 0;
  bool with_grpc = false, with_stats = false;
  for (int option; (option = getopt_long(count, words, "", options, NULL)) >= 0;) {
    switch (option) {
      case HTTP_PORT: http_port = (uint16_t)number_option("http-port", optarg, 0, 65535); break;
      case GRPC_PORT: grpc_port = (uint16_t)number_option("grpc-port", optarg, 0, 65535); with_grpc = true; break;
      case ANSWER: settings.grpc_answer = optarg; break;
      case CHUNK: settings.grpc_chunk = optarg; break;
      case CHUNKS: settings.chunks = (unsigned)number_option("chunks", optarg, 1, 100000); break;
      case CHUNK_BYTES: settings.chunk_bytes = number_option("chunk-bytes", optarg, 1, 1 << 20); break;
      case GAP: settings.gap_ns = number_option("gap-us", optarg, 1, 3600000000) * NS_PER_US; break;
      case ANSWER_BYTES: settings.answer_bytes = number_option("answer-bytes", optarg, 1, 1 << 26); break;
      case STATS: with_stats = true; break;
      case HELP: puts(usage); return 0;
      default: die("%s", usage);
    }
  }
  if (optind < count) die("%s is no option\n%s", words[optind], usage);
  loop = loop_open();
  http_port = http_open(http_port);
  if (with_grpc) grpc_port = grpc_open(grpc_port);
  char grpc_text[16] = "null";
  if (grpc_port > 0) snprintf(grpc_text, sizeof grpc_text, "%d", grpc_port);
  printf("{\"http_port\": %d, \"grpc_port\": %s}\n", http_port, grpc_text);
  fflush(stdout);
  serve();
  if (with_stats) print_counted();
  return 0;
}
