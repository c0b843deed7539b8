// SPDX-License-Identifier: Apache-2.0
// The fake upstream's HTTP/1.1 side. Answers are rendered once at the start; a request costs one read, a search and one write.
#include "upstream.h"

#include <sys/uio.h>

#define MAX_HEAD 65536

struct connection {
  struct watch watch;
  struct timer timer;
  struct grave grave;
  int fd;
  bool streaming;   // an answer is under way: the next request waits
  bool wants_usage; // the stream ends with a usage chunk
  bool last;        // the client or a fault asked that this answer be the last
  bool closed;
  unsigned sent;     // content chunks of the stream under way
  struct bytes in;   // a request as far as it came
  struct bytes out;  // what the socket did not take yet
  struct bytes body; // of a request in chunks
};

// A request, whole. The body lies in the connection's buffers.
struct request {
  const char *head, *body;
  size_t head_length, body_length, length;
};

// ---- prepared answers ----

static struct bytes whole_answer, stream_head, chunk_frame, burst, tail, tail_with_usage;
static size_t stamp_place; // within chunk_frame

static struct bytes framed(const char *event, size_t length) {
  struct bytes frame = {0};
  char size[32];
  snprintf(size, sizeof size, "%zx\r\n", length);
  bytes_text(&frame, size);
  bytes_append(&frame, event, length);
  bytes_text(&frame, "\r\n");
  return frame;
}

// Renders `before`, `filler` characters so that all of it has `wanted` bytes, and `after`.
static struct bytes padded(const char *option, const char *before, const char *after, size_t wanted) {
  size_t least = strlen(before) + strlen(after);
  if (wanted < least) die("--%s: %zu is the least", option, least);
  struct bytes text = {0};
  bytes_text(&text, before);
  memset(bytes_reserve(&text, wanted - least), 'x', wanted - least);
  text.end += wanted - least;
  bytes_text(&text, after);
  return text;
}

#define CHUNK_HEAD \
  "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1760000000,\"model\":\"bench\",\"choices\":"
#define USAGE "\"usage\":{\"prompt_tokens\":500,\"completion_tokens\":100,\"total_tokens\":600}"

static void prepare_chunk(void) {
  static const char before[] = CHUNK_HEAD "[{\"index\":0,\"delta\":{\"content\":\"T0000000000000000000";
  struct bytes event = padded("chunk-bytes", before, "\"},\"finish_reason\":null}]}\n\n", settings.chunk_bytes);
  chunk_frame = framed(event.data, event.end);
  stamp_place = chunk_frame.end - event.end - 2 + sizeof before - 1 - STAMP_SIZE;
  bytes_free(&event);
}

static struct bytes prepare_tail(const char *usage_event) {
  static const char finish[] = CHUNK_HEAD "[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
  struct bytes events = {0};
  bytes_text(&events, finish);
  bytes_text(&events, usage_event);
  bytes_text(&events, "data: [DONE]\n\n");
  struct bytes frame = framed(events.data, events.end);
  bytes_text(&frame, "0\r\n\r\n");
  bytes_free(&events);
  return frame;
}

static void prepare_whole(void) {
  struct bytes body = padded("answer-bytes",
                             "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion\",\"created\":1760000000,\"model\":\"bench\","
                             "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"",
                             "\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"}]," USAGE "}", settings.answer_bytes);
  char head[128];
  snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", body.end);
  bytes_text(&whole_answer, head);
  bytes_append(&whole_answer, body.data, body.end);
  bytes_free(&body);
}

static void prepare(void) {
  prepare_whole();
  prepare_chunk();
  bytes_text(&stream_head, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
                           "Transfer-Encoding: chunked\r\n\r\n");
  bytes_append(&burst, stream_head.data, stream_head.end);
  for (unsigned i = 0; i < settings.chunks; i++) bytes_append(&burst, chunk_frame.data, chunk_frame.end);
  tail = prepare_tail("");
  tail_with_usage = prepare_tail(CHUNK_HEAD "[]," USAGE "}\n\n");
}

// ---- writing ----

static void close_connection(struct connection *connection) {
  if (connection->closed) return;
  connection->closed = true;
  timer_stop(&connection->timer);
  close(connection->fd);
  bury(&connection->grave);
}

static void free_connection(struct grave *grave) {
  struct connection *connection = CONTAINER(grave, struct connection, grave);
  bytes_free(&connection->in);
  bytes_free(&connection->out);
  bytes_free(&connection->body);
  free(connection);
}

static void keep_rest(struct connection *connection, const struct iovec *parts, size_t count, size_t written) {
  if (bytes_length(&connection->out) == 0)
    watch_socket(loop, EPOLL_CTL_MOD, connection->fd, EPOLLIN | EPOLLOUT, &connection->watch);
  for (size_t i = 0; i < count; i++) {
    size_t skipped = written < parts[i].iov_len ? written : parts[i].iov_len;
    bytes_append(&connection->out, (const char *)parts[i].iov_base + skipped, parts[i].iov_len - skipped);
    written -= skipped;
  }
}

// Writes the parts in one call; what the socket does not take waits in `out`.
static void write_parts(struct connection *connection, struct iovec *parts, size_t count) {
  size_t length = 0;
  for (size_t i = 0; i < count; i++) length += parts[i].iov_len;
  ssize_t written = 0;
  if (bytes_length(&connection->out) == 0) {
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    written = sendmsg(connection->fd, &message, MSG_NOSIGNAL);
    if (written < 0 && errno != EAGAIN) {
      close_connection(connection);
      return;
    }
    if (written < 0) written = 0;
  }
  if ((size_t)written < length) keep_rest(connection, parts, count, (size_t)written);
}

static struct iovec part(const struct bytes *bytes) { return (struct iovec){bytes->data, bytes->end}; }

static struct iovec stamped_chunk(void) {
  stamp_write(chunk_frame.data + stamp_place, now_ns());
  return part(&chunk_frame);
}

static struct iovec stamped_burst(void) {
  char *stamp = burst.data + stream_head.end + stamp_place;
  stamp_write(stamp, now_ns());
  for (unsigned i = 1; i < settings.chunks; i++) memcpy(stamp + i * chunk_frame.end, stamp, STAMP_SIZE);
  return part(&burst);
}

static void finish_last(struct connection *connection) {
  if (connection->last && !connection->streaming && bytes_length(&connection->out) == 0) close_connection(connection);
}

// ---- answers ----

static struct iovec stream_tail(const struct connection *connection) {
  return part(connection->wants_usage ? &tail_with_usage : &tail);
}

static void answer_burst(struct connection *connection) {
  struct iovec parts[] = {stamped_burst(), stream_tail(connection)};
  counted.chunks += settings.chunks;
  write_parts(connection, parts, 2);
}

// The first chunk of a paced or idle stream leaves with the head, the last one with the tail.
static void answer_chunk(struct connection *connection) {
  struct iovec parts[3];
  size_t count = 0;
  if (connection->sent == 0) parts[count++] = part(&stream_head);
  parts[count++] = stamped_chunk();
  connection->sent++;
  counted.chunks++;
  if (connection->sent == settings.chunks) {
    parts[count++] = stream_tail(connection);
    connection->streaming = false;
  }
  write_parts(connection, parts, count);
}

static void answer_requests(struct connection *connection);

static void chunk_is_due(struct timer *timer) {
  struct connection *connection = CONTAINER(timer, struct connection, timer);
  uint64_t now = now_ns();
  count_late(timer, now);
  answer_chunk(connection);
  if (connection->closed) return;
  if (connection->streaming)
    timer_start(timer, next_deadline(timer->deadline_ns, now));
  else
    answer_requests(connection); // one may have come while this stream ran
}

static void answer(struct connection *connection, enum mode mode) {
  counted.requests++;
  connection->sent = 0;
  switch (mode) {
    case MODE_BURST:
      answer_burst(connection);
      break;
    case MODE_PACED:
    case MODE_IDLE: {
      uint64_t first_ns = now_ns();
      connection->streaming = true;
      answer_chunk(connection);
      if (mode == MODE_PACED && connection->streaming && !connection->closed)
        timer_start(&connection->timer, first_ns + settings.gap_ns);
      break;
    }
    default: {
      struct iovec parts[] = {part(&whole_answer)};
      write_parts(connection, parts, 1);
    }
  }
}

static void refuse(struct connection *connection, const char *status) {
  char text[128];
  int length = snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status);
  connection->last = true;
  write_parts(connection, &(struct iovec){text, (size_t)length}, 1);
}

// ---- requests ----

// The place behind `"key"`, blanks and a colon; NULL where no such member is found.
static const char *member(const char *body, size_t length, const char *quoted_key) {
  const char *end = body + length, *at = body;
  size_t key_length = strlen(quoted_key);
  while (at < end && (at = memmem(at, (size_t)(end - at), quoted_key, key_length)) != NULL) {
    at += key_length;
    const char *after = at;
    while (after < end && strchr(" \t\r\n", *after) != NULL && *after != '\0') after++;
    if (after < end && *after++ == ':') {
      while (after < end && strchr(" \t\r\n", *after) != NULL && *after != '\0') after++;
      return after;
    }
  }
  return NULL;
}

static bool member_is_true(const char *body, size_t length, const char *quoted_key) {
  const char *value = member(body, length, quoted_key);
  return value != NULL && (size_t)(body + length - value) >= 4 && memcmp(value, "true", 4) == 0;
}

static enum mode asked_mode(const char *body, size_t length) {
  const char *model = member(body, length, "\"model\"");
  if (model != NULL && model < body + length && *model == '"') {
    model++;
    const char *end = memchr(model, '"', (size_t)(body + length - model));
    enum mode mode = end == NULL ? MODE_NONE : named_mode(model, (size_t)(end - model));
    if (mode != MODE_NONE) return mode;
  }
  return member_is_true(body, length, "\"stream\"") ? MODE_BURST : MODE_WHOLE;
}

enum taking { TAKEN, WANTS_MORE, REFUSED };

static enum taking take_chunked_body(struct connection *connection, struct request *request) {
  struct chunked chunked = {0};
  size_t at = request->head_length;
  connection->body.start = connection->body.end = 0;
  while (at < bytes_length(&connection->in) && chunked.state < CHUNK_DONE) {
    const char *piece;
    size_t piece_length = 0;
    at += chunked_take(&chunked, request->head + at, bytes_length(&connection->in) - at, &piece, &piece_length);
    if (piece != NULL) bytes_append(&connection->body, piece, piece_length);
  }
  if (chunked.state == CHUNK_BAD) refuse(connection, "400 Bad Request");
  if (chunked.state != CHUNK_DONE) return chunked.state == CHUNK_BAD ? REFUSED : WANTS_MORE;
  request->body = connection->body.data;
  request->body_length = connection->body.end;
  request->length = at;
  return TAKEN;
}

static enum taking take_body(struct connection *connection, struct request *request) {
  size_t value_length;
  if (head_field(request->head, request->head_length, "Transfer-Encoding", &value_length) != NULL)
    return take_chunked_body(connection, request);
  const char *value = head_field(request->head, request->head_length, "Content-Length", &value_length);
  request->body = request->head + request->head_length;
  request->body_length = value == NULL ? 0 : strtoull(value, NULL, 10);
  request->length = request->head_length + request->body_length;
  return request->body_length > bytes_length(&connection->in) - request->head_length ? WANTS_MORE : TAKEN;
}

// Looks whether a whole request lies in the buffer. A faulty one is refused and ends the connection.
static enum taking take_request(struct connection *connection, struct request *request) {
  size_t length = bytes_length(&connection->in);
  if (length == 0) return WANTS_MORE;
  request->head = bytes_front(&connection->in);
  const char *head_end = memmem(request->head, length, "\r\n\r\n", 4);
  if (head_end == NULL && length < MAX_HEAD) return WANTS_MORE;
  if (head_end == NULL) {
    refuse(connection, "431 Request Header Fields Too Large");
    return REFUSED;
  }
  request->head_length = (size_t)(head_end - request->head) + 4;
  const char *line_end = memchr(request->head, '\r', request->head_length);
  size_t line_length = (size_t)(line_end - request->head);
  if (memcmp(request->head, "POST ", 5) != 0 || line_length < 14 || memcmp(line_end - 8, "HTTP/1.1", 8) != 0) {
    refuse(connection, memcmp(request->head, "POST ", 5) != 0 ? "405 Method Not Allowed" : "505 HTTP Version Not Supported");
    return REFUSED;
  }
  return take_body(connection, request);
}

static void answer_requests(struct connection *connection) {
  struct request request;
  while (!connection->closed && !connection->streaming && !connection->last) {
    if (take_request(connection, &request) != TAKEN) break;
    connection->last = head_field_is(request.head, request.head_length, "Connection", "close");
    connection->wants_usage = member_is_true(request.body, request.body_length, "\"include_usage\"");
    enum mode mode = asked_mode(request.body, request.body_length);
    bytes_drop(&connection->in, request.length);
    answer(connection, mode);
  }
  if (!connection->closed) finish_last(connection);
}

// ---- sockets ----

static void on_connection(struct watch *watch, uint32_t events) {
  struct connection *connection = CONTAINER(watch, struct connection, watch);
  if (connection->closed) return;
  if (events & EPOLLOUT) {
    ssize_t written = send(connection->fd, bytes_front(&connection->out), bytes_length(&connection->out), MSG_NOSIGNAL);
    if (written > 0) bytes_drop(&connection->out, (size_t)written);
    if (bytes_length(&connection->out) == 0) {
      watch_socket(loop, EPOLL_CTL_MOD, connection->fd, EPOLLIN, watch);
      finish_last(connection);
    }
  }
  if (connection->closed || !(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
  // Level-triggered: what one read leaves is reported again, which saves the read that finds nothing.
  ssize_t got = recv(connection->fd, bytes_reserve(&connection->in, READ_SIZE / 8), READ_SIZE / 8, 0);
  if (got > 0) {
    connection->in.end += (size_t)got;
    answer_requests(connection);
  } else if (got == 0 || errno != EAGAIN) {
    close_connection(connection); // the client left; what it did not read is of no use to anyone
  }
}

static void on_listener(struct watch *watch, uint32_t events) {
  (void)events;
  struct listener *listener = CONTAINER(watch, struct listener, watch);
  for (int fd; (fd = listener_accept(listener)) >= 0;) {
    struct connection *connection = must(calloc(1, sizeof *connection));
    connection->watch.ready = on_connection;
    connection->timer.fire = chunk_is_due;
    connection->grave.free = free_connection;
    connection->fd = fd;
    watch_socket(loop, EPOLL_CTL_ADD, fd, EPOLLIN, &connection->watch);
  }
}

uint16_t http_open(uint16_t port) {
  static struct listener listener = {.watch = {on_listener}};
  prepare();
  return listener_open(&listener, port);
}
