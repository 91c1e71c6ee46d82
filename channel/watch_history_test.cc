// Random histories of watch channels, with waits that are given up and tasks that are aborted,
// against a specification: see home/sync/history_testing.h.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "home/channel/testing.h"
#include "home/channel/watch.h"
#include "home/future/async.h"
#include "home/scheduler/runtime.h"
#include "home/sync/history_testing.h"

namespace home::sync_testing {
namespace {

using channel_testing::NumberOf;
using channel_testing::ValueOf;

constexpr int kRounds = 5;
constexpr int kReceivers = 3;
// The result of a wait that the last sender has ended; values are above 0.
constexpr int kEnd = -1;

enum class WatchKind {
  kSend,
  kDropSender,
  kChanged,
  kWaitFor,
  kBorrow,
  kBorrowAndUpdate,
  kHasChanged,
  kReceivers,
  kDropReceiver
};

// The argument is the value that is sent, or the receiver's number. Waited for is an odd value.
struct WatchSpec : NumberSpec<WatchSpec, WatchKind> {
  static int Acts(const Op& op) {
    switch (op.call.kind) {
      case Kind::kChanged:
        // Once it is ready, and one that is given up has no effect.
        return op.end == End::kReturned ? 1 : 0;
      case Kind::kWaitFor:
        // One that is given up has looked at some value.
        return op.end == End::kPending ? 0 : 1;
      default:
        return 1;
    }
  }
  bool Act(std::size_t, const Op& op, int) {
    int* const last_seen = &seen[static_cast<std::size_t>(op.call.argument) % kReceivers];
    switch (op.call.kind) {
      case Kind::kSend:
        value = op.call.argument;
        return true;
      case Kind::kDropSender:
        --senders;
        return true;
      case Kind::kChanged:
        if (op.result == 0) return senders == 0 && *last_seen == value;
        return std::exchange(*last_seen, value) != value;
      case Kind::kWaitFor:
        *last_seen = value;
        if (op.result == kEnd) return senders == 0 && !IsOdd(value);
        return op.end == End::kCancelled ? !IsOdd(value) : IsOdd(value) && op.result == value;
      case Kind::kBorrowAndUpdate:
        *last_seen = value;
        return op.result == value;
      case Kind::kBorrow:
        return op.result == value;
      case Kind::kHasChanged:
        return op.result == (*last_seen != value ? 1 : 0);
      case Kind::kReceivers:
        return op.result == receivers;
      case Kind::kDropReceiver:
        --receivers;
        return true;
    }
    return false;
  }
  bool MayWait(std::size_t, const Op& op) const {
    if (op.call.kind == Kind::kWaitFor) return senders != 0 && !IsOdd(value);
    return senders != 0 && seen[static_cast<std::size_t>(op.call.argument)] == value;
  }
  static bool IsOdd(int number) { return number % 2 != 0; }

  static constexpr const char* kNames[] = {"send",        "drop sender", "changed",
                                           "wait for",    "borrow",      "borrow and update",
                                           "has changed", "receivers",   "drop receiver"};
  auto State() const { return std::tie(senders, receivers, value, seen); }

  int senders = 2;
  int receivers = kReceivers;
  int value = 0;  // no two are the same
  std::array<int, kReceivers> seen{};
};

using Kind = WatchKind;

template <typename T>
Async<void> SendToWatch(History<WatchSpec>* history, Held<WatchSpec, WatchSender<T>> held,
                        int first) {
  for (int value = first; value < first + kRounds; ++value) {
    RecordNow(history, {.kind = Kind::kSend, .argument = value}, [&] {
      held.guard().Send(ValueOf<T>(static_cast<std::uint64_t>(value)));
      return 0;
    });
    if (Draw(kRounds) == 0) {
      RecordNow(history, {.kind = Kind::kReceivers},
                [&] { return static_cast<int>(held.guard().receivers()); });
    }
    co_await Turns(Draw(4));
  }
}

template <typename Snapshot>
int ResultOf(const Snapshot& value) {
  return static_cast<int>(NumberOf(*value));
}

template <typename T, typename Receiver>
Async<void> Watch(History<WatchSpec>* history, Held<WatchSpec, Receiver> held, int number) {
  using Snapshot = typename Receiver::Snapshot;
  Receiver& receiver = held.guard();
  const auto is_odd = [](const T& value) {
    return WatchSpec::IsOdd(static_cast<int>(NumberOf(value)));
  };
  for (int round = 0; round < kRounds; ++round) {
    switch (Draw(8)) {
      case 0:
        RecordNow(history, {.kind = Kind::kBorrow, .argument = number},
                  [&] { return ResultOf(receiver.Borrow()); });
        break;
      case 1:
        RecordNow(history, {.kind = Kind::kBorrowAndUpdate, .argument = number},
                  [&] { return ResultOf(receiver.BorrowAndUpdate()); });
        break;
      case 2:
        RecordNow(history, {.kind = Kind::kHasChanged, .argument = number},
                  [&] { return receiver.HasChanged() ? 1 : 0; });
        break;
      case 3:
      case 4:
        co_await Record(history, {.kind = Kind::kWaitFor, .argument = number},
                        receiver.WaitFor(is_odd),
                        [](const Snapshot& found) { return found ? ResultOf(found) : kEnd; });
        break;
      default:
        co_await Record(history, {.kind = Kind::kChanged, .argument = number}, receiver.Changed(),
                        [](bool changed) { return changed ? 1 : 0; });
    }
  }
}

template <typename T, typename Receiver = WatchReceiver<T>>
void UseWatch(WatchSpec&, History<WatchSpec>* history, std::vector<JoinHandle<void>>& tasks) {
  auto ends = MakeWatch<T>(ValueOf<T>(0));
  // Before the spawns: a task may be aborted before it begins.
  for (int i = 0; i < 2; ++i) {
    Held<WatchSpec, WatchSender<T>> sender(history, ends.first, {.kind = Kind::kDropSender});
    tasks.push_back(Spawn(SendToWatch<T>(history, std::move(sender), 100 * (i + 1))));
  }
  for (int i = 0; i < kReceivers; ++i) {
    Held<WatchSpec, Receiver> receiver(history, Receiver(ends.second),
                                       {.kind = Kind::kDropReceiver});
    tasks.push_back(Spawn(Watch<T>(history, std::move(receiver), i)));
  }
}

TEST(WatchHistoryTest, Numbers) { EXPECT_TRUE(AgreesUnderEverySeed<WatchSpec>(UseWatch<int>)); }
TEST(WatchHistoryTest, Texts) {
  EXPECT_TRUE(AgreesUnderEverySeed<WatchSpec>(UseWatch<std::string>));
}

// One that has seen a change, and is then given up.
class LossyWatcher : public WatchReceiver<int> {
 public:
  explicit LossyWatcher(WatchReceiver receiver) : WatchReceiver(std::move(receiver)) {}
  auto Changed() { return Late(WatchReceiver::Changed()); }
};
// One that looks, and forgets that it did.
class ForgetfulWatcher : public WatchReceiver<int> {
 public:
  explicit ForgetfulWatcher(WatchReceiver receiver) : WatchReceiver(std::move(receiver)) {}
  Snapshot BorrowAndUpdate() { return Borrow(); }
};

TEST(WatchHistoryMutationTest, AChangeThatIsLostIsFound) {
  EXPECT_TRUE(DisagreesUnderSomeSeed<WatchSpec>(UseWatch<int, LossyWatcher>));
}
TEST(WatchHistoryMutationTest, AChangeThatIsSeenTwiceIsFound) {
  EXPECT_TRUE(DisagreesUnderSomeSeed<WatchSpec>(UseWatch<int, ForgetfulWatcher>));
}

}  // namespace
}  // namespace home::sync_testing
