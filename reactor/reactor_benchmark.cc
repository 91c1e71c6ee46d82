#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

#include "benchmark/benchmark.h"
#include "home/future/testing.h"
#include "home/reactor/reactor.h"
#include "home/reactor/readiness.h"
#include "home/reactor/unique_fd.h"

namespace home {
namespace {

using home::testing::CountingWaker;

UniqueFd MakeEventFd() { return UniqueFd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)); }

void Ring(const UniqueFd& fd) {
  const std::uint64_t one = 1;
  if (::write(fd.get(), &one, sizeof(one)) != static_cast<ssize_t>(sizeof(one))) std::abort();
}

// Raises the process's limit of descriptors as far as the system lets it, and
// returns `wanted`, or what is possible of it.
std::int64_t Descriptors(std::int64_t wanted) {
  constexpr std::int64_t kOthers = 100;
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) std::abort();
  const auto needed = static_cast<rlim_t>(wanted + kOthers);
  if (limit.rlim_cur >= needed) return wanted;
  // More than the hard limit only for those who may.
  rlimit higher = {.rlim_cur = needed, .rlim_max = std::max(limit.rlim_max, needed)};
  if (::setrlimit(RLIMIT_NOFILE, &higher) == 0) return wanted;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) std::abort();
  return static_cast<std::int64_t>(limit.rlim_cur) - kOthers;
}

void BM_PollReadyWhenReady(benchmark::State& state) {
  reactor_internal::Readiness readiness;
  const Waker none = readiness.Reset(1, ReadySet(ReadySet::kReadable));
  const Waker waker;
  Context cx(waker);
  for (auto _ : state) benchmark::DoNotOptimize(readiness.PollReady(cx).ready());
}
BENCHMARK(BM_PollReadyWhenReady);

// Wait, edge, wake, clear: all that the reactor itself adds to an event.
void BM_WaitAndReport(benchmark::State& state) {
  reactor_internal::Readiness readiness;
  CountingWaker counter;
  const Waker waker = counter.Make();
  Context cx(waker);
  for (auto _ : state) {
    benchmark::DoNotOptimize(readiness.PollReady(cx).pending());
    Waker woken;
    readiness.Report(0, ReadySet(ReadySet::kReadable), &woken);
    std::move(woken).Wake();
    readiness.Clear(readiness.Current());
  }
}
BENCHMARK(BM_WaitAndReport);

void BM_RegisterDeregister(benchmark::State& state) {
  const std::unique_ptr<Reactor> reactor = Reactor::Create().value();
  const UniqueFd fd = MakeEventFd();
  for (auto _ : state) {
    Registration registration = reactor->Register(fd.get(), Interest::Read()).value();
    benchmark::DoNotOptimize(registration);
  }
}
BENCHMARK(BM_RegisterDeregister);

void BM_EmptyPoll(benchmark::State& state) {
  const std::unique_ptr<Reactor> reactor = Reactor::Create().value();
  WakeList wakes;
  for (auto _ : state) benchmark::DoNotOptimize(reactor->Poll(0, wakes));
}
BENCHMARK(BM_EmptyPoll);

// An eventfd is written, reported, and its waiter woken: with `range` others, or as many
// as the system allows, registered that are silent. What it costs depends on what is
// ready, not on what is registered.
void BM_EventRound(benchmark::State& state) {
  const std::unique_ptr<Reactor> reactor = Reactor::Create().value();
  std::vector<UniqueFd> silent;
  std::vector<Registration> registrations;
  const std::int64_t count = Descriptors(state.range(0));
  for (std::int64_t i = 0; i < count; ++i) {
    silent.push_back(MakeEventFd());
    registrations.push_back(reactor->Register(silent.back().get(), Interest::Read()).value());
  }
  const UniqueFd fd = MakeEventFd();
  Registration registration = reactor->Register(fd.get(), Interest::Read()).value();
  CountingWaker counter;
  const Waker waker = counter.Make();
  Context cx(waker);
  WakeList wakes;
  for (auto _ : state) {
    benchmark::DoNotOptimize(registration.PollReady(Direction::kRead, cx).pending());
    Ring(fd);
    reactor->Poll(-1, wakes);
    wakes.WakeAll();
    registration.ClearReady(Direction::kRead, registration.CurrentReady(Direction::kRead));
  }
  state.counters["silent"] = static_cast<double>(count);
}
BENCHMARK(BM_EventRound)->Arg(0)->Arg(500)->Arg(100'000);

// The same by hand: what the system alone costs.
void BM_EventRoundBareSystem(benchmark::State& state) {
  auto poller = reactor_internal::CreatePoller().value();
  const UniqueFd fd = MakeEventFd();
  if (!poller->Add(fd.get(), Interest::Read(), 1).ok()) std::abort();
  reactor_internal::Poller::Event events[16];
  for (auto _ : state) {
    Ring(fd);
    benchmark::DoNotOptimize(poller->Wait(-1, absl::MakeSpan(events)));
  }
}
BENCHMARK(BM_EventRoundBareSystem);

void BM_WakeNobody(benchmark::State& state) {
  const std::unique_ptr<Reactor> reactor = Reactor::Create().value();
  for (auto _ : state) reactor->Wake();
}
BENCHMARK(BM_WakeNobody);

}  // namespace
}  // namespace home
