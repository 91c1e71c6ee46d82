// The completion layer beside bare system calls, and its engines beside one another.

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
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

// Ends of as many pairs of sockets as `range` says, attached to a reactor.
struct Pairs {
  Pairs(const std::shared_ptr<IoEngine>& io, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      int fds[2];
      if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) std::abort();
      a.push_back(IoFile::Attach(io, UniqueFd(fds[0])).value());
      b.push_back(IoFile::Attach(io, UniqueFd(fds[1])).value());
    }
  }
  std::vector<IoFile> a;
  std::vector<IoFile> b;
};

// 64 bytes there and back over pairs of sockets at once, both ends by the completion layer.
void RoundTrip(benchmark::State& state, IoBackend backend) {
  const std::unique_ptr<Reactor> reactor = MakeReactor(state, backend);
  const auto count = static_cast<std::size_t>(state.range(0));
  const Pairs pairs(reactor->io(), state.range(0));
  CountingWaker counter;
  std::vector<std::string> sent(count, std::string(64, 'x'));
  std::vector<std::string> received(count, std::string(64, '\0'));
  using Send = decltype(IoSend(IoFile(), std::string()));
  using Receive = decltype(IoRecv(IoFile(), std::string()));
  std::vector<Send> sends;
  std::vector<Receive> receives;
  sends.reserve(count);
  receives.reserve(count);
  std::vector<bool> sent_already(count);
  for (auto _ : state) {
    for (const auto& [from, to] : {std::pair(&pairs.a, &pairs.b), std::pair(&pairs.b, &pairs.a)}) {
      for (std::size_t i = 0; i < count; ++i) {
        receives.push_back(IoRecv((*to)[i], std::move(received[i])));
        benchmark::DoNotOptimize(home::testing::PollOnce(receives[i], counter).pending());
      }
      for (std::size_t i = 0; i < count; ++i) {
        sends.push_back(IoSend((*from)[i], std::move(sent[i])));
        auto result = home::testing::PollOnce(sends[i], counter);
        sent_already[i] = result.ready();
        if (result.ready()) sent[i] = std::move(result).value().buffer;
      }
      for (std::size_t i = 0; i < count; ++i) {
        if (!sent_already[i]) sent[i] = Finish(*reactor, std::move(sends[i]), counter).buffer;
        received[i] = Finish(*reactor, std::move(receives[i]), counter).buffer;
      }
      sends.clear();
      receives.clear();
    }
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
void BM_RoundTripBest(benchmark::State& state) { RoundTrip(state, IoBackend::kBest); }
BENCHMARK(BM_RoundTripBest)->Arg(1)->Arg(16)->Arg(128);
void BM_RoundTripReadiness(benchmark::State& state) { RoundTrip(state, IoBackend::kReadiness); }
BENCHMARK(BM_RoundTripReadiness)->Arg(1)->Arg(16)->Arg(128);
void BM_RoundTripUring(benchmark::State& state) { RoundTrip(state, IoBackend::kUring); }
BENCHMARK(BM_RoundTripUring)->Arg(1)->Arg(16)->Arg(128);

// The same with bare system calls at the near ends, and at the far ones sources that echo.
void EchoBySource(benchmark::State& state, IoBackend backend) {
  const std::unique_ptr<Reactor> reactor = MakeReactor(state, backend);
  const auto count = static_cast<std::size_t>(state.range(0));
  const IoBufferPool pool = IoBufferPool::Create(reactor->io(), 256, 4096).value();
  CountingWaker counter;
  std::vector<UniqueFd> near;
  std::vector<IoFile> far;
  std::vector<std::unique_ptr<IoRecvSource>> sources;
  for (std::size_t i = 0; i < count; ++i) {
    int fds[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) std::abort();
    near.emplace_back(fds[0]);
    far.push_back(IoFile::Attach(reactor->io(), UniqueFd(fds[1])).value());
    sources.push_back(std::make_unique<IoRecvSource>(IoReceiveAll(far.back(), pool)));
  }
  const Waker waker = counter.Make();
  WakeList wakes;
  using Send = decltype(IoSend(IoFile(), std::string()));
  std::vector<std::unique_ptr<Send>> sends(count);
  std::vector<bool> done(count);
  char buffer[64] = {};
  for (auto _ : state) {
    for (const UniqueFd& fd : near) {
      if (::send(fd.get(), buffer, sizeof(buffer), 0) != 64) std::abort();
    }
    std::fill(done.begin(), done.end(), false);
    for (std::size_t left = count; left > 0;) {
      for (std::size_t i = 0; i < count; ++i) {
        if (done[i]) continue;
        Context cx(waker);
        if (sends[i] == nullptr) {
          auto next = sources[i]->PollNext(cx);
          if (next.pending()) continue;
          sends[i] = std::make_unique<Send>(IoSend(far[i], std::string((*next)->value().view())));
        }
        if (sends[i]->Poll(cx).pending()) continue;
        sends[i] = nullptr;
        done[i] = true;
        --left;
      }
      if (left == 0) break;
      reactor->Poll(-1, wakes);
      wakes.WakeAll();
    }
    for (const UniqueFd& fd : near) {
      if (::recv(fd.get(), buffer, sizeof(buffer), 0) != 64) std::abort();
    }
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
void BM_EchoBySourceBest(benchmark::State& state) { EchoBySource(state, IoBackend::kBest); }
BENCHMARK(BM_EchoBySourceBest)->Arg(1)->Arg(16)->Arg(128);
void BM_EchoBySourceReadiness(benchmark::State& state) {
  EchoBySource(state, IoBackend::kReadiness);
}
BENCHMARK(BM_EchoBySourceReadiness)->Arg(1)->Arg(16)->Arg(128);
void BM_EchoBySourceUring(benchmark::State& state) { EchoBySource(state, IoBackend::kUring); }
BENCHMARK(BM_EchoBySourceUring)->Arg(1)->Arg(16)->Arg(128);

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
