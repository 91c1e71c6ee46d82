// Random histories of Sender and MpscSender channels, with sends and receipts that are given up
// and tasks that are aborted, against a specification: see home/sync/history_testing.h.

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "home/channel/kinds_testing.h"
#include "home/future/async.h"
#include "home/future/ready.h"
#include "home/future/waker.h"
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
constexpr int kUnlimited = 1000;

// A channel of values. With capacity 0 there is room for as many as receivers wait: so a receipt
// acts twice, when it begins to wait and when it takes a value.
struct ChannelSpec {
  enum class Kind {
    kSend,
    kTrySend,
    kReserve,
    kTryReserve,
    kSendReserved,
    kDropPermit,
    kRecv,
    kTryRecv,
    kIsDrained,
    kClose,
    kDropSender,
    kDropReceiver,
  };
  struct Call {
    Kind kind;
    int argument = 0;
  };
  using Result = int;  // what is sent or received, above 0; kClosed, kNothing
  using Op = Operation<Call, Result>;

  static constexpr int kClosed = -1;
  static constexpr int kNothing = 0;

  static int Acts(const Op& op) {
    switch (op.call.kind) {
      case Kind::kRecv:
        return op.end == End::kPending ? 1 : 2;
      case Kind::kSend:
      case Kind::kReserve:
        return op.end == End::kReturned ? 1 : 0;
      default:
        return 1;
    }
  }
  bool Act(std::size_t, const Op& op, int n) {
    const int value = op.call.argument;
    switch (op.call.kind) {
      case Kind::kSend:
      case Kind::kTrySend:
        if (op.result != Sending(op)) return false;
        if (op.result == value) values.push_back(value);
        return true;
      case Kind::kReserve:
      case Kind::kTryReserve:
        if (op.result != Sending(op)) return false;
        if (op.result == value) ++reserved;
        return true;
      case Kind::kSendReserved:
        --reserved;
        if (receivers != 0) values.push_back(value);
        return true;
      case Kind::kDropPermit:
        --reserved;
        return true;
      case Kind::kRecv:
        if (n == 0) {
          ++offers;
          return true;
        }
        --offers;
        return op.end == End::kCancelled || (op.result != kNothing && Receive(*op.result));
      case Kind::kTryRecv:
        return values.empty() ? op.result == kNothing : Receive(*op.result);
      case Kind::kIsDrained:
        return op.result == (IsDrained() ? 1 : 0);
      case Kind::kClose:
        closed = true;
        return true;
      case Kind::kDropSender:
        if (--senders == 0) closed = true;
        return true;
      case Kind::kDropReceiver:
        if (--receivers != 0) return true;
        closed = true;
        values.clear();
        return true;
    }
    return false;
  }
  bool MayWait(std::size_t, const Op& op) const {
    return op.call.kind == Kind::kRecv ? values.empty() && !IsDrained() : !closed && !HasRoom();
  }

  static std::string Describe(const Op& op) {
    static constexpr const char* kNames[] = {
        "send",    "try send", "reserve",    "try reserve", "send reserved", "drop permit",
        "receive", "try recv", "is drained", "close",       "drop sender",   "drop receiver"};
    return DescribeOp(kNames, op);
  }
  friend bool operator==(const ChannelSpec&, const ChannelSpec&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const ChannelSpec& spec) {
    return H::combine(std::move(state), spec.values, spec.reserved, spec.offers, spec.closed,
                      spec.senders, spec.receivers);
  }

  [[nodiscard]] bool HasRoom() const {
    const int room = capacity == 0 ? offers : capacity;
    return static_cast<int>(values.size()) + reserved < room;
  }
  [[nodiscard]] bool IsDrained() const { return closed && reserved == 0 && values.empty(); }
  // What sending or reserving results in now; of one that waits never kNothing.
  [[nodiscard]] int Sending(const Op& op) const {
    if (closed) return kClosed;
    if (HasRoom()) return op.call.argument;
    const bool waits = op.call.kind == Kind::kSend || op.call.kind == Kind::kReserve;
    return waits ? -2 : kNothing;
  }
  bool Receive(int value) {
    if (value == kClosed) return IsDrained();
    if (values.empty() || values.front() != value) return false;
    values.erase(values.begin());
    return true;
  }

  int capacity = 0;
  int senders = 0;
  int receivers = 0;
  std::vector<int> values;
  int reserved = 0;
  int offers = 0;  // receipts that wait
  bool closed = false;
};

using Kind = ChannelSpec::Kind;

template <typename Sender>
using PermitOf = typename Sender::Permit;

template <typename Sender>
Async<void> UsePermit(History<ChannelSpec>* history, PermitOf<Sender> permit, int value) {
  Held<ChannelSpec, PermitOf<Sender>> held(history, std::move(permit), {.kind = Kind::kDropPermit});
  co_await Turns(Draw(3));
  if (Draw(3) != 0) {
    RecordNow(history, {.kind = Kind::kSendReserved, .argument = value}, [&] {
      held.Take().Send(value);
      return value;
    });
  }
}

template <typename Sender>
Async<void> SendSome(History<ChannelSpec>* history, Held<ChannelSpec, Sender> held, int first) {
  Sender& sender = held.guard();
  for (int value = first; value < first + kRounds; ++value) {
    const auto result = [value](const auto& sent) {
      return sent.ok() ? value : ChannelSpec::kClosed;
    };
    switch (Draw(8)) {
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
        if (permit) co_await UsePermit<Sender>(history, *std::move(permit), value);
        break;
      }
      case 2: {
        auto permit = co_await Record(history, {.kind = Kind::kReserve, .argument = value},
                                      sender.Reserve(), result);
        if (permit && permit->ok()) {
          co_await UsePermit<Sender>(history, **std::move(permit), value);
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
      default:
        co_await Record(history, {.kind = Kind::kSend, .argument = value}, sender.Send(value),
                        result);
    }
    co_await Turns(Draw(2));
  }
}

template <typename Receiver>
Async<void> ReceiveSome(History<ChannelSpec>* history, Held<ChannelSpec, Receiver> held,
                        int rounds) {
  Receiver& receiver = held.guard();
  for (int round = 0; round < rounds; ++round) {
    switch (Draw(8)) {
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
      default:
        co_await Record(history, {.kind = Kind::kRecv}, receiver.Recv(),
                        [](const std::optional<int>& received) {
                          return received.value_or(ChannelSpec::kClosed);
                        });
    }
    co_await Turns(Draw(2));
  }
}

template <typename Kind>
class QueueHistoryTest : public ::testing::Test {};
TYPED_TEST_SUITE(QueueHistoryTest, channel_testing::Kinds);

// A channel of two senders and two receivers, or one that takes twice as much; with a capacity
// from `least` to `most`.
template <typename ChannelKind>
Async<void> RunChannel(int least, int most) {
  const int capacity = least + Draw(most - least + 1);
  constexpr int kReceivers = ChannelKind::kManyReceivers ? 2 : 1;
  ChannelSpec spec;
  spec.capacity = capacity;
  spec.senders = 2;
  spec.receivers = kReceivers;
  History<ChannelSpec> history;
  std::vector<JoinHandle<void>> tasks;
  {
    auto ends = capacity == kUnlimited
                    ? ChannelKind::template MakeUnbounded<int>()
                    : ChannelKind::template Make<int>(static_cast<std::size_t>(capacity));
    // Before the spawns: a task may be aborted before it begins.
    const auto hold = [&history](auto end, Kind kind) {
      return Held<ChannelSpec, decltype(end)>(&history, std::move(end), {.kind = kind});
    };
    tasks.push_back(Spawn(SendSome(&history, hold(ends.first, Kind::kDropSender), 100)));
    tasks.push_back(Spawn(SendSome(&history, hold(std::move(ends.first), Kind::kDropSender), 200)));
    if constexpr (ChannelKind::kManyReceivers) {
      tasks.push_back(
          Spawn(ReceiveSome(&history, hold(ends.second, Kind::kDropReceiver), kRounds)));
    }
    tasks.push_back(Spawn(ReceiveSome(&history, hold(std::move(ends.second), Kind::kDropReceiver),
                                      kRounds * 2 / kReceivers)));
  }
  co_await RunAndCheck(&history, std::move(spec), std::move(tasks));
}

TYPED_TEST(QueueHistoryTest, Rendezvous) {
  EXPECT_TRUE(
      PassesUnderEverySeed([](Runtime& runtime) { runtime.BlockOn(RunChannel<TypeParam>(0, 0)); }));
}
TYPED_TEST(QueueHistoryTest, Bounded) {
  EXPECT_TRUE(
      PassesUnderEverySeed([](Runtime& runtime) { runtime.BlockOn(RunChannel<TypeParam>(1, 3)); }));
}
TYPED_TEST(QueueHistoryTest, Unbounded) {
  EXPECT_TRUE(PassesUnderEverySeed(
      [](Runtime& runtime) { runtime.BlockOn(RunChannel<TypeParam>(kUnlimited, kUnlimited)); }));
}

// -- A channel that is wrong ----------------------------------------------------------------

// Hands a value to whoever sleeps: one that is dropped then loses it.
class LossyQueue {
 public:
  struct Place {
    std::optional<int> value;
    Waker waker;
  };

  void Push(int value) {
    if (sleepers_.empty()) return values_.push_back(value);
    Place* const place = sleepers_.front();
    sleepers_.pop_front();
    place->value = value;
    std::move(place->waker).Wake();
  }

  class PopFuture {
   public:
    using Output = int;
    explicit PopFuture(LossyQueue* queue) : queue_(queue) {}
    PopFuture(PopFuture&& other) noexcept : queue_(other.queue_) {}
    PopFuture& operator=(PopFuture&&) = delete;
    ~PopFuture() { std::erase(queue_->sleepers_, &place_); }

    home::Poll<int> Poll(Context& cx) {
      if (place_.value) return *place_.value;
      std::erase(queue_->sleepers_, &place_);
      if (!queue_->values_.empty()) {
        const int value = queue_->values_.front();
        queue_->values_.pop_front();
        return value;
      }
      place_.waker = cx.waker().Clone();
      queue_->sleepers_.push_back(&place_);
      return kPending;
    }

   private:
    LossyQueue* queue_;
    Place place_;
  };

 private:
  std::deque<int> values_;
  std::deque<Place*> sleepers_;
};

Async<void> PushSome(History<ChannelSpec>* history, LossyQueue* queue) {
  for (int value = 1; value <= kRounds; ++value) {
    RecordNow(history, {.kind = Kind::kTrySend, .argument = value}, [=] {
      queue->Push(value);
      return value;
    });
    co_await Turns(Draw(3));
  }
}
Async<void> PopSome(History<ChannelSpec>* history, LossyQueue* queue) {
  for (int round = 0; round < kRounds; ++round) {
    co_await Record(history, {.kind = Kind::kRecv}, LossyQueue::PopFuture(queue),
                    [](int value) { return value; });
  }
}

TEST(QueueHistoryMutationTest, AValueThatIsLostIsFound) {
  const auto result = PassesUnderEverySeed([](Runtime& runtime) {
    runtime.BlockOn([]() -> Async<void> {
      ChannelSpec spec;
      spec.capacity = kUnlimited;
      History<ChannelSpec> history;
      LossyQueue queue;
      std::vector<JoinHandle<void>> tasks;
      tasks.push_back(Spawn(PushSome(&history, &queue)));
      tasks.push_back(Spawn(PopSome(&history, &queue)));
      co_await RunAndCheck(&history, std::move(spec), std::move(tasks));
    });
  });
  ASSERT_FALSE(result);
  EXPECT_THAT(result.message(), ::testing::HasSubstr("no order explains this history"));
}

}  // namespace
}  // namespace home
