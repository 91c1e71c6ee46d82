// The workloads of the race, for Asio (stand-alone), with its C++20 coroutines. The
// io_context is told how many threads run it: with one it spares itself locks.

// Debian's version does not find clang's coroutines by itself.
#define ASIO_HAS_CO_AWAIT 1
#define ASIO_HAS_STD_COROUTINE 1

#include <asio.hpp>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "home/integration/peers/measure.h"

namespace home::race {
namespace {

using SteadyClock = std::chrono::steady_clock;

// Runs `context` on `threads` threads until it has no more work.
void RunThreads(asio::io_context& context, std::size_t threads) {
  std::vector<std::thread> others;
  for (std::size_t i = 1; i < threads; ++i) others.emplace_back([&context] { context.run(); });
  context.run();
  for (std::thread& other : others) other.join();
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

Sample IdleSleep(std::uint64_t n, std::size_t threads) {
  asio::io_context context(static_cast<int>(threads));
  std::atomic<std::uint64_t> started{0};
  double bytes = 0;
  const double before = Resident();
  const Watch watch;
  for (std::uint64_t i = 0; i < n; ++i) {
    asio::co_spawn(context, SleepForAnHour(started), asio::detached);
  }
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

constexpr Workload kWorkloads[] = {
    {"yield", Yield},          {"timers", Timers},        {"sleeps", Sleeps},
    {"idle_sleep", IdleSleep}, {"serve_echo", ServeEcho},
};

}  // namespace
}  // namespace home::race

int main(int argc, char** argv) {
  return home::race::Main(argc, argv, "asio", home::race::kWorkloads);
}
