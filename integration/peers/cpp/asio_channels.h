// What the workloads on Asio's channels are, for either type of channel, and how they are run.

#ifndef HOME_INTEGRATION_PEERS_CPP_ASIO_CHANNELS_H_
#define HOME_INTEGRATION_PEERS_CPP_ASIO_CHANNELS_H_

#include <asio.hpp>
#include <asio/experimental/channel.hpp>
#include <asio/experimental/concurrent_channel.hpp>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <limits>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "home/integration/peers/measure.h"

namespace home::race {

inline constexpr std::uint64_t kLockers = 64;
inline constexpr std::uint64_t kPermits = 4;
inline constexpr std::uint64_t kReceivers = 8;
inline constexpr std::uint64_t kDepthValues = 1'000'000;
inline constexpr std::size_t kCapacity = 1024;
inline constexpr std::size_t kUnbounded = std::numeric_limits<std::size_t>::max();

using Executor = asio::io_context::executor_type;
using Signature = void(asio::error_code, std::uint64_t);
using LocalChannel = asio::experimental::channel<Executor, Signature>;
using SharedChannel = asio::experimental::concurrent_channel<Executor, Signature>;

// Runs `context` on `threads` threads until it has no more work.
inline void RunThreads(asio::io_context& context, std::size_t threads) {
  std::vector<std::thread> others;
  for (std::size_t i = 1; i < threads; ++i) others.emplace_back([&context] { context.run(); });
  context.run();
  for (std::thread& other : others) other.join();
}

// Runs the task that `body` makes on a worker, and returns what comes of it.
template <typename Body>
Sample RunOnWorker(asio::io_context& context, std::size_t threads, Body body) {
  Sample sample;
  asio::co_spawn(context, std::move(body), [&sample](std::exception_ptr error, Sample result) {
    if (!error) sample = std::move(result);
  });
  RunThreads(context, threads);
  return sample;
}

// Waits for tasks, each of which counts itself as done.
template <typename Channel>
class WaitGroup {
 public:
  explicit WaitGroup(asio::io_context& context) : all_done_(context, 1) {}

  // relaxed: the tasks are spawned after it, which orders it before each Done().
  void Add(std::uint64_t tasks) { left_.fetch_add(tasks, std::memory_order_relaxed); }

  // acq_rel: what the tasks wrote is seen by who waits.
  void Done() {
    if (left_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    all_done_.try_send(asio::error_code{}, 0);
  }
  // For co_spawn(): counts the task when it has ended.
  auto Counter() {
    return [this](const std::exception_ptr&) { Done(); };
  }

  asio::awaitable<void> Wait() { co_await all_done_.async_receive(asio::use_awaitable); }

 private:
  std::atomic<std::uint64_t> left_{0};
  Channel all_done_;
};

// Nothing if the channel is empty.
template <typename Channel>
std::optional<std::uint64_t> TryReceive(Channel& channel) {
  std::optional<std::uint64_t> received;
  channel.try_receive(
      [&received](const asio::error_code&, std::uint64_t value) { received = value; });
  return received;
}

// Two channels between a pair. All channels are alive until all threads have ended: one may
// still be inside of a channel when the task that it woke has ended.
template <typename Channel>
struct Pair {
  Pair(asio::io_context& context, std::size_t capacity)
      : ping(context, capacity), pong(context, capacity) {}
  Channel ping;
  Channel pong;
};

template <typename Channel>
asio::awaitable<void> Answer(Pair<Channel>& pair, std::uint64_t times) {
  for (std::uint64_t i = 0; i < times; ++i) {
    std::optional<std::uint64_t> value = TryReceive(pair.ping);
    if (!value) value = co_await pair.ping.async_receive(asio::use_awaitable);
    pair.pong.try_send(asio::error_code{}, *value);
  }
}

// Adds the sum of the answers to `sum`.
template <typename Channel>
asio::awaitable<void> Ask(Pair<Channel>& pair, std::uint64_t times,
                          std::atomic<std::uint64_t>& sum) {
  std::uint64_t own = 0;
  for (std::uint64_t i = 1; i <= times; ++i) {
    pair.ping.try_send(asio::error_code{}, i);
    std::optional<std::uint64_t> value = TryReceive(pair.pong);
    if (!value) value = co_await pair.pong.async_receive(asio::use_awaitable);
    own += *value;
  }
  sum.fetch_add(own, std::memory_order_relaxed);  // relaxed: the group orders it
}

template <typename Channel>
Sample Pairs(std::uint64_t pairs, std::uint64_t round_trips, std::size_t threads) {
  asio::io_context context(static_cast<int>(threads));
  WaitGroup<Channel> group(context);
  std::deque<Pair<Channel>> channels;
  std::atomic<std::uint64_t> sum{0};
  return RunOnWorker(context, threads, [&]() -> asio::awaitable<Sample> {
    const Watch watch;
    group.Add(2 * pairs);
    for (std::uint64_t i = 0; i < pairs; ++i) {
      Pair<Channel>& pair = channels.emplace_back(context, 1);
      asio::co_spawn(context, Answer(pair, round_trips), group.Counter());
      asio::co_spawn(context, Ask(pair, round_trips, sum), group.Counter());
    }
    co_await group.Wait();
    co_return watch.Stop(pairs * round_trips, sum.load() == pairs * SumTo(round_trips));
  });
}

template <typename Channel>
Sample PingPong(std::uint64_t n, std::size_t threads) {
  return Pairs<Channel>(kBatch, Batches(n, kBatch), threads);
}
template <typename Channel>
Sample PingPongOfOne(std::uint64_t n, std::size_t threads) {
  return Pairs<Channel>(1, n, threads);
}

template <typename Channel>
Sample Oneshots(std::uint64_t n, std::size_t threads) {
  asio::io_context context(static_cast<int>(threads));
  std::atomic<std::uint64_t> sum{0};
  // As above; but one thread alone cannot be inside of one.
  std::deque<Pair<Channel>> used;
  return RunOnWorker(context, threads, [&]() -> asio::awaitable<Sample> {
    const Watch watch;
    for (std::uint64_t i = 1; i <= n; ++i) {
      Pair<Channel>& pair = used.emplace_back(context, 1);
      asio::co_spawn(context, Answer(pair, 1), asio::detached);
      pair.ping.try_send(asio::error_code{}, i);
      sum += co_await pair.pong.async_receive(asio::use_awaitable);
      if (threads == 1) used.clear();
    }
    co_return watch.Stop(n, sum.load() == SumTo(n));
  });
}

// Tells a consumer that nothing follows: a channel that is closed forgets what it still holds.
inline constexpr std::uint64_t kEnd = 0;

template <typename Channel>
asio::awaitable<void> SendOrWait(Channel& channel, std::uint64_t value) {
  if (channel.try_send(asio::error_code{}, value)) co_return;
  co_await channel.async_send(asio::error_code{}, value, asio::use_awaitable);
}

// Sends first, first + step, ... up to n. The last producer ends the consumers.
template <typename Channel>
asio::awaitable<void> Produce(Channel& channel, std::uint64_t first, std::uint64_t step,
                              std::uint64_t n, std::uint64_t consumers,
                              std::atomic<std::uint64_t>& producers) {
  for (std::uint64_t value = first; value <= n; value += step) {
    if (channel.try_send(asio::error_code{}, value)) continue;
    co_await channel.async_send(asio::error_code{}, value, asio::use_awaitable);
  }
  // acq_rel: the last one ends the consumers after all that the others have sent.
  if (producers.fetch_sub(1, std::memory_order_acq_rel) != 1) co_return;
  for (std::uint64_t i = 0; i < consumers; ++i) co_await SendOrWait(channel, kEnd);
}

template <typename Channel>
asio::awaitable<void> Consume(Channel& channel, std::atomic<std::uint64_t>& sum) {
  std::uint64_t own = 0;
  while (true) {
    std::optional<std::uint64_t> value = TryReceive(channel);
    if (!value) value = co_await channel.async_receive(asio::use_awaitable);
    if (*value == kEnd) break;
    own += *value;
  }
  sum.fetch_add(own, std::memory_order_relaxed);  // relaxed: the group orders it
}

template <typename Channel, std::size_t kRoom, std::uint64_t kProducers, std::uint64_t kConsumers>
Sample Stream(std::uint64_t n, std::size_t threads) {
  asio::io_context context(static_cast<int>(threads));
  WaitGroup<Channel> group(context);
  Channel channel(context, kRoom);
  std::atomic<std::uint64_t> producers{kProducers};
  std::atomic<std::uint64_t> sum{0};
  return RunOnWorker(context, threads, [&]() -> asio::awaitable<Sample> {
    const Watch watch;
    group.Add(kConsumers);
    for (std::uint64_t i = 0; i < kConsumers; ++i) {
      asio::co_spawn(context, Consume(channel, sum), group.Counter());
    }
    for (std::uint64_t i = 1; i <= kProducers; ++i) {
      // Not on this task's stack: a task that is spawned begins at once.
      asio::post(context, [&, i] {
        asio::co_spawn(context, Produce(channel, i, kProducers, n, kConsumers, producers),
                       asio::detached);
      });
    }
    co_await group.Wait();
    co_return watch.Stop(n, sum.load() == SumTo(n));
  });
}

template <typename Channel>
Sample ChannelDepth(std::uint64_t n, std::size_t threads) {
  asio::io_context context(static_cast<int>(threads));
  Channel channel(context, kUnbounded);
  return RunOnWorker(context, threads, [&]() -> asio::awaitable<Sample> {
    bool correct = true;
    for (std::uint64_t i = 0; i < n; ++i) channel.try_send(asio::error_code{}, i);
    const Watch watch;
    for (std::uint64_t i = 0; i < kDepthValues; ++i) {
      channel.try_send(asio::error_code{}, n + i);
      correct = TryReceive(channel) == i && correct;
    }
    co_return watch.Stop(kDepthValues, correct);
  });
}

// To each receiver a channel of its own.
template <typename Channel>
Sample BroadcastToEight(std::uint64_t n, std::size_t threads) {
  asio::io_context context(static_cast<int>(threads));
  WaitGroup<Channel> group(context);
  std::deque<Channel> channels;
  for (std::uint64_t i = 0; i < kReceivers; ++i) channels.emplace_back(context, kCapacity);
  std::atomic<std::uint64_t> sum{0};
  return RunOnWorker(context, threads, [&]() -> asio::awaitable<Sample> {
    const Watch watch;
    group.Add(kReceivers);
    for (Channel& channel : channels) {
      asio::co_spawn(context, Consume(channel, sum), group.Counter());
    }
    for (std::uint64_t value = 1; value <= n; ++value) {
      for (Channel& channel : channels) {
        if (channel.try_send(asio::error_code{}, value)) continue;
        co_await channel.async_send(asio::error_code{}, value, asio::use_awaitable);
      }
    }
    for (Channel& channel : channels) co_await SendOrWait(channel, kEnd);
    co_await group.Wait();
    co_return watch.Stop(n, sum.load() == kReceivers * SumTo(n));
  });
}

// A lock is a channel that holds one token: who has received it has the lock.
template <typename Channel>
asio::awaitable<void> LockOften(Channel& lock, std::uint64_t& counter, std::uint64_t times) {
  for (std::uint64_t i = 0; i < times; ++i) {
    if (!TryReceive(lock)) co_await lock.async_receive(asio::use_awaitable);
    ++counter;
    lock.try_send(asio::error_code{}, 0);
  }
}

template <typename Channel>
Sample LockInTurn(std::uint64_t n, std::size_t threads) {
  asio::io_context context(static_cast<int>(threads));
  WaitGroup<Channel> group(context);
  Channel lock(context, 1);
  lock.try_send(asio::error_code{}, 0);
  std::uint64_t counter = 0;
  return RunOnWorker(context, threads, [&]() -> asio::awaitable<Sample> {
    const std::uint64_t each = Batches(n, kLockers);
    const Watch watch;
    group.Add(kLockers);
    for (std::uint64_t i = 0; i < kLockers; ++i) {
      asio::co_spawn(context, LockOften(lock, counter, each), group.Counter());
    }
    co_await group.Wait();
    co_return watch.Stop(each * kLockers, counter == each * kLockers);
  });
}

// Permits are tokens in a channel.
template <typename Channel>
asio::awaitable<void> AcquireOften(Channel& permits, std::uint64_t times) {
  for (std::uint64_t i = 0; i < times; ++i) {
    if (!TryReceive(permits)) co_await permits.async_receive(asio::use_awaitable);
    co_await asio::post(asio::use_awaitable);
    permits.try_send(asio::error_code{}, 0);
  }
}

template <typename Channel>
Sample AcquireInTurn(std::uint64_t n, std::size_t threads) {
  asio::io_context context(static_cast<int>(threads));
  WaitGroup<Channel> group(context);
  Channel permits(context, kPermits);
  for (std::uint64_t i = 0; i < kPermits; ++i) permits.try_send(asio::error_code{}, 0);
  return RunOnWorker(context, threads, [&]() -> asio::awaitable<Sample> {
    const std::uint64_t each = Batches(n, kLockers);
    const Watch watch;
    group.Add(kLockers);
    for (std::uint64_t i = 0; i < kLockers; ++i) {
      asio::co_spawn(context, AcquireOften(permits, each), group.Counter());
    }
    co_await group.Wait();
    std::uint64_t back = 0;
    while (TryReceive(permits)) ++back;
    co_return watch.Stop(each * kLockers, back == kPermits);
  });
}

}  // namespace home::race

#endif  // HOME_INTEGRATION_PEERS_CPP_ASIO_CHANNELS_H_
