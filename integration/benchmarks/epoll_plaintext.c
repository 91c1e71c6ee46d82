// epoll_plaintext PORT: the least that an HTTP keep-alive server can be.
//
// The yardstick for http_plaintext: one thread, level-triggered epoll, one
// recv() and one send() for what a client has sent. It answers every request
// with the same text, knows no URL, no body, no timeout and no limit but its
// buffer. It is not wrong where a benchmark could notice: pipelined and split
// requests, partial writes and a current Date are handled.
//
// Prints "listening on 127.0.0.1:PORT" and serves until it is killed.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { kInput = 8192, kOutput = 16384, kEvents = 256 };

struct connection {
  int fd;
  int waits_for_output;
  size_t in_size;   // bytes of a request that is not complete
  size_t out_size;  // bytes that could not be sent yet
  char in[kInput];
  char out[kOutput];
};

static int epoll_fd;
static char response[256];
static size_t response_size;
static time_t response_second;

static void die(const char* what) {
  perror(what);
  exit(1);
}

static void update_response(void) {
  const time_t now = time(NULL);
  if (now == response_second) return;
  response_second = now;
  struct tm utc;
  char date[64];
  strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &utc));
  response_size = (size_t)snprintf(response, sizeof(response),
                                   "HTTP/1.1 200 OK\r\nDate: %s\r\n"
                                   "Content-Type: text/plain; charset=utf-8\r\n"
                                   "Content-Length: 14\r\n\r\nHello, World!\n",
                                   date);
}

static void close_connection(struct connection* c) {
  close(c->fd);  // leaves the epoll set by itself
  free(c);
}

// Sends what is there. Returns 0 if the connection is gone.
static int flush(struct connection* c) {
  size_t sent = 0;
  while (sent < c->out_size) {
    const ssize_t n = send(c->fd, c->out + sent, c->out_size - sent, MSG_NOSIGNAL);
    if (n > 0) {
      sent += (size_t)n;
    } else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      break;
    } else if (n < 0 && errno != EINTR) {
      return 0;
    }
  }
  c->out_size -= sent;
  if (sent != 0 && c->out_size != 0) memmove(c->out, c->out + sent, c->out_size);
  const int wait = c->out_size != 0;
  if (wait != c->waits_for_output) {
    struct epoll_event event = {.events = wait ? EPOLLOUT : EPOLLIN, .data.ptr = c};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &event) != 0) die("epoll_ctl");
    c->waits_for_output = wait;
  }
  return 1;
}

// Answers the complete requests in c->in. Stops when the output is full.
static void answer(struct connection* c) {
  size_t begin = 0;
  while (c->out_size + response_size <= kOutput) {
    const char* end = memmem(c->in + begin, c->in_size - begin, "\r\n\r\n", 4);
    if (end == NULL) break;
    begin = (size_t)(end - c->in) + 4;
    memcpy(c->out + c->out_size, response, response_size);
    c->out_size += response_size;
  }
  c->in_size -= begin;
  if (begin != 0 && c->in_size != 0) memmove(c->in, c->in + begin, c->in_size);
}

// Returns 0 if the connection is gone.
static int serve(struct connection* c, unsigned events) {
  if ((events & EPOLLOUT) != 0 && !flush(c)) return 0;
  if (c->out_size == 0 && (events & ~(unsigned)EPOLLOUT) != 0) {
    const ssize_t n = recv(c->fd, c->in + c->in_size, kInput - c->in_size, 0);
    if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    if (n == 0) return 0;  // closed, or a request larger than the buffer
    c->in_size += (size_t)n;
  }
  // Until all that has arrived is answered, or the client does not read.
  do {
    answer(c);
    if (c->out_size == 0) return 1;
    if (!flush(c)) return 0;
  } while (c->out_size == 0);
  return 1;
}

static void accept_all(int listener) {
  for (;;) {
    const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    struct connection* c = calloc(1, sizeof(*c));
    if (c == NULL) die("calloc");
    c->fd = fd;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll_ctl");
  }
}

int main(int argc, char** argv) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener < 0) die("socket");
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((unsigned short)(argc > 1 ? atoi(argv[1]) : 0)),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof(address);
  if (bind(listener, (struct sockaddr*)&address, size) != 0) die("bind");
  if (listen(listener, 1024) != 0) die("listen");
  if (getsockname(listener, (struct sockaddr*)&address, &size) != 0) die("getsockname");
  printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
  fflush(stdout);

  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd < 0) die("epoll_create1");
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event) != 0) die("epoll_ctl");
  for (;;) {
    struct epoll_event events[kEvents];
    const int count = epoll_wait(epoll_fd, events, kEvents, -1);
    if (count < 0 && errno != EINTR) die("epoll_wait");
    update_response();
    for (int i = 0; i < count; ++i) {
      struct connection* c = events[i].data.ptr;
      if (c == NULL) {
        accept_all(listener);
      } else if (!serve(c, events[i].events)) {
        close_connection(c);
      }
    }
  }
}
