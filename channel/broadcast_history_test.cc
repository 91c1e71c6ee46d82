// Random histories of broadcast channels, with receivers that are copied or come later, waits that
// are given up and tasks that are aborted, against a specification: see
// home/sync/history_testing.h.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "home/channel/broadcast.h"
#include "home/channel/testing.h"
#include "home/future/async.h"
#include "home/scheduler/runtime.h"
#include "home/sync/history_testing.h"

namespace home::sync_testing {
namespace {

using channel_testing::NumberOf;
using channel_testing::ValueOf;

constexpr int kRounds = 5;
constexpr int kSenders = 2;
// Each may be copied once, and each sender make one more. Their numbers, in this order.
constexpr int kReceivers = 3;
constexpr int kAllReceivers = 2 * kReceivers + kSenders;
// Results beside values, which are above 0.
constexpr int kNothing = 0;
constexpr int kEnd = -1;

enum class BroadcastKind {
  kSend,
  kDropSender,
  kRecv,
  kTryRecv,
  kCopy,
  kSubscribe,
  kReceivers,
  kDropReceiver
};

// The argument is the value that is sent, or the receiver's number. What is received counts a
// thousand for each value that was missed.
struct BroadcastSpec : NumberSpec<BroadcastSpec, BroadcastKind> {
  static constexpr int kMissed = 1000;

  static int Acts(const Op& op) {
    // A wait acts once, when it is ready, and has no effect if it is given up.
    return op.call.kind == Kind::kRecv && op.end != End::kReturned ? 0 : 1;
  }
  bool Act(std::size_t, const Op& op, int) {
    switch (op.call.kind) {
      case Kind::kSend:
        if (op.result != receivers) return false;
        if (receivers != 0) values.push_back(op.call.argument);
        return true;
      case Kind::kDropSender:
        --senders;
        return true;
      case Kind::kRecv:
      case Kind::kTryRecv: {
        std::size_t& position = PositionOf(op.call.argument);
        if (position == values.size()) {
          if (op.call.kind == Kind::kTryRecv) return op.result == kNothing;
          return op.result == kEnd && senders == 0;
        }
        const std::size_t oldest = values.size() - std::min(values.size(), capacity);
        const std::size_t next = std::max(position, oldest);
        const int missed = static_cast<int>(next - position);
        position = next + 1;
        return op.result == values[next] + kMissed * missed;
      }
      case Kind::kCopy:
        ++receivers;
        PositionOf(op.call.argument) = PositionOf(op.call.argument - kReceivers);
        return true;
      case Kind::kSubscribe:
        ++receivers;
        PositionOf(op.call.argument) = values.size();
        return true;
      case Kind::kReceivers:
        return op.result == receivers;
      case Kind::kDropReceiver:
        --receivers;
        return true;
    }
    return false;
  }
  bool MayWait(std::size_t, const Op& op) const {
    return senders != 0 && positions[static_cast<std::size_t>(op.call.argument)] == values.size();
  }
  std::size_t& PositionOf(int number) { return positions[static_cast<std::size_t>(number)]; }

  static constexpr const char* kNames[] = {"send", "drop sender", "receive",   "try receive",
                                           "copy", "subscribe",   "receivers", "drop receiver"};
  auto State() const { return std::tie(senders, receivers, values, positions); }

  std::size_t capacity = 0;
  int senders = kSenders;
  int receivers = kReceivers;
  std::vector<int> values;
  std::array<std::size_t, kAllReceivers> positions{};
};

using Kind = BroadcastKind;

template <typename T>
int ResultOf(const std::optional<Broadcasted<T>>& received) {
  return static_cast<int>(NumberOf(received->value()) +
                          BroadcastSpec::kMissed * received->missed());
}

template <typename Receiver>
using HeldReceiver = Held<BroadcastSpec, Receiver>;

// The receiver `number`, and a copy of it from some round on. Of a sender's receiver there is none.
template <typename T, typename Receiver>
Async<void> ReceiveAll(History<BroadcastSpec>* history, HeldReceiver<Receiver> held, int number,
                       int rounds) {
  const BroadcastSpec::Call end{.kind = Kind::kDropReceiver};
  std::optional<HeldReceiver<Receiver>> copy;
  for (int round = 0; round < rounds; ++round) {
    if (number < kReceivers && !copy && Draw(kRounds) == 0) {
      RecordNow(history, {.kind = Kind::kCopy, .argument = number + kReceivers}, [&] {
        copy.emplace(history, Receiver(std::as_const(held.guard())), end);
        return 0;
      });
    }
    const bool by_copy = copy && Draw(2) == 0;
    Receiver& receiver = by_copy ? copy->guard() : held.guard();
    const int argument = by_copy ? number + kReceivers : number;
    if (Draw(3) == 0) {
      RecordNow(history, {.kind = Kind::kTryRecv, .argument = argument}, [&] {
        const auto received = receiver.TryRecv();
        return received ? ResultOf(received) : kNothing;
      });
    } else {
      co_await Record(history, {.kind = Kind::kRecv, .argument = argument}, receiver.Recv(),
                      [](const std::optional<Broadcasted<T>>& received) {
                        return received ? ResultOf(received) : kEnd;
                      });
    }
    co_await Turns(Draw(2));
  }
}

// Sends, and receives itself what comes after some value.
template <typename T, typename Receiver>
Async<void> SendToAll(History<BroadcastSpec>* history, Held<BroadcastSpec, BroadcastSender<T>> held,
                      int index) {
  const BroadcastSpec::Call end{.kind = Kind::kDropReceiver};
  const int first = 100 * (index + 1);
  const int number = 2 * kReceivers + index;
  std::optional<HeldReceiver<Receiver>> receiver;
  for (int value = first; value < first + kRounds; ++value) {
    if (!receiver && Draw(kRounds) == 0) {
      RecordNow(history, {.kind = Kind::kSubscribe, .argument = number}, [&] {
        receiver.emplace(history, Receiver(held.guard().Subscribe()), end);
        return 0;
      });
    }
    RecordNow(history, {.kind = Kind::kSend, .argument = value}, [&] {
      return static_cast<int>(held.guard().Send(ValueOf<T>(static_cast<std::uint64_t>(value))));
    });
    if (Draw(kRounds) == 0) {
      RecordNow(history, {.kind = Kind::kReceivers},
                [&] { return static_cast<int>(held.guard().receivers()); });
    }
    co_await Turns(Draw(4));
  }
  if (receiver) {
    auto receive = ReceiveAll<T>(history, *std::move(receiver), number, kRounds);
    co_await receive;
  }
}

// Of `kTooMany` places more than the specification knows of.
template <typename T, typename Receiver = BroadcastReceiver<T>, std::size_t kTooMany = 0>
void UseBroadcast(BroadcastSpec& spec, History<BroadcastSpec>* history,
                  std::vector<JoinHandle<void>>& tasks) {
  spec.capacity = static_cast<std::size_t>(Draw(3)) + 1;
  auto ends = MakeBroadcast<T>(spec.capacity + kTooMany);
  // Before the spawns: a task may be aborted before it begins.
  for (int i = 0; i < kSenders; ++i) {
    Held<BroadcastSpec, BroadcastSender<T>> sender(history, ends.first,
                                                   {.kind = Kind::kDropSender});
    tasks.push_back(Spawn(SendToAll<T, Receiver>(history, std::move(sender), i)));
  }
  for (int i = 0; i < kReceivers; ++i) {
    HeldReceiver<Receiver> receiver(history, Receiver(ends.second), {.kind = Kind::kDropReceiver});
    tasks.push_back(Spawn(ReceiveAll<T>(history, std::move(receiver), i, 2 * kRounds)));
  }
}

TEST(BroadcastHistoryTest, Numbers) {
  EXPECT_TRUE(AgreesUnderEverySeed<BroadcastSpec>(UseBroadcast<int>));
}
TEST(BroadcastHistoryTest, Texts) {
  EXPECT_TRUE(AgreesUnderEverySeed<BroadcastSpec>(UseBroadcast<std::string>));
}

// One that loses what it was about to give if it is given up then.
class LossyReceiver : public BroadcastReceiver<int> {
 public:
  explicit LossyReceiver(BroadcastReceiver receiver) : BroadcastReceiver(std::move(receiver)) {}
  auto Recv() { return Late(BroadcastReceiver::Recv()); }
};
// One whose copy goes on behind the next value.
class SkippingReceiver : public BroadcastReceiver<int> {
 public:
  explicit SkippingReceiver(BroadcastReceiver receiver) : BroadcastReceiver(std::move(receiver)) {}
  SkippingReceiver(const SkippingReceiver& other) : BroadcastReceiver(other) {
    static_cast<void>(TryRecv());
  }
  SkippingReceiver(SkippingReceiver&&) noexcept = default;
  SkippingReceiver& operator=(SkippingReceiver&&) noexcept = default;
  ~SkippingReceiver() = default;
};

TEST(BroadcastHistoryMutationTest, ABroadcastThatLosesAValueIsFound) {
  EXPECT_TRUE(DisagreesUnderSomeSeed<BroadcastSpec>(UseBroadcast<int, LossyReceiver>));
}
TEST(BroadcastHistoryMutationTest, ACopyThatSkipsAValueIsFound) {
  EXPECT_TRUE(DisagreesUnderSomeSeed<BroadcastSpec>(UseBroadcast<int, SkippingReceiver>));
}
TEST(BroadcastHistoryMutationTest, ABroadcastThatKeepsTooManyIsFound) {
  EXPECT_TRUE(DisagreesUnderSomeSeed<BroadcastSpec>(UseBroadcast<int, BroadcastReceiver<int>, 1>));
}

}  // namespace
}  // namespace home::sync_testing
