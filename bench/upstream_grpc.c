// SPDX-License-Identifier: Apache-2.0
// The fake upstream's gRPC side: HTTP/2 by libnghttp2, answers from prepared messages. What a turn of the loop adds to a connection
// leaves in one write at the turn's end (grpc_flush), so that chunks due together and calls that came together share it.
#include "upstream.h"

#ifndef WITH_NGHTTP2

uint16_t grpc_open(uint16_t port) {
  (void)port;
  fputs("upstream: built without libnghttp2, so there is no gRPC\n", stderr);
  return 0;
}

void grpc_flush(void) {}

#else

#include <nghttp2/nghttp2.h>

#define PREFIX_SIZE 5      // of a gRPC message: a flag and four bytes of length
#define WRITE_SIZE 262144  // gathered before a write
#define MOST_SEARCHED 65536 // bytes of a request that are searched for the mode

struct session {
  struct watch watch;
  struct grave grave;
  struct session *next_gathering;
  struct stream *streams;
  nghttp2_session *http2;
  struct bytes out; // what the socket did not take yet
  int fd;
  bool gathering; // it is in the list that grpc_flush goes through
  bool wants_out, closed;
};

struct stream {
  struct timer timer;
  struct session *session;
  struct stream *before, *after; // in the session's list
  int32_t id;
  bool streams;        // the method answers by a stream
  bool answered;
  const struct bytes *message; // each of the stream's messages: the whole answer or a chunk
  unsigned due, sent, total;   // messages
  size_t offset;               // sent of the current message
  uint64_t stamp_ns;           // of the current message, which may leave in two frames
  uint64_t gap_ns;             // 0: there is no further message by time
  struct bytes request;
};

static struct bytes answer_message, chunk_message;
static size_t stamp_place; // within chunk_message
static nghttp2_session_callbacks *callbacks;
static nghttp2_option *session_options;
static struct session *gathering;

static void gather(struct session *session) {
  if (session->gathering || session->closed) return;
  session->gathering = true;
  session->next_gathering = gathering;
  gathering = session;
}

// ---- prepared messages ----

static struct bytes message_from(const char *path) {
  struct bytes content = file_bytes(path), message = {0};
  const unsigned char prefix[PREFIX_SIZE] = {0, (unsigned char)(content.end >> 24), (unsigned char)(content.end >> 16),
                                             (unsigned char)(content.end >> 8), (unsigned char)content.end};
  bytes_append(&message, prefix, PREFIX_SIZE);
  bytes_append(&message, content.data, content.end);
  bytes_free(&content);
  return message;
}

static void prepare(void) {
  static const char placeholder[] = "T0000000000000000000";
  if (settings.grpc_answer == NULL || settings.grpc_chunk == NULL) die("--grpc-port needs --grpc-answer and --grpc-chunk");
  answer_message = message_from(settings.grpc_answer);
  chunk_message = message_from(settings.grpc_chunk);
  const char *place = memmem(chunk_message.data, chunk_message.end, placeholder, STAMP_SIZE);
  if (place == NULL) die("%s does not hold the text %s", settings.grpc_chunk, placeholder);
  stamp_place = (size_t)(place - chunk_message.data);
}

// ---- answers ----

#define FIELD(name, value) \
  {(uint8_t *)name, (uint8_t *)value, sizeof name - 1, sizeof value - 1, NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE}

// Copies messages that are due into one DATA frame. A stamp is the time at which its message's first byte is handed over.
static size_t copy_messages(struct stream *stream, uint8_t *to, size_t room) {
  size_t copied = 0;
  while (copied < room && stream->sent < stream->due) {
    if (stream->message == &chunk_message) {
      if (stream->offset == 0) stream->stamp_ns = now_ns();
      stamp_write(chunk_message.data + stamp_place, stream->stamp_ns);
    }
    size_t part = stream->message->end - stream->offset;
    if (part > room - copied) part = room - copied;
    memcpy(to + copied, stream->message->data + stream->offset, part);
    copied += part;
    stream->offset += part;
    if (stream->offset == stream->message->end) {
      stream->offset = 0;
      stream->sent++;
    }
  }
  return copied;
}

static ssize_t read_messages(nghttp2_session *http2, int32_t id, uint8_t *to, size_t room, uint32_t *flags,
                             nghttp2_data_source *source, void *user) {
  static const nghttp2_nv trailers[] = {FIELD("grpc-status", "0")};
  struct stream *stream = source->ptr;
  (void)user;
  size_t copied = copy_messages(stream, to, room);
  if (stream->sent == stream->total) {
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    nghttp2_submit_trailer(http2, id, trailers, 1);
  } else if (copied == 0) {
    return NGHTTP2_ERR_DEFERRED;
  }
  return (ssize_t)copied;
}

static void chunk_is_due(struct timer *timer) {
  struct stream *stream = CONTAINER(timer, struct stream, timer);
  uint64_t now = now_ns();
  count_late(timer, now);
  counted.chunks++;
  stream->due++;
  nghttp2_session_resume_data(stream->session->http2, stream->id);
  gather(stream->session);
  if (stream->due < stream->total) timer_start(timer, next_deadline(timer->deadline_ns, now));
}

static void answer(struct stream *stream) {
  static const nghttp2_nv head[] = {FIELD(":status", "200"), FIELD("content-type", "application/grpc")};
  enum mode mode = named_mode(stream->request.data, stream->request.end);
  bool by_time = stream->streams && (mode == MODE_PACED || mode == MODE_IDLE);
  stream->answered = true;
  stream->message = stream->streams ? &chunk_message : &answer_message;
  stream->total = stream->streams ? settings.chunks : 1;
  stream->due = by_time ? 1 : stream->total;
  if (stream->streams && mode == MODE_IDLE) stream->total = UINT32_MAX; // more than will ever be due
  counted.requests++;
  if (stream->streams) counted.chunks += stream->due;
  nghttp2_data_provider provider = {.source.ptr = stream, .read_callback = read_messages};
  nghttp2_submit_response(stream->session->http2, stream->id, head, sizeof head / sizeof head[0], &provider);
  if (by_time && mode == MODE_PACED && stream->due < stream->total) timer_start(&stream->timer, now_ns() + settings.gap_ns);
  bytes_free(&stream->request);
}

// ---- what the client sends ----

static int on_begin_headers(nghttp2_session *http2, const nghttp2_frame *frame, void *user) {
  if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
  struct session *session = user;
  struct stream *stream = must(calloc(1, sizeof *stream));
  stream->session = session;
  stream->id = frame->hd.stream_id;
  stream->timer.fire = chunk_is_due;
  stream->after = session->streams;
  if (stream->after != NULL) stream->after->before = stream;
  session->streams = stream;
  nghttp2_session_set_stream_user_data(http2, stream->id, stream);
  return 0;
}

static int on_header(nghttp2_session *http2, const nghttp2_frame *frame, const uint8_t *name, size_t name_length,
                     const uint8_t *value, size_t length, uint8_t flags, void *user) {
  static const char streaming[] = "StreamChatCompletion";
  const size_t size = sizeof streaming - 1;
  (void)flags, (void)user;
  struct stream *stream = nghttp2_session_get_stream_user_data(http2, frame->hd.stream_id);
  if (stream != NULL && name_length == 5 && memcmp(name, ":path", 5) == 0)
    stream->streams = length >= size && memcmp(value + length - size, streaming, size) == 0;
  return 0;
}

static int on_data(nghttp2_session *http2, uint8_t flags, int32_t id, const uint8_t *data, size_t length, void *user) {
  struct stream *stream = nghttp2_session_get_stream_user_data(http2, id);
  (void)flags, (void)user;
  // A unary method answers in one way only: nothing to search for.
  if (stream == NULL || !stream->streams || stream->request.end >= MOST_SEARCHED) return 0;
  size_t room = MOST_SEARCHED - stream->request.end;
  bytes_append(&stream->request, data, length < room ? length : room);
  return 0;
}

static int on_frame(nghttp2_session *http2, const nghttp2_frame *frame, void *user) {
  (void)user;
  if (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS) return 0;
  if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) return 0;
  struct stream *stream = nghttp2_session_get_stream_user_data(http2, frame->hd.stream_id);
  if (stream != NULL && !stream->answered) answer(stream);
  return 0;
}

static void free_stream(struct stream *stream) {
  timer_stop(&stream->timer);
  if (stream->after != NULL) stream->after->before = stream->before;
  if (stream->before != NULL) stream->before->after = stream->after;
  if (stream->session->streams == stream) stream->session->streams = stream->after;
  bytes_free(&stream->request);
  free(stream);
}

static int on_stream_close(nghttp2_session *http2, int32_t id, uint32_t error, void *user) {
  struct stream *stream = nghttp2_session_get_stream_user_data(http2, id);
  (void)error, (void)user;
  if (stream != NULL) free_stream(stream);
  return 0;
}

// ---- sockets ----

static void close_session(struct session *session) {
  if (session->closed) return;
  session->closed = true;
  while (session->streams != NULL) free_stream(session->streams);
  nghttp2_session_del(session->http2);
  close(session->fd);
  bury(&session->grave);
}

static void free_session(struct grave *grave) {
  struct session *session = CONTAINER(grave, struct session, grave);
  bytes_free(&session->out);
  free(session);
}

// Collects what the session wants to send; tells whether that was all.
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
  for (bool all = false; !all;) {
    all = collect(session);
    if (bytes_length(&session->out) == 0) break;
    ssize_t sent = send(session->fd, bytes_front(&session->out), bytes_length(&session->out), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
      close_session(session);
      return;
    }
    if (sent > 0) bytes_drop(&session->out, (size_t)sent);
    if (bytes_length(&session->out) > 0) break; // the socket is full
  }
  bool wants_out = bytes_length(&session->out) > 0;
  if (wants_out != session->wants_out)
    watch_socket(loop, EPOLL_CTL_MOD, session->fd, EPOLLIN | (wants_out ? EPOLLOUT : 0), &session->watch);
  session->wants_out = wants_out;
  if (!wants_out && !nghttp2_session_want_read(session->http2) && !nghttp2_session_want_write(session->http2))
    close_session(session);
}

void grpc_flush(void) {
  while (gathering != NULL) {
    struct session *session = gathering;
    gathering = session->next_gathering;
    session->gathering = false;
    if (!session->closed) send_gathered(session);
  }
}

static void on_session(struct watch *watch, uint32_t events) {
  static uint8_t scratch[READ_SIZE];
  struct session *session = CONTAINER(watch, struct session, watch);
  if (session->closed) return;
  gather(session);
  if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
  ssize_t got = recv(session->fd, scratch, sizeof scratch, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0 || nghttp2_session_mem_recv(session->http2, scratch, (size_t)got) < 0) close_session(session);
}

static void open_session(int fd) {
  // Windows so wide that a request never waits for one.
  static const nghttp2_settings_entry offered[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 100000},
                                                   {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 16 << 20}};
  struct session *session = must(calloc(1, sizeof *session));
  session->watch.ready = on_session;
  session->grave.free = free_session;
  session->fd = fd;
  if (nghttp2_session_server_new2(&session->http2, callbacks, session, session_options) != 0) die("out of memory");
  nghttp2_submit_settings(session->http2, NGHTTP2_FLAG_NONE, offered, sizeof offered / sizeof offered[0]);
  nghttp2_session_set_local_window_size(session->http2, NGHTTP2_FLAG_NONE, 0, 16 << 20);
  watch_socket(loop, EPOLL_CTL_ADD, fd, EPOLLIN, &session->watch);
  gather(session);
}

static void on_listener(struct watch *watch, uint32_t events) {
  (void)events;
  struct listener *listener = CONTAINER(watch, struct listener, watch);
  for (int fd; (fd = listener_accept(listener)) >= 0;) open_session(fd);
}

uint16_t grpc_open(uint16_t port) {
  static struct listener listener = {.watch = {on_listener}};
  prepare();
  if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&session_options) != 0) die("out of memory");
  // Closed streams would else be kept for the sake of priorities, which nobody uses here.
  nghttp2_option_set_no_closed_streams(session_options, 1);
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
  return listener_open(&listener, port);
}

#endif
