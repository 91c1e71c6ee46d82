// What each operation of a channel of values gives in each state that the channel can be in, whom
// it wakes, and what is in the channel after it: a table for each sort of capacity.

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "home/channel/kinds_testing.h"
#include "home/channel/sender.h"
#include "home/channel/states_testing.h"
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
  kValue,     // 1 is sent, then 2
  kPermit,    // room is reserved
  kSender,    // a Send(3) waits
  kReceiver,  // a Recv() waits
  kClose,
  kNoSenders,
  kNoReceivers,
};

template <typename Kind>
struct Channel {
  using Sender = typename Kind::template Sender<int>;
  using Receiver = typename Kind::template Receiver<int>;

  explicit Channel(std::pair<Sender, Receiver> ends)
      : weak(ends.first.Downgrade()),
        sender(std::move(ends.first)),
        receiver(std::move(ends.second)) {}

  void Take(Step step) {
    switch (step) {
      case Step::kValue:
        EXPECT_EQ(sender->TrySend(int{++values}), TrySendResult::kSent);
        break;
      case Step::kPermit:
        permit = sender->TryReserve();
        EXPECT_TRUE(permit.has_value());
        break;
      case Step::kSender:
        sending.emplace(sender->Send(3));
        EXPECT_TRUE(PollOnce(*sending, counter).pending());
        break;
      case Step::kReceiver:
        receiving.emplace(receiver->Recv());
        EXPECT_TRUE(PollOnce(*receiving, counter).pending());
        break;
      case Step::kClose:
        sender->Close();
        break;
      case Step::kNoSenders:
        sender.reset();
        break;
      case Step::kNoReceivers:
        receiver.reset();
        break;
    }
  }

  int wakes() const { return counter.wakes(); }
  // Those who wait go, and then all values leave.
  std::string Contents() {
    sending.reset();
    receiving.reset();
    std::string values_left;
    if (!receiver) return values_left;
    for (auto value = receiver->TryRecv(); value.has_value(); value = receiver->TryRecv()) {
      absl::StrAppend(&values_left, " ", *value);
    }
    return values_left;
  }

  CountingWaker counter;  // of those who wait
  BasicWeakSender<typename Kind::template State<int>> weak;
  std::optional<Sender> sender;
  std::optional<Receiver> receiver;
  std::optional<typename Sender::Permit> permit;
  std::optional<typename Sender::SendFuture> sending;
  std::optional<typename Receiver::RecvFuture> receiving;
  int values = 0;
};

template <typename Kind>
constexpr std::array<Operation<Channel<Kind>>, 19> kOperations = {{
    {"TrySend(7)",
     [](Channel<Kind>& channel) -> std::string {
       switch (channel.sender->TrySend(7)) {
         case TrySendResult::kSent:
           return "sent";
         case TrySendResult::kFull:
           return "full";
         case TrySendResult::kClosed:
           break;
       }
       return "closed";
     }},
    {"Send(7)",
     [](Channel<Kind>& channel) -> std::string {
       auto send = channel.sender->Send(7);
       auto polled = PollOnce(send);
       return polled.pending() ? "waits" : polled.value().ok() ? "sent" : "closed";
     }},
    {"SendMany(7, 8, 9)",
     [](Channel<Kind>& channel) -> std::string {
       std::vector<int> values = {7, 8, 9};
       auto send = channel.sender->SendMany(absl::MakeSpan(values));
       const bool waits = PollOnce(send).pending();
       return absl::StrCat(send.sent(), waits ? " sent, waits" : " sent");
     }},
    {"TryReserve()",
     [](Channel<Kind>& channel) -> std::string {
       return channel.sender->TryReserve().has_value() ? "permit" : "none";
     }},
    {"Reserve()",
     [](Channel<Kind>& channel) -> std::string {
       auto reserve = channel.sender->Reserve();
       auto polled = PollOnce(reserve);
       return polled.pending() ? "waits" : polled.value().ok() ? "permit" : "closed";
     }},
    {"Permit::Send(5)",
     [](Channel<Kind>& channel) -> std::string {
       channel.permit->Send(5);
       return "sent";
     }},
    {"~Permit()",
     [](Channel<Kind>& channel) -> std::string {
       channel.permit.reset();
       return "gone";
     }},
    {"WeakSender::Upgrade()",
     [](Channel<Kind>& channel) -> std::string {
       return channel.weak.Upgrade().has_value() ? "sender" : "none";
     }},
    {"Downgrade() and Upgrade()",
     [](Channel<Kind>& channel) -> std::string {
       // It takes the other's place: the channel stays open only if it counts.
       channel.sender = channel.sender->Downgrade().Upgrade();
       if (!channel.sender) return "none";
       return channel.sender->IsClosed() ? "closed" : "open";
     }},
    {"TryRecv()",
     [](Channel<Kind>& channel) -> std::string {
       const std::optional<int> value = channel.receiver->TryRecv();
       return value.has_value() ? absl::StrCat(*value) : "none";
     }},
    {"Recv()",
     [](Channel<Kind>& channel) -> std::string {
       auto receive = channel.receiver->Recv();
       auto polled = PollOnce(receive);
       if (polled.pending()) return "waits";
       return polled.value().has_value() ? absl::StrCat(*polled.value()) : "end";
     }},
    {"TryRecvMany(3)",
     [](Channel<Kind>& channel) -> std::string {
       std::vector<int> values;
       const std::size_t count = channel.receiver->TryRecvMany(values, 3);
       return count == 0 ? "none" : absl::StrJoin(values, " ");
     }},
    {"RecvMany(3)",
     [](Channel<Kind>& channel) -> std::string {
       std::vector<int> values;
       auto receive = channel.receiver->RecvMany(values, 3);
       auto polled = PollOnce(receive);
       if (polled.pending()) return "waits";
       return polled.value() == 0 ? "end" : absl::StrJoin(values, " ");
     }},
    {"IsClosed()",
     [](Channel<Kind>& channel) {
       if (channel.sender && channel.receiver) {
         EXPECT_EQ(channel.receiver->IsClosed(), channel.sender->IsClosed());
       }
       return YesOrNo(channel.sender ? channel.sender->IsClosed() : channel.receiver->IsClosed());
     }},
    {"IsDrained()", [](Channel<Kind>& channel) { return YesOrNo(channel.receiver->IsDrained()); }},
    {"Sender::Close()",
     [](Channel<Kind>& channel) -> std::string {
       channel.sender->Close();
       EXPECT_TRUE(channel.sender->IsClosed());
       return "closed";
     }},
    {"Receiver::Close()",
     [](Channel<Kind>& channel) -> std::string {
       channel.receiver->Close();
       EXPECT_TRUE(channel.sender ? channel.sender->IsClosed() : channel.receiver->IsClosed());
       return "closed";
     }},
    {"~Sender()",
     [](Channel<Kind>& channel) -> std::string {
       channel.sender.reset();
       return "gone";
     }},
    {"~Receiver()",
     [](Channel<Kind>& channel) -> std::string {
       channel.receiver.reset();
       return "gone";
     }},
}};

using Table = std::vector<Row<Step, 19>>;

template <typename Kind, typename Make>
void Check(const Table& table, Make make) {
  CheckTable(
      kOperations<Kind>, table, [&make] { return Channel<Kind>(make()); },
      [](const Channel<Kind>& channel, std::string_view cell) {
        // Two futures of one MpscReceiver must not wait at once.
        return !Kind::kManyReceivers && channel.receiving.has_value() && cell.starts_with("waits");
      });
}

template <typename Kind>
class ChannelStatesTest : public ::testing::Test {};
TYPED_TEST_SUITE(ChannelStatesTest, channel_testing::Kinds);

// Columns: TrySend, Send, SendMany, TryReserve, Reserve; Permit::Send, ~Permit, Upgrade, Downgrade;
// TryRecv, Recv, TryRecvMany, RecvMany; IsClosed, IsDrained, the ends' Close, and the last ends'
// drops. No end goes before its futures.

// clang-format off
TYPED_TEST(ChannelStatesTest, RoomForTwo) {
  using enum Step;
  Check<TypeParam>({
      {"it is empty", {},
       {"sent | 7", "sent | 7", "2 sent, waits | 7 8", "permit |", "permit |",
        "", "", "sender |", "open |", "none |", "waits |", "none |", "waits |",
        "no |", "no |", "closed |", "closed |", "gone |", "gone |"}},
      {"there is a value", {kValue},
       {"sent | 1 7", "sent | 1 7", "1 sent, waits | 1 7", "permit | 1", "permit | 1",
        "", "", "sender | 1", "open | 1", "1 |", "1 |", "1 |", "1 |",
        "no | 1", "no | 1", "closed | 1", "closed | 1", "gone | 1", "gone |"}},
      {"it is full", {kValue, kValue},
       {"full | 1 2", "waits | 1 2", "0 sent, waits | 1 2", "none | 1 2", "waits | 1 2",
        "", "", "sender | 1 2", "open | 1 2", "1 | 2", "1 | 2", "1 2 |", "1 2 |",
        "no | 1 2", "no | 1 2", "closed | 1 2", "closed | 1 2", "gone | 1 2", "gone |"}},
      {"it is full and a sender waits", {kValue, kValue, kSender},
       {"full | 1 2", "waits | 1 2", "0 sent, waits | 1 2", "none | 1 2", "waits | 1 2",
        "", "", "sender | 1 2", "", "1* | 2", "1* | 2", "1 2* |", "1 2* |",
        "no | 1 2", "no | 1 2", "closed* | 1 2", "closed* | 1 2", "", "gone* |"}},
      {"there is a permit", {kPermit},
       {"sent | 7", "sent | 7", "1 sent, waits | 7", "permit |", "permit |",
        "sent | 5", "gone |", "sender |", "open |", "none |", "waits |", "none |", "waits |",
        "no |", "no |", "closed |", "closed |", "gone |", "gone |"}},
      {"a value and a permit take all room", {kValue, kPermit},
       {"full | 1", "waits | 1", "0 sent, waits | 1", "none | 1", "waits | 1",
        "sent | 1 5", "gone | 1", "sender | 1", "open | 1", "1 |", "1 |", "1 |", "1 |",
        "no | 1", "no | 1", "closed | 1", "closed | 1", "gone | 1", "gone |"}},
      {"a sender waits for the permit's room", {kValue, kPermit, kSender},
       {"full | 1", "waits | 1", "0 sent, waits | 1", "none | 1", "waits | 1",
        "sent | 1 5", "gone* | 1", "sender | 1", "", "1* |", "1* |", "1* |", "1* |",
        "no | 1", "no | 1", "closed* | 1", "closed* | 1", "", "gone* |"}},
      {"a receiver waits", {kReceiver},
       {"sent* | 7", "sent* | 7", "2 sent, waits* | 7 8", "permit |", "permit |",
        "", "", "sender |", "open |", "none |", "waits |", "none |", "waits |",
        "no |", "no |", "closed* |", "closed* |", "gone* |", ""}},
      {"a receiver waits for a permit's value", {kPermit, kReceiver},
       {"sent* | 7", "sent* | 7", "1 sent, waits* | 7", "permit |", "permit |",
        "sent* | 5", "gone |", "sender |", "open |", "none |", "waits |", "none |", "waits |",
        "no |", "no |", "closed* |", "closed* |", "gone* |", ""}},
      {"it was closed empty", {kClose},
       {"closed |", "closed |", "0 sent |", "none |", "closed |",
        "", "", "sender |", "closed |", "none |", "end |", "none |", "end |",
        "yes |", "yes |", "closed |", "closed |", "gone |", "gone |"}},
      {"it was closed with a value", {kValue, kClose},
       {"closed | 1", "closed | 1", "0 sent | 1", "none | 1", "closed | 1",
        "", "", "sender | 1", "closed | 1", "1 |", "1 |", "1 |", "1 |",
        "yes | 1", "no | 1", "closed | 1", "closed | 1", "gone | 1", "gone |"}},
      {"it was closed with a permit", {kPermit, kClose},
       {"closed |", "closed |", "0 sent |", "none |", "closed |",
        "sent | 5", "gone |", "sender |", "closed |", "none |", "waits |", "none |", "waits |",
        "yes |", "no |", "closed |", "closed |", "gone |", "gone |"}},
      {"it was closed with a permit and a receiver waits", {kPermit, kClose, kReceiver},
       {"closed |", "closed |", "0 sent |", "none |", "closed |",
        "sent* | 5", "gone* |", "sender |", "closed |", "none |", "waits |", "none |", "waits |",
        "yes |", "no |", "closed |", "closed |", "gone |", ""}},
      {"the senders are gone", {kNoSenders},
       {"", "", "", "", "",
        "", "", "none |", "", "none |", "end |", "none |", "end |",
        "yes |", "yes |", "", "closed |", "", "gone |"}},
      {"the senders are gone and a value is left", {kValue, kNoSenders},
       {"", "", "", "", "",
        "", "", "none | 1", "", "1 |", "1 |", "1 |", "1 |",
        "yes | 1", "no | 1", "", "closed | 1", "", "gone |"}},
      {"the senders are gone and a permit is left", {kPermit, kNoSenders},
       {"", "", "", "", "",
        "sent | 5", "gone |", "none |", "", "none |", "waits |", "none |", "waits |",
        "yes |", "no |", "", "closed |", "", "gone |"}},
      {"the receivers are gone", {kValue, kNoReceivers},
       {"closed |", "closed |", "0 sent |", "none |", "closed |",
        "", "", "sender |", "closed |", "", "", "", "",
        "yes |", "", "closed |", "", "gone |", ""}},
      {"the receivers are gone and a permit is left", {kPermit, kNoReceivers},
       {"closed |", "closed |", "0 sent |", "none |", "closed |",
        "sent |", "gone |", "sender |", "closed |", "", "", "", "",
        "yes |", "", "closed |", "", "gone |", ""}},
  }, [] { return TypeParam::template Make<int>(2); });
}

TYPED_TEST(ChannelStatesTest, Rendezvous) {
  using enum Step;
  Check<TypeParam>({
      {"nobody waits", {},
       {"full |", "waits |", "0 sent, waits |", "none |", "waits |",
        "", "", "sender |", "open |", "none |", "waits |", "none |", "waits |",
        "no |", "no |", "closed |", "closed |", "gone |", "gone |"}},
      {"a sender waits", {kSender},
       {"full |", "waits |", "0 sent, waits |", "none |", "waits |",
        "", "", "sender |", "", "none |", "waits* |", "none |", "waits* |",
        "no |", "no |", "closed* |", "closed* |", "", "gone* |"}},
      {"a receiver waits", {kReceiver},
       {"sent* | 7", "sent* | 7", "1 sent, waits* | 7", "permit |", "permit |",
        "", "", "sender |", "open |", "none |", "waits |", "none |", "waits |",
        "no |", "no |", "closed* |", "closed* |", "gone* |", ""}},
      {"a receiver waits for a permit's value", {kReceiver, kPermit},
       {"full |", "waits |", "0 sent, waits |", "none |", "waits |",
        "sent* | 5", "gone |", "sender |", "open |", "none |", "waits |", "none |", "waits |",
        "no |", "no |", "closed* |", "closed* |", "gone* |", ""}},
      {"a value came for a receiver that waits", {kReceiver, kValue},
       {"full | 1", "waits | 1", "0 sent, waits | 1", "none | 1", "waits | 1",
        "", "", "sender | 1", "open | 1", "1 |", "1 |", "1 |", "1 |",
        "no | 1", "no | 1", "closed | 1", "closed | 1", "gone | 1", ""}},
      {"it was closed empty", {kClose},
       {"closed |", "closed |", "0 sent |", "none |", "closed |",
        "", "", "sender |", "closed |", "none |", "end |", "none |", "end |",
        "yes |", "yes |", "closed |", "closed |", "gone |", "gone |"}},
      {"it was closed with a value", {kReceiver, kValue, kClose},
       {"closed | 1", "closed | 1", "0 sent | 1", "none | 1", "closed | 1",
        "", "", "sender | 1", "closed | 1", "1 |", "1 |", "1 |", "1 |",
        "yes | 1", "no | 1", "closed | 1", "closed | 1", "gone | 1", ""}},
      {"the senders are gone", {kNoSenders},
       {"", "", "", "", "",
        "", "", "none |", "", "none |", "end |", "none |", "end |",
        "yes |", "yes |", "", "closed |", "", "gone |"}},
      {"the senders are gone and a value is left", {kReceiver, kValue, kNoSenders},
       {"", "", "", "", "",
        "", "", "none | 1", "", "1 |", "1 |", "1 |", "1 |",
        "yes | 1", "no | 1", "", "closed | 1", "", ""}},
      {"the receivers are gone", {kNoReceivers},
       {"closed |", "closed |", "0 sent |", "none |", "closed |",
        "", "", "sender |", "closed |", "", "", "", "",
        "yes |", "", "closed |", "", "gone |", ""}},
  }, [] { return TypeParam::template Make<int>(0); });
}

TYPED_TEST(ChannelStatesTest, Unbounded) {
  using enum Step;
  Check<TypeParam>({
      {"it is empty", {},
       {"sent | 7", "sent | 7", "3 sent | 7 8 9", "permit |", "permit |",
        "", "", "sender |", "open |", "none |", "waits |", "none |", "waits |",
        "no |", "no |", "closed |", "closed |", "gone |", "gone |"}},
      {"there are values", {kValue, kValue},
       {"sent | 1 2 7", "sent | 1 2 7", "3 sent | 1 2 7 8 9", "permit | 1 2", "permit | 1 2",
        "", "", "sender | 1 2", "open | 1 2", "1 | 2", "1 | 2", "1 2 |", "1 2 |",
        "no | 1 2", "no | 1 2", "closed | 1 2", "closed | 1 2", "gone | 1 2", "gone |"}},
      {"a receiver waits", {kReceiver},
       {"sent* | 7", "sent* | 7", "3 sent* | 7 8 9", "permit |", "permit |",
        "", "", "sender |", "open |", "none |", "waits |", "none |", "waits |",
        "no |", "no |", "closed* |", "closed* |", "gone* |", ""}},
      {"it was closed with a value and a permit", {kValue, kPermit, kClose},
       {"closed | 1", "closed | 1", "0 sent | 1", "none | 1", "closed | 1",
        "sent | 1 5", "gone | 1", "sender | 1", "closed | 1", "1 |", "1 |", "1 |", "1 |",
        "yes | 1", "no | 1", "closed | 1", "closed | 1", "gone | 1", "gone |"}},
      {"the senders are gone", {kNoSenders},
       {"", "", "", "", "",
        "", "", "none |", "", "none |", "end |", "none |", "end |",
        "yes |", "yes |", "", "closed |", "", "gone |"}},
      {"the senders are gone and a value is left", {kValue, kNoSenders},
       {"", "", "", "", "",
        "", "", "none | 1", "", "1 |", "1 |", "1 |", "1 |",
        "yes | 1", "no | 1", "", "closed | 1", "", "gone |"}},
      {"the receivers are gone", {kValue, kNoReceivers},
       {"closed |", "closed |", "0 sent |", "none |", "closed |",
        "", "", "sender |", "closed |", "", "", "", "",
        "yes |", "", "closed |", "", "gone |", ""}},
  }, [] { return TypeParam::template MakeUnbounded<int>(); });
}
// clang-format on

}  // namespace
}  // namespace home
