// The specification of a channel of values, for random histories: see
// home/sync/history_testing.h.

#ifndef HOME_CHANNEL_CHANNEL_SPEC_TESTING_H_
#define HOME_CHANNEL_CHANNEL_SPEC_TESTING_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <utility>
#include <vector>

#include "home/sync/history_testing.h"

namespace home::sync_testing {

inline constexpr int kUnlimited = 1000;

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
  kUpgrade,
  kDropSender,
  kDropWeakSender,
  kDropReceiver,
};

// A channel of values. With capacity 0 there is room for as many as receivers wait: so a receipt
// acts twice, when it begins to wait and when it takes a value.
// The result is what is sent or received, above 0; or kClosed, or kNothing. That of a batch that
// is sent is the number of its values; that of one that is received is Pack() of them. That of the
// use of a permit, and of each end, is what the hook for undelivered values got then: Fold() of it.
struct ChannelSpec : NumberSpec<ChannelSpec, ChannelKind> {
  static constexpr int kClosed = -1;
  static constexpr int kNothing = 0;
  // A batch.
  static constexpr int kSent = 3;
  static constexpr int kReceived = 2;

  // The values of batch `argument`; no others are as large.
  static int ValueOf(int argument, int number) { return 10 * argument + number; }
  static int Pack(int first, int second) { return first + 10'000 * second; }
  // A number for any values, in their order.
  static int Fold(const std::vector<int>& some) {
    std::uint32_t folded = 0;
    for (const int value : some) folded = 31 * folded + static_cast<std::uint32_t>(value);
    return static_cast<int>(folded);
  }

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
        values.push_back(value);
        return op.result == Undelivered();
      case Kind::kDropPermit:
        --reserved;
        return op.result == Undelivered();
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
      case Kind::kUpgrade:
        if (op.result != (senders != 0 ? 1 : 0)) return false;
        if (op.result == 1) ++senders;
        return true;
      case Kind::kDropSender:
        if (--senders == 0) closed = true;
        return op.result == Undelivered();
      case Kind::kDropWeakSender:
        --weak_senders;
        return op.result == Undelivered();
      case Kind::kDropReceiver:
        if (--receivers != 0) return op.result == kNothing;
        closed = true;
        return op.result == TakeOut();
    }
    return false;
  }
  bool MayWait(std::size_t, const Op& op) const {
    const bool receives = op.call.kind == Kind::kRecv || op.call.kind == Kind::kRecvMany;
    return receives ? values.empty() && !IsDrained() : !closed && !HasRoom();
  }

  static constexpr const char* kNames[] = {
      "send",         "send many",     "try send",         "reserve",
      "try reserve",  "send reserved", "drop permit",      "receive",
      "receive many", "try recv",      "is drained",       "close",
      "upgrade",      "drop sender",   "drop weak sender", "drop receiver"};
  auto State() const {
    return std::tie(values, reserved, offers, closed, senders, weak_senders, receivers);
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

  // What the hook gets by an act: what there is if nobody can receive it. Where there is only one
  // receiver it gets what is sent by a permit after that one is gone when the memory goes.
  [[nodiscard]] int Undelivered() {
    const bool used = senders != 0 || weak_senders != 0 || reserved != 0;
    return receivers == 0 && (many_receivers || !used) ? TakeOut() : kNothing;
  }
  int TakeOut() { return Fold(std::exchange(values, {})); }

  int capacity = 0;
  bool many_receivers = false;  // whether the kind can have many
  int senders = 0;
  int weak_senders = 0;
  int receivers = 0;
  std::vector<int> values;
  int reserved = 0;
  int offers = 0;  // receipts that wait
  bool closed = false;
};

}  // namespace home::sync_testing

#endif  // HOME_CHANNEL_CHANNEL_SPEC_TESTING_H_
