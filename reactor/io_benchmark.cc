// The completion layer beside bare system calls, and its two engines beside one another.

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "benchmark/benchmark.h"
#include "home/future/testing.h"
#include "home/reactor/io.h"
#include "home/reactor/reactor.h"
#include "home/reactor/unique_fd.h"

namespace home {
namespace {

using home::testing::CountingWaker;

constexpr std::size_t kPage = 4096;

// A file of 256 pages, in memory.
UniqueFd MakeFile() {
  char path[] = "/tmp/io_benchmark_XXXXXX";
  UniqueFd fd(::mkstemp(path));
  ::unlink(path);
  if (!fd || ::ftruncate(fd.get(), 256 * kPage) != 0) std::abort();
  return fd;
}

std::unique_ptr<Reactor> MakeReactor(benchmark::State& state, IoBackend backend) {
  IoOptions options;
  options.backend = backend;
  std::unique_ptr<Reactor> reactor = Reactor::Create(options).value();
  state.SetLabel(std::string(reactor->io()->name()));
  return reactor;
}

// Polls `operation` and the reactor until the result is there.
template <typename Operation>
typename Operation::Output Finish(Reactor& reactor, Operation operation, CountingWaker& counter) {
  WakeList wakes;
  for (;;) {
    auto result = home::testing::PollOnce(operation, counter);
    if (result.ready()) return std::move(result).value();
    reactor.Poll(-1, wakes);
    wakes.WakeAll();
  }
}

void BM_ReadPageBareSystem(benchmark::State& state) {
  const UniqueFd fd = MakeFile();
  std::string buffer(kPage, '\0');
  for (auto _ : state) {
    if (::pread(fd.get(), buffer.data(), kPage, 0) != static_cast<ssize_t>(kPage)) std::abort();
  }
}
BENCHMARK(BM_ReadPageBareSystem);

// `range` reads of a page that are started together.
void BM_ReadPages(benchmark::State& state) {
  const std::unique_ptr<Reactor> reactor = MakeReactor(state, IoBackend::kBest);
  const IoFile file = IoFile::Attach(reactor->io(), MakeFile()).value();
  CountingWaker counter;
  const auto count = static_cast<std::size_t>(state.range(0));
  std::vector<std::string> buffers(count, std::string(kPage, '\0'));
  using Read = decltype(IoRead(file, std::string(), 0));
  std::vector<Read> reads;
  reads.reserve(count);
  WakeList wakes;
  for (auto _ : state) {
    for (std::size_t i = 0; i < count; ++i) {
      reads.push_back(
          IoRead(file, std::move(buffers[i]), static_cast<std::int64_t>(i % 256 * kPage)));
      benchmark::DoNotOptimize(home::testing::PollOnce(reads[i], counter).pending());
    }
    for (std::size_t i = 0; i < count; ++i) {
      for (;;) {
        auto result = home::testing::PollOnce(reads[i], counter);
        if (result.ready()) {
          buffers[i] = std::move((*result).buffer);
          break;
        }
        reactor->Poll(-1, wakes);
        wakes.WakeAll();
      }
    }
    reads.clear();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_ReadPages)->Arg(1)->Arg(8)->Arg(64);

// Two threads that read pages, 16 at a time, with a ring each or with one that they share: then
// one of them polls at a time, as the workers of a runtime do.
void ReadPagesByThreads(benchmark::State& state, Reactor& reactor, std::mutex& turn) {
  constexpr std::size_t kCount = 16;
  const IoFile file = IoFile::Attach(reactor.io(), MakeFile()).value();
  CountingWaker counter;
  std::vector<std::string> buffers(kCount, std::string(kPage, '\0'));
  using Read = decltype(IoRead(file, std::string(), 0));
  std::vector<Read> reads;
  reads.reserve(kCount);
  std::array<bool, kCount> done;
  const auto poll = [&](std::size_t i) {
    auto result = home::testing::PollOnce(reads[i], counter);
    done[i] = result.ready();
    if (done[i]) buffers[i] = std::move((*result).buffer);
  };
  WakeList wakes;
  for (auto _ : state) {
    for (std::size_t i = 0; i < kCount; ++i) {
      reads.push_back(IoRead(file, std::move(buffers[i]), static_cast<std::int64_t>(i * kPage)));
      poll(i);  // With one ring, the other thread may have submitted and fetched it already.
    }
    for (std::size_t i = 0; i < kCount; ++i) {
      while (!done[i]) {
        const std::lock_guard<std::mutex> lock(turn);
        poll(i);
        if (done[i]) break;
        // Nobody else can have fetched it meanwhile.
        reactor.Poll(-1, wakes);
        wakes.WakeAll();
      }
    }
    reads.clear();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kCount));
}

void BM_ReadPagesOneRing(benchmark::State& state) {
  static const std::unique_ptr<Reactor> reactor = Reactor::Create().value();
  static std::mutex turn;
  ReadPagesByThreads(state, *reactor, turn);
}
BENCHMARK(BM_ReadPagesOneRing)->UseRealTime()->Threads(1)->Threads(2);

void BM_ReadPagesRingEach(benchmark::State& state) {
  const std::unique_ptr<Reactor> reactor = Reactor::Create().value();
  std::mutex turn;
  ReadPagesByThreads(state, *reactor, turn);
}
BENCHMARK(BM_ReadPagesRingEach)->UseRealTime()->Threads(1)->Threads(2);

// 64 bytes there and back over a pair of sockets, both ends by the completion layer.
void RoundTrip(benchmark::State& state, IoBackend backend) {
  const std::unique_ptr<Reactor> reactor = MakeReactor(state, backend);
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) std::abort();
  const IoFile a = IoFile::Attach(reactor->io(), UniqueFd(fds[0])).value();
  const IoFile b = IoFile::Attach(reactor->io(), UniqueFd(fds[1])).value();
  CountingWaker counter;
  std::string sent(64, 'x');
  std::string received(64, '\0');
  for (auto _ : state) {
    for (const auto& [from, to] : {std::pair(a, b), std::pair(b, a)}) {
      auto receive = IoRecv(to, std::move(received));
      benchmark::DoNotOptimize(home::testing::PollOnce(receive, counter).pending());
      sent = Finish(*reactor, IoSend(from, std::move(sent)), counter).buffer;
      received = Finish(*reactor, std::move(receive), counter).buffer;
    }
  }
}
void BM_RoundTripBest(benchmark::State& state) { RoundTrip(state, IoBackend::kBest); }
BENCHMARK(BM_RoundTripBest);
void BM_RoundTripReadiness(benchmark::State& state) { RoundTrip(state, IoBackend::kReadiness); }
BENCHMARK(BM_RoundTripReadiness);

void BM_RoundTripBareSystem(benchmark::State& state) {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) std::abort();
  const UniqueFd a(fds[0]);
  const UniqueFd b(fds[1]);
  char buffer[64] = {};
  for (auto _ : state) {
    if (::send(a.get(), buffer, sizeof(buffer), 0) != 64) std::abort();
    if (::recv(b.get(), buffer, sizeof(buffer), 0) != 64) std::abort();
    if (::send(b.get(), buffer, sizeof(buffer), 0) != 64) std::abort();
    if (::recv(a.get(), buffer, sizeof(buffer), 0) != 64) std::abort();
  }
}
BENCHMARK(BM_RoundTripBareSystem);

}  // namespace
}  // namespace home
