// Random histories of Sender and MpscSender channels, with sends and receipts that are given up
// and tasks that are aborted, against a specification: see home/sync/history_testing.h.

#include <algorithm>
#include <array>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "home/channel/kinds_testing.h"
#include "home/future/async.h"
#include "home/future/ready.h"
#include "home/future/waker.h"
#include "home/scheduler/runtime.h"
#include "home/sync/history_testing.h"

namespace home::sync_testing {
namespace {

constexpr int kRounds = 5;
constexpr int kUnlimited = 1000;

enum class ChannelKind {
  kSend,
  kSendMany,
  kTrySend,
  kReserve,
  kTryReserve,
  kSendReserved,
  kDropPermit,
  kRecv,
  kRecvMany,
  kTryRecv,
  kIsDrained,
  kClose,
  kDropSender,
  kDropReceiver,
};

// A channel of values. With capacity 0 there is room for as many as receivers wait: so a receipt
// acts twice, when it begins to wait and when it takes a value.
// The result is what is sent or received, above 0; or kClosed, or kNothing. That of a batch that
// is sent is the number of its values; that of one that is received is Pack() of them.
struct ChannelSpec : NumberSpec<ChannelSpec, ChannelKind> {
  static constexpr int kClosed = -1;
  static constexpr int kNothing = 0;
  // A batch.
  static constexpr int kSent = 3;
  static constexpr int kReceived = 2;

  // The values of batch `argument`; no others are as large.
  static int ValueOf(int argument, int number) { return 10 * argument + number; }
  static int Pack(int first, int second) { return first + 10'000 * second; }

  static int Acts(const Op& op) {
    switch (op.call.kind) {
      case Kind::kRecv:
      case Kind::kRecvMany:
        return op.end == End::kPending ? 1 : 2;
      case Kind::kSendMany:
        // Once a value, and once more if it sees that the channel is closed.
        return std::min(op.result.value_or(kSent) + 1, kSent);
      case Kind::kSend:
      case Kind::kReserve:
        return op.end == End::kReturned ? 1 : 0;
      default:
        return 1;
    }
  }
  static bool MayStop(const Op& op, int n) { return op.call.kind == Kind::kSendMany || n == 0; }
  bool Act(std::size_t, const Op& op, int n) {
    const int value = op.call.argument;
    switch (op.call.kind) {
      case Kind::kSend:
      case Kind::kTrySend:
        if (op.result != Sending(op)) return false;
        if (op.result == value) values.push_back(value);
        return true;
      case Kind::kSendMany:
        if (n == op.result) return closed;
        if (closed || !HasRoom()) return false;
        values.push_back(ValueOf(value, n));
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
      case Kind::kRecvMany: {
        if (n == 0) {
          ++offers;
          return true;
        }
        --offers;
        if (op.end == End::kCancelled) return true;
        const int second = *op.result / Pack(0, 1);
        const int first = *op.result - Pack(0, second);
        return first != kNothing && Receive(first) && (second == kNothing || Receive(second));
      }
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
    const bool receives = op.call.kind == Kind::kRecv || op.call.kind == Kind::kRecvMany;
    return receives ? values.empty() && !IsDrained() : !closed && !HasRoom();
  }

  static constexpr const char* kNames[] = {
      "send",          "send many",   "try send",    "reserve",      "try reserve",
      "send reserved", "drop permit", "receive",     "receive many", "try recv",
      "is drained",    "close",       "drop sender", "drop receiver"};
  auto State() const { return std::tie(values, reserved, offers, closed, senders, receivers); }

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

template <typename Kind>
class QueueHistoryTest : public ::testing::Test {};
TYPED_TEST_SUITE(QueueHistoryTest, channel_testing::Kinds);

// A channel of two senders and two receivers, or one that takes twice as much; with a capacity
// from `least` to `most`.
template <typename ChannelKind>
void CheckChannel(int least, int most) {
  EXPECT_TRUE(AgreesUnderEverySeed<ChannelSpec>([least, most](
                                                    ChannelSpec& spec,
                                                    History<ChannelSpec>* history,
                                                    std::vector<JoinHandle<void>>& tasks) {
    constexpr int kReceivers = ChannelKind::kManyReceivers ? 2 : 1;
    spec.capacity = least + Draw(most - least + 1);
    spec.senders = 2;
    spec.receivers = kReceivers;
    auto ends = spec.capacity == kUnlimited
                    ? ChannelKind::template MakeUnbounded<int>()
                    : ChannelKind::template Make<int>(static_cast<std::size_t>(spec.capacity));
    // Before the spawns: a task may be aborted before it begins.
    const auto hold = [history](auto end, Kind kind) {
      return Held<ChannelSpec, decltype(end)>(history, std::move(end), {.kind = kind});
    };
    tasks.push_back(Spawn(SendSome(history, hold(ends.first, Kind::kDropSender), 100)));
    tasks.push_back(Spawn(SendSome(history, hold(std::move(ends.first), Kind::kDropSender), 200)));
    if constexpr (ChannelKind::kManyReceivers) {
      tasks.push_back(Spawn(ReceiveSome(history, hold(ends.second, Kind::kDropReceiver), kRounds)));
    }
    tasks.push_back(Spawn(ReceiveSome(history, hold(std::move(ends.second), Kind::kDropReceiver),
                                      kRounds * 2 / kReceivers)));
  }));
}

TYPED_TEST(QueueHistoryTest, Rendezvous) { CheckChannel<TypeParam>(0, 0); }
TYPED_TEST(QueueHistoryTest, Bounded) { CheckChannel<TypeParam>(1, 3); }
TYPED_TEST(QueueHistoryTest, Unbounded) { CheckChannel<TypeParam>(kUnlimited, kUnlimited); }

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

Async<void> PushSome(History<ChannelSpec>* history, std::shared_ptr<LossyQueue> queue) {
  for (int value = 1; value <= kRounds; ++value) {
    RecordNow(history, {.kind = Kind::kTrySend, .argument = value}, [=] {
      queue->Push(value);
      return value;
    });
    co_await Turns(Draw(3));
  }
}
Async<void> PopSome(History<ChannelSpec>* history, std::shared_ptr<LossyQueue> queue) {
  for (int round = 0; round < kRounds; ++round) {
    co_await Record(history, {.kind = Kind::kRecv}, LossyQueue::PopFuture(queue.get()),
                    [](int value) { return value; });
  }
}

TEST(QueueHistoryMutationTest, AValueThatIsLostIsFound) {
  const auto result = AgreesUnderEverySeed<ChannelSpec>(
      [](ChannelSpec& spec, History<ChannelSpec>* history, std::vector<JoinHandle<void>>& tasks) {
        spec.capacity = kUnlimited;
        const auto queue = std::make_shared<LossyQueue>();
        tasks.push_back(Spawn(PushSome(history, queue)));
        tasks.push_back(Spawn(PopSome(history, queue)));
      });
  ASSERT_FALSE(result);
  EXPECT_THAT(result.message(), ::testing::HasSubstr("no order explains this history"));
}

}  // namespace
}  // namespace home::sync_testing
