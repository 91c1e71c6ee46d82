// The servers of the race on bare epoll: the least that a server can be, and so the limit
// that the others are measured by. ../README.md defines the command line.
//
// One thread, level-triggered epoll, one recv() and one send() for what a client has sent.
// serve_http answers every request with the same text, knows no URL, no body, no timeout
// and no limit but its buffer. They are not wrong where a benchmark could notice: pipelined
// and split requests, partial writes and a current Date are handled.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

// Of a connection, in bytes; and how many events one epoll_wait() takes.
enum { kInput = 32768, kOutput = 32768, kEvents = 256 };

struct connection {
  int fd;
  int waits_for_output;
  size_t in_size;   // bytes of a request that is not complete
  size_t out_size;  // bytes that could not be sent yet
  char* in;         // only of those that speak HTTP
  char* out;        // an echo's only where something could not be sent
};

static int epoll_fd;
static int echoes;  // or speaks HTTP
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
  free(c->in);
  free(c->out);
  free(c);
}

static void* allocate(size_t size) {
  void* memory = malloc(size);
  if (memory == NULL) die("malloc");
  return memory;
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

// Through one buffer, which stays in the cache. What could not be sent at once is kept, and
// the connection not read before that is gone. Returns 0 if the connection is gone.
static int echo(struct connection* c, unsigned events) {
  static char buffer[kOutput];
  if ((events & EPOLLOUT) != 0) return flush(c);
  const ssize_t size = recv(c->fd, buffer, sizeof(buffer), 0);
  if (size < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
  if (size == 0) return 0;
  const ssize_t n = send(c->fd, buffer, (size_t)size, MSG_NOSIGNAL);
  if (n == size) return 1;
  if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) return 0;
  const size_t sent = n < 0 ? 0 : (size_t)n;
  c->out_size = (size_t)size - sent;
  if (c->out == NULL) c->out = allocate(kOutput);
  memcpy(c->out, buffer + sent, c->out_size);
  return flush(c);
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
    struct connection* c = allocate(sizeof(*c));
    *c = (struct connection){.fd = fd};
    if (!echoes) {
      c->in = allocate(kInput);
      c->out = allocate(kOutput);
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll_ctl");
  }
}

static int listen_on_loopback(void) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener < 0) die("socket");
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof(address);
  if (bind(listener, (struct sockaddr*)&address, size) != 0) die("bind");
  if (listen(listener, 1024) != 0) die("listen");
  if (getsockname(listener, (struct sockaddr*)&address, &size) != 0) die("getsockname");
  printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return listener;
}

static void run(int listener) {
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
      } else if (!(echoes ? echo : serve)(c, events[i].events)) {
        close_connection(c);
      }
    }
  }
}

int main(int argc, char** argv) {
  if (argc == 2 && strcmp(argv[1], "--list") == 0) {
    puts("serve_echo\nserve_http");
    return 0;
  }
  echoes = argc == 4 && strcmp(argv[1], "serve_echo") == 0;
  if (!echoes && (argc != 4 || strcmp(argv[1], "serve_http") != 0)) {
    fprintf(stderr, "usage: %s --list | serve_echo|serve_http N THREADS\n", argv[0]);
    return 2;
  }
  run(listen_on_loopback());
}
