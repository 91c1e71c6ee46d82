// Channels of values between tasks and threads: what Go's and crossbeam's tests of channels
// check. On threads, and on the simulated flavour, where channel_simulation_test runs it under many
// seeds.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "home/channel/channel_stress_testing.h"
#include "home/channel/kinds_testing.h"
#include "home/future/async.h"
#include "home/future/random.h"
#include "home/future/select.h"
#include "home/parker/barrier_testing.h"
#include "home/scheduler/runtime.h"
#include "home/scheduler/testing.h"
#include "home/timer/timeout.h"

namespace home {
namespace {

using channel_testing::kReceivers;
using channel_testing::Share;
using channel_testing::Tally;

template <typename Case>
class ChannelStressTest : public ::testing::Test {
 protected:
  Runtime runtime_ = testing::MakeRuntime(Case::kFlavour);
};
TYPED_TEST_SUITE(ChannelStressTest, channel_testing::Cases, channel_testing::CaseName);

struct Message {
  int sender;
  int number;
};

// Each sender's messages arrive once, at each receiver in order.
struct Log {
  explicit Log(int senders) : counts(static_cast<std::size_t>(senders)) {}
  std::vector<std::atomic<int>> counts;
};

template <typename Sender>
Async<void> SendAll(Sender sender, int id, int count) {
  for (int i = 0; i < count; ++i) {
    if (i % 3 == 0) {
      const auto permit = co_await sender.Reserve();
      if (!permit.ok()) co_return;
      auto used = sender.TryReserve();
      used.reset();
    }
    const auto sent = co_await sender.Send(Message{id, i});
    EXPECT_TRUE(sent.ok());
  }
}
template <typename Receiver>
Async<void> ReceiveAll(Receiver receiver, Log* log) {
  std::vector<int> next(log->counts.size());
  while (true) {
    const auto message = co_await receiver.Recv();
    if (!message.has_value()) break;
    int& expected = next[static_cast<std::size_t>(message->sender)];
    EXPECT_GE(message->number, expected);
    expected = message->number + 1;
    log->counts[static_cast<std::size_t>(message->sender)].fetch_add(1);
  }
  EXPECT_TRUE(receiver.IsDrained());
}

template <typename Kind>
Async<void> FanInFanOut(std::size_t capacity) {
  constexpr int kSenders = 4;
  Log log(kSenders);
  std::vector<JoinHandle<void>> tasks;
  {
    auto ends = Kind::template Make<Message>(capacity);
    for (int i = 0; i < kSenders; ++i) tasks.push_back(Spawn(SendAll(ends.first, i, Kind::kEach)));
    for (int i = 0; i < kReceivers<Kind>; ++i) {
      tasks.push_back(Spawn(ReceiveAll(Share(ends.second), &log)));
    }
  }
  for (auto& task : tasks) {
    const auto done = co_await task;
    EXPECT_TRUE(done.ok());
  }
  for (const auto& count : log.counts) EXPECT_EQ(count, Kind::kEach);
}

// Pitfall 26: capacities around the size of a block.
TYPED_TEST(ChannelStressTest, FanInFanOut) {
  for (const std::size_t capacity : {0u, 1u, 2u, 31u, 32u, 1000u}) {
    this->runtime_.BlockOn(FanInFanOut<TypeParam>(capacity));
  }
}

// Select in a loop, whose losers are dropped each time, loses no message.
template <typename Kind>
Async<void> SelectLoop() {
  auto a = Kind::template Make<int>(1);
  auto b = Kind::template Make<int>(3);
  auto produce = [](auto sender) -> Async<void> {
    for (int i = 0; i < Kind::kEach; ++i) {
      const auto sent = co_await sender.Send(i);
      EXPECT_TRUE(sent.ok());
    }
  };
  auto first = Spawn(produce(std::move(a.first)));
  auto second = Spawn(produce(std::move(b.first)));
  int next[2] = {};
  bool open[2] = {true, true};
  while (open[0] && open[1]) {
    auto select = Select(a.second.Recv(), b.second.Recv());
    const auto winner = co_await select;
    const std::size_t index = winner.index();
    const auto value = index == 0 ? std::get<0>(winner) : std::get<1>(winner);
    if (!value.has_value()) {
      open[index] = false;
      continue;
    }
    EXPECT_EQ(*value, next[index]);
    ++next[index];
  }
  auto& rest = open[0] ? a.second : b.second;
  int& rest_next = open[0] ? next[0] : next[1];
  while (true) {
    const auto value = co_await rest.Recv();
    if (!value.has_value()) break;
    EXPECT_EQ(*value, rest_next);
    ++rest_next;
  }
  EXPECT_EQ(next[0], Kind::kEach);
  EXPECT_EQ(next[1], Kind::kEach);
  const auto first_done = co_await first;
  const auto second_done = co_await second;
  EXPECT_TRUE(first_done.ok() && second_done.ok());
}
TYPED_TEST(ChannelStressTest, SelectLoop) { this->runtime_.BlockOn(SelectLoop<TypeParam>()); }

// A task sends to one of two, whoever takes it first: each value arrives once.
template <typename Kind>
Async<void> SelectOfSends() {
  auto a = Kind::template Make<int>(0);
  auto b = Kind::template Make<int>(1);
  auto consume = [](auto receiver) -> Async<std::int64_t> {
    std::int64_t sum = 0;
    int last = -1;
    while (true) {
      const auto value = co_await receiver.Recv();
      if (!value.has_value()) co_return sum;
      EXPECT_GT(*value, last);
      last = *value;
      sum += *value;
    }
  };
  auto first = Spawn(consume(std::move(a.second)));
  auto second = Spawn(consume(std::move(b.second)));
  {
    auto to_first = std::move(a.first);
    auto to_second = std::move(b.first);
    for (int i = 0; i < Kind::kEach; ++i) {
      auto select = Select(to_first.Send(i), to_second.Send(i));
      const auto winner = co_await select;
      EXPECT_TRUE(std::visit([](const auto& sent) { return sent.ok(); }, winner));
    }
  }
  const auto of_first = co_await first;
  const auto of_second = co_await second;
  EXPECT_EQ(*of_first + *of_second, std::int64_t{Kind::kEach} * (Kind::kEach - 1) / 2);
}
TYPED_TEST(ChannelStressTest, SelectOfSends) { this->runtime_.BlockOn(SelectOfSends<TypeParam>()); }

// Tasks that send and receive on one channel, whichever comes first, as Go's TestSelfSelect: there
// is always one of the two. At a capacity of 0 a task may find itself waiting for what it sends.
template <typename Sender, typename Receiver>
Async<void> UseBothEnds(Sender sender, Receiver receiver, int rounds, Tally* tally) {
  for (int i = 1; i <= rounds; ++i) {
    auto select = Select(sender.Send(i), receiver.Recv());
    const auto winner = co_await select;
    if (winner.index() == 0) {
      EXPECT_TRUE(std::get<0>(winner).ok());
      tally->sent.fetch_add(i);
    } else {
      tally->received.fetch_add(std::get<1>(winner).value_or(0));
    }
  }
}
template <typename Kind>
Async<void> SelfSelect(std::size_t capacity) {
  Tally tally;
  std::vector<JoinHandle<void>> tasks;
  {
    auto ends =
        Kind::template Make<int>(capacity, [&tally](int value) { tally.undelivered += value; });
    for (int i = 0; i < kReceivers<Kind>; ++i) {
      tasks.push_back(Spawn(UseBothEnds(ends.first, Share(ends.second), Kind::kEach, &tally)));
    }
  }
  for (auto& task : tasks) {
    const auto done = co_await task;
    EXPECT_TRUE(done.ok());
  }
  EXPECT_EQ(tally.received + tally.undelivered, tally.sent);
}
TYPED_TEST(ChannelStressTest, SelfSelect) {
  for (const std::size_t capacity : {0u, 1u, 10u}) {
    this->runtime_.BlockOn(SelfSelect<TypeParam>(capacity));
  }
}

// Channels through a channel: each question brings the one that its answer goes to. Who has asked
// may be aborted before that.
template <typename Kind>
struct Question {
  Question(int asked, typename Kind::template Sender<int> to)
      : number(asked), answer(std::move(to)) {}

  int number;
  typename Kind::template Sender<int> answer;
};
template <typename Kind>
Async<void> Ask(typename Kind::template Sender<Question<Kind>> questions) {
  for (int i = 0; i < Kind::kEach; ++i) {
    auto ends = Kind::template Make<int>(1);
    Question<Kind> question(i, std::move(ends.first));
    const auto sent = co_await questions.Send(std::move(question));
    EXPECT_TRUE(sent.ok());
    const auto answer = co_await ends.second.Recv();
    EXPECT_EQ(answer.value_or(0), i + 1);
  }
}
template <typename Kind>
Async<void> Answer(typename Kind::template Receiver<Question<Kind>> questions) {
  while (true) {
    auto question = co_await questions.Recv();
    if (!question.has_value()) co_return;
    const auto sent = co_await question->answer.Send(question->number + 1);
    static_cast<void>(sent.ok());
  }
}
template <typename Kind>
Async<void> ChannelsThroughAChannel() {
  std::vector<JoinHandle<void>> tasks;
  {
    auto ends = Kind::template Make<Question<Kind>>(2);
    for (int i = 0; i < 4; ++i) tasks.push_back(Spawn(Ask<Kind>(ends.first)));
    for (int i = 0; i < kReceivers<Kind>; ++i) {
      tasks.push_back(Spawn(Answer<Kind>(Share(ends.second))));
    }
  }
  for (int i = 0; i < 10; ++i) co_await YieldNow();
  tasks[0].Abort();
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const auto done = co_await tasks[i];
    EXPECT_TRUE(done.ok() || i == 0);
  }
}
TYPED_TEST(ChannelStressTest, ChannelsThroughAChannel) {
  this->runtime_.BlockOn(ChannelsThroughAChannel<TypeParam>());
}

// A close in the middle of the traffic: all that was accepted before is received.
template <typename Kind>
Async<void> CloseRaces() {
  for (int round = 0; round < 3 * Kind::kRounds; ++round) {
    auto ends = Kind::template Make<int>(4);
    std::atomic<int> accepted{0};
    std::atomic<int> received{0};
    auto produce = [&accepted](auto sender) -> Async<void> {
      while (true) {
        const auto sent = co_await sender.Send(1);
        if (!sent.ok()) co_return;
        accepted.fetch_add(1);
      }
    };
    auto consume = [&received](auto receiver) -> Async<void> {
      while (true) {
        const auto value = co_await receiver.Recv();
        if (!value.has_value()) co_return;
        received.fetch_add(1);
      }
    };
    std::vector<JoinHandle<void>> tasks;
    tasks.push_back(Spawn(produce(ends.first)));
    tasks.push_back(Spawn(produce(ends.first)));
    for (int i = 0; i < kReceivers<Kind>; ++i) tasks.push_back(Spawn(consume(Share(ends.second))));
    for (int i = 0; i < round % 5; ++i) co_await YieldNow();
    ends.first.Close();
    for (auto& task : tasks) {
      const auto done = co_await task;
      EXPECT_TRUE(done.ok());
    }
    EXPECT_EQ(accepted, received);
  }
}
TYPED_TEST(ChannelStressTest, CloseRaces) { this->runtime_.BlockOn(CloseRaces<TypeParam>()); }

// The sieve of Eratosthenes: a task and a rendezvous a prime.
template <typename Kind>
Async<void> Sieve() {
  using Receiver = decltype(Kind::template Make<int>(0).second);
  using Sender = decltype(Kind::template Make<int>(0).first);
  auto generate = [](Sender sender) -> Async<void> {
    for (int i = 2;; ++i) {
      const auto sent = co_await sender.Send(i);
      if (!sent.ok()) co_return;
    }
  };
  auto filter = [](Receiver in, Sender out, int prime) -> Async<void> {
    while (true) {
      const auto number = co_await in.Recv();
      if (!number.has_value()) co_return;
      if (*number % prime == 0) continue;
      const auto sent = co_await out.Send(*number);
      if (!sent.ok()) co_return;
    }
  };
  auto ends = Kind::template Make<int>(0);
  std::vector<JoinHandle<void>> tasks;
  tasks.push_back(Spawn(generate(std::move(ends.first))));
  std::optional<Receiver> numbers(std::move(ends.second));
  std::vector<int> primes;
  while (primes.size() < 25) {
    const auto prime = co_await numbers->Recv();
    primes.push_back(*prime);
    auto next = Kind::template Make<int>(0);
    tasks.push_back(Spawn(filter(std::move(*numbers), std::move(next.first), *prime)));
    numbers.emplace(std::move(next.second));
  }
  EXPECT_EQ(primes.back(), 97);
  // The end goes through the whole chain.
  numbers.reset();
  for (auto& task : tasks) {
    const auto done = co_await task;
    EXPECT_TRUE(done.ok());
  }
}
TYPED_TEST(ChannelStressTest, Sieve) { this->runtime_.BlockOn(Sieve<TypeParam>()); }

// Tasks that give up after a time: what was accepted is received, or undelivered, once.
template <typename Sender>
Async<void> SendInTime(Sender sender, Tally* tally, int count) {
  for (int i = 1; i <= count; ++i) {
    auto send = Timeout(sender.Send(i), absl::Microseconds(RandomBelow(3)));
    const auto sent = co_await send;
    if (sent.ok()) tally->sent.fetch_add(i);
  }
}
template <typename Receiver>
Async<void> ReceiveInTime(Receiver receiver, Tally* tally) {
  while (!receiver.IsDrained()) {
    auto receive = Timeout(receiver.Recv(), absl::Microseconds(RandomBelow(3)));
    const auto received = co_await receive;
    if (received.ok() && received->has_value()) tally->received.fetch_add(**received);
  }
}

template <typename Kind>
Async<void> TimeOuts(std::size_t capacity) {
  Tally tally;
  std::vector<JoinHandle<void>> tasks;
  {
    auto ends =
        Kind::template Make<int>(capacity, [&tally](int value) { tally.undelivered += value; });
    for (int i = 0; i < 3; ++i) {
      tasks.push_back(Spawn(SendInTime(ends.first, &tally, Kind::kEach / 4)));
    }
    for (int i = 0; i < kReceivers<Kind>; ++i) {
      tasks.push_back(Spawn(ReceiveInTime(Share(ends.second), &tally)));
    }
  }
  for (auto& task : tasks) {
    const auto done = co_await task;
    EXPECT_TRUE(done.ok());
  }
  EXPECT_EQ(tally.received + tally.undelivered, tally.sent);
}
TYPED_TEST(ChannelStressTest, TimeOuts) {
  for (const std::size_t capacity : {0u, 1u, 5u}) {
    this->runtime_.BlockOn(TimeOuts<TypeParam>(capacity));
  }
}

// Plain threads at both ends, with deadlines that pass.
template <typename Kind>
class ChannelThreadsTest : public ::testing::Test {};
TYPED_TEST_SUITE(ChannelThreadsTest, channel_testing::Kinds);

// A thread that sends waits for room that another publishes, who was not waited for for long.
TYPED_TEST(ChannelThreadsTest, RoomAfterAQuietTime) {
  constexpr int kRounds = 200;
  constexpr int kQuietValues = 1'100;
  constexpr int kAwaited = 5;
  auto ends = TypeParam::template Make<int>(1);
  auto& sender = ends.first;
  auto& receiver = ends.second;
  testing::Barrier phase(2);
  std::thread other([&] {
    for (int round = 0; round < kRounds; ++round) {
      phase.ArriveAndWait();
      for (int i = 0; i < kAwaited; ++i) EXPECT_TRUE(sender.SendBlocking(i).ok());
      phase.ArriveAndWait();
    }
  });
  for (int round = 0; round < kRounds; ++round) {
    for (int i = 0; i < kQuietValues; ++i) {
      EXPECT_EQ(sender.TrySend(int{i}), TrySendResult::kSent);
      EXPECT_EQ(receiver.TryRecv(), i);
    }
    phase.ArriveAndWait();
    for (int i = 0; i < kAwaited; ++i) EXPECT_EQ(receiver.RecvBlocking(), i);
    phase.ArriveAndWait();
  }
  other.join();
}

TYPED_TEST(ChannelThreadsTest, Deadlines) {
  constexpr int kEach = 3'000;
  auto ends = TypeParam::template Make<int>(2);
  std::atomic<std::int64_t> sum{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([sender = ends.first]() mutable {
      for (int i = 1; i <= kEach; ++i) {
        int value = i;
        while (!sender.SendBlockingFor(std::move(value), absl::Microseconds(i % 3)).ok()) {
        }
      }
    });
  }
  for (int t = 0; t < kReceivers<TypeParam>; ++t) {
    threads.emplace_back([receiver = Share(ends.second), &sum]() mutable {
      while (true) {
        const auto value = receiver.RecvBlockingFor(absl::Microseconds(2));
        if (value.ok()) {
          sum += *value;
        } else if (value.status().code() == absl::StatusCode::kOutOfRange) {
          return;
        }
      }
    });
  }
  {
    const auto gone = std::move(ends.first);
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(sum, 2 * std::int64_t{kEach} * (kEach + 1) / 2);
}

// Batches at both ends. The values of one producer are even, the other's odd.
template <typename Kind>
Async<void> Batches(std::size_t capacity) {
  auto ends = Kind::template Make<int>(capacity);
  auto produce = [](auto sender, int parity) -> Async<void> {
    std::vector<int> batch;
    for (int i = 0; i < Kind::kEach;) {
      batch.clear();
      for (int j = 0; j < 70 && i < Kind::kEach; ++j) batch.push_back(2 * i++ + parity);
      const auto sent = co_await sender.SendMany(absl::MakeSpan(batch));
      EXPECT_EQ(sent, batch.size());
    }
  };
  auto consume = [](auto receiver) -> Async<std::int64_t> {
    std::int64_t sum = 0;
    std::vector<int> batch;
    int last[2] = {-1, -1};
    while (true) {
      batch.clear();
      const auto received = co_await receiver.RecvMany(batch, 50);
      if (received == 0) co_return sum;
      for (const int value : batch) {
        EXPECT_GT(value, last[value % 2]) << "each producer's values in order";
        last[value % 2] = value;
        sum += value;
      }
    }
  };
  std::vector<JoinHandle<void>> producing;
  producing.push_back(Spawn(produce(ends.first, 0)));
  producing.push_back(Spawn(produce(std::move(ends.first), 1)));
  std::vector<JoinHandle<std::int64_t>> consuming;
  for (int i = 0; i < kReceivers<Kind>; ++i) {
    consuming.push_back(Spawn(consume(Share(ends.second))));
  }
  {
    const auto gone = std::move(ends.second);
  }
  for (auto& task : producing) {
    const auto done = co_await task;
    EXPECT_TRUE(done.ok());
  }
  std::int64_t sum = 0;
  for (auto& task : consuming) {
    const auto part = co_await task;
    sum += *part;
  }
  EXPECT_EQ(sum, std::int64_t{Kind::kEach} * (2 * Kind::kEach - 1));
}
TYPED_TEST(ChannelStressTest, Batches) {
  for (const std::size_t capacity : {1u, 40u, 1000u}) {
    this->runtime_.BlockOn(Batches<TypeParam>(capacity));
  }
}

}  // namespace
}  // namespace home
