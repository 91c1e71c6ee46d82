// Random histories of Sender and MpscSender channels, with sends and receipts that are given up
// and tasks that are aborted, against a specification: see home/sync/history_testing.h.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "home/channel/channel_policy.h"
#include "home/channel/channel_spec_testing.h"
#include "home/channel/kinds_testing.h"
#include "home/future/async.h"
#include "home/future/ready.h"
#include "home/scheduler/runtime.h"
#include "home/sync/history_testing.h"

namespace home::sync_testing {
namespace {

constexpr int kRounds = 5;

using Kind = ChannelSpec::Kind;

template <typename Sender>
using PermitOf = typename Sender::Permit;

// What the hook for undelivered values got.
class Undelivered {
 public:
  void Add(int value) { values_.push_back(value); }
  // Since the last time.
  int Take() { return ChannelSpec::Fold(std::exchange(values_, {})); }

 private:
  std::vector<int> values_;
};
using SharedUndelivered = std::shared_ptr<Undelivered>;

// Something that keeps the channel's memory: its end may be the last one.
template <typename Guard>
Held<ChannelSpec, Guard> HoldEnd(History<ChannelSpec>* history, Guard guard, Kind end,
                                 const SharedUndelivered& undelivered) {
  return Held<ChannelSpec, Guard>(history, std::move(guard), {.kind = end},
                                  [undelivered] { return undelivered->Take(); });
}

template <typename Sender>
Async<void> UsePermit(History<ChannelSpec>* history, PermitOf<Sender> permit, int value,
                      SharedUndelivered undelivered) {
  auto held = HoldEnd(history, std::move(permit), Kind::kDropPermit, undelivered);
  co_await Turns(Draw(3));
  if (Draw(3) != 0) {
    RecordNow(history, {.kind = Kind::kSendReserved, .argument = value}, [&] {
      held.Take().Send(value);
      return undelivered->Take();
    });
  }
}

template <typename Sender>
Async<void> SendSome(History<ChannelSpec>* history, Held<ChannelSpec, Sender> held, int first,
                     SharedUndelivered undelivered) {
  Sender& sender = held.guard();
  for (int value = first; value < first + kRounds; ++value) {
    const auto result = [value](const auto& sent) {
      return sent.ok() ? value : ChannelSpec::kClosed;
    };
    switch (Draw(9)) {
      case 0:
        if (Draw(3) != 0) break;
        RecordNow(history, {.kind = Kind::kClose}, [&] {
          sender.Close();
          return 0;
        });
        break;
      case 1: {
        std::optional<PermitOf<Sender>> permit;
        RecordNow(history, {.kind = Kind::kTryReserve, .argument = value}, [&] {
          permit = sender.TryReserve();
          if (permit) return value;
          return sender.IsClosed() ? ChannelSpec::kClosed : ChannelSpec::kNothing;
        });
        if (permit) co_await UsePermit<Sender>(history, *std::move(permit), value, undelivered);
        break;
      }
      case 2: {
        auto permit = co_await Record(history, {.kind = Kind::kReserve, .argument = value},
                                      sender.Reserve(), result);
        if (permit && permit->ok()) {
          co_await UsePermit<Sender>(history, **std::move(permit), value, undelivered);
        }
        break;
      }
      case 3:
      case 4:
        RecordNow(history, {.kind = Kind::kTrySend, .argument = value}, [&] {
          const TrySendResult sent = sender.TrySend(int{value});
          if (sent == TrySendResult::kSent) return value;
          return sent == TrySendResult::kClosed ? ChannelSpec::kClosed : ChannelSpec::kNothing;
        });
        break;
      case 5: {
        std::array<int, ChannelSpec::kSent> batch;
        for (int i = 0; i < ChannelSpec::kSent; ++i) {
          batch[static_cast<std::size_t>(i)] = ChannelSpec::ValueOf(value, i);
        }
        co_await Record(history, {.kind = Kind::kSendMany, .argument = value},
                        sender.SendMany(absl::MakeSpan(batch)),
                        [](std::size_t sent) { return static_cast<int>(sent); });
        break;
      }
      default:
        co_await Record(history, {.kind = Kind::kSend, .argument = value}, sender.Send(value),
                        result);
    }
    co_await Turns(Draw(2));
  }
}

// By a sender that comes from a weak one each time. `Sender`: what that is upgraded to.
template <typename Sender, typename Weak>
Async<void> SendWeakly(History<ChannelSpec>* history, Held<ChannelSpec, Weak> weak, int first,
                       SharedUndelivered undelivered) {
  for (int round = 0; round < 2; ++round) {
    std::optional<Sender> upgraded;
    RecordNow(history, {.kind = Kind::kUpgrade}, [&] {
      upgraded = weak.guard().Upgrade();
      return upgraded ? 1 : 0;
    });
    if (upgraded) {
      auto held = HoldEnd(history, *std::move(upgraded), Kind::kDropSender, undelivered);
      upgraded.reset();
      const int value = first + round;
      const auto result = [value](const absl::Status& sent) {
        return sent.ok() ? value : ChannelSpec::kClosed;
      };
      co_await Record(history, {.kind = Kind::kSend, .argument = value}, held.guard().Send(value),
                      result);
      co_await Turns(Draw(2));
    }
    co_await Turns(Draw(4));
  }
}

template <typename Receiver>
Async<void> ReceiveSome(History<ChannelSpec>* history, Held<ChannelSpec, Receiver> held,
                        int rounds) {
  Receiver& receiver = held.guard();
  for (int round = 0; round < rounds; ++round) {
    switch (Draw(10)) {
      case 0:
        if (Draw(4) != 0) break;
        RecordNow(history, {.kind = Kind::kClose}, [&] {
          receiver.Close();
          return 0;
        });
        break;
      case 1:
        RecordNow(history, {.kind = Kind::kIsDrained},
                  [&] { return receiver.IsDrained() ? 1 : 0; });
        break;
      case 2:
        RecordNow(history, {.kind = Kind::kTryRecv},
                  [&] { return receiver.TryRecv().value_or(ChannelSpec::kNothing); });
        break;
      case 3:
      case 4: {
        std::vector<int> values;
        co_await Record(history, {.kind = Kind::kRecvMany},
                        receiver.RecvMany(values, ChannelSpec::kReceived), [&](std::size_t count) {
                          if (count == 0) return ChannelSpec::kClosed;
                          return ChannelSpec::Pack(values[0], count == 1 ? 0 : values[1]);
                        });
        break;
      }
      default:
        co_await Record(history, {.kind = Kind::kRecv}, receiver.Recv(),
                        [](const std::optional<int>& received) {
                          return received.value_or(ChannelSpec::kClosed);
                        });
    }
    co_await Turns(Draw(2));
  }
}

// How the channel tells its hook of a value that was not delivered.
using Tell = void (*)(Undelivered& undelivered, int value);
void TellOfEach(Undelivered& undelivered, int value) { undelivered.Add(value); }

// A channel of two senders and two receivers, or one that takes twice as much; with a capacity
// from `least` to `most`. To be started by RunOnce().
template <typename ChannelKind>
auto UseChannel(int least, int most, Tell tell = TellOfEach) {
  return [=](ChannelSpec& spec, History<ChannelSpec>* history,
             std::vector<JoinHandle<void>>& tasks) {
    constexpr int kReceivers = ChannelKind::kManyReceivers ? 2 : 1;
    spec.capacity = least + Draw(most - least + 1);
    spec.many_receivers = ChannelKind::kManyReceivers;
    spec.senders = 2;
    spec.receivers = kReceivers;
    const auto undelivered = std::make_shared<Undelivered>();
    const auto hook = [=](int value) { tell(*undelivered, value); };
    auto ends = spec.capacity == kUnlimited ? ChannelKind::template MakeUnbounded<int>(hook)
                                            : ChannelKind::template Make<int>(
                                                  static_cast<std::size_t>(spec.capacity), hook);
    // Before the spawns: a task may be aborted before it begins.
    const auto hold = [&](auto end, Kind kind) {
      return HoldEnd(history, std::move(end), kind, undelivered);
    };
    tasks.push_back(
        Spawn(SendSome(history, hold(ends.first, Kind::kDropSender), 100, undelivered)));
    tasks.push_back(
        Spawn(SendSome(history, hold(std::move(ends.first), Kind::kDropSender), 200, undelivered)));
    if constexpr (ChannelKind::kManyReceivers) {
      tasks.push_back(Spawn(ReceiveSome(history, hold(ends.second, Kind::kDropReceiver), kRounds)));
    }
    tasks.push_back(Spawn(ReceiveSome(history, hold(std::move(ends.second), Kind::kDropReceiver),
                                      kRounds * 2 / kReceivers)));
  };
}

// A channel with one sender, whose life decides, and two weak ones. `Keep`: what these are.
template <typename ChannelKind, typename Keep>
void UseWeakSenders(ChannelSpec& spec, History<ChannelSpec>* history,
                    std::vector<JoinHandle<void>>& tasks) {
  using Sender = typename ChannelKind::template Sender<int>;
  spec.capacity = 1 + Draw(2);
  spec.many_receivers = ChannelKind::kManyReceivers;
  spec.senders = 1;
  spec.weak_senders = 2;
  spec.receivers = 1;
  const auto undelivered = std::make_shared<Undelivered>();
  auto ends = ChannelKind::template Make<int>(static_cast<std::size_t>(spec.capacity),
                                              [=](int value) { undelivered->Add(value); });
  // Before the spawns, as above.
  for (int i = 0; i < 2; ++i) {
    auto weak = HoldEnd(history, Keep()(ends.first), Kind::kDropWeakSender, undelivered);
    tasks.push_back(
        Spawn(SendWeakly<Sender>(history, std::move(weak), 200 + 100 * i, undelivered)));
  }
  auto sender = HoldEnd(history, std::move(ends.first), Kind::kDropSender, undelivered);
  auto receiver = HoldEnd(history, std::move(ends.second), Kind::kDropReceiver, undelivered);
  tasks.push_back(Spawn(SendSome(history, std::move(sender), 100, undelivered)));
  tasks.push_back(Spawn(ReceiveSome(history, std::move(receiver), kRounds)));
}

struct Downgraded {
  template <typename Sender>
  auto operator()(const Sender& sender) {
    return sender.Downgrade();
  }
};
// A weak sender that keeps the channel open.
struct Kept {
  template <typename Sender>
  class Weak {
   public:
    explicit Weak(Sender sender) : sender_(std::move(sender)) {}
    std::optional<Sender> Upgrade() const { return sender_; }

   private:
    Sender sender_;
  };
  template <typename Sender>
  auto operator()(const Sender& sender) {
    return Weak<Sender>(sender);
  }
};

// Blocks of three values, and ends that are biased to one thread early and then meet another: a
// simulation has one thread, which each look takes for one of two.
struct SmallBlocks : ChannelPolicy {
  static constexpr std::size_t BlockPositions(std::size_t) { return 4; }
  static constexpr std::size_t kPositionsPerTurn = 4;
  static constexpr std::uint8_t kTurnsToBias = 1;
  static constexpr std::uint8_t kMostTurnsToBias = 1;
  static bool BiasPays() { return true; }
  static const void* ThisThread() { return &threads[Draw(2)]; }
  // By one who ends a bias. On one thread there is nothing to order.
  static void HeavyFence() { ++biases; }

  template <typename T, typename... Args>
  [[nodiscard]] static T* New(Args&&... args) {
    ++made;
    return ChannelPolicy::New<T>(std::forward<Args>(args)...);
  }
  template <typename T>
  static void Delete(T* object) noexcept {
    ++freed;
    ChannelPolicy::Delete(object);
  }

  inline static int biases = 0;
  inline static int made = 0;  // blocks and channels
  inline static int freed = 0;

 private:
  inline static char threads[2] = {};  // Their addresses stand for the threads.
};

template <typename Kind>
class QueueHistoryTest : public ::testing::Test {};
using Kinds =
    ::testing::Types<channel_testing::Mpmc<>, channel_testing::Mpsc<>,
                     channel_testing::Mpmc<SmallBlocks>, channel_testing::Mpsc<SmallBlocks>>;
TYPED_TEST_SUITE(QueueHistoryTest, Kinds);

TYPED_TEST(QueueHistoryTest, Rendezvous) {
  EXPECT_TRUE(AgreesUnderEverySeed<ChannelSpec>(UseChannel<TypeParam>(0, 0)));
}
TYPED_TEST(QueueHistoryTest, Bounded) {
  EXPECT_TRUE(AgreesUnderEverySeed<ChannelSpec>(UseChannel<TypeParam>(1, 3)));
}
TYPED_TEST(QueueHistoryTest, Unbounded) {
  EXPECT_TRUE(AgreesUnderEverySeed<ChannelSpec>(UseChannel<TypeParam>(kUnlimited, kUnlimited)));
}
TYPED_TEST(QueueHistoryTest, WeakSenders) {
  EXPECT_TRUE(AgreesUnderEverySeed<ChannelSpec>(UseWeakSenders<TypeParam, Downgraded>));
}

TYPED_TEST(QueueHistoryTest, AWeakSenderThatKeepsTheChannelOpenIsFound) {
  EXPECT_TRUE(DisagreesUnderSomeSeed<ChannelSpec>(UseWeakSenders<TypeParam, Kept>));
}
TYPED_TEST(QueueHistoryTest, AnUndeliveredValueThatNobodyHearsOfIsFound) {
  const auto tell = [](Undelivered& undelivered, int value) {
    if (value % 2 == 0) undelivered.Add(value);
  };
  EXPECT_TRUE(DisagreesUnderSomeSeed<ChannelSpec>(UseChannel<TypeParam>(1, 3, tell)));
}

// Block after block is used up and freed, and both ends are biased and meet others.
template <typename Kind>
class SmallBlocksTest : public ::testing::Test {};
using SmallKinds =
    ::testing::Types<channel_testing::Mpmc<SmallBlocks>, channel_testing::Mpsc<SmallBlocks>>;
TYPED_TEST_SUITE(SmallBlocksTest, SmallKinds);

TYPED_TEST(SmallBlocksTest, HistoriesSeeBlocksAndBiasesEnd) {
  constexpr int kSeeds = 20;
  SmallBlocks::biases = 0;
  SmallBlocks::made = 0;
  SmallBlocks::freed = 0;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    Runtime runtime = Runtime::Simulated(seed);
    EXPECT_TRUE(RunOnce<ChannelSpec>(runtime, UseChannel<TypeParam>(2, 2)));
  }
  EXPECT_EQ(SmallBlocks::made, SmallBlocks::freed);
  // More than the channel and its first block.
  EXPECT_GT(SmallBlocks::made, 2 * kSeeds);
  EXPECT_GT(SmallBlocks::biases, 0);
}

}  // namespace
}  // namespace home::sync_testing
