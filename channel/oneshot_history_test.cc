// Random histories of oneshot channels, with waits that are given up and tasks that are aborted,
// against a specification: see home/sync/history_testing.h.

#include <cstddef>
#include <memory>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "home/channel/oneshot.h"
#include "home/future/async.h"
#include "home/scheduler/runtime.h"
#include "home/sync/history_testing.h"

namespace home::sync_testing {
namespace {

// Results beside values, which are above 0.
constexpr int kNothing = 0;
constexpr int kEnd = -1;

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
  static int Acts(const Op& op) { return op.end == End::kReturned || !Waits(op) ? 1 : 0; }
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
  // What waits acts once, when it is ready, and has no effect if it is given up.
  static bool Waits(const Op& op) {
    return op.call.kind == Kind::kClosed || op.call.kind == Kind::kRecv;
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

template <typename Receiver>
Async<void> ReceiveOnce(History<OneshotSpec>* history, Held<OneshotSpec, Receiver> held) {
  using Kind = OneshotSpec::Kind;
  for (int round = 0; round < 3; ++round) {
    co_await Turns(Draw(3));
    switch (Draw(4)) {
      case 0:
        RecordNow(history, {.kind = Kind::kClose}, [&] {
          held.guard().Close();
          return 0;
        });
        break;
      case 1: {
        const int result = RecordNow(history, {.kind = Kind::kTryRecv},
                                     [&] { return ResultOf(held.guard().TryRecv()); });
        if (result == kNothing) break;
        static_cast<void>(held.Take());  // It is used up.
        co_return;
      }
      default: {
        const auto received =
            co_await Record(history, {.kind = Kind::kRecv}, held.guard().Recv(), ResultOf);
        if (!received) break;
        static_cast<void>(held.Take());  // It is used up.
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
  Held<OneshotSpec, Receiver> receiver(history, Receiver(std::move(ends.second)),
                                       {.kind = OneshotKind::kDropReceiver},
                                       [in_vain] { return *in_vain; });
  tasks.push_back(Spawn(SendOnce(history, std::move(sender))));
  tasks.push_back(Spawn(ReceiveOnce(history, std::move(receiver))));
}

TEST(OneshotHistoryTest, Oneshot) {
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

TEST(OneshotHistoryMutationTest, AOneshotThatHidesItsValueIsFound) {
  EXPECT_TRUE(DisagreesUnderSomeSeed<OneshotSpec>(UseOneshot<BlindReceiver>));
}
TEST(OneshotHistoryMutationTest, AOneshotThatDoesNotCloseIsFound) {
  EXPECT_TRUE(DisagreesUnderSomeSeed<OneshotSpec>(UseOneshot<OpenReceiver>));
}

}  // namespace
}  // namespace home::sync_testing
