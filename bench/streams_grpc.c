// SPDX-License-Identifier: Apache-2.0
// The load generator's gRPC side: HTTP/2 by libnghttp2, the slots' streams spread over a few connections.
#include "streams.h"

#ifndef WITH_NGHTTP2

static void prepare(void) { die("streams: built without libnghttp2, so there is no gRPC"); }
static void open_stream(struct slot *slot) { (void)slot; }
static void flush(void) {}
static void read_slowly(struct slot *slot, size_t most) { (void)slot, (void)most; }

#else

#include <nghttp2/nghttp2.h>

#define PREFIX_SIZE 5 // of a gRPC message: a flag and four bytes of length
#define WRITE_SIZE 262144
#define SLOW_WINDOW 4096 // of a slow reader's stream
#define NO_STATUS 1000

// A connection. One that the server wants to end (GOAWAY) lives on until its last stream is over, beside its successor.
struct session {
  struct watch watch;
  struct session *next; // in the list of all
  nghttp2_session *http2;
  struct bytes out;
  int fd;
  unsigned streams;
  bool connected, wants_out, retired, lost;
};

// The stream of a slot.
struct call {
  struct slot *slot;
  struct session *session;
  int32_t id;
  bool written; // the request has left
  size_t given; // of the request's body
  size_t unread; // bytes that came and that a slow reader has not taken
  unsigned http_status, grpc_status;
  char message[200]; // grpc-message
};

static struct call *calls;        // one for each slot
static struct session **current;  // the session of each place that new streams go to, or NULL
static struct session *sessions;
static struct bytes body;
static nghttp2_nv *request;
static size_t request_count;
static nghttp2_session_callbacks *callbacks;
static nghttp2_option *session_options;
static uint64_t arrived_ns; // when the bytes at hand were read

// ---- the request ----

static nghttp2_nv field(const char *name, const char *value) {
  return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static void prepare_request(void) {
  static char authority[280];
  snprintf(authority, sizeof authority, "%s:%d", options.host, options.port);
  const nghttp2_nv fields[] = {field(":method", "POST"), field(":scheme", "http"), field(":path", options.path),
                               field(":authority", authority), field("te", "trailers"),
                               field("content-type", "application/grpc"), field("user-agent", "trunkline-bench")};
  const size_t count = sizeof fields / sizeof fields[0];
  request = must(calloc(count + options.header_count, sizeof *request));
  memcpy(request, fields, sizeof fields);
  for (size_t i = 0; i < options.header_count; i++) {
    struct header *header = &options.headers[i];
    for (char *at = header->name; *at != '\0'; at++) // HTTP/2 allows no capitals here
      if (*at >= 'A' && *at <= 'Z') *at = (char)(*at | 0x20);
    request[count + i] = field(header->name, header->value);
  }
  request_count = count + options.header_count;
}

// No protobuf message begins with a zero byte, so a file that does and tells its own length has gRPC's prefix already.
static void prepare_body(void) {
  const unsigned char *data = (const unsigned char *)options.body.data;
  size_t length = options.body.end;
  bool framed = length >= PREFIX_SIZE && data[0] == 0 &&
                ((size_t)data[1] << 24 | (size_t)data[2] << 16 | (size_t)data[3] << 8 | data[4]) == length - PREFIX_SIZE;
  const unsigned char prefix[PREFIX_SIZE] = {0, (unsigned char)(length >> 24), (unsigned char)(length >> 16),
                                             (unsigned char)(length >> 8), (unsigned char)length};
  if (!framed) bytes_append(&body, prefix, PREFIX_SIZE);
  bytes_append(&body, data, length);
}

static ssize_t read_body(nghttp2_session *http2, int32_t id, uint8_t *to, size_t room, uint32_t *flags,
                         nghttp2_data_source *source, void *user) {
  struct call *call = source->ptr;
  size_t left = body.end - call->given;
  size_t part = left < room ? left : room;
  (void)http2, (void)id, (void)user;
  memcpy(to, body.data + call->given, part);
  call->given += part;
  if (part == left) {
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    call->written = true;
    call->slot->asked_ns = now_ns();
  }
  return (ssize_t)part;
}

// ---- ends of streams ----

static void call_ended(struct call *call, uint32_t error) {
  struct slot *slot = call->slot;
  bool begun = call->http_status == 200;
  call->session->streams--;
  call->session = NULL;
  if (call->grpc_status == 0)
    slot_finished(slot);
  else if (call->grpc_status != NO_STATUS)
    slot_failed(slot, slot->seen > 0, "grpc-status %u after %u chunks: %s", call->grpc_status, slot->seen, call->message);
  else if (!begun && (error == NGHTTP2_REFUSED_STREAM || !call->written)) // nobody has worked on it
    slot_again(slot);
  else if (begun || call->http_status == 0)
    slot_failed(slot, begun, "the stream was cut after %u chunks: %s", slot->seen, nghttp2_http2_strerror(error));
  else
    slot_failed(slot, false, "status %u without a grpc-status", call->http_status);
}

static int on_stream_close(nghttp2_session *http2, int32_t id, uint32_t error, void *user) {
  struct call *call = nghttp2_session_get_stream_user_data(http2, id);
  struct session *session = user;
  if (call == NULL || call->session != session || call->id != id) return 0;
  call_ended(call, error);
  return 0;
}

// The connection broke: so did its streams.
static void session_lost(struct session *session, const char *why) {
  session->lost = session->retired = true;
  for (unsigned i = 0; i < options.connections; i++) {
    struct call *call = &calls[i];
    if (call->session != session) continue;
    call->session = NULL;
    session->streams--;
    slot_failed(call->slot, call->http_status == 200, "%s after %u chunks", why, call->slot->seen);
  }
}

// ---- what the server sends ----

static int on_header(nghttp2_session *http2, const nghttp2_frame *frame, const uint8_t *name, size_t name_length,
                     const uint8_t *value, size_t length, uint8_t flags, void *user) {
  struct call *call = nghttp2_session_get_stream_user_data(http2, frame->hd.stream_id);
  (void)flags, (void)user;
  if (call == NULL) return 0;
  // libnghttp2 ends names and values with a zero byte.
  if (name_length == 7 && memcmp(name, ":status", 7) == 0)
    call->http_status = (unsigned)strtoul((const char *)value, NULL, 10);
  else if (name_length == 11 && memcmp(name, "grpc-status", 11) == 0)
    call->grpc_status = (unsigned)strtoul((const char *)value, NULL, 10);
  else if (name_length == 12 && memcmp(name, "grpc-message", 12) == 0)
    snprintf(call->message, sizeof call->message, "%.*s", (int)length, (const char *)value);
  return 0;
}

static int on_data(nghttp2_session *http2, uint8_t flags, int32_t id, const uint8_t *data, size_t length, void *user) {
  struct call *call = nghttp2_session_get_stream_user_data(http2, id);
  (void)flags, (void)user;
  if (call == NULL) return 0;
  slot_read(call->slot, (const char *)data, length, arrived_ns);
  if (options.slow_bytes_per_s > 0) { // the others of the connection shall not wait for this one
    nghttp2_session_consume_connection(http2, length);
    call->unread += length;
  }
  return 0;
}

static int on_frame(nghttp2_session *http2, const nghttp2_frame *frame, void *user) {
  struct session *session = user;
  (void)http2;
  if (frame->hd.type == NGHTTP2_GOAWAY) session->retired = true;
  return 0;
}

static void read_slowly(struct slot *slot, size_t most) {
  struct call *call = &calls[slot->index];
  if (call->session == NULL || call->unread == 0) return;
  size_t part = call->unread < most ? call->unread : most;
  call->unread -= part;
  nghttp2_session_consume_stream(call->session->http2, call->id, part);
}

// ---- sockets ----

static bool collect(struct session *session) {
  const uint8_t *data;
  while (bytes_length(&session->out) < WRITE_SIZE) {
    ssize_t length = nghttp2_session_mem_send(session->http2, &data);
    if (length <= 0) return true;
    bytes_append(&session->out, data, (size_t)length);
  }
  return false;
}

static void send_gathered(struct session *session) {
  for (bool all = false; !all && !session->lost;) {
    all = collect(session);
    if (bytes_length(&session->out) == 0) break;
    ssize_t sent = send(session->fd, bytes_front(&session->out), bytes_length(&session->out), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) session_lost(session, strerror(errno));
    if (sent > 0) bytes_drop(&session->out, (size_t)sent);
    if (bytes_length(&session->out) > 0) break; // the socket is full
  }
  bool wants_out = bytes_length(&session->out) > 0;
  if (wants_out != session->wants_out && !session->lost)
    watch_socket(loop, EPOLL_CTL_MOD, session->fd, EPOLLIN | (wants_out ? EPOLLOUT : 0), &session->watch);
  session->wants_out = wants_out;
}

static void free_session(struct session *session) {
  for (unsigned i = 0; i < options.h2_connections; i++)
    if (current[i] == session) current[i] = NULL;
  nghttp2_session_del(session->http2);
  close(session->fd);
  bytes_free(&session->out);
  free(session);
}

// All sessions, each turn: they are few, and whichever has nothing to send costs a comparison.
static void flush(void) {
  for (struct session **link = &sessions; *link != NULL;) {
    struct session *session = *link;
    if (session->connected && !session->lost && (nghttp2_session_want_write(session->http2) || session->wants_out))
      send_gathered(session);
    bool over = session->lost || (session->retired && session->streams == 0);
    if (over) {
      *link = session->next;
      free_session(session);
    } else {
      link = &session->next;
    }
  }
}

static void on_session(struct watch *watch, uint32_t events) {
  static uint8_t scratch[READ_SIZE];
  struct session *session = CONTAINER(watch, struct session, watch);
  if (session->lost) return; // freed by the next flush, before epoll is asked again
  if (!session->connected && (events & EPOLLOUT) && !(events & EPOLLERR)) {
    session->connected = true;
    session->wants_out = true; // as epoll has it, until the first flush
    return;
  }
  if (!(events & (EPOLLIN | EPOLLERR | EPOLLHUP))) return;
  ssize_t got = recv(session->fd, scratch, sizeof scratch, 0);
  arrived_ns = now_ns();
  if (got == 0)
    session_lost(session, "the connection was closed");
  else if (got < 0 && errno != EAGAIN)
    session_lost(session, strerror(errno));
  else if (got > 0 && nghttp2_session_mem_recv(session->http2, scratch, (size_t)got) < 0)
    session_lost(session, "the server broke HTTP/2");
}

static struct session *open_session(void) {
  bool slow = options.slow_bytes_per_s > 0;
  const nghttp2_settings_entry offered[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
                                            {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, slow ? SLOW_WINDOW : 4 << 20}};
  struct session *session = must(calloc(1, sizeof *session));
  session->watch.ready = on_session;
  session->fd = connect_socket();
  if (nghttp2_session_client_new2(&session->http2, callbacks, session, session_options) != 0) die("out of memory");
  nghttp2_submit_settings(session->http2, NGHTTP2_FLAG_NONE, offered, sizeof offered / sizeof offered[0]);
  nghttp2_session_set_local_window_size(session->http2, NGHTTP2_FLAG_NONE, 0, 64 << 20);
  watch_socket(loop, EPOLL_CTL_ADD, session->fd, EPOLLIN | EPOLLOUT, &session->watch);
  session->next = sessions;
  return sessions = session;
}

static void open_stream(struct slot *slot) {
  struct call *call = &calls[slot->index];
  struct session **place = &current[slot->index % options.h2_connections];
  if (*place == NULL || (*place)->retired) *place = open_session();
  *call = (struct call){.slot = slot, .session = *place, .grpc_status = NO_STATUS};
  nghttp2_data_provider provider = {.source.ptr = call, .read_callback = read_body};
  slot->asked_ns = now_ns();
  call->session->streams++;
  call->id = nghttp2_submit_request(call->session->http2, NULL, request, request_count, &provider, call);
  if (call->id < 0) { // its stream ids are used up
    call->session->retired = true;
    call->session->streams--;
    call->session = NULL;
    slot_again(slot);
  }
}

static void prepare(void) {
  prepare_request();
  prepare_body();
  calls = must(calloc(options.connections, sizeof *calls));
  current = must(calloc(options.h2_connections, sizeof(struct session *)));
  if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&session_options) != 0) die("out of memory");
  nghttp2_option_set_no_closed_streams(session_options, 1);
  if (options.slow_bytes_per_s > 0) nghttp2_option_set_no_auto_window_update(session_options, 1);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
}

#endif

const struct wire grpc_wire = {prepare, open_stream, flush, read_slowly};
