// race_load: the client of the race's servers. One thread, one epoll set, one request in
// flight on each connection.
//
//   race_load echo|http|idle PORT PID CONNECTIONS BYTES MILLISECONDS [IDLE]
//
// echo sends messages of BYTES bytes and wants them back; http asks for "/" and wants
// "Hello, World!\n". PID is the server's: after a time to warm up, its CPU time over
// MILLISECONDS is divided by the requests that were answered meanwhile. idle echoes one
// message over each connection and then looks at the resident memory of the server. With IDLE,
// echo has as many connections more, each of which stays after one message.
//
// Prints, as the programs of ../README.md do, `load KIND CONNECTIONS BYTES
// WALL_NS_PER_REQUEST cpu=SERVER_NS_PER_REQUEST p50_us= p99_us= p999_us= check=ok|wrong`; for
// idle `bytes=` a connection.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { kBuffer = 65536, kEvents = 256, kWarmUpMillis = 300, kConnectSeconds = 5, kBatch = 250 };

struct connection {
  int fd;
  size_t sent;      // of the request
  size_t received;  // of the answer
  uint64_t started;
};

static const char* kind;
static int epoll_fd;
static char request[kBuffer];
static size_t request_size;
// What one recv() gave.
static char answer[kBuffer + 1];
static uint32_t* latencies;  // in ns
static size_t answered, room;
static int measuring;

static void die(const char* what) {
  fprintf(stderr, "race_load: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void wrong(const char* what) {
  printf("load %s 0 0 0 cpu=0 check=wrong\n", kind);
  fprintf(stderr, "race_load: %s\n", what);
  exit(0);
}

static uint64_t nanos(clockid_t clock) {
  struct timespec now;
  if (clock_gettime(clock, &now) != 0) die("clock_gettime");
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void note_latency(uint64_t ns) {
  if (answered == room) {
    room = room == 0 ? 1 << 20 : room * 2;
    latencies = realloc(latencies, room * sizeof(*latencies));
    if (latencies == NULL) die("realloc");
  }
  latencies[answered++] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

static void send_rest(struct connection* c) {
  while (c->sent < request_size) {
    const ssize_t n = send(c->fd, request + c->sent, request_size - c->sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0 && errno != EINTR) wrong("the server closed a connection");
    if (n > 0) c->sent += (size_t)n;
  }
}

static void start_request(struct connection* c) {
  c->sent = 0;
  c->received = 0;
  c->started = nanos(CLOCK_MONOTONIC);
  send_rest(c);
}

// Whether the `size` bytes received are the whole answer to the request. So few bytes come
// in one piece over loopback.
static int is_http_answer(size_t size) {
  static const char kEnd[] = "\r\n\r\nHello, World!\n";
  const char* end = memmem(answer, size, kEnd, sizeof(kEnd) - 1);
  return strncmp(answer, "HTTP/1.1 200", 12) == 0 && end != NULL &&
         end + sizeof(kEnd) - 1 == answer + size;
}

// Returns whether the answer is complete.
static int receive(struct connection* c) {
  // Less than was asked for means that there is no more: the next bytes are an event of their
  // own. And a buffer is a whole answer.
  const ssize_t n = recv(c->fd, answer, kBuffer, 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
  if (n <= 0) wrong("the server closed a connection");
  answer[n] = 0;
  if (strcmp(kind, "http") == 0) {
    if (!is_http_answer((size_t)n)) wrong("not the answer that was wanted");
    return 1;
  }
  if (c->received + (size_t)n > request_size) wrong("more than was sent");
  if (memcmp(answer, request + c->received, (size_t)n) != 0) wrong("other bytes than were sent");
  c->received += (size_t)n;
  return c->received == request_size;
}

static int connect_to(uint16_t port) {
  const struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  const uint64_t begin = nanos(CLOCK_MONOTONIC);
  for (;;) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) die("socket");
    if (connect(fd, (const struct sockaddr*)&address, sizeof(address)) == 0) {
      if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0) die("fcntl");
      return fd;
    }
    // A server may announce its port before it listens.
    if (errno != ECONNREFUSED) die("connect");
    if (nanos(CLOCK_MONOTONIC) - begin > kConnectSeconds * UINT64_C(1000000000)) die("connect");
    close(fd);
    usleep(10000);
  }
}

static struct connection* connect_all(uint16_t port, size_t count) {
  struct connection* all = calloc(count, sizeof(*all));
  if (all == NULL) die("calloc");
  for (size_t i = 0; i < count; ++i) {
    all[i].fd = connect_to(port);
    const int on = 1;
    setsockopt(all[i].fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = &all[i]};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, all[i].fd, &event) != 0) die("epoll_ctl");
  }
  return all;
}

// Serves events until `deadline`, or until each connection had one answer.
static void run(struct connection* all, size_t count, uint64_t deadline, int once) {
  size_t left = count;
  if (!measuring) {
    for (size_t i = 0; i < count; ++i) start_request(&all[i]);
  }
  while (left != 0 && nanos(CLOCK_MONOTONIC) < deadline) {
    struct epoll_event events[kEvents];
    // Never sleeps: over the loopback the one who sends wakes the receiver, on its own account. A
    // server that is slower than this client would pay for that again and again, a faster one
    // never.
    const int ready = epoll_wait(epoll_fd, events, kEvents, 0);
    if (ready < 0 && errno != EINTR) die("epoll_wait");
    for (int i = 0; i < ready; ++i) {
      struct connection* c = events[i].data.ptr;
      send_rest(c);
      if ((events[i].events & ~(unsigned)EPOLLOUT) == 0 || !receive(c)) continue;
      if (measuring) note_latency(nanos(CLOCK_MONOTONIC) - c->started);
      if (once) {
        --left;
      } else {
        start_request(c);
      }
    }
  }
  if (once && left != 0) wrong("the server does not answer");
}

// Connections that have echoed one message, and stay.
static void connect_idle(uint16_t port, size_t count) {
  // Not more at once than the server's queue of connections holds.
  for (size_t left = count; left != 0;) {
    const size_t batch = left < kBatch ? left : kBatch;
    run(connect_all(port, batch), batch, UINT64_MAX, 1);
    left -= batch;
  }
}

static double resident(pid_t pid) {
  char path[64];
  snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
  FILE* file = fopen(path, "r");
  double size = 0, pages = 0;
  if (file == NULL || fscanf(file, "%lf %lf", &size, &pages) != 2) die(path);
  fclose(file);
  return pages * (double)sysconf(_SC_PAGESIZE);
}

static int by_size(const void* a, const void* b) {
  const uint32_t x = *(const uint32_t*)a, y = *(const uint32_t*)b;
  return (x > y) - (x < y);
}

static double micros_at(double share) {
  return latencies[(size_t)(share * (double)answered)] / 1000.0;
}

int main(int argc, char** argv) {
  if (argc != 7 && argc != 8) {
    fprintf(stderr, "usage: %s echo|http|idle PORT PID CONNECTIONS BYTES MILLISECONDS [IDLE]\n",
            argv[0]);
    return 2;
  }
  kind = argv[1];
  const uint16_t port = (uint16_t)atoi(argv[2]);
  const pid_t pid = atoi(argv[3]);
  const size_t count = (size_t)atoll(argv[4]);
  const uint64_t millis = (uint64_t)atoll(argv[6]);
  if (strcmp(kind, "http") == 0) {
    request_size = (size_t)sprintf(request, "GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", port);
  } else {
    request_size = (size_t)atoll(argv[5]);
    if (request_size == 0 || request_size > kBuffer) wrong("a message of no or too many bytes");
    for (size_t i = 0; i < request_size; ++i) request[i] = (char)(i * 7 + i / 251);
  }
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd < 0) die("epoll_create1");

  if (strcmp(kind, "idle") == 0) {
    // The server's first connection may cost more than all others.
    run(connect_all(port, 1), 1, UINT64_MAX, 1);
    usleep(100000);
    const double before = resident(pid);
    connect_idle(port, count);
    usleep(100000);
    const double bytes = (resident(pid) - before) / (double)count;
    printf("load idle %zu %zu 0 cpu=0 bytes=%.1f check=ok\n", count, request_size, bytes);
    return 0;
  }

  clockid_t server_clock;
  if (clock_getcpuclockid(pid, &server_clock) != 0) die("the server's clock");
  if (argc == 8) connect_idle(port, (size_t)atoll(argv[7]));
  struct connection* all = connect_all(port, count);
  run(all, count, nanos(CLOCK_MONOTONIC) + kWarmUpMillis * UINT64_C(1000000), 0);
  measuring = 1;
  const uint64_t cpu = nanos(server_clock), wall = nanos(CLOCK_MONOTONIC);
  run(all, count, wall + millis * UINT64_C(1000000), 0);
  const double used = (double)(nanos(server_clock) - cpu);
  const double passed = (double)(nanos(CLOCK_MONOTONIC) - wall);
  if (answered == 0) wrong("no answer");
  qsort(latencies, answered, sizeof(*latencies), by_size);
  printf("load %s %zu %zu %.1f cpu=%.1f p50_us=%.1f p99_us=%.1f p999_us=%.1f check=ok\n", kind,
         count, request_size, passed / (double)answered, used / (double)answered, micros_at(0.5),
         micros_at(0.99), micros_at(0.999));
  return 0;
}
