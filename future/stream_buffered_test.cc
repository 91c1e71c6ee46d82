#include "home/future/stream_buffered.h"

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/async_testing.h"
#include "home/future/pipe.h"
#include "home/future/ready.h"
#include "home/future/stream.h"
#include "home/future/stream_consume.h"
#include "home/future/stream_map.h"
#include "home/future/stream_source.h"
#include "home/future/stream_testing.h"
#include "home/future/testing.h"

namespace home {
namespace {

using testing::CountingWaker;
using testing::Gate;
using testing::PollNextOnce;
using testing::PollOnce;
using testing::Source;

using Ints = std::vector<int>;

// As many gates as a test needs, and who waits at each.
class Gates {
 public:
  explicit Gates(std::size_t count) : gates_(count) {}

  Async<int> Wait(int index) {
    ++started_;
    ++alive_;
    const Alive alive(alive_);
    int value = co_await Gate::Wait(gates_[static_cast<std::size_t>(index)]);
    co_return value;
  }
  Async<> WaitForNothing(int index) {
    int value = co_await Wait(index);
    finished_.push_back(value);
  }
  void Open(int index) { gates_[static_cast<std::size_t>(index)].Open(index); }

  int started() const { return started_; }
  int alive() const { return alive_; }
  int polls() const {
    int sum = 0;
    for (const Gate& gate : gates_) sum += gate.polls();
    return sum;
  }
  const Ints& finished() const { return finished_; }

 private:
  struct Alive {
    explicit Alive(int& counter) : count(counter) {}
    Alive(const Alive&) = delete;
    Alive& operator=(const Alive&) = delete;
    ~Alive() { --count; }
    int& count;
  };
  std::deque<Gate> gates_;
  int started_ = 0;
  int alive_ = 0;
  Ints finished_;
};

auto WaitAt(Gates& gates) {
  return [&gates](int index) { return gates.Wait(index); };
}
auto UpTo(int n) { return FromRange(std::views::iota(0, n)); }

TEST(StreamBufferedTest, BufferedKeepsTheOrderAndTheLimit) {
  Gates gates(5);
  CountingWaker counter;
  auto stream = UpTo(5) | Map(WaitAt(gates)) | Buffered(3);
  EXPECT_TRUE(PollNextOnce(stream, counter).pending());
  EXPECT_EQ(gates.started(), 3);
  gates.Open(2);
  gates.Open(1);
  EXPECT_TRUE(PollNextOnce(stream, counter).pending());
  // Two values wait for the first: there is no room.
  EXPECT_EQ(gates.started(), 3);
  gates.Open(0);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(**PollNextOnce(stream, counter), i);
  EXPECT_TRUE(PollNextOnce(stream, counter).pending());
  EXPECT_EQ(gates.started(), 5);
  gates.Open(4);
  gates.Open(3);
  EXPECT_EQ(**PollNextOnce(stream, counter), 3);
  EXPECT_EQ(**PollNextOnce(stream, counter), 4);
  EXPECT_FALSE((*PollNextOnce(stream, counter)).has_value());
  EXPECT_FALSE((*PollNextOnce(stream, counter)).has_value());
}

TEST(StreamBufferedTest, UnorderedGivesWhatIsReady) {
  Gates gates(4);
  CountingWaker counter;
  auto stream = UpTo(4) | Map(WaitAt(gates)) | BufferedUnordered(2);
  EXPECT_TRUE(PollNextOnce(stream, counter).pending());
  EXPECT_EQ(gates.started(), 2);
  gates.Open(1);
  EXPECT_EQ(**PollNextOnce(stream, counter), 1);
  EXPECT_TRUE(PollNextOnce(stream, counter).pending());
  EXPECT_EQ(gates.started(), 3);
  gates.Open(2);
  EXPECT_EQ(**PollNextOnce(stream, counter), 2);
  gates.Open(3);
  gates.Open(0);
  Ints rest;
  for (int i = 0; i < 2; ++i) rest.push_back(**PollNextOnce(stream, counter));
  EXPECT_EQ(rest.size(), 2u);
  EXPECT_FALSE((*PollNextOnce(stream, counter)).has_value());
}

TEST(StreamBufferedTest, APollPollsOnlyWhatWasWoken) {
  constexpr int kCount = 1000;
  Gates gates(kCount);
  CountingWaker counter;
  auto ordered = UpTo(kCount) | Map(WaitAt(gates)) | Buffered(kCount);
  EXPECT_TRUE(PollNextOnce(ordered, counter).pending());
  EXPECT_EQ(gates.polls(), kCount);
  EXPECT_TRUE(PollNextOnce(ordered, counter).pending());
  EXPECT_EQ(gates.polls(), kCount);
  gates.Open(kCount - 1);
  EXPECT_TRUE(PollNextOnce(ordered, counter).pending());
  EXPECT_EQ(gates.polls(), kCount + 1);
  gates.Open(0);
  EXPECT_EQ(**PollNextOnce(ordered, counter), 0);
  EXPECT_EQ(gates.polls(), kCount + 2);
}

TEST(StreamBufferedTest, ForEachConcurrentPollsOnlyWhatWasWoken) {
  constexpr int kCount = 1000;
  Gates gates(kCount);
  CountingWaker counter;
  auto future = UpTo(kCount) | ForEachConcurrent(kCount, [&gates](int index) {
                  return gates.WaitForNothing(index);
                });
  EXPECT_TRUE(PollOnce(future, counter).pending());
  gates.Open(7);
  EXPECT_TRUE(PollOnce(future, counter).pending());
  EXPECT_EQ(gates.polls(), kCount + 1);
  EXPECT_EQ(gates.finished(), (Ints{7}));
}

TEST(StreamBufferedTest, ASlowStreamWakesTheTask) {
  Source source;
  CountingWaker counter;
  auto stream = source.Stream() | Map([](int n) { return Ready(n); }) | Buffered(2);
  EXPECT_TRUE(PollNextOnce(stream, counter).pending());
  source.Give(1);
  EXPECT_EQ(counter.wakes(), 1);
  EXPECT_EQ(**PollNextOnce(stream, counter), 1);
  source.End();
  EXPECT_FALSE((*PollNextOnce(stream, counter)).has_value());
}

TEST(StreamBufferedTest, ForEachConcurrentKeepsItsLimitAndEndsWithTheLast) {
  Gates gates(5);
  CountingWaker counter;
  auto future =
      ForEachConcurrent(UpTo(5), 2, [&gates](int index) { return gates.WaitForNothing(index); });
  EXPECT_TRUE(PollOnce(future, counter).pending());
  EXPECT_EQ(gates.alive(), 2);
  gates.Open(1);
  EXPECT_TRUE(PollOnce(future, counter).pending());
  EXPECT_EQ(gates.started(), 3);
  EXPECT_EQ(gates.alive(), 2);
  for (int index : {0, 2, 3}) gates.Open(index);
  EXPECT_TRUE(PollOnce(future, counter).pending());
  EXPECT_EQ(gates.started(), 5);
  gates.Open(4);
  EXPECT_TRUE(PollOnce(future, counter).ready());
  EXPECT_EQ(gates.finished().size(), 5u);
}

TEST(StreamBufferedTest, ForEachConcurrentOfNothingIsReady) {
  auto future = UpTo(0) | ForEachConcurrent(1, [](int) { return Ready(); });
  EXPECT_TRUE(PollOnce(future).ready());
}

// The captures of a lambda that is a coroutine live as long as its coroutines.
TEST(StreamBufferedTest, TheFunctionMayBeACapturingLambdaCoroutine) {
  Gates gates(2);
  CountingWaker counter;
  auto sum = std::make_shared<int>(0);
  auto future = UpTo(2) | ForEachConcurrent(2, [&gates, sum](int index) -> Async<> {
                  int value = co_await gates.Wait(index);
                  *sum += value + 1;
                });
  EXPECT_TRUE(PollOnce(future, counter).pending());
  gates.Open(0);
  gates.Open(1);
  EXPECT_TRUE(PollOnce(future, counter).ready());
  EXPECT_EQ(*sum, 3);
}

TEST(StreamBufferedTest, DroppingCancelsAllThatIsUnderWay) {
  Gates gates(3);
  CountingWaker counter;
  {
    auto collect = UpTo(3) | Map(WaitAt(gates)) | Buffered(2) | Collect();
    EXPECT_TRUE(PollOnce(collect, counter).pending());
    EXPECT_EQ(gates.alive(), 2);
    auto each = ForEachConcurrent(UpTo(1), 1, [&gates](int) { return gates.WaitForNothing(2); });
    EXPECT_TRUE(PollOnce(each, counter).pending());
    EXPECT_EQ(gates.alive(), 3);
  }
  EXPECT_EQ(gates.alive(), 0);
  EXPECT_EQ(counter.alive(), 0);
}

Async<int> ThrowOn(int bad, int value) {
  if (value == bad) throw std::runtime_error("bad item");
  co_return value;
}

template <typename S>
void ExpectLossOfOneAlone(S stream) {
  EXPECT_EQ(**PollNextOnce(stream), 0);
  EXPECT_THROW(static_cast<void>(PollNextOnce(stream)), std::runtime_error);
  EXPECT_EQ(**PollNextOnce(stream), 2);
  EXPECT_FALSE((*PollNextOnce(stream)).has_value());
}

TEST(StreamBufferedTest, AFutureThatThrowsLosesItsValueAlone) {
  for (std::size_t limit : {1u, 2u, 3u}) {
    auto source = [] { return UpTo(3) | Map([](int n) { return ThrowOn(1, n); }); };
    ExpectLossOfOneAlone(source() | Buffered(limit));
    ExpectLossOfOneAlone(source() | BufferedUnordered(limit));
  }
}

// Pitfall 38: the others are cancelled before the exception is seen.
TEST(StreamBufferedTest, AFunctionThatThrowsCancelsTheOthers) {
  Gates gates(2);
  CountingWaker counter;
  auto future = ForEachConcurrent(UpTo(3), 3, [&gates](int index) -> Async<> {
    if (index == 2) throw std::runtime_error("bad item");
    co_await gates.WaitForNothing(index);
  });
  EXPECT_THROW(static_cast<void>(PollOnce(future, counter)), std::runtime_error);
  EXPECT_EQ(gates.started(), 2);
  EXPECT_EQ(gates.alive(), 0);
}

TEST(StreamBufferedTest, HundredThousandItemsPassThroughASmallBuffer) {
  auto future = UpTo(100'000) | Map([](int n) { return Ready(n); }) | BufferedUnordered(8) |
                Fold(0, [](int count, int) { return count + 1; });
  EXPECT_EQ(*PollOnce(future), 100'000);
}

using StreamBufferedDeathTest = ::testing::Test;

TEST(StreamBufferedDeathTest, NoRoomIsNamed) {
  auto source = [] { return UpTo(1) | Map([](int) { return Ready(); }); };
  EXPECT_DEATH(static_cast<void>(source() | Buffered(0)), "room for no future");
  EXPECT_DEATH(static_cast<void>(UpTo(1) | ForEachConcurrent(0, [](int) { return Ready(); })),
               "room for no future");
}

}  // namespace
}  // namespace home
