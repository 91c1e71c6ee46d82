// The costs of channels of values: alone, and between tasks on the runtime.
//
// Between tasks: P producers and C consumers on 2 workers, each message a number; the time is
// that of one message. The names are those of the workloads chan_b_PxC and chan_u_PxC.

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "benchmark/benchmark.h"
#include "home/channel/mpmc.h"
#include "home/channel/mpsc.h"
#include "home/future/async.h"
#include "home/future/context.h"
#include "home/future/waker.h"
#include "home/scheduler/runtime.h"

namespace home {
namespace {

using Number = std::uint64_t;

struct Mpmc {
  static constexpr bool kManyReceivers = true;
  static auto Make(std::size_t capacity) {
    return capacity == 0 ? MakeUnboundedChannel<Number>() : MakeChannel<Number>(capacity);
  }
};
struct Mpsc {
  static constexpr bool kManyReceivers = false;
  static auto Make(std::size_t capacity) {
    return capacity == 0 ? MakeUnboundedMpscChannel<Number>() : MakeMpscChannel<Number>(capacity);
  }
};

// -- Alone: one thread sends and receives ---------------------------------------------------

template <typename Kind>
void BM_TrySendTryRecv(benchmark::State& state) {
  auto [sender, receiver] = Kind::Make(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    benchmark::DoNotOptimize(sender.TrySend(7));
    benchmark::DoNotOptimize(receiver.TryRecv());
  }
}
BENCHMARK(BM_TrySendTryRecv<Mpmc>)->ArgName("capacity")->Arg(1024)->Arg(0);
BENCHMARK(BM_TrySendTryRecv<Mpsc>)->ArgName("capacity")->Arg(1024)->Arg(0);

template <typename Kind>
void BM_SendRecvPolled(benchmark::State& state) {
  auto [sender, receiver] = Kind::Make(static_cast<std::size_t>(state.range(0)));
  const Waker waker;
  Context cx(waker);
  for (auto _ : state) {
    auto send = sender.Send(7);
    benchmark::DoNotOptimize(send.Poll(cx).ready());
    auto receive = receiver.Recv();
    benchmark::DoNotOptimize(receive.Poll(cx).ready());
  }
}
BENCHMARK(BM_SendRecvPolled<Mpmc>)->ArgName("capacity")->Arg(1024)->Arg(0);
BENCHMARK(BM_SendRecvPolled<Mpsc>)->ArgName("capacity")->Arg(1024)->Arg(0);

template <typename Kind>
void BM_WaitSendRecv(benchmark::State& state) {
  auto [sender, receiver] = Kind::Make(static_cast<std::size_t>(state.range(0)));
  const Waker waker;
  Context cx(waker);
  for (auto _ : state) {
    auto receive = receiver.Recv();
    benchmark::DoNotOptimize(receive.Poll(cx).ready());
    benchmark::DoNotOptimize(sender.TrySend(7));
    benchmark::DoNotOptimize(receive.Poll(cx).ready());
  }
}
BENCHMARK(BM_WaitSendRecv<Mpmc>)->ArgName("capacity")->Arg(1024);
BENCHMARK(BM_WaitSendRecv<Mpsc>)->ArgName("capacity")->Arg(1024);

template <typename Kind>
void BM_Make(benchmark::State& state) {
  for (auto _ : state) {
    auto [sender, receiver] = Kind::Make(1024);
    benchmark::DoNotOptimize(sender.IsClosed());
  }
}
BENCHMARK(BM_Make<Mpmc>);

// -- Between tasks --------------------------------------------------------------------------

template <typename Sender>
Async<void> Produce(Sender sender, Number count) {
  for (Number i = 1; i <= count; ++i) {
    const auto sent = co_await sender.Send(i);
    if (!sent.ok()) co_return;
  }
}

template <typename Receiver>
Async<Number> Consume(Receiver receiver) {
  Number sum = 0;
  while (true) {
    const auto value = co_await receiver.Recv();
    if (!value.has_value()) break;
    sum += *value;
  }
  co_return sum;
}

template <typename Sender>
Async<void> ProduceMany(Sender sender, Number count) {
  std::vector<Number> values(64);
  for (Number sent = 0; sent < count;) {
    const std::size_t size = std::min<Number>(values.size(), count - sent);
    for (std::size_t i = 0; i < size; ++i) values[i] = ++sent;
    const auto pushed = co_await sender.SendMany(absl::MakeSpan(values.data(), size));
    if (pushed != size) co_return;
  }
}

template <typename Receiver>
Async<Number> ConsumeMany(Receiver receiver) {
  Number sum = 0;
  std::vector<Number> values;
  while (true) {
    values.clear();
    const std::size_t received = co_await receiver.RecvMany(values, 64);
    if (received == 0) break;
    for (const Number value : values) sum += value;
  }
  co_return sum;
}

template <typename Kind, bool kMany>
Async<Number> Exchange(std::size_t capacity, int producers, int consumers, Number each) {
  std::vector<JoinHandle<Number>> consuming;
  std::vector<JoinHandle<void>> producing;
  {
    auto ends = Kind::Make(capacity);
    for (int i = 0; i < producers; ++i) {
      if constexpr (kMany) {
        producing.push_back(Spawn(ProduceMany(ends.first, each)));
      } else {
        producing.push_back(Spawn(Produce(ends.first, each)));
      }
    }
    if constexpr (Kind::kManyReceivers) {
      for (int i = 0; i < consumers; ++i) {
        if constexpr (kMany) {
          consuming.push_back(Spawn(ConsumeMany(ends.second)));
        } else {
          consuming.push_back(Spawn(Consume(ends.second)));
        }
      }
    } else if constexpr (kMany) {
      consuming.push_back(Spawn(ConsumeMany(std::move(ends.second))));
    } else {
      consuming.push_back(Spawn(Consume(std::move(ends.second))));
    }
  }
  Number sum = 0;
  for (auto& handle : consuming) {
    const auto part = co_await handle;
    sum += *part;
  }
  co_return sum;
}

template <typename Kind, bool kMany = false>
void BM_Tasks(benchmark::State& state) {
  constexpr Number kMessages = 200'000;
  const auto capacity = static_cast<std::size_t>(state.range(0));
  const int producers = static_cast<int>(state.range(1));
  const int consumers = static_cast<int>(state.range(2));
  const Number each = kMessages / static_cast<Number>(producers);
  auto runtime = RuntimeBuilder().WorkerThreads(2).Build();
  for (auto _ : state) {
    const Number sum =
        runtime->BlockOn(Exchange<Kind, kMany>(capacity, producers, consumers, each));
    if (sum != static_cast<Number>(producers) * (each * (each + 1) / 2)) {
      state.SkipWithError("a message was lost");
      break;
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kMessages));
  state.counters["per_message"] = benchmark::Counter(
      static_cast<double>(kMessages),
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK(BM_Tasks<Mpmc>)
    ->ArgNames({"capacity", "P", "C"})
    ->ArgsProduct({{1024, 0}, {1}, {1, 4}})
    ->ArgsProduct({{1024, 0}, {2}, {2}})
    ->ArgsProduct({{1024, 0}, {4}, {4}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK(BM_Tasks<Mpsc>)
    ->ArgNames({"capacity", "P", "C"})
    ->ArgsProduct({{1024, 0}, {1, 4}, {1}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK(BM_Tasks<Mpmc, true>)
    ->ArgNames({"capacity", "P", "C"})
    ->ArgsProduct({{1024, 0}, {2}, {2}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace home
