// Oneshot under the model checker: each end's steps against the other's.

#include <atomic>
#include <optional>
#include <utility>

#include "gtest/gtest.h"
#include "home/channel/model_policy_testing.h"
#include "home/channel/oneshot.h"
#include "home/sync/model_testing.h"
#include "home/tools/model/checker.h"

namespace home {
namespace {

using channel_testing::ModelChannelPolicy;
using model::Access;
using model::CheckWithPreemptions;
using model::ExpectFound;
using model::WithPreemptions;
using std::memory_order_acq_rel;
using std::memory_order_acquire;
using sync_testing::ModelTask;
using Value = channel_testing::ModelValue;

struct Scenario {
  static constexpr int kThreads = 2;
  using Sender = OneshotSender<Value, ModelChannelPolicy>;
  using Receiver = OneshotReceiver<Value, ModelChannelPolicy>;

  void Before() {
    auto ends = MakeOneshot<Value, ModelChannelPolicy>([this](const Value& value) {
      model::Expect(value.get() == 7, "the hook's value");
      ++undelivered;
    });
    sender.emplace(std::move(ends.first));
    receiver.emplace(std::move(ends.second));
  }
  void Send() {
    Value value(7);
    sent = sender->Send(std::move(value)) ? 1 : 0;
    if (sent == 0) model::Expect(value.get() == 7, "a value that was not sent is untouched");
    sender.reset();
  }
  void Receive() {
    auto value = task.Run(*receiver);
    if (value.ok()) {
      model::Expect(value->get() == 7, "the value");
      ++received;
    }
    receiver.reset();
  }
  void After() {
    sender.reset();
    receiver.reset();
    model::Expect(received + undelivered == sent, "each value that was sent ends once");
    model::Expect(task.wakers() == 0, "no waker is left");
  }

  std::optional<Sender> sender;
  std::optional<Receiver> receiver;
  ModelTask task;
  int sent = 0;
  int received = 0;
  int undelivered = 0;
};

struct SendAgainstReceive : Scenario {
  void Thread(int index) { index == 0 ? Send() : Receive(); }
};
struct SenderGoes : Scenario {
  void Thread(int index) { index == 0 ? sender.reset() : Receive(); }
};
struct ReceiverGoes : Scenario {
  void Thread(int index) { index == 0 ? Send() : receiver.reset(); }
};
// Between the polls the waker changes, so that Send() meets the slot in all its states.
struct WakerIsReplaced : Scenario {
  void Thread(int index) {
    if (index == 0) return Send();
    static_cast<void>(other.PollOnce(*receiver).ready() ? Got() : Receive());
  }
  void Got() {
    receiver.reset();
    ++received;
  }
  void After() {
    model::Expect(other.wakers() == 0, "no waker is left");
    Scenario::After();
  }
  ModelTask other;
};
struct WaitIsDropped : Scenario {
  void Thread(int index) {
    if (index == 0) return Send();
    {
      auto receive = receiver->Recv();
      if (task.PollOnce(receive).ready()) ++received;
    }
    receiver.reset();
  }
};
struct CloseAgainstSend : Scenario {
  void Thread(int index) {
    if (index == 0) return Send();
    receiver->Close();
    Receive();
  }
};
struct ClosedAgainstReceiver : Scenario {
  void Thread(int index) {
    if (index == 1) {
      note = 1;
      return receiver.reset();
    }
    {
      auto closed = sender->Closed();
      task.Run(closed);
    }
    model::Expect(note == 1, "what the receiver did before");
    Send();
  }
  model::Data<int> note{0};
};

TEST(OneshotModelTest, SendAgainstReceive) { CheckWithPreemptions<SendAgainstReceive>(2); }
TEST(OneshotModelTest, SenderGoes) { CheckWithPreemptions<SenderGoes>(2); }
TEST(OneshotModelTest, ReceiverGoes) { CheckWithPreemptions<ReceiverGoes>(2); }
TEST(OneshotModelTest, WakerIsReplaced) { CheckWithPreemptions<WakerIsReplaced>(2); }
TEST(OneshotModelTest, WaitIsDropped) { CheckWithPreemptions<WaitIsDropped>(2); }
TEST(OneshotModelTest, CloseAgainstSend) { CheckWithPreemptions<CloseAgainstSend>(2); }
TEST(OneshotModelTest, ClosedAgainstReceiver) { CheckWithPreemptions<ClosedAgainstReceiver>(2); }

TEST(OneshotModelTest, SendingNeedsRelease) {
  ExpectFound<SendAgainstReceive>(
      WithPreemptions(2),
      {.function = "Send", .access = Access::kRmw, .from = memory_order_acq_rel});
}
TEST(OneshotModelTest, LookingNeedsAcquire) {
  ExpectFound<SendAgainstReceive>(
      WithPreemptions(2),
      {.function = "Look", .access = Access::kLoad, .from = memory_order_acquire});
}
TEST(OneshotModelTest, RegisteringNeedsRelease) {
  ExpectFound<SendAgainstReceive>(
      WithPreemptions(2),
      {.function = "Register", .access = Access::kRmw, .from = memory_order_acq_rel});
}
TEST(OneshotModelTest, LeavingNeedsBoth) {
  ExpectFound<ReceiverGoes>(
      WithPreemptions(2),
      {.function = "Leave", .access = Access::kRmw, .from = memory_order_acq_rel});
}

}  // namespace
}  // namespace home
