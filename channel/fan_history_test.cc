// Random histories of oneshot, watch and broadcast channels, with waits that are given up and
// tasks that are aborted, against specifications: see home/sync/history_testing.h.

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "home/channel/broadcast.h"
#include "home/channel/oneshot.h"
#include "home/channel/watch.h"
#include "home/future/async.h"
#include "home/scheduler/runtime.h"
#include "home/sync/history_testing.h"

namespace home::sync_testing {
namespace {

constexpr int kRounds = 5;
constexpr int kReceivers = 3;
// Results beside values, which are above 0.
constexpr int kNothing = 0;
constexpr int kEnd = -1;

// What waits acts once, when it is ready, and has no effect if it is given up.
template <typename Op>
int ActsOnceReady(const Op& op) {
  return op.end == End::kReturned ? 1 : 0;
}

// -- Oneshot --------------------------------------------------------------------------------

enum class OneshotKind {
  kSend,
  kDropSender,
  kClosed,
  kIsClosed,
  kRecv,
  kTryRecv,
  kClose,
  kDropReceiver
};

struct OneshotSpec : NumberSpec<OneshotSpec, OneshotKind> {
  static int Acts(const Op& op) {
    return op.call.kind == Kind::kClosed || op.call.kind == Kind::kRecv ? ActsOnceReady(op) : 1;
  }
  bool Act(std::size_t, const Op& op, int) {
    switch (op.call.kind) {
      case Kind::kSend:
        sender_gone = true;
        if (!closed) value = op.call.argument;
        return op.result == (closed ? 0 : 1);
      case Kind::kDropSender:
        sender_gone = true;
        return true;
      case Kind::kClosed:
        return closed;
      case Kind::kIsClosed:
        return op.result == (closed ? 1 : 0);
      case Kind::kRecv:
      case Kind::kTryRecv:
        if (op.result != ToReceive()) return false;
        if (op.result == kNothing) return op.call.kind == Kind::kTryRecv;
        // The receiver is used up.
        value = 0;
        closed = true;
        return true;
      case Kind::kClose:
        if (value == 0) closed = true;
        return true;
      case Kind::kDropReceiver:
        // The result is the value that was not delivered.
        if (op.result != value) return false;
        value = 0;
        closed = true;
        return true;
    }
    return false;
  }
  bool MayWait(std::size_t, const Op& op) const {
    return op.call.kind == Kind::kClosed ? !closed : ToReceive() == kNothing;
  }

  static constexpr const char* kNames[] = {"send",    "drop sender", "closed", "is closed",
                                           "receive", "try receive", "close",  "drop receiver"};
  auto State() const { return std::tie(value, sender_gone, closed); }

  [[nodiscard]] int ToReceive() const {
    if (value != 0) return value;
    return sender_gone || closed ? kEnd : kNothing;
  }

  int value = 0;  // that was sent and not received
  bool sender_gone = false;
  bool closed = false;
};

Async<void> SendOnce(History<OneshotSpec>* history, Held<OneshotSpec, OneshotSender<int>> held) {
  using Kind = OneshotSpec::Kind;
  for (int round = 0; round < 3; ++round) {
    co_await Turns(Draw(3));
    switch (Draw(3)) {
      case 0:
        RecordNow(history, {.kind = Kind::kIsClosed},
                  [&] { return held.guard().IsClosed() ? 1 : 0; });
        break;
      case 1:
        co_await Record(history, {.kind = Kind::kClosed}, held.guard().Closed(),
                        [](std::monostate) { return 0; });
        break;
      default:
        RecordNow(history, {.kind = Kind::kSend, .argument = 7},
                  [&] { return held.Take().Send(7) ? 1 : 0; });
        co_return;
    }
  }
}

int ResultOf(const absl::StatusOr<int>& received) {
  if (received.ok()) return *received;
  return received.status().code() == absl::StatusCode::kUnavailable ? kNothing : kEnd;
}

// Drops it in the end, unless it has received.
template <typename Receiver>
class OneshotDrop {
 public:
  OneshotDrop(History<OneshotSpec>* history, Receiver receiver, std::shared_ptr<const int> in_vain)
      : history_(history), receiver_(std::move(receiver)), in_vain_(std::move(in_vain)) {}
  OneshotDrop(OneshotDrop&& other) noexcept
      : history_(other.history_),
        receiver_(std::exchange(other.receiver_, std::nullopt)),
        in_vain_(std::move(other.in_vain_)) {}
  OneshotDrop& operator=(OneshotDrop&&) = delete;
  ~OneshotDrop() {
    if (!receiver_) return;
    RecordNow(history_, {.kind = OneshotSpec::Kind::kDropReceiver}, [this] {
      receiver_.reset();
      return *in_vain_;
    });
  }

  Receiver& receiver() { return *receiver_; }
  void Done() { receiver_.reset(); }

 private:
  History<OneshotSpec>* const history_;
  std::optional<Receiver> receiver_;
  std::shared_ptr<const int> in_vain_;
};

template <typename Receiver>
Async<void> ReceiveOnce(History<OneshotSpec>* history, OneshotDrop<Receiver> held) {
  using Kind = OneshotSpec::Kind;
  for (int round = 0; round < 3; ++round) {
    co_await Turns(Draw(3));
    switch (Draw(4)) {
      case 0:
        RecordNow(history, {.kind = Kind::kClose}, [&] {
          held.receiver().Close();
          return 0;
        });
        break;
      case 1: {
        const int result = RecordNow(history, {.kind = Kind::kTryRecv},
                                     [&] { return ResultOf(held.receiver().TryRecv()); });
        if (result == kNothing) break;
        held.Done();
        co_return;
      }
      default: {
        const auto received =
            co_await Record(history, {.kind = Kind::kRecv}, held.receiver().Recv(), ResultOf);
        if (!received) break;
        held.Done();
        co_return;
      }
    }
  }
}

template <typename Receiver>
void UseOneshot(OneshotSpec&, History<OneshotSpec>* history, std::vector<JoinHandle<void>>& tasks) {
  const auto in_vain = std::make_shared<int>(0);
  auto ends = MakeOneshot<int>([in_vain](int value) { *in_vain = value; });
  // Before the spawns: a task may be aborted before it begins.
  Held<OneshotSpec, OneshotSender<int>> sender(history, std::move(ends.first),
                                               {.kind = OneshotKind::kDropSender});
  OneshotDrop<Receiver> receiver(history, Receiver(std::move(ends.second)), in_vain);
  tasks.push_back(Spawn(SendOnce(history, std::move(sender))));
  tasks.push_back(Spawn(ReceiveOnce(history, std::move(receiver))));
}

TEST(FanHistoryTest, Oneshot) {
  EXPECT_TRUE(AgreesUnderEverySeed<OneshotSpec>(UseOneshot<OneshotReceiver<int>>));
}

// One that does not see what is there unless it waits for it.
class BlindReceiver : public OneshotReceiver<int> {
 public:
  explicit BlindReceiver(OneshotReceiver receiver) : OneshotReceiver(std::move(receiver)) {}
  static absl::StatusOr<int> TryRecv() { return absl::UnavailableError("nothing is there"); }
};
// One that does not close.
class OpenReceiver : public OneshotReceiver<int> {
 public:
  explicit OpenReceiver(OneshotReceiver receiver) : OneshotReceiver(std::move(receiver)) {}
  void Close() {}
};

TEST(FanHistoryMutationTest, AOneshotThatHidesItsValueIsFound) {
  EXPECT_TRUE(DisagreesUnderSomeSeed<OneshotSpec>(UseOneshot<BlindReceiver>));
}
TEST(FanHistoryMutationTest, AOneshotThatDoesNotCloseIsFound) {
  EXPECT_TRUE(DisagreesUnderSomeSeed<OneshotSpec>(UseOneshot<OpenReceiver>));
}

// -- Watch ----------------------------------------------------------------------------------

enum class WatchKind {
  kSend,
  kDropSender,
  kChanged,
  kWaitFor,
  kBorrow,
  kBorrowAndUpdate,
  kHasChanged
};

// The argument is the value that is sent, or the receiver's number. Waited for is an odd value.
struct WatchSpec : NumberSpec<WatchSpec, WatchKind> {
  static int Acts(const Op& op) {
    switch (op.call.kind) {
      case Kind::kChanged:
        return ActsOnceReady(op);
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
    }
    return false;
  }
  bool MayWait(std::size_t, const Op& op) const {
    if (op.call.kind == Kind::kWaitFor) return senders != 0 && !IsOdd(value);
    return senders != 0 && seen[static_cast<std::size_t>(op.call.argument)] == value;
  }
  static bool IsOdd(int number) { return number % 2 != 0; }

  static constexpr const char* kNames[] = {"send",   "drop sender",       "changed",    "wait for",
                                           "borrow", "borrow and update", "has changed"};
  auto State() const { return std::tie(senders, value, seen); }

  int senders = 2;
  int value = 0;  // no two are the same
  std::array<int, kReceivers> seen{};
};

Async<void> SendToWatch(History<WatchSpec>* history, Held<WatchSpec, WatchSender<int>> held,
                        int first) {
  for (int value = first; value < first + kRounds; ++value) {
    RecordNow(history, {.kind = WatchSpec::Kind::kSend, .argument = value}, [&] {
      held.guard().Send(value);
      return 0;
    });
    co_await Turns(Draw(4));
  }
}

template <typename Receiver>
Async<void> Watch(History<WatchSpec>* history, Receiver receiver, int number) {
  using Kind = WatchSpec::Kind;
  for (int round = 0; round < kRounds; ++round) {
    switch (Draw(8)) {
      case 0:
        RecordNow(history, {.kind = Kind::kBorrow, .argument = number},
                  [&] { return *receiver.Borrow(); });
        break;
      case 1:
        RecordNow(history, {.kind = Kind::kBorrowAndUpdate, .argument = number},
                  [&] { return *receiver.BorrowAndUpdate(); });
        break;
      case 2:
        RecordNow(history, {.kind = Kind::kHasChanged, .argument = number},
                  [&] { return receiver.HasChanged() ? 1 : 0; });
        break;
      case 3:
      case 4:
        co_await Record(
            history, {.kind = Kind::kWaitFor, .argument = number},
            receiver.WaitFor(WatchSpec::IsOdd),
            [](const WatchReceiver<int>::Snapshot& found) { return found ? *found : kEnd; });
        break;
      default:
        co_await Record(history, {.kind = Kind::kChanged, .argument = number}, receiver.Changed(),
                        [](bool changed) { return changed ? 1 : 0; });
    }
  }
}

template <typename Receiver>
void UseWatch(WatchSpec&, History<WatchSpec>* history, std::vector<JoinHandle<void>>& tasks) {
  auto ends = MakeWatch<int>(0);
  for (int i = 0; i < 2; ++i) {
    Held<WatchSpec, WatchSender<int>> sender(history, ends.first, {.kind = WatchKind::kDropSender});
    tasks.push_back(Spawn(SendToWatch(history, std::move(sender), 100 * (i + 1))));
  }
  for (int i = 0; i < kReceivers; ++i) {
    tasks.push_back(Spawn(Watch(history, Receiver(ends.second), i)));
  }
}

TEST(FanHistoryTest, Watch) {
  EXPECT_TRUE(AgreesUnderEverySeed<WatchSpec>(UseWatch<WatchReceiver<int>>));
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

TEST(FanHistoryMutationTest, AChangeThatIsLostIsFound) {
  EXPECT_TRUE(DisagreesUnderSomeSeed<WatchSpec>(UseWatch<LossyWatcher>));
}
TEST(FanHistoryMutationTest, AChangeThatIsSeenTwiceIsFound) {
  EXPECT_TRUE(DisagreesUnderSomeSeed<WatchSpec>(UseWatch<ForgetfulWatcher>));
}

// -- Broadcast ------------------------------------------------------------------------------

enum class BroadcastKind { kSend, kDropSender, kRecv, kTryRecv, kDropReceiver };

// The argument is the value that is sent, or the receiver's number. What is received counts a
// thousand for each value that was missed.
struct BroadcastSpec : NumberSpec<BroadcastSpec, BroadcastKind> {
  static constexpr int kMissed = 1000;

  static int Acts(const Op& op) { return op.call.kind == Kind::kRecv ? ActsOnceReady(op) : 1; }
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
        std::size_t& position = positions[static_cast<std::size_t>(op.call.argument)];
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
      case Kind::kDropReceiver:
        --receivers;
        return true;
    }
    return false;
  }
  bool MayWait(std::size_t, const Op& op) const {
    return senders != 0 && positions[static_cast<std::size_t>(op.call.argument)] == values.size();
  }

  static constexpr const char* kNames[] = {"send", "drop sender", "receive", "try receive",
                                           "drop receiver"};
  auto State() const { return std::tie(senders, receivers, values, positions); }

  std::size_t capacity = 0;
  int senders = 2;
  int receivers = kReceivers;
  std::vector<int> values;
  std::array<std::size_t, kReceivers> positions{};
};

Async<void> SendToAll(History<BroadcastSpec>* history,
                      Held<BroadcastSpec, BroadcastSender<int>> held, int first) {
  for (int value = first; value < first + kRounds; ++value) {
    RecordNow(history, {.kind = BroadcastSpec::Kind::kSend, .argument = value},
              [&] { return static_cast<int>(held.guard().Send(value)); });
    co_await Turns(Draw(4));
  }
}

int ResultOf(const std::optional<Broadcasted<int>>& received) {
  return received->value() + BroadcastSpec::kMissed * static_cast<int>(received->missed());
}

template <typename Receiver>
Async<void> ReceiveAll(History<BroadcastSpec>* history, Held<BroadcastSpec, Receiver> held,
                       int number) {
  using Kind = BroadcastSpec::Kind;
  for (int round = 0; round < 2 * kRounds; ++round) {
    if (Draw(3) == 0) {
      RecordNow(history, {.kind = Kind::kTryRecv, .argument = number}, [&] {
        const auto received = held.guard().TryRecv();
        return received ? ResultOf(received) : kNothing;
      });
    } else {
      co_await Record(history, {.kind = Kind::kRecv, .argument = number}, held.guard().Recv(),
                      [](const std::optional<Broadcasted<int>>& received) {
                        return received ? ResultOf(received) : kEnd;
                      });
    }
    co_await Turns(Draw(2));
  }
}

// Of `kTooMany` places more than the specification knows of.
template <typename Receiver, std::size_t kTooMany = 0>
void UseBroadcast(BroadcastSpec& spec, History<BroadcastSpec>* history,
                  std::vector<JoinHandle<void>>& tasks) {
  spec.capacity = static_cast<std::size_t>(Draw(3)) + 1;
  auto ends = MakeBroadcast<int>(spec.capacity + kTooMany);
  for (int i = 0; i < 2; ++i) {
    Held<BroadcastSpec, BroadcastSender<int>> sender(history, ends.first,
                                                     {.kind = BroadcastKind::kDropSender});
    tasks.push_back(Spawn(SendToAll(history, std::move(sender), 100 * (i + 1))));
  }
  for (int i = 0; i < kReceivers; ++i) {
    Held<BroadcastSpec, Receiver> receiver(history, Receiver(ends.second),
                                           {.kind = BroadcastKind::kDropReceiver});
    tasks.push_back(Spawn(ReceiveAll(history, std::move(receiver), i)));
  }
}

TEST(FanHistoryTest, Broadcast) {
  EXPECT_TRUE(AgreesUnderEverySeed<BroadcastSpec>(UseBroadcast<BroadcastReceiver<int>>));
}

// One that loses what it was about to give if it is given up then.
class LossyReceiver : public BroadcastReceiver<int> {
 public:
  explicit LossyReceiver(BroadcastReceiver receiver) : BroadcastReceiver(std::move(receiver)) {}
  auto Recv() { return Late(BroadcastReceiver::Recv()); }
};

TEST(FanHistoryMutationTest, ABroadcastThatLosesAValueIsFound) {
  EXPECT_TRUE(DisagreesUnderSomeSeed<BroadcastSpec>(UseBroadcast<LossyReceiver>));
}
TEST(FanHistoryMutationTest, ABroadcastThatKeepsTooManyIsFound) {
  EXPECT_TRUE(DisagreesUnderSomeSeed<BroadcastSpec>(UseBroadcast<BroadcastReceiver<int>, 1>));
}

}  // namespace
}  // namespace home::sync_testing
