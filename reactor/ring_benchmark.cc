// What io_uring offers and the engine does without, on bare rings: ways to wake a thread that
// sleeps in epoll with a ring beside, and how a ring is set up. docs/performance.md has what came
// of it.

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "benchmark/benchmark.h"
#include "home/reactor/unique_fd.h"
#include "liburing.h"

namespace home {
namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

class Ring {
 public:
  explicit Ring(unsigned flags = 0) {
    io_uring_params params = {};
    params.flags = IORING_SETUP_SUBMIT_ALL | flags;
    Require(io_uring_queue_init_params(256, &ring_, &params) == 0);
  }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring() { io_uring_queue_exit(&ring_); }

  io_uring* get() { return &ring_; }
  // Returns how many completions there were.
  unsigned Reap() {
    std::array<io_uring_cqe*, 64> completions;
    const unsigned count = io_uring_peek_batch_cqe(&ring_, completions.data(), completions.size());
    io_uring_cq_advance(&ring_, count);
    return count;
  }

 private:
  io_uring ring_ = {};
};

// -- Waking ---------------------------------------------------------------------------

class Epoll {
 public:
  void Add(int fd) {
    epoll_event event = {};
    event.events = EPOLLIN | EPOLLET;
    Require(::epoll_ctl(fd_.get(), EPOLL_CTL_ADD, fd, &event) == 0);
  }
  void Wait() {
    epoll_event event;
    Require(::epoll_wait(fd_.get(), &event, 1, -1) == 1);
  }

 private:
  const UniqueFd fd_{::epoll_create1(EPOLL_CLOEXEC)};
};

// As the poller is woken: an eventfd that nobody reads.
void BM_WakeByEventfd(benchmark::State& state) {
  Epoll epoll;
  const UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  epoll.Add(event.get());
  for (auto _ : state) {
    const std::uint64_t one = 1;
    Require(::write(event.get(), &one, sizeof(one)) == sizeof(one));
    epoll.Wait();
  }
}
BENCHMARK(BM_WakeByEventfd);

// By an operation that does nothing, in the ring whose descriptor epoll watches.
void BM_WakeByRing(benchmark::State& state) {
  Epoll epoll;
  Ring ring;
  epoll.Add(ring.get()->ring_fd);
  for (auto _ : state) {
    io_uring_prep_nop(io_uring_get_sqe(ring.get()));
    Require(io_uring_submit(ring.get()) == 1);
    epoll.Wait();
    Require(ring.Reap() == 1);
  }
}
BENCHMARK(BM_WakeByRing);

// The same, with an eventfd registered with the ring in place of its descriptor.
void BM_WakeByRegisteredEventfd(benchmark::State& state) {
  Epoll epoll;
  Ring ring;
  const UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  epoll.Add(event.get());
  Require(io_uring_register_eventfd(ring.get(), event.get()) == 0);
  for (auto _ : state) {
    io_uring_prep_nop(io_uring_get_sqe(ring.get()));
    Require(io_uring_submit(ring.get()) == 1);
    epoll.Wait();
    Require(ring.Reap() == 1);
  }
}
BENCHMARK(BM_WakeByRegisteredEventfd);

// By a message from a ring of the caller's own.
void BM_WakeByMessage(benchmark::State& state) {
  Epoll epoll;
  Ring ring;
  Ring own;
  epoll.Add(ring.get()->ring_fd);
  for (auto _ : state) {
    io_uring_prep_msg_ring(io_uring_get_sqe(own.get()), ring.get()->ring_fd, 0, 0, 0);
    Require(io_uring_submit(own.get()) == 1);
    epoll.Wait();
    Require(ring.Reap() == 1 && own.Reap() == 1);
  }
}
BENCHMARK(BM_WakeByMessage);

// -- Setups ---------------------------------------------------------------------------

// 64 bytes one way over each of 16 pairs of sockets, whose receives wait already: by a thread that
// submits and reaps.
void Transfer(benchmark::State& state, unsigned flags, bool registered) {
  constexpr int kPairs = 16;
  Ring ring(flags);
  if (registered) Require(io_uring_register_ring_fd(ring.get()) == 1);
  std::vector<UniqueFd> from;
  std::vector<UniqueFd> to;
  for (int i = 0; i < kPairs; ++i) {
    int fds[2];
    Require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    from.emplace_back(fds[0]);
    to.emplace_back(fds[1]);
  }
  char sent[64] = {};
  char received[64];
  for (auto _ : state) {
    for (const UniqueFd& fd : to) {
      io_uring_prep_recv(io_uring_get_sqe(ring.get()), fd.get(), received, sizeof(received), 0);
    }
    for (const UniqueFd& fd : from) {
      io_uring_prep_send(io_uring_get_sqe(ring.get()), fd.get(), sent, sizeof(sent), 0);
    }
    Require(io_uring_submit_and_wait(ring.get(), 2 * kPairs) == 2 * kPairs);
    for (unsigned left = 2 * kPairs; left > 0;) left -= ring.Reap();
  }
  state.SetItemsProcessed(state.iterations() * kPairs);
}
BENCHMARK_CAPTURE(Transfer, Plain, 0, false);
BENCHMARK_CAPTURE(Transfer, RegisteredRing, 0, true);
BENCHMARK_CAPTURE(Transfer, CoopTaskrun, IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
                  false);
BENCHMARK_CAPTURE(Transfer, SingleIssuer, IORING_SETUP_SINGLE_ISSUER, false);
BENCHMARK_CAPTURE(Transfer, DeferTaskrun, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
                  false);

}  // namespace
}  // namespace home
