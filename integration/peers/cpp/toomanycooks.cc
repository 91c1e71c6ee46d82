// The workloads of the race, for TooManyCooks, with the switches that its author measures
// with: one priority, and tasks without checks. Of its queues each workload takes the most
// special one that will do.

#define TMC_IMPL
#define TMC_PRIORITY_COUNT 1
#define TMC_TRIVIAL_TASK

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <numeric>
#include <optional>
#include <ranges>
#include <thread>
#include <tmc/all_headers.hpp>
#include <utility>
#include <vector>

#include "home/integration/peers/measure.h"

namespace home::race {
namespace {

constexpr std::uint64_t kLockers = 64;
constexpr std::size_t kPermits = 4;
constexpr std::uint64_t kReceivers = 8;
constexpr std::uint64_t kDepthValues = 1'000'000;
constexpr std::size_t kCapacity = 1024;
constexpr std::size_t kIdleCapacity = 16;

using OneToOne = tmc::qu_spsc_bounded<std::uint64_t>;

Sample RunOnWorker(std::size_t threads, tmc::task<Sample> body) {
  tmc::ex_cpu executor;
  executor.set_thread_count(threads).init();
  return tmc::post_waitable(executor, std::move(body)).get();
}

tmc::task<void> Nothing() { co_return; }

tmc::task<void> SpawnAndAwait(std::uint64_t tasks) {
  auto each = std::views::iota(std::uint64_t{0}) |
              std::views::transform([](std::uint64_t) { return Nothing(); });
  co_await tmc::spawn_many(each.begin(), tasks);
}

tmc::task<Sample> SpawnJoinBody(std::uint64_t n) {
  const std::uint64_t rounds = Batches(n, kBatch);
  const Watch watch;
  for (std::uint64_t round = 0; round < rounds; ++round) co_await SpawnAndAwait(kBatch);
  co_return watch.Stop(rounds * kBatch, true);
}

tmc::task<std::uint64_t> Value(std::uint64_t value) { co_return value; }

tmc::task<Sample> SpawnJoinReadyBody(std::uint64_t n) {
  std::uint64_t sum = 0;
  const Watch watch;
  for (std::uint64_t i = 1; i <= n; ++i) {
    auto forked = tmc::spawn(Value(i)).fork();
    sum += co_await std::move(forked);
  }
  co_return watch.Stop(n, sum == SumTo(n));
}

tmc::task<Sample> SpawnManyBody(std::uint64_t n) {
  const Watch watch;
  co_await tmc::spawn_tuple(SpawnAndAwait(n / 2), SpawnAndAwait(n / 2));
  co_return watch.Stop(n / 2 * 2, true);
}

tmc::task<std::uint64_t> YieldTimes(std::uint64_t times) {
  for (std::uint64_t i = 0; i < times; ++i) co_await tmc::yield();
  co_return times;
}

tmc::task<Sample> YieldBody(std::uint64_t n) {
  const std::uint64_t each = Batches(n, kBatch);
  auto tasks = std::views::iota(std::uint64_t{0}) |
               std::views::transform([each](std::uint64_t) { return YieldTimes(each); });
  const Watch watch;
  const std::vector<std::uint64_t> yields = co_await tmc::spawn_many(tasks.begin(), kBatch);
  std::uint64_t sum = 0;
  for (const std::uint64_t times : yields) sum += times;
  co_return watch.Stop(each * kBatch, sum == each * kBatch);
}

// By fork(), which its author found faster here than spawn_tuple().
tmc::task<std::uint64_t> ForkFib(std::uint64_t n) {
  if (n < 2) co_return n;
  auto forked = tmc::spawn(ForkFib(n - 1)).fork();
  const std::uint64_t own = co_await ForkFib(n - 2);
  const std::uint64_t other = co_await std::move(forked);
  co_return own + other;
}

tmc::task<Sample> FibBody(std::uint64_t n) {
  const Fibonacci expected(n);
  const Watch watch;
  const std::uint64_t value = co_await ForkFib(n);
  co_return watch.Stop(expected.calls, value == expected.value);
}

tmc::task<void> Lock(tmc::mutex& mutex, std::uint64_t& counter, std::uint64_t times) {
  for (std::uint64_t i = 0; i < times; ++i) {
    const auto lock = co_await mutex.lock_scope();
    ++counter;
  }
}

tmc::task<Sample> MutexBody(std::uint64_t n) {
  const std::uint64_t each = Batches(n, kLockers);
  tmc::mutex mutex;
  std::uint64_t counter = 0;
  auto lockers = std::views::iota(std::uint64_t{0}) |
                 std::views::transform([&](std::uint64_t) { return Lock(mutex, counter, each); });
  const Watch watch;
  co_await tmc::spawn_many(lockers.begin(), kLockers);
  co_return watch.Stop(each * kLockers, counter == each * kLockers);
}

// A value that one task sets and another one waits for.
struct Slot {
  std::uint64_t value = 0;
  tmc::manual_reset_event set;
};

tmc::task<void> AnswerOnce(Slot& question, Slot& answer) {
  co_await question.set;
  answer.value = question.value;
  answer.set.set();
}

tmc::task<Sample> OneshotBody(std::uint64_t n) {
  std::uint64_t sum = 0;
  const Watch watch;
  for (std::uint64_t i = 1; i <= n; ++i) {
    Slot question;
    Slot answer;
    auto forked = tmc::spawn(AnswerOnce(question, answer)).fork();
    question.value = i;
    question.set.set();
    co_await answer.set;
    sum += answer.value;
    // It may still be inside of the slot.
    co_await std::move(forked);
  }
  co_return watch.Stop(n, sum == SumTo(n));
}

struct Pair {
  OneToOne ping{1};
  OneToOne pong{1};
};

tmc::task<std::uint64_t> Answer(Pair& pair) {
  while (true) {
    auto value = co_await pair.ping.pull();
    if (!value) co_return 0;
    co_await pair.pong.push(value.value());
  }
}

tmc::task<std::uint64_t> Ask(Pair& pair, std::uint64_t times) {
  std::uint64_t sum = 0;
  for (std::uint64_t i = 1; i <= times; ++i) {
    co_await pair.ping.push(i);
    auto value = co_await pair.pong.pull();
    sum += value.value();
  }
  pair.ping.close();
  co_return sum;
}

tmc::task<Sample> PairsBody(std::uint64_t pairs, std::uint64_t round_trips) {
  std::deque<Pair> channels(pairs);
  std::vector<tmc::task<std::uint64_t>> tasks;
  const Watch watch;
  for (Pair& pair : channels) {
    tasks.push_back(Answer(pair));
    tasks.push_back(Ask(pair, round_trips));
  }
  const std::vector<std::uint64_t> sums = co_await tmc::spawn_many(tasks.begin(), tasks.size());
  const std::uint64_t sum = std::accumulate(sums.begin(), sums.end(), std::uint64_t{0});
  co_return watch.Stop(pairs * round_trips, sum == pairs * SumTo(round_trips));
}

tmc::task<Sample> PingPongBody(std::uint64_t n) { return PairsBody(kBatch, Batches(n, kBatch)); }
tmc::task<Sample> PingPongOfOneBody(std::uint64_t n) { return PairsBody(1, n); }

struct Signals {
  tmc::auto_reset_event ping;
  tmc::auto_reset_event pong;
};

tmc::task<std::uint64_t> NotifyBack(Signals& signals, std::uint64_t times) {
  for (std::uint64_t i = 0; i < times; ++i) {
    co_await signals.ping;
    signals.pong.set();
  }
  co_return 0;
}

tmc::task<std::uint64_t> NotifyAndWait(Signals& signals, std::uint64_t times) {
  for (std::uint64_t i = 0; i < times; ++i) {
    signals.ping.set();
    co_await signals.pong;
  }
  co_return times;
}

tmc::task<Sample> NotifyBody(std::uint64_t n) {
  Signals signals;
  const Watch watch;
  const auto [zero, times] =
      co_await tmc::spawn_tuple(NotifyBack(signals, n), NotifyAndWait(signals, n));
  co_return watch.Stop(n, zero + times == n);
}

tmc::task<std::uint64_t> AcquireOften(tmc::semaphore& permits, std::uint64_t times) {
  for (std::uint64_t i = 0; i < times; ++i) {
    const auto permit = co_await permits.acquire_scope();
    co_await tmc::yield();
  }
  co_return times;
}

tmc::task<Sample> SemaphoreBody(std::uint64_t n) {
  const std::uint64_t each = Batches(n, kLockers);
  tmc::semaphore permits(kPermits);
  auto tasks = std::views::iota(std::uint64_t{0}) |
               std::views::transform([&](std::uint64_t) { return AcquireOften(permits, each); });
  const Watch watch;
  co_await tmc::spawn_many(tasks.begin(), kLockers);
  co_return watch.Stop(each * kLockers, permits.count() == kPermits);
}

// Sends first, first + step, ... up to n. The last producer closes the queue. Into a bounded
// one by push(), which waits for room.
template <typename Queue>
tmc::task<std::uint64_t> Produce(Queue queue, std::uint64_t first, std::uint64_t step,
                                 std::uint64_t n, std::atomic<std::uint64_t>& producers) {
  for (std::uint64_t value = first; value <= n; value += step) co_await queue.Send(value);
  // acq_rel: the last one closes the queue after all that the others have sent.
  if (producers.fetch_sub(1, std::memory_order_acq_rel) == 1) queue.Close();
  co_return 0;
}

template <typename Queue>
tmc::task<std::uint64_t> Consume(Queue queue) {
  std::uint64_t sum = 0;
  while (true) {
    auto value = co_await queue.Receive();
    if (!value) co_return sum;
    sum += Queue::ValueOf(value);
  }
}

// The queues that a task has a reference to.
template <typename Queue>
struct Reference {
  auto Send(std::uint64_t& value) {
    if constexpr (requires { queue->push(value); }) {
      return queue->push(value);
    } else {
      queue->post(value);
      return std::suspend_never{};
    }
  }
  auto Receive() { return queue->pull(); }
  void Close() { queue->close(); }
  static std::uint64_t ValueOf(auto& scope) { return scope.value(); }

  Queue* queue;
};

// The channel for many consumers, of which each task has a token. Producers wait for nobody,
// and may be moved to their consumers.
struct Token {
  auto Send(std::uint64_t value) { return token.push(value); }
  auto Receive() { return token.pull(); }
  void Close() { token.close(); }
  static std::uint64_t ValueOf(const std::optional<std::uint64_t>& value) { return *value; }

  tmc::chan_tok<std::uint64_t> token;
};

template <std::uint64_t kProducers, std::uint64_t kConsumers, typename Queue>
tmc::task<Sample> Stream(std::uint64_t n, Queue queue) {
  std::atomic<std::uint64_t> producers{kProducers};
  std::vector<tmc::task<std::uint64_t>> tasks;
  const Watch watch;
  for (std::uint64_t i = 1; i <= kProducers; ++i) {
    tasks.push_back(Produce(queue, i, kProducers, n, producers));
  }
  for (std::uint64_t i = 0; i < kConsumers; ++i) tasks.push_back(Consume(queue));
  const std::vector<std::uint64_t> sums = co_await tmc::spawn_many(tasks.begin(), tasks.size());
  const std::uint64_t sum = std::accumulate(sums.begin(), sums.end(), std::uint64_t{0});
  co_return watch.Stop(n, sum == SumTo(n));
}

template <std::uint64_t kProducers>
tmc::task<Sample> BoundedBody(std::uint64_t n) {
  using Queue = std::conditional_t<kProducers == 1, OneToOne, tmc::qu_mpsc_bounded<std::uint64_t>>;
  Queue queue(kCapacity);
  co_return co_await Stream<kProducers, 1>(n, Reference<Queue>{&queue});
}

template <std::uint64_t kProducers>
tmc::task<Sample> UnboundedBody(std::uint64_t n) {
  using Queue = std::conditional_t<kProducers == 1, tmc::qu_spsc_unbounded<std::uint64_t>,
                                   tmc::qu_mpsc_unbounded<std::uint64_t>>;
  Queue queue;
  co_return co_await Stream<kProducers, 1>(n, Reference<Queue>{&queue});
}

template <std::uint64_t kProducers, std::uint64_t kConsumers>
tmc::task<Sample> ChannelBody(std::uint64_t n) {
  return Stream<kProducers, kConsumers>(n, Token{tmc::make_channel<std::uint64_t>()});
}

tmc::task<Sample> ChannelDepthBody(std::uint64_t n) {
  tmc::qu_spsc_unbounded<std::uint64_t> queue;
  bool correct = true;
  for (std::uint64_t i = 0; i < n; ++i) queue.post(i);
  const Watch watch;
  for (std::uint64_t i = 0; i < kDepthValues; ++i) {
    queue.post(n + i);
    auto value = co_await queue.pull();
    correct = value.value() == i && correct;
  }
  co_return watch.Stop(kDepthValues, correct);
}

// To each receiver a queue of its own.
tmc::task<std::uint64_t> TellAll(std::deque<OneToOne>& queues, std::uint64_t n) {
  for (std::uint64_t value = 1; value <= n; ++value) {
    for (OneToOne& queue : queues) co_await queue.push(value);
  }
  for (OneToOne& queue : queues) queue.close();
  co_return 0;
}

tmc::task<Sample> BroadcastBody(std::uint64_t n) {
  std::deque<OneToOne> queues;
  std::vector<tmc::task<std::uint64_t>> tasks;
  const Watch watch;
  for (std::uint64_t i = 0; i < kReceivers; ++i) {
    tasks.push_back(Consume(Reference<OneToOne>{&queues.emplace_back(kCapacity)}));
  }
  tasks.push_back(TellAll(queues, n));
  const std::vector<std::uint64_t> sums = co_await tmc::spawn_many(tasks.begin(), tasks.size());
  const std::uint64_t sum = std::accumulate(sums.begin(), sums.end(), std::uint64_t{0});
  co_return watch.Stop(n, sum == kReceivers * SumTo(n));
}

tmc::task<Sample> IdleChannelBody(std::uint64_t n) {
  const double before = Resident();
  std::deque<OneToOne> channels;
  const Watch watch;
  for (std::uint64_t i = 0; i < n; ++i) channels.emplace_back(kIdleCapacity);
  const double bytes = (Resident() - before) / static_cast<double>(n);
  Sample sample = watch.Stop(n, true);
  sample.more.emplace_back("bytes", bytes);
  co_return sample;
}

tmc::task<void> ReceiveOne(OneToOne& queue, std::atomic<std::uint64_t>& started,
                           std::atomic<std::uint64_t>& ended) {
  started.fetch_add(1, std::memory_order_relaxed);  // relaxed: nothing goes with it
  co_await queue.pull();
  ended.fetch_add(1, std::memory_order_release);  // before the queue is destroyed
}

// From a thread of its own, for there are no timers.
Sample IdleReceive(std::uint64_t n, std::size_t threads) {
  std::deque<OneToOne> queues;
  std::atomic<std::uint64_t> started{0};
  std::atomic<std::uint64_t> ended{0};
  tmc::ex_cpu executor;
  executor.set_thread_count(threads).init();
  const double before = Resident();
  const Watch watch;
  for (std::uint64_t i = 0; i < n; ++i) {
    tmc::post(executor, ReceiveOne(queues.emplace_back(1), started, ended));
  }
  while (started.load() < n) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const double bytes = (Resident() - before) / static_cast<double>(n);
  Sample sample = watch.Stop(n, true);
  sample.more.emplace_back("bytes", bytes);
  for (OneToOne& queue : queues) queue.close();
  while (ended.load() < n) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  return sample;
}

template <tmc::task<Sample> (*kBody)(std::uint64_t)>
Sample Run(std::uint64_t n, std::size_t threads) {
  return RunOnWorker(threads, kBody(n));
}

constexpr Workload kWorkloads[] = {
    {"spawn_join", Run<SpawnJoinBody>},
    {"spawn_join_ready", Run<SpawnJoinReadyBody>},
    {"spawn_many", Run<SpawnManyBody>},
    {"yield", Run<YieldBody>},
    {"fib", Run<FibBody>},
    {"oneshot", Run<OneshotBody>},
    {"ping_pong", Run<PingPongBody>},
    {"ping_pong1", Run<PingPongOfOneBody>},
    {"chan_b_1x1", Run<BoundedBody<1>>},
    {"chan_b_4x1", Run<BoundedBody<4>>},
    {"chan_u_1x1", Run<UnboundedBody<1>>},
    {"chan_u_1x4", Run<ChannelBody<1, 4>>},
    {"chan_u_2x2", Run<ChannelBody<2, 2>>},
    {"chan_u_4x1", Run<UnboundedBody<4>>},
    {"chan_u_4x4", Run<ChannelBody<4, 4>>},
    {"broadcast_1x8", Run<BroadcastBody>},
    {"mutex", Run<MutexBody>},
    {"semaphore", Run<SemaphoreBody>},
    {"notify", Run<NotifyBody>},
    {"idle_recv", IdleReceive},
    {"idle_channel", Run<IdleChannelBody>},
    {"chan_depth", Run<ChannelDepthBody>},
};

}  // namespace
}  // namespace home::race

int main(int argc, char** argv) {
  return home::race::Main(argc, argv, "toomanycooks", home::race::kWorkloads);
}
