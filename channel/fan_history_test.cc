// Random histories of oneshot, watch and broadcast channels, with waits that are given up and
// tasks that are aborted, against specifications: see home/sync/history_testing.h.

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
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
#include "home/scheduler/simulation_testing.h"
#include "home/sync/history_testing.h"
#include "home/tools/history/history.h"

namespace home {
namespace {

using history::End;
using history::History;
using history::Operation;
using sync_testing::DescribeOp;
using sync_testing::Draw;
using sync_testing::Held;
using sync_testing::Record;
using sync_testing::RecordNow;
using sync_testing::RunAndCheck;
using sync_testing::Turns;
using testing::PassesUnderEverySeed;

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

struct OneshotSpec {
  enum class Kind {
    kSend,
    kDropSender,
    kClosed,
    kIsClosed,
    kRecv,
    kTryRecv,
    kClose,
    kDropReceiver
  };
  struct Call {
    Kind kind;
    int argument = 0;
  };
  using Result = int;
  using Op = Operation<Call, Result>;

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

  static std::string Describe(const Op& op) {
    static constexpr const char* kNames[] = {"send",    "drop sender", "closed", "is closed",
                                             "receive", "try receive", "close",  "drop receiver"};
    return DescribeOp(kNames, op);
  }
  friend bool operator==(const OneshotSpec&, const OneshotSpec&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const OneshotSpec& spec) {
    return H::combine(std::move(state), spec.value, spec.sender_gone, spec.closed);
  }

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
class OneshotDrop {
 public:
  OneshotDrop(History<OneshotSpec>* history, OneshotReceiver<int> receiver, const int* in_vain)
      : history_(history), receiver_(std::move(receiver)), in_vain_(in_vain) {}
  OneshotDrop(OneshotDrop&& other) noexcept
      : history_(other.history_),
        receiver_(std::exchange(other.receiver_, std::nullopt)),
        in_vain_(other.in_vain_) {}
  OneshotDrop& operator=(OneshotDrop&&) = delete;
  ~OneshotDrop() {
    if (!receiver_) return;
    RecordNow(history_, {.kind = OneshotSpec::Kind::kDropReceiver}, [this] {
      receiver_.reset();
      return *in_vain_;
    });
  }

  OneshotReceiver<int>& receiver() { return *receiver_; }
  void Done() { receiver_.reset(); }

 private:
  History<OneshotSpec>* const history_;
  std::optional<OneshotReceiver<int>> receiver_;
  const int* const in_vain_;
};

Async<void> ReceiveOnce(History<OneshotSpec>* history, OneshotDrop held) {
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

TEST(FanHistoryTest, Oneshot) {
  EXPECT_TRUE(PassesUnderEverySeed([](Runtime& runtime) {
    runtime.BlockOn([]() -> Async<void> {
      History<OneshotSpec> history;
      int in_vain = 0;
      std::vector<JoinHandle<void>> tasks;
      {
        auto ends = MakeOneshot<int>([&in_vain](int value) { in_vain = value; });
        Held<OneshotSpec, OneshotSender<int>> sender(&history, std::move(ends.first),
                                                     {.kind = OneshotSpec::Kind::kDropSender});
        OneshotDrop receiver(&history, std::move(ends.second), &in_vain);
        tasks.push_back(Spawn(SendOnce(&history, std::move(sender))));
        tasks.push_back(Spawn(ReceiveOnce(&history, std::move(receiver))));
      }
      co_await RunAndCheck(&history, OneshotSpec(), std::move(tasks));
    });
  }));
}

// -- Watch ----------------------------------------------------------------------------------

// The argument is the value that is sent, or the receiver's number.
struct WatchSpec {
  enum class Kind { kSend, kDropSender, kChanged, kBorrow, kBorrowAndUpdate, kHasChanged };
  struct Call {
    Kind kind;
    int argument = 0;
  };
  using Result = int;
  using Op = Operation<Call, Result>;

  static int Acts(const Op& op) { return op.call.kind == Kind::kChanged ? ActsOnceReady(op) : 1; }
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
    return senders != 0 && seen[static_cast<std::size_t>(op.call.argument)] == value;
  }

  static std::string Describe(const Op& op) {
    static constexpr const char* kNames[] = {"send",   "drop sender",       "changed",
                                             "borrow", "borrow and update", "has changed"};
    return DescribeOp(kNames, op);
  }
  friend bool operator==(const WatchSpec&, const WatchSpec&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const WatchSpec& spec) {
    return H::combine(std::move(state), spec.senders, spec.value, spec.seen);
  }

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

Async<void> Watch(History<WatchSpec>* history, WatchReceiver<int> receiver, int number) {
  using Kind = WatchSpec::Kind;
  for (int round = 0; round < kRounds; ++round) {
    switch (Draw(6)) {
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
      default:
        co_await Record(history, {.kind = Kind::kChanged, .argument = number}, receiver.Changed(),
                        [](bool changed) { return changed ? 1 : 0; });
    }
  }
}

TEST(FanHistoryTest, Watch) {
  EXPECT_TRUE(PassesUnderEverySeed([](Runtime& runtime) {
    runtime.BlockOn([]() -> Async<void> {
      History<WatchSpec> history;
      std::vector<JoinHandle<void>> tasks;
      {
        auto ends = MakeWatch<int>(0);
        for (int i = 0; i < 2; ++i) {
          Held<WatchSpec, WatchSender<int>> sender(&history, ends.first,
                                                   {.kind = WatchSpec::Kind::kDropSender});
          tasks.push_back(Spawn(SendToWatch(&history, std::move(sender), 100 * (i + 1))));
        }
        for (int i = 0; i < kReceivers; ++i) {
          tasks.push_back(Spawn(Watch(&history, ends.second, i)));
        }
      }
      co_await RunAndCheck(&history, WatchSpec(), std::move(tasks));
    });
  }));
}

// -- Broadcast ------------------------------------------------------------------------------

// The argument is the value that is sent, or the receiver's number. What is received counts a
// thousand for each value that was missed.
struct BroadcastSpec {
  enum class Kind { kSend, kDropSender, kRecv, kTryRecv, kDropReceiver };
  struct Call {
    Kind kind;
    int argument = 0;
  };
  using Result = int;
  using Op = Operation<Call, Result>;

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

  static std::string Describe(const Op& op) {
    static constexpr const char* kNames[] = {"send", "drop sender", "receive", "try receive",
                                             "drop receiver"};
    return DescribeOp(kNames, op);
  }
  friend bool operator==(const BroadcastSpec&, const BroadcastSpec&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const BroadcastSpec& spec) {
    return H::combine(std::move(state), spec.senders, spec.receivers, spec.values, spec.positions);
  }

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

Async<void> ReceiveAll(History<BroadcastSpec>* history,
                       Held<BroadcastSpec, BroadcastReceiver<int>> held, int number) {
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

TEST(FanHistoryTest, Broadcast) {
  EXPECT_TRUE(PassesUnderEverySeed([](Runtime& runtime) {
    runtime.BlockOn([]() -> Async<void> {
      using Kind = BroadcastSpec::Kind;
      BroadcastSpec spec;
      spec.capacity = static_cast<std::size_t>(Draw(3)) + 1;
      History<BroadcastSpec> history;
      std::vector<JoinHandle<void>> tasks;
      {
        auto ends = MakeBroadcast<int>(spec.capacity);
        for (int i = 0; i < 2; ++i) {
          Held<BroadcastSpec, BroadcastSender<int>> sender(&history, ends.first,
                                                           {.kind = Kind::kDropSender});
          tasks.push_back(Spawn(SendToAll(&history, std::move(sender), 100 * (i + 1))));
        }
        for (int i = 0; i < kReceivers; ++i) {
          Held<BroadcastSpec, BroadcastReceiver<int>> receiver(&history, ends.second,
                                                               {.kind = Kind::kDropReceiver});
          tasks.push_back(Spawn(ReceiveAll(&history, std::move(receiver), i)));
        }
      }
      co_await RunAndCheck(&history, std::move(spec), std::move(tasks));
    });
  }));
}

}  // namespace
}  // namespace home
