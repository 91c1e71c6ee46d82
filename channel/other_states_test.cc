// What each operation of a oneshot, a broadcast and a watch channel gives in each state that the
// channel can be in, whom it wakes, and what is left: a table each.

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "home/channel/broadcast.h"
#include "home/channel/oneshot.h"
#include "home/channel/states_testing.h"
#include "home/channel/watch.h"
#include "home/future/testing.h"

namespace home {
namespace {

using channel_testing::CheckTable;
using channel_testing::Operation;
using channel_testing::Row;
using channel_testing::YesOrNo;
using testing::CountingWaker;
using testing::PollOnce;

// How a state comes about, one step after the other.
enum class Step {
  kValue,     // 1 is sent, then 2, and so on
  kSender,    // a Closed() waits
  kReceiver,  // a receipt waits
  kReceive,   // a value is received
  kClose,
  kNoSender,
  kNoReceiver,
  kSubscribe,  // a receiver is made
};

template <typename T>
std::string InWords(const absl::StatusOr<T>& result) {
  if (result.ok()) return absl::StrCat(*result);
  return absl::IsCancelled(result.status()) ? "cancelled" : "unavailable";
}

// -- Oneshot --------------------------------------------------------------------------------

struct Oneshot {
  Oneshot() {
    auto [one, other] = MakeOneshot<int>([this](int value) { undelivered = value; });
    sender.emplace(std::move(one));
    receiver.emplace(std::move(other));
  }

  void Take(Step step) {
    if (step == Step::kValue) {
      EXPECT_TRUE(sender->Send(1));
      sender.reset();
    }
    if (step == Step::kSender) {
      EXPECT_TRUE(PollOnce(closed.emplace(sender->Closed()), counter).pending());
    }
    if (step == Step::kReceiver) {
      EXPECT_TRUE(PollOnce(receiving.emplace(receiver->Recv()), counter).pending());
    }
    if (step == Step::kClose) receiver->Close();
    if (step == Step::kNoSender) sender.reset();
    if (step == Step::kNoReceiver) receiver.reset();
  }

  int wakes() const { return counter.wakes(); }
  // The value, and who got it that was not to.
  std::string Contents() {
    receiving.reset();
    closed.reset();
    std::string left;
    if (receiver.has_value()) {
      const absl::StatusOr<int> value = receiver->TryRecv();
      if (value.ok()) left = absl::StrCat(" ", *value);
      receiver.reset();
    }
    if (undelivered != 0) absl::StrAppend(&left, " undelivered ", undelivered);
    return left;
  }

  CountingWaker counter;  // of those who wait
  int undelivered = 0;
  std::optional<OneshotSender<int>> sender;
  std::optional<OneshotReceiver<int>> receiver;
  std::optional<OneshotSender<int>::ClosedFuture> closed;
  std::optional<OneshotReceiver<int>::RecvFuture> receiving;
};

constexpr std::array<Operation<Oneshot>, 8> kOneshot = {{
    {"Send(7)",
     [](Oneshot& channel) -> std::string {
       int value = 7;
       const bool sent = channel.sender->Send(std::move(value));
       channel.sender.reset();
       return sent ? "sent" : "refused";
     }},
    {"Closed()",
     [](Oneshot& channel) -> std::string {
       auto closed = channel.sender->Closed();
       return PollOnce(closed).pending() ? "waits" : "closed";
     }},
    {"Sender::IsClosed()", [](Oneshot& channel) { return YesOrNo(channel.sender->IsClosed()); }},
    {"~Sender()",
     [](Oneshot& channel) -> std::string {
       channel.sender.reset();
       return "gone";
     }},
    {"TryRecv()",
     [](Oneshot& channel) {
       const std::string result = InWords(channel.receiver->TryRecv());
       if (result != "unavailable") channel.receiver.reset();
       return result;
     }},
    {"Recv()",
     [](Oneshot& channel) -> std::string {
       auto receive = channel.receiver->Recv();
       auto polled = PollOnce(receive);
       if (polled.pending()) return "waits";
       channel.receiver.reset();
       return InWords(polled.value());
     }},
    {"Close()",
     [](Oneshot& channel) -> std::string {
       channel.receiver->Close();
       return "closed";
     }},
    {"~Receiver()",
     [](Oneshot& channel) -> std::string {
       channel.receiver.reset();
       return "gone";
     }},
}};

// clang-format off
TEST(OneshotStatesTest, Table) {
  using enum Step;
  const std::vector<Row<Step, 8>> table = {
      {"nothing was sent", {},
       {"sent | 7", "waits |", "no |", "gone |", "unavailable |", "waits |", "closed |", "gone |"}},
      {"the receiver waits", {kReceiver},
       {"sent* | 7", "waits |", "no |", "gone* |", "", "", "", ""}},
      {"the sender waits for the end", {kSender},
       {"", "", "", "", "unavailable |", "waits |", "closed* |", "gone* |"}},
      {"the value was sent", {kValue},
       {"", "", "", "", "1 |", "1 |", "closed | 1", "gone | undelivered 1"}},
      {"the value was sent and then it was closed", {kValue, kClose},
       {"", "", "", "", "1 |", "1 |", "closed | 1", "gone | undelivered 1"}},
      {"it was closed", {kClose},
       {"refused |", "closed |", "yes |", "gone |", "cancelled |", "cancelled |", "closed |", "gone |"}},
      {"the sender is gone", {kNoSender},
       {"", "", "", "", "cancelled |", "cancelled |", "closed |", "gone |"}},
      {"the receiver is gone", {kNoReceiver},
       {"refused |", "closed |", "yes |", "gone |", "", "", "", ""}},
  };
  CheckTable(kOneshot, table, [] { return Oneshot(); });
}
// clang-format on

// -- Broadcast ------------------------------------------------------------------------------

// Room for the last two values, and a receiver of all.
struct Broadcast {
  Broadcast() {
    auto [one, other] = MakeBroadcast<int>(2);
    sender.emplace(std::move(one));
    receiver.emplace(std::move(other));
  }

  void Take(Step step) {
    if (step == Step::kValue) sender->Send(++values);
    if (step == Step::kReceive) {
      EXPECT_TRUE(receiver->TryRecv().has_value());
    }
    if (step == Step::kReceiver) {
      EXPECT_TRUE(PollOnce(receiving.emplace(receiver->Recv()), counter).pending());
    }
    if (step == Step::kNoSender) sender.reset();
    if (step == Step::kNoReceiver) receiver.reset();
    if (step == Step::kSubscribe) receiver.emplace(sender->Subscribe());
  }

  static std::string InWords(const Broadcasted<int>& received) {
    if (received.missed() == 0) return absl::StrCat(received.value());
    return absl::StrCat(received.value(), " after ", received.missed());
  }

  int wakes() const { return counter.wakes(); }
  std::string Contents() {
    receiving.reset();
    std::string left;
    if (!receiver.has_value()) return left;
    for (auto value = receiver->TryRecv(); value.has_value(); value = receiver->TryRecv()) {
      absl::StrAppend(&left, " ", InWords(*value));
    }
    return left;
  }

  CountingWaker counter;  // of who waits
  int values = 0;
  std::optional<BroadcastSender<int>> sender;
  std::optional<BroadcastReceiver<int>> receiver;
  std::optional<BroadcastReceiver<int>::RecvFuture> receiving;
};

constexpr std::array<Operation<Broadcast>, 7> kBroadcast = {{
    {"Send(7)", [](Broadcast& channel) { return absl::StrCat("to ", channel.sender->Send(7)); }},
    {"Subscribe() and Recv()",
     [](Broadcast& channel) -> std::string {
       auto late = channel.sender->Subscribe();
       auto receive = late.Recv();
       return PollOnce(receive).pending() ? "waits" : "value";
     }},
    {"receivers()", [](Broadcast& channel) { return absl::StrCat(channel.sender->receivers()); }},
    {"TryRecv()",
     [](Broadcast& channel) -> std::string {
       const auto received = channel.receiver->TryRecv();
       return received.has_value() ? Broadcast::InWords(*received) : "none";
     }},
    {"Recv()",
     [](Broadcast& channel) -> std::string {
       auto receive = channel.receiver->Recv();
       auto polled = PollOnce(receive);
       if (polled.pending()) return "waits";
       return polled.value().has_value() ? Broadcast::InWords(*polled.value()) : "end";
     }},
    {"~Sender()",
     [](Broadcast& channel) -> std::string {
       channel.sender.reset();
       return "gone";
     }},
    {"~Receiver()",
     [](Broadcast& channel) -> std::string {
       channel.receiver.reset();
       return channel.sender ? absl::StrCat(channel.sender->receivers(), " left") : "gone";
     }},
}};

// clang-format off
TEST(BroadcastStatesTest, Table) {
  using enum Step;
  const std::vector<Row<Step, 7>> table = {
      {"nothing was sent", {},
       {"to 1 | 7", "waits |", "1 |", "none |", "waits |", "gone |", "0 left |"}},
      {"the receiver waits", {kReceiver},
       {"to 1* | 7", "waits |", "1 |", "", "", "gone* |", ""}},
      {"there is a value", {kValue},
       {"to 1 | 1 7", "waits | 1", "1 | 1", "1 |", "1 |", "gone | 1", "0 left |"}},
      {"it is full", {kValue, kValue},
       {"to 1 | 2 after 1 7", "waits | 1 2", "1 | 1 2", "1 | 2", "1 | 2", "gone | 1 2", "0 left |"}},
      {"the receiver was too slow", {kValue, kValue, kValue, kValue},
       {"to 1 | 4 after 3 7", "waits | 3 after 2 4", "1 | 3 after 2 4", "3 after 2 | 4", "3 after 2 | 4",
        "gone | 3 after 2 4", "0 left |"}},
      {"all was received", {kValue, kValue, kReceive, kReceive},
       {"to 1 | 7", "waits |", "1 |", "none |", "waits |", "gone |", "0 left |"}},
      {"the senders are gone", {kNoSender},
       {"", "", "", "none |", "end |", "", "gone |"}},
      {"the senders are gone and a value is left", {kValue, kNoSender},
       {"", "", "", "1 |", "1 |", "", "gone |"}},
      {"the receivers are gone", {kNoReceiver},
       {"to 0 |", "waits |", "0 |", "", "", "gone |", ""}},
      {"the receivers are gone before a value was received", {kValue, kNoReceiver},
       {"to 0 |", "waits |", "0 |", "", "", "gone |", ""}},
      {"a receiver came after they were gone", {kValue, kNoReceiver, kSubscribe},
       {"to 1 | 7", "waits |", "1 |", "none |", "waits |", "gone |", "0 left |"}},
      {"a receiver came after a value for nobody", {kNoReceiver, kValue, kSubscribe},
       {"to 1 | 7", "waits |", "1 |", "none |", "waits |", "gone |", "0 left |"}},
      {"a receiver came after they were gone, and then a value",
       {kValue, kValue, kNoReceiver, kValue, kSubscribe, kValue},
       {"to 1 | 4 7", "waits | 4", "1 | 4", "4 |", "4 |", "gone | 4", "0 left |"}},
  };
  CheckTable(kBroadcast, table, [] { return Broadcast(); });
}
// clang-format on

// -- Watch ----------------------------------------------------------------------------------

struct Watched {
  Watched() {
    auto [one, other] = MakeWatch<int>(0);
    sender.emplace(std::move(one));
    receiver.emplace(std::move(other));
  }

  void Take(Step step) {
    if (step == Step::kValue) sender->Send(++values);
    if (step == Step::kReceive) static_cast<void>(receiver->BorrowAndUpdate());
    if (step == Step::kReceiver) {
      EXPECT_TRUE(PollOnce(receiving.emplace(receiver->Changed()), counter).pending());
    }
    if (step == Step::kNoSender) sender.reset();
    if (step == Step::kNoReceiver) receiver.reset();
    if (step == Step::kSubscribe) receiver.emplace(sender->Subscribe());
  }

  int wakes() const { return counter.wakes(); }
  // The value, and whether it is news to the receiver.
  std::string Contents() {
    receiving.reset();
    if (!receiver) return sender ? absl::StrCat(" ", *sender->Borrow()) : "";
    return absl::StrCat(" ", *receiver->Borrow(), receiver->HasChanged() ? " new" : "");
  }

  CountingWaker counter;  // of who waits
  int values = 0;
  std::optional<WatchSender<int>> sender;
  std::optional<WatchReceiver<int>> receiver;
  std::optional<WatchReceiver<int>::ChangedFuture> receiving;
};

constexpr std::array<Operation<Watched>, 11> kWatch = {{
    {"Send(7)",
     [](Watched& channel) -> std::string {
       channel.sender->Send(7);
       return "sent";
     }},
    {"Subscribe() and Changed()",
     [](Watched& channel) -> std::string {
       auto late = channel.sender->Subscribe();
       auto changed = late.Changed();
       return PollOnce(changed).pending() ? "waits" : "changed";
     }},
    {"receivers()", [](Watched& channel) { return absl::StrCat(channel.sender->receivers()); }},
    {"Sender::Borrow()", [](Watched& channel) { return absl::StrCat(*channel.sender->Borrow()); }},
    {"~Sender()",
     [](Watched& channel) -> std::string {
       channel.sender.reset();
       return "gone";
     }},
    {"Borrow()", [](Watched& channel) { return absl::StrCat(*channel.receiver->Borrow()); }},
    {"BorrowAndUpdate()",
     [](Watched& channel) { return absl::StrCat(*channel.receiver->BorrowAndUpdate()); }},
    {"HasChanged()", [](Watched& channel) { return YesOrNo(channel.receiver->HasChanged()); }},
    {"Changed()",
     [](Watched& channel) -> std::string {
       auto changed = channel.receiver->Changed();
       auto polled = PollOnce(changed);
       return polled.pending() ? "waits" : polled.value() ? "changed" : "end";
     }},
    {"WaitFor(2)",
     [](Watched& channel) -> std::string {
       auto wait = channel.receiver->WaitFor([](int value) { return value == 2; });
       auto polled = PollOnce(wait);
       if (polled.pending()) return "waits";
       return polled.value() ? absl::StrCat(*polled.value()) : "end";
     }},
    {"~Receiver()",
     [](Watched& channel) -> std::string {
       channel.receiver.reset();
       return channel.sender ? absl::StrCat(channel.sender->receivers(), " left") : "gone";
     }},
}};

// clang-format off
TEST(WatchStatesTest, Table) {
  using enum Step;
  const std::vector<Row<Step, 11>> table = {
      {"the value was seen", {},
       {"sent | 7 new", "waits | 0", "1 | 0", "0 | 0", "gone | 0",
        "0 | 0", "0 | 0", "no | 0", "waits | 0", "waits | 0", "0 left | 0"}},
      {"the receiver waits", {kReceiver},
       {"sent* | 7 new", "waits | 0", "1 | 0", "0 | 0", "gone* | 0",
        "0 | 0", "0 | 0", "no | 0", "", "", ""}},
      {"there is a new value", {kValue},
       {"sent | 7 new", "waits | 1 new", "1 | 1 new", "1 | 1 new", "gone | 1 new",
        "1 | 1 new", "1 | 1", "yes | 1 new", "changed | 1", "waits | 1", "0 left | 1"}},
      {"there are two new values", {kValue, kValue},
       {"sent | 7 new", "waits | 2 new", "1 | 2 new", "2 | 2 new", "gone | 2 new",
        "2 | 2 new", "2 | 2", "yes | 2 new", "changed | 2", "2 | 2", "0 left | 2"}},
      {"the new values were seen", {kValue, kValue, kReceive},
       {"sent | 7 new", "waits | 2", "1 | 2", "2 | 2", "gone | 2",
        "2 | 2", "2 | 2", "no | 2", "waits | 2", "2 | 2", "0 left | 2"}},
      {"the senders are gone", {kNoSender},
       {"", "", "", "", "", "0 | 0", "0 | 0", "no | 0", "end | 0", "end | 0", "gone |"}},
      {"the senders are gone and a value is new", {kValue, kNoSender},
       {"", "", "", "", "", "1 | 1 new", "1 | 1", "yes | 1 new", "changed | 1", "end | 1", "gone |"}},
      {"the receivers are gone", {kNoReceiver},
       {"sent | 7", "waits | 0", "0 | 0", "0 | 0", "gone |", "", "", "", "", "", ""}},
      {"a value was sent to nobody", {kNoReceiver, kValue},
       {"sent | 7", "waits | 1", "0 | 1", "1 | 1", "gone |", "", "", "", "", "", ""}},
      {"a receiver came after a value for nobody", {kNoReceiver, kValue, kSubscribe},
       {"sent | 7 new", "waits | 1", "1 | 1", "1 | 1", "gone | 1",
        "1 | 1", "1 | 1", "no | 1", "waits | 1", "waits | 1", "0 left | 1"}},
  };
  CheckTable(kWatch, table, [] { return Watched(); });
}
// clang-format on

}  // namespace
}  // namespace home
