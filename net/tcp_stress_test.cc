// TCP with the reactor, readers and writers on threads of their own.

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "home/future/testing.h"
#include "home/net/testing.h"
#include "home/reactor/reactor.h"

namespace home {
namespace {

using home::testing::ConnectOverLoopback;
using home::testing::CountingWaker;
using home::testing::PollOnce;
using home::testing::TcpPair;

// Polls `future` until it is done; somebody else polls the reactor.
template <Future F>
FutureOutput<F> Await(F&& future) {
  CountingWaker counter;
  for (;;) {
    const int wakes = counter.wakes();
    home::Poll<FutureOutput<F>> poll = PollOnce(future, counter);
    if (poll.ready()) {
      // The poller may still be inside the wake-up that got us here.
      while (counter.alive() != 0) std::this_thread::yield();
      return std::move(poll).value();
    }
    while (counter.wakes() == wakes) std::this_thread::yield();
  }
}

constexpr std::size_t kBytes = 4 << 20;

char ByteAt(std::size_t i) { return static_cast<char>(i * 7 + i / 1021); }

// Both ends read and write at the same time, on four threads, while a fifth
// polls the reactor. A lost edge hangs it.
TEST(TcpStressTest, BothDirectionsOnThreadsOfTheirOwn) {
  const std::unique_ptr<Reactor> reactor = Reactor::Create().value();
  TcpPair pair = ConnectOverLoopback(*reactor);
  std::string data(kBytes, '\0');
  for (std::size_t i = 0; i < kBytes; ++i) data[i] = ByteAt(i);

  std::atomic<bool> done{false};
  std::thread poller([&] {
    WakeList wakes;
    while (!done.load()) {
      reactor->Poll(-1, wakes);
      wakes.WakeAll();
    }
  });
  std::vector<std::thread> threads;
  for (TcpStream* stream : {&pair.client, &pair.server}) {
    threads.emplace_back([&data, stream] {
      // Pieces of many sizes, so that reads and writes end everywhere.
      absl::string_view rest = data;
      for (std::size_t size = 1; !rest.empty(); size = size % 50'000 * 2 + 1) {
        const absl::string_view piece = rest.substr(0, size);
        ASSERT_TRUE(Await(stream->WriteAll(piece)).ok());
        rest.remove_prefix(piece.size());
      }
      ASSERT_TRUE(stream->ShutdownWrite().ok());
    });
    threads.emplace_back([stream] {
      std::vector<char> buffer(30'000);
      std::size_t total = 0;
      for (;;) {
        const std::size_t count = Await(stream->Read(absl::MakeSpan(buffer))).value();
        if (count == 0) break;
        for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(buffer[i], ByteAt(total + i));
        total += count;
      }
      EXPECT_EQ(total, kBytes);
    });
  }
  for (std::thread& thread : threads) thread.join();
  done.store(true);
  reactor->Wake();
  poller.join();
}

// Connections come and go on one thread while another polls: descriptor numbers
// and slots are reused all the time.
TEST(TcpStressTest, ManyShortConnections) {
  const std::unique_ptr<Reactor> reactor = Reactor::Create().value();
  TcpListener listener = home::testing::ListenOnLoopback(*reactor);
  std::atomic<bool> done{false};
  std::thread poller([&] {
    WakeList wakes;
    while (!done.load()) {
      reactor->Poll(-1, wakes);
      wakes.WakeAll();
    }
  });
  std::thread server([&] {
    for (int i = 0; i < 300; ++i) {
      TcpStream stream = Await(listener.Accept()).value();
      std::array<char, 16> buffer;
      const std::size_t count = Await(stream.Read(absl::MakeSpan(buffer))).value();
      EXPECT_TRUE(Await(stream.WriteAll(absl::string_view(buffer.data(), count))).ok());
    }
  });
  ReactorScope scope(reactor.get());
  for (int i = 0; i < 300; ++i) {
    TcpStream stream = Await(TcpStream::Connect(listener.local_address())).value();
    const std::string message = std::to_string(i);
    EXPECT_TRUE(Await(stream.WriteAll(message)).ok());
    std::string answer;
    std::array<char, 16> buffer;
    for (;;) {
      const std::size_t count = Await(stream.Read(absl::MakeSpan(buffer))).value();
      if (count == 0) break;
      answer.append(buffer.data(), count);
    }
    EXPECT_EQ(answer, message);
  }
  server.join();
  done.store(true);
  reactor->Wake();
  poller.join();
}

}  // namespace
}  // namespace home
