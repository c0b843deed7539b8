// SPDX-License-Identifier: Apache-2.0
// The load generator's HTTP/1.1 side: one connection for each slot, kept from stream to stream.
#include "streams.h"

#define MAX_HEAD 65536

enum framing { BY_CHUNKS, BY_LENGTH, BY_END };

struct connection {
  struct watch watch;
  struct slot *slot;
  int fd;              // -1 without a connection
  bool used;           // it has carried an answer before
  bool wants_out;      // epoll watches for room to write
  size_t written;      // of the request
  struct bytes head;   // of the answer, as far as it came
  bool in_body;
  bool keep;           // the connection may carry another stream
  unsigned status;
  enum framing framing;
  struct chunked chunked;
  uint64_t left;       // BY_LENGTH: of the body
  struct bytes refusal; // the beginning of a body that is not an answer
};

static struct connection *connections;
static struct bytes request;
static char scratch[READ_SIZE];

// ---- the request ----

static bool has_header(const char *name) {
  for (size_t i = 0; i < options.header_count; i++)
    if (strcasecmp(options.headers[i].name, name) == 0) return true;
  return false;
}

static void add_line(const char *name, const char *value) {
  bytes_text(&request, name);
  bytes_text(&request, ": ");
  bytes_text(&request, value);
  bytes_text(&request, "\r\n");
}

static void prepare(void) {
  char text[320];
  bytes_text(&request, "POST ");
  bytes_text(&request, options.path);
  bytes_text(&request, " HTTP/1.1\r\n");
  snprintf(text, sizeof text, "%s:%d", options.host, options.port);
  if (!has_header("host")) add_line("Host", text);
  if (!has_header("content-type")) add_line("Content-Type", "application/json");
  snprintf(text, sizeof text, "%zu", options.body.end);
  add_line("Content-Length", text);
  for (size_t i = 0; i < options.header_count; i++) add_line(options.headers[i].name, options.headers[i].value);
  bytes_text(&request, "\r\n");
  bytes_append(&request, options.body.data, options.body.end);
  connections = must(calloc(options.connections, sizeof *connections));
  for (unsigned i = 0; i < options.connections; i++) connections[i].fd = -1;
}

// ---- ends of streams ----

static void disconnect(struct connection *connection) {
  close(connection->fd);
  connection->fd = -1;
}

static bool answer_begun(const struct connection *connection) { return connection->in_body || connection->head.end > 0; }

// The connection is gone; `why` says how.
static void connection_lost(struct connection *connection, const char *why) {
  struct slot *slot = connection->slot;
  disconnect(connection);
  if (slot->state != SLOT_OPEN) return; // it was idle: servers may close those
  if (connection->in_body && connection->framing == BY_END && connection->status == 200)
    slot_finished(slot);
  else if (connection->used && !answer_begun(connection))
    slot_again(slot);
  else
    slot_failed(slot, answer_begun(connection), "%s after %u chunks", why, slot->seen);
}

static void answer_complete(struct connection *connection) {
  struct slot *slot = connection->slot;
  connection->used = true;
  if (!connection->keep) disconnect(connection);
  if (connection->status == 200)
    slot_finished(slot);
  else
    slot_failed(slot, false, "status %u: %.*s", connection->status, (int)connection->refusal.end, connection->refusal.data);
}

// ---- reading ----

static void read_head(struct connection *connection, const char *head, size_t length) {
  size_t value_length = 0;
  connection->status = length > 12 ? (unsigned)strtoul(head + 9, NULL, 10) : 0;
  connection->keep = !head_field_is(head, length, "Connection", "close") && memcmp(head, "HTTP/1.1", 8) == 0;
  connection->chunked = (struct chunked){0};
  connection->framing = BY_END;
  if (head_field_is(head, length, "Transfer-Encoding", "chunked")) {
    connection->framing = BY_CHUNKS;
  } else {
    const char *value = head_field(head, length, "Content-Length", &value_length);
    if (value != NULL) {
      connection->framing = BY_LENGTH;
      connection->left = strtoull(value, NULL, 10);
    }
  }
  if (connection->framing == BY_END) connection->keep = false;
}

static void read_piece(struct connection *connection, const char *piece, size_t length, uint64_t now) {
  if (connection->status == 200) {
    slot_read(connection->slot, piece, length, now);
  } else if (connection->refusal.end < 200) {
    size_t room = 200 - connection->refusal.end;
    bytes_append(&connection->refusal, piece, length < room ? length : room);
  }
}

// Reads bytes of the body; tells whether it is complete. A fault of the framing ends the stream here.
static bool read_body(struct connection *connection, const char *data, size_t length, uint64_t now) {
  if (connection->framing != BY_CHUNKS) {
    bool by_length = connection->framing == BY_LENGTH;
    if (by_length && length > connection->left) length = (size_t)connection->left;
    read_piece(connection, data, length, now);
    if (by_length) connection->left -= length;
    return by_length && connection->left == 0;
  }
  while (length > 0 && connection->chunked.state < CHUNK_DONE) {
    const char *piece;
    size_t piece_length = 0, taken = chunked_take(&connection->chunked, data, length, &piece, &piece_length);
    if (piece != NULL) read_piece(connection, piece, piece_length, now);
    data += taken;
    length -= taken;
  }
  if (connection->chunked.state == CHUNK_BAD) connection_lost(connection, "the chunked coding is broken");
  return connection->chunked.state == CHUNK_DONE;
}

// Takes the head off what came so far, interim answers (1xx) before it; tells whether it is whole.
static bool take_head(struct connection *connection) {
  do {
    const char *head = bytes_front(&connection->head);
    const char *end = memmem(head, bytes_length(&connection->head), "\r\n\r\n", 4);
    if (end == NULL) {
      if (bytes_length(&connection->head) > MAX_HEAD) connection_lost(connection, "the head of the answer has no end");
      return false;
    }
    size_t length = (size_t)(end - head) + 4;
    read_head(connection, head, length);
    bytes_drop(&connection->head, length);
  } while (connection->status / 100 == 1);
  return true;
}

static void read_answer(struct connection *connection, const char *data, size_t length, uint64_t now) {
  if (!connection->in_body) {
    bytes_append(&connection->head, data, length);
    if (!take_head(connection)) return;
    connection->in_body = true;
    data = bytes_front(&connection->head);
    length = bytes_length(&connection->head);
  }
  if (read_body(connection, data, length, now)) answer_complete(connection);
}

static void read_socket(struct connection *connection, size_t most) {
  ssize_t got = recv(connection->fd, scratch, most, 0);
  if (got > 0 && connection->slot->state == SLOT_OPEN)
    read_answer(connection, scratch, (size_t)got, now_ns());
  else if (got > 0)
    disconnect(connection); // bytes that nobody asked for
  else if (got == 0)
    connection_lost(connection, "the connection was closed");
  else if (errno != EAGAIN)
    connection_lost(connection, strerror(errno));
}

static void read_slowly(struct slot *slot, size_t most) {
  struct connection *connection = &connections[slot->index];
  if (connection->written == request.end) read_socket(connection, most < sizeof scratch ? most : sizeof scratch);
}

// ---- writing ----

static void watch_connection(struct connection *connection, int operation, bool wants_out) {
  // A slow reader is not told of what it may not read yet; errors are reported anyway.
  uint32_t events = (options.slow_bytes_per_s > 0 ? 0 : EPOLLIN) | (wants_out ? EPOLLOUT : 0);
  if (operation == EPOLL_CTL_ADD || wants_out != connection->wants_out)
    watch_socket(loop, operation, connection->fd, events, &connection->watch);
  connection->wants_out = wants_out;
}

static void write_request(struct connection *connection) {
  connection->slot->asked_ns = now_ns();
  ssize_t sent = send(connection->fd, request.data + connection->written, request.end - connection->written, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN && errno != ENOTCONN) {
    connection_lost(connection, strerror(errno));
    return;
  }
  if (sent > 0) connection->written += (size_t)sent;
  watch_connection(connection, EPOLL_CTL_MOD, connection->written < request.end);
}

static void on_connection(struct watch *watch, uint32_t events) {
  struct connection *connection = CONTAINER(watch, struct connection, watch);
  if (connection->fd < 0) return; // closed earlier in this turn
  bool writing = connection->slot->state == SLOT_OPEN && connection->written < request.end;
  if (writing && (events & EPOLLOUT) && !(events & EPOLLERR))
    write_request(connection);
  else if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
    read_socket(connection, sizeof scratch);
}

static void open_stream(struct slot *slot) {
  struct connection *connection = &connections[slot->index];
  connection->written = 0;
  connection->head.start = connection->head.end = connection->refusal.end = 0;
  connection->in_body = false;
  if (connection->fd >= 0) {
    write_request(connection);
    return;
  }
  connection->watch.ready = on_connection;
  connection->slot = slot;
  connection->used = false;
  connection->fd = connect_socket();
  watch_connection(connection, EPOLL_CTL_ADD, true);
}

static void flush(void) {} // a request is written when its stream opens

const struct wire http_wire = {prepare, open_stream, flush, read_slowly};
