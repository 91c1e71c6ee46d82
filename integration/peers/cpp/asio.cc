// The workloads of the race, for Asio (stand-alone), with its C++20 coroutines. The
// io_context is told how many threads run it: with one it spares itself locks, and the
// channels are those without one. Where an operation can be tried, it is: an awaited one goes
// through the scheduler even if it need not wait.

#include <asio.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "home/integration/peers/cpp/asio_channels.h"
#include "home/integration/peers/measure.h"

namespace home::race {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kIdleCapacity = 16;

asio::awaitable<void> Nothing() { co_return; }

template <typename Channel>
asio::awaitable<void> SpawnAndWait(asio::io_context& context, WaitGroup<Channel>& group,
                                   std::uint64_t tasks) {
  group.Add(tasks);
  for (std::uint64_t i = 0; i < tasks; ++i) asio::co_spawn(context, Nothing(), group.Counter());
  co_await group.Wait();
}

template <typename Channel>
Sample SpawnJoin(std::uint64_t n, std::size_t threads) {
  asio::io_context context(static_cast<int>(threads));
  WaitGroup<Channel> group(context);
  return RunOnWorker(context, threads, [&]() -> asio::awaitable<Sample> {
    const std::uint64_t rounds = Batches(n, kBatch);
    const Watch watch;
    for (std::uint64_t i = 0; i < rounds; ++i) co_await SpawnAndWait(context, group, kBatch);
    co_return watch.Stop(rounds * kBatch, true);
  });
}

template <typename Channel>
Sample SpawnMany(std::uint64_t n, std::size_t threads) {
  asio::io_context context(static_cast<int>(threads));
  std::deque<WaitGroup<Channel>> groups;
  for (std::size_t i = 0; i < 3; ++i) groups.emplace_back(context);
  return RunOnWorker(context, threads, [&]() -> asio::awaitable<Sample> {
    const Watch watch;
    groups[2].Add(2);
    for (std::size_t i = 0; i < 2; ++i) {
      // Not before this task waits: a task that is spawned begins at once.
      asio::post(context, [&, i] {
        asio::co_spawn(context, SpawnAndWait(context, groups[i], n / 2), groups[2].Counter());
      });
    }
    co_await groups[2].Wait();
    co_return watch.Stop(n / 2 * 2, true);
  });
}

asio::awaitable<std::uint64_t> Value(std::uint64_t value) { co_return value; }

Sample SpawnJoinReady(std::uint64_t n, std::size_t threads) {
  asio::io_context context(static_cast<int>(threads));
  return RunOnWorker(context, threads, [&]() -> asio::awaitable<Sample> {
    std::uint64_t sum = 0;
    const Watch watch;
    for (std::uint64_t i = 1; i <= n; ++i) {
      sum += co_await asio::co_spawn(context, Value(i), asio::use_awaitable);
    }
    co_return watch.Stop(n, sum == SumTo(n));
  });
}

asio::awaitable<std::uint64_t> ForkFib(std::uint64_t n) {
  using asio::experimental::awaitable_operators::operator&&;
  if (n < 2) co_return n;
  const auto [one, other] = co_await (ForkFib(n - 1) && ForkFib(n - 2));
  co_return one + other;
}

Sample Fib(std::uint64_t n, std::size_t threads) {
  asio::io_context context(static_cast<int>(threads));
  return RunOnWorker(context, threads, [&]() -> asio::awaitable<Sample> {
    const Fibonacci expected(n);
    const Watch watch;
    const std::uint64_t value = co_await ForkFib(n);
    co_return watch.Stop(expected.calls, value == expected.value);
  });
}

asio::awaitable<void> YieldTimes(std::uint64_t times, std::atomic<std::uint64_t>& yields) {
  for (std::uint64_t i = 0; i < times; ++i) co_await asio::post(asio::use_awaitable);
  yields.fetch_add(times, std::memory_order_relaxed);  // relaxed: nothing goes with it
}

Sample Yield(std::uint64_t n, std::size_t threads) {
  asio::io_context context(static_cast<int>(threads));
  const std::uint64_t each = Batches(n, kBatch);
  std::atomic<std::uint64_t> yields{0};
  const Watch watch;
  for (std::uint64_t i = 0; i < kBatch; ++i) {
    asio::co_spawn(context, YieldTimes(each, yields), asio::detached);
  }
  RunThreads(context, threads);
  return watch.Stop(each * kBatch, yields.load() == each * kBatch);
}

Sample Timers(std::uint64_t n, std::size_t threads) {
  asio::io_context context(static_cast<int>(threads));
  std::vector<asio::steady_timer> armed;
  armed.reserve(n);
  std::uint64_t cancelled = 0;
  const Watch watch;
  for (std::uint64_t i = 0; i < n; ++i) {
    armed.emplace_back(context, std::chrono::milliseconds(FarMillis(i)));
    armed.back().async_wait([&cancelled](const asio::error_code& error) {
      cancelled += error == asio::error::operation_aborted ? 1 : 0;
    });
  }
  const double arming = watch.Stop(n, true).wall;
  armed.clear();
  // The handlers of what was cancelled.
  context.run();
  Sample sample = watch.Stop(n, cancelled > n / 2);
  sample.more.emplace_back("arm", arming / static_cast<double>(n));
  sample.more.emplace_back("cancel", (sample.wall - arming) / static_cast<double>(n));
  return sample;
}

// Notes by how much it slept too long; a sleep that is too short counts as wrong.
asio::awaitable<void> SleepOnce(std::uint64_t micros, std::uint32_t& late_us,
                                std::atomic<std::uint64_t>& in_time) {
  const SteadyClock::time_point start = SteadyClock::now();
  asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::microseconds(micros));
  co_await timer.async_wait(asio::use_awaitable);
  const auto slept =
      std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - start).count();
  const auto late = slept - static_cast<std::int64_t>(micros);
  if (late < 0) co_return;
  late_us = static_cast<std::uint32_t>(late);
  in_time.fetch_add(1, std::memory_order_relaxed);  // relaxed: nothing goes with it
}

Sample Sleeps(std::uint64_t n, std::size_t threads) {
  asio::io_context context(static_cast<int>(threads));
  std::vector<std::uint32_t> late_us(n);
  std::atomic<std::uint64_t> in_time{0};
  const Watch watch;
  for (std::uint64_t i = 0; i < n; ++i) {
    asio::co_spawn(context, SleepOnce(SleepMicros(i), late_us[i], in_time), asio::detached);
  }
  RunThreads(context, threads);
  Sample sample = watch.Stop(n, in_time.load() == n);
  AddLateness(late_us, sample);
  return sample;
}

asio::awaitable<void> SleepForAnHour(std::atomic<std::uint64_t>& started) {
  asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::hours(1));
  started.fetch_add(1, std::memory_order_relaxed);  // relaxed: nothing goes with it
  co_await timer.async_wait(asio::use_awaitable);
}

// Spawns the `n` tasks that spawn(i) gives, which count themselves in `started`, and measures the
// memory that they take.
template <typename SpawnOne>
Sample Idle(asio::io_context& context, std::uint64_t n, std::size_t threads,
            std::atomic<std::uint64_t>& started, SpawnOne spawn) {
  double bytes = 0;
  const double before = Resident();
  const Watch watch;
  for (std::uint64_t i = 0; i < n; ++i) spawn(i);
  std::thread watcher([&] {
    while (started.load() < n) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    bytes = (Resident() - before) / static_cast<double>(n);
    context.stop();
  });
  RunThreads(context, threads);
  watcher.join();
  Sample sample = watch.Stop(n, true);
  sample.more.emplace_back("bytes", bytes);
  return sample;
}

Sample IdleSleep(std::uint64_t n, std::size_t threads) {
  asio::io_context context(static_cast<int>(threads));
  std::atomic<std::uint64_t> started{0};
  return Idle(context, n, threads, started, [&](std::uint64_t) {
    asio::co_spawn(context, SleepForAnHour(started), asio::detached);
  });
}

template <typename Channel>
asio::awaitable<void> ReceiveOne(Channel& channel, std::atomic<std::uint64_t>& started) {
  started.fetch_add(1, std::memory_order_relaxed);  // relaxed: nothing goes with it
  co_await channel.async_receive(asio::use_awaitable);
}

template <typename Channel>
Sample IdleReceive(std::uint64_t n, std::size_t threads) {
  asio::io_context context(static_cast<int>(threads));
  std::atomic<std::uint64_t> started{0};
  std::deque<Channel> channels;
  return Idle(context, n, threads, started, [&](std::uint64_t) {
    asio::co_spawn(context, ReceiveOne(channels.emplace_back(context, 1), started), asio::detached);
  });
}

template <typename Channel>
Sample IdleChannel(std::uint64_t n, std::size_t threads) {
  asio::io_context context(static_cast<int>(threads));
  const double before = Resident();
  std::deque<Channel> channels;
  const Watch watch;
  for (std::uint64_t i = 0; i < n; ++i) channels.emplace_back(context, kIdleCapacity);
  const double bytes = (Resident() - before) / static_cast<double>(n);
  Sample sample = watch.Stop(n, true);
  sample.more.emplace_back("bytes", bytes);
  return sample;
}

asio::awaitable<void> SleepThrough(std::atomic<std::uint64_t>& ended) {
  asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::seconds(2));
  co_await timer.async_wait(asio::use_awaitable);
  ended.fetch_add(1, std::memory_order_relaxed);  // relaxed: nothing goes with it
}

Sample Burst(std::uint64_t n, std::size_t threads) {
  asio::io_context context(static_cast<int>(threads));
  std::atomic<std::uint64_t> ended{0};
  return RunOnWorker(context, threads, [&]() -> asio::awaitable<Sample> {
    asio::steady_timer timer(context);
    const double before = Resident();
    const Watch watch;
    for (std::uint64_t i = 0; i < n; ++i) {
      asio::co_spawn(context, SleepThrough(ended), asio::detached);
    }
    const double peak = (Resident() - before) / static_cast<double>(n);
    while (ended.load() < n) {
      timer.expires_after(std::chrono::milliseconds(10));
      co_await timer.async_wait(asio::use_awaitable);
    }
    timer.expires_after(std::chrono::seconds(1));
    co_await timer.async_wait(asio::use_awaitable);
    const double bytes = (Resident() - before) / static_cast<double>(n);
    Sample sample = watch.Stop(n, true);
    sample.more.emplace_back("peak_bytes", peak);
    sample.more.emplace_back("bytes", bytes);
    co_return sample;
  });
}

asio::awaitable<void> EchoAll(asio::ip::tcp::socket socket, std::size_t buffer_size) {
  const auto buffer = std::make_unique_for_overwrite<char[]>(buffer_size);
  asio::error_code error;
  while (true) {
    const std::size_t size = co_await socket.async_read_some(
        asio::buffer(buffer.get(), buffer_size), asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return;
    co_await asio::async_write(socket, asio::buffer(buffer.get(), size),
                               asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return;
  }
}

asio::awaitable<void> AcceptAndEcho(asio::ip::tcp::acceptor& acceptor, std::size_t buffer_size) {
  while (true) {
    asio::ip::tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
    socket.set_option(asio::ip::tcp::no_delay(true));
    asio::co_spawn(acceptor.get_executor(), EchoAll(std::move(socket), buffer_size),
                   asio::detached);
  }
}

// Serves until the process is killed.
Sample ServeEcho(std::uint64_t n, std::size_t threads) {
  asio::io_context context(static_cast<int>(threads));
  const asio::ip::tcp::endpoint loopback(asio::ip::address_v4::loopback(), 0);
  asio::ip::tcp::acceptor acceptor(context, loopback);
  acceptor.listen(1024);
  std::printf("listening on 127.0.0.1:%d\n", acceptor.local_endpoint().port());
  std::fflush(stdout);
  asio::co_spawn(context, AcceptAndEcho(acceptor, n), asio::detached);
  RunThreads(context, threads);
  return Sample{};
}

// With the channel without a lock for one thread.
template <Sample (*kLocal)(std::uint64_t, std::size_t),
          Sample (*kShared)(std::uint64_t, std::size_t)>
Sample Either(std::uint64_t n, std::size_t threads) {
  return threads == 1 ? kLocal(n, threads) : kShared(n, threads);
}

template <std::size_t kRoom, std::uint64_t kProducers, std::uint64_t kConsumers>
Sample EitherStream(std::uint64_t n, std::size_t threads) {
  return Either<Stream<LocalChannel, kRoom, kProducers, kConsumers>,
                Stream<SharedChannel, kRoom, kProducers, kConsumers>>(n, threads);
}

constexpr Workload kWorkloads[] = {
    {"spawn_join", Either<SpawnJoin<LocalChannel>, SpawnJoin<SharedChannel>>},
    {"spawn_join_ready", SpawnJoinReady},
    {"spawn_many", Either<SpawnMany<LocalChannel>, SpawnMany<SharedChannel>>},
    {"yield", Yield},
    {"fib", Fib},
    {"oneshot", Either<Oneshots<LocalChannel>, Oneshots<SharedChannel>>},
    {"ping_pong", Either<PingPong<LocalChannel>, PingPong<SharedChannel>>},
    {"ping_pong1", Either<PingPongOfOne<LocalChannel>, PingPongOfOne<SharedChannel>>},
    {"chan_b_1x1", EitherStream<kCapacity, 1, 1>},
    {"chan_b_1x4", EitherStream<kCapacity, 1, 4>},
    {"chan_b_2x2", EitherStream<kCapacity, 2, 2>},
    {"chan_b_4x1", EitherStream<kCapacity, 4, 1>},
    {"chan_b_4x4", EitherStream<kCapacity, 4, 4>},
    {"chan_u_1x1", EitherStream<kUnbounded, 1, 1>},
    {"chan_u_1x4", EitherStream<kUnbounded, 1, 4>},
    {"chan_u_2x2", EitherStream<kUnbounded, 2, 2>},
    {"chan_u_4x1", EitherStream<kUnbounded, 4, 1>},
    {"chan_u_4x4", EitherStream<kUnbounded, 4, 4>},
    {"broadcast_1x8", Either<BroadcastToEight<LocalChannel>, BroadcastToEight<SharedChannel>>},
    {"mutex", Either<LockInTurn<LocalChannel>, LockInTurn<SharedChannel>>},
    {"semaphore", Either<AcquireInTurn<LocalChannel>, AcquireInTurn<SharedChannel>>},
    // A signal is a channel of capacity one.
    {"notify", Either<PingPongOfOne<LocalChannel>, PingPongOfOne<SharedChannel>>},
    {"timers", Timers},
    {"sleeps", Sleeps},
    {"idle_sleep", IdleSleep},
    {"idle_recv", Either<IdleReceive<LocalChannel>, IdleReceive<SharedChannel>>},
    {"idle_channel", Either<IdleChannel<LocalChannel>, IdleChannel<SharedChannel>>},
    {"burst", Burst},
    {"chan_depth", Either<ChannelDepth<LocalChannel>, ChannelDepth<SharedChannel>>},
    {"serve_echo", ServeEcho},
};

}  // namespace
}  // namespace home::race

int main(int argc, char** argv) {
  return home::race::Main(argc, argv, "asio", home::race::kWorkloads);
}
