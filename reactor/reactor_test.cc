#include "home/reactor/reactor.h"

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "home/future/testing.h"
#include "home/reactor/fd_testing.h"
#include "home/reactor/registration.h"
#include "home/reactor/testing.h"
#include "home/reactor/unique_fd.h"

namespace home {
namespace {

using home::testing::BlockOn;
using home::testing::CountingWaker;
using home::testing::PollOnce;
using home::testing::Turn;
using home::testing::TurnOnce;
using reactor_internal::Bell;
using reactor_internal::Poller;

// What a reader sees who waits no longer.
ReadySet ReadReady(const Registration& registration) {
  return registration.CurrentReady(Direction::kRead).ready;
}

class ReactorTest : public ::testing::Test {
 protected:
  ReactorTest() : reactor_(Reactor::Create().value()) {}

  std::unique_ptr<Reactor> reactor_;
};

TEST_F(ReactorTest, WakesWhoWaits) {
  const Bell bell;
  Registration registration = reactor_->Register(bell.get(), Interest::Read()).value();
  CountingWaker counter;
  ReadyWait wait(registration, Direction::kRead);
  EXPECT_TRUE(PollOnce(wait, counter).pending());
  EXPECT_EQ(TurnOnce(*reactor_), 0u);
  bell.Ring();
  EXPECT_EQ(Turn(*reactor_), 1u);
  EXPECT_EQ(counter.wakes(), 1);
  home::Poll<ReadyEvent> ready = PollOnce(wait, counter);
  ASSERT_TRUE(ready.ready());
  EXPECT_TRUE((*ready).ready.readable());
}

TEST_F(ReactorTest, PollLeavesTheWakingToItsCaller) {
  const Bell bell;
  Registration registration = reactor_->Register(bell.get(), Interest::Read()).value();
  CountingWaker counter;
  ReadyWait wait(registration, Direction::kRead);
  EXPECT_TRUE(PollOnce(wait, counter).pending());
  bell.Ring();
  WakeList wakes;
  EXPECT_EQ(reactor_->Poll(home::testing::kHangGuardNanos, wakes), 1u);
  EXPECT_EQ(wakes.size(), 1u);
  EXPECT_EQ(counter.wakes(), 0);
  wakes.WakeAll();
  EXPECT_EQ(counter.wakes(), 1);
}

TEST_F(ReactorTest, InitialReadinessNeedsNoPoll) {
  const Bell bell;
  Registration registration =
      reactor_->Register(bell.get(), Interest::ReadWrite(), ReadySet(ReadySet::kWritable)).value();
  EXPECT_TRUE(ReadReady(registration).empty());
  EXPECT_TRUE(registration.CurrentReady(Direction::kWrite).ready.writable());
}

TEST_F(ReactorTest, DirectionsAreIndependent) {
  const Bell bell;
  Registration registration = reactor_->Register(bell.get(), Interest::ReadWrite()).value();
  Turn(*reactor_);
  bell.Ring();
  Turn(*reactor_);
  const ReadyEvent write = registration.CurrentReady(Direction::kWrite);
  EXPECT_TRUE(write.ready.writable());
  registration.ClearReady(Direction::kWrite, write);
  EXPECT_TRUE(ReadReady(registration).readable());
  EXPECT_TRUE(registration.CurrentReady(Direction::kWrite).ready.empty());
}

TEST_F(ReactorTest, ReRegistration) {
  const Bell bell;
  bell.Ring();
  for (int i = 0; i < 3; ++i) {
    Registration registration = reactor_->Register(bell.get(), Interest::Read()).value();
    EXPECT_TRUE(ReadReady(registration).empty());
    EXPECT_EQ(Turn(*reactor_), 1u);
    EXPECT_TRUE(ReadReady(registration).readable());
  }
}

TEST_F(ReactorTest, RegisteringTwiceOrNothingIsAnError) {
  const Bell bell;
  Registration registration = reactor_->Register(bell.get(), Interest::Read()).value();
  EXPECT_EQ(reactor_->Register(bell.get(), Interest::Read()).status().code(),
            absl::StatusCode::kAlreadyExists);
  const absl::Status none = reactor_->Register(-1, Interest::Read()).status();
  EXPECT_FALSE(none.ok());
  EXPECT_NE(none.message().find("descriptor -1"), std::string::npos) << none;
}

TEST_F(ReactorTest, RegularFilesAreRefused) {
  const UniqueFd fd = reactor_internal::OpenRegularFile();
  EXPECT_EQ(reactor_->Register(fd.get(), Interest::Read()).status().code(),
            absl::StatusCode::kPermissionDenied);
}

TEST_F(ReactorTest, DeregistrationDropsTheWakersThatWait) {
  const Bell bell;
  CountingWaker counter;
  Registration registration = reactor_->Register(bell.get(), Interest::Read()).value();
  const Waker waker = counter.Make();
  Context cx(waker);
  EXPECT_TRUE(registration.PollReady(Direction::kRead, cx).pending());
  EXPECT_TRUE(registration.PollReady(Direction::kWrite, cx).pending());
  EXPECT_EQ(counter.alive(), 3);
  registration.Reset();
  EXPECT_FALSE(registration);
  EXPECT_EQ(counter.alive(), 1);
  EXPECT_EQ(counter.wakes(), 0);
}

TEST_F(ReactorTest, DroppedWaitLeavesNoWaker) {
  const Bell bell;
  Registration registration = reactor_->Register(bell.get(), Interest::Read()).value();
  CountingWaker counter;
  {
    ReadyWait wait(registration, Direction::kRead);
    EXPECT_TRUE(PollOnce(wait, counter).pending());
    EXPECT_EQ(counter.alive(), 1);
  }
  EXPECT_EQ(counter.alive(), 0);
  bell.Ring();
  Turn(*reactor_);
  EXPECT_EQ(counter.wakes(), 0);
}

TEST_F(ReactorTest, MovedRegistrationKeepsWaiting) {
  const Bell bell;
  Registration first = reactor_->Register(bell.get(), Interest::Read()).value();
  CountingWaker counter;
  const Waker waker = counter.Make();
  Context cx(waker);
  EXPECT_TRUE(first.PollReady(Direction::kRead, cx).pending());
  Registration second = std::move(first);
  EXPECT_FALSE(first);  // NOLINT: that is what is tested
  bell.Ring();
  Turn(*reactor_);
  EXPECT_EQ(counter.wakes(), 1);
  EXPECT_TRUE(ReadReady(second).readable());
}

TEST_F(ReactorTest, SiblingsShareTheReactor) {
  const Bell one;
  const Bell two;
  const Registration first = reactor_->Register(one.get(), Interest::Read()).value();
  const Registration second = first.RegisterSibling(two.get(), Interest::Read()).value();
  two.Ring();
  EXPECT_EQ(Turn(*reactor_), 1u);
  EXPECT_TRUE(ReadReady(second).readable());
  EXPECT_TRUE(ReadReady(first).empty());
}

TEST_F(ReactorTest, RegistrationsMayOutliveTheReactor) {
  const Bell bell;
  const Bell other;
  Registration registration = reactor_->Register(bell.get(), Interest::Read()).value();
  CountingWaker counter;
  ReadyWait wait(registration, Direction::kRead);
  EXPECT_TRUE(PollOnce(wait, counter).pending());
  reactor_.reset();
  EXPECT_EQ(counter.wakes(), 1);
  home::Poll<ReadyEvent> ready = PollOnce(wait, counter);
  ASSERT_TRUE(ready.ready());
  EXPECT_TRUE((*ready).ready.shutdown());
  wait.Clear(*ready);
  EXPECT_TRUE(PollOnce(wait, counter).ready());
  EXPECT_EQ(registration.RegisterSibling(other.get(), Interest::Read()).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(ReactorTest, ManyDescriptorsInOneTurn) {
  const Bell bell;
  // Some are the process's already.
  std::vector<UniqueFd> fds(reactor_internal::AllowDescriptors(800) - 100);
  std::vector<Registration> registrations;
  for (UniqueFd& fd : fds) {
    fd = reactor_internal::Duplicate(bell.get());
    ASSERT_TRUE(fd);
    registrations.push_back(reactor_->Register(fd.get(), Interest::Read()).value());
  }
  bell.Ring();
  std::size_t events = 0;
  while (events < fds.size()) events += Turn(*reactor_);
  EXPECT_EQ(events, fds.size());
  for (const Registration& registration : registrations) {
    EXPECT_TRUE(ReadReady(registration).readable());
  }
}

TEST_F(ReactorTest, WakeEndsABlockedPoll) {
  std::thread waker([&] { reactor_->Wake(); });
  WakeList wakes;
  EXPECT_EQ(reactor_->Poll(-1, wakes), 0u);
  EXPECT_TRUE(wakes.empty());
  waker.join();
}

TEST_F(ReactorTest, WakeIsKeptForTheNextPollThatWouldBlock) {
  reactor_->Wake();
  EXPECT_EQ(TurnOnce(*reactor_), 0u);  // doesn't block, doesn't use it up
  WakeList wakes;
  EXPECT_EQ(reactor_->Poll(-1, wakes), 0u);
}

TEST_F(ReactorTest, ManyWakesCountAsOne) {
  for (int i = 0; i < 10; ++i) reactor_->Wake();
  WakeList wakes;
  EXPECT_EQ(reactor_->Poll(-1, wakes), 0u);
  // The second Poll sleeps its whole timeout.
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(reactor_->Poll(2'000'000, wakes), 0u);
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(2));
}

TEST_F(ReactorTest, CurrentFollowsScopesAndThreads) {
  EXPECT_EQ(Reactor::Current(), nullptr);
  const std::unique_ptr<Reactor> inner = Reactor::Create().value();
  {
    ReactorScope scope(reactor_.get());
    EXPECT_EQ(Reactor::Current(), reactor_.get());
    {
      ReactorScope nested(inner.get());
      EXPECT_EQ(Reactor::Current(), inner.get());
      std::thread([] { EXPECT_EQ(Reactor::Current(), nullptr); }).join();
      ReactorScope none(nullptr);
      EXPECT_EQ(Reactor::Current(), nullptr);
    }
    EXPECT_EQ(Reactor::Current(), reactor_.get());
  }
  EXPECT_EQ(Reactor::Current(), nullptr);
}

// A waker whose drop runs the test's code.
struct OnDrop : WakerTarget {
  OnDrop();

  std::function<void()> run;
};

constexpr WakerVTable kOnDrop = {
    .clone = [](WakerTarget* target) { return target; },
    .wake = [](WakerTarget*) {},
    .wake_by_ref = [](WakerTarget*) {},
    .drop = [](WakerTarget* target) { static_cast<OnDrop*>(target)->run(); },
};

OnDrop::OnDrop() : WakerTarget(&kOnDrop) {}

// Pitfall: user code under a lock.
TEST_F(ReactorTest, WakerThatReEntersTheReactorWhenItIsDropped) {
  const Bell one;
  const Bell two;
  Registration registration = reactor_->Register(one.get(), Interest::Read()).value();
  std::optional<Registration> other;
  OnDrop hostile;
  hostile.run = [] {};
  {
    const Waker waker(&hostile);
    Context cx(waker);
    EXPECT_TRUE(registration.PollReady(Direction::kRead, cx).pending());
  }
  hostile.run = [&] {
    other = reactor_->Register(two.get(), Interest::Read()).value();
    reactor_->Wake();
  };
  registration.Reset();
  EXPECT_TRUE(other.has_value());
}

TEST_F(ReactorTest, BlockOnReadyWait) {
  const Bell bell;
  Registration registration = reactor_->Register(bell.get(), Interest::Read()).value();
  std::thread ringer([&] { bell.Ring(); });
  const ReadyEvent event = BlockOn(*reactor_, ReadyWait(registration, Direction::kRead));
  EXPECT_TRUE(event.ready.readable());
  ringer.join();
}

// -- With a poller that does what the test says -------------------------------

class FakePoller final : public Poller {
 public:
  absl::Status Add(int, Interest, std::uint64_t key) override {
    keys.push_back(key);
    return add_status;
  }
  void Remove(int) override {}
  std::size_t Wait(std::int64_t timeout_ns, absl::Span<Event> events) override {
    last_timeout = timeout_ns;
    on_wait();
    const std::size_t count = std::min(events.size(), next_events.size());
    std::copy_n(next_events.begin(), count, events.begin());
    next_events.clear();
    return count;
  }
  bool Notify() override {
    ++notifications;
    return !notify_fails;
  }

  absl::Status add_status;
  std::vector<std::uint64_t> keys;
  std::vector<Event> next_events;
  std::function<void()> on_wait = [] {};
  std::int64_t last_timeout = 0;
  int notifications = 0;
  bool notify_fails = false;
};

class ReactorOnFakeTest : public ::testing::Test {
 protected:
  ReactorOnFakeTest() {
    auto poller = std::make_unique<FakePoller>();
    poller_ = poller.get();
    reactor_ = Reactor::CreateOn(std::move(poller));
  }

  FakePoller* poller_;
  std::unique_ptr<Reactor> reactor_;
  WakeList wakes_;
};

// Pitfall: the event of a descriptor that was closed is handled after its
// number, and its slot, have gone to a new one.
TEST_F(ReactorOnFakeTest, LateEventAfterDescriptorAndSlotReuse) {
  Registration first = reactor_->Register(5, Interest::Read()).value();
  first.Reset();
  Registration second = reactor_->Register(5, Interest::Read()).value();
  ASSERT_EQ(poller_->keys.size(), 2u);
  EXPECT_NE(poller_->keys[0], poller_->keys[1]);
  EXPECT_EQ(poller_->keys[0] & 0xffffffff, poller_->keys[1] & 0xffffffff) << "the same slot";

  CountingWaker counter;
  ReadyWait wait(second, Direction::kRead);
  EXPECT_TRUE(PollOnce(wait, counter).pending());
  poller_->next_events = {{poller_->keys[0], ReadySet(ReadySet::kReadable)}};
  EXPECT_EQ(reactor_->Poll(0, wakes_), 0u);
  EXPECT_TRUE(wakes_.empty());
  EXPECT_TRUE(PollOnce(wait, counter).pending());

  poller_->next_events = {{poller_->keys[1], ReadySet(ReadySet::kReadable)}};
  EXPECT_EQ(reactor_->Poll(0, wakes_), 1u);
  wakes_.WakeAll();
  EXPECT_TRUE(PollOnce(wait, counter).ready());
}

TEST_F(ReactorOnFakeTest, DeregistrationDuringAnEvent) {
  Registration registration = reactor_->Register(5, Interest::Read()).value();
  CountingWaker counter;
  const Waker waker = counter.Make();
  Context cx(waker);
  EXPECT_TRUE(registration.PollReady(Direction::kRead, cx).pending());
  // The system has the event already when the registration goes.
  poller_->on_wait = [&] { registration.Reset(); };
  poller_->next_events = {{poller_->keys[0], ReadySet(ReadySet::kReadable)}};
  EXPECT_EQ(reactor_->Poll(0, wakes_), 0u);
  EXPECT_TRUE(wakes_.empty());
  EXPECT_EQ(counter.alive(), 1);
}

TEST_F(ReactorOnFakeTest, UnknownKeysAreIgnored) {
  poller_->next_events = {{12345, ReadySet(ReadySet::kReadable)},
                          {~std::uint64_t{1}, ReadySet(ReadySet::kReadable)}};
  EXPECT_EQ(reactor_->Poll(0, wakes_), 0u);
}

TEST_F(ReactorOnFakeTest, FailedRegistrationGivesItsSlotBack) {
  poller_->add_status = absl::ResourceExhaustedError("full");
  EXPECT_EQ(reactor_->Register(5, Interest::Read()).status().code(),
            absl::StatusCode::kResourceExhausted);
  poller_->add_status = absl::OkStatus();
  const Registration registration = reactor_->Register(5, Interest::Read()).value();
  EXPECT_EQ(poller_->keys[0] & 0xffffffff, poller_->keys[1] & 0xffffffff);
  EXPECT_NE(poller_->keys[0], poller_->keys[1]);
}

TEST_F(ReactorOnFakeTest, WakeCostsASystemCallOnlyIfAPollIsBlocked) {
  reactor_->Wake();
  reactor_->Wake();
  EXPECT_EQ(poller_->notifications, 0);
  reactor_->Poll(-1, wakes_);
  EXPECT_EQ(poller_->last_timeout, 0);  // it had been woken: no blocking
  poller_->on_wait = [&] {
    reactor_->Wake();
    reactor_->Wake();
  };
  reactor_->Poll(-1, wakes_);
  EXPECT_EQ(poller_->last_timeout, -1);
  EXPECT_EQ(poller_->notifications, 1);
}

// Pitfall: the write to the self-pipe fails, the pending flag stays, and every
// later wake-up is coalesced away.
TEST_F(ReactorOnFakeTest, WakeAfterAFailedWriteTriesAgain) {
  poller_->on_wait = [&] {
    poller_->notify_fails = true;
    reactor_->Wake();
    EXPECT_EQ(poller_->notifications, 1);
    reactor_->Wake();
    EXPECT_EQ(poller_->notifications, 2);
    poller_->notify_fails = false;
    reactor_->Wake();
    EXPECT_EQ(poller_->notifications, 3);
    reactor_->Wake();
    EXPECT_EQ(poller_->notifications, 3);
  };
  reactor_->Poll(-1, wakes_);
}

// Pitfall: the pending flag is cleared after the callbacks, and eats a wake-up
// that they cause.
TEST_F(ReactorOnFakeTest, WakeFromAWakerIsForTheNextPoll) {
  poller_->on_wait = [&] { reactor_->Wake(); };
  reactor_->Poll(-1, wakes_);
  poller_->on_wait = [] {};
  wakes_.WakeAll();
  reactor_->Wake();
  reactor_->Poll(-1, wakes_);
  EXPECT_EQ(poller_->last_timeout, 0);
  reactor_->Poll(-1, wakes_);
  EXPECT_EQ(poller_->last_timeout, -1);
}

TEST_F(ReactorOnFakeTest, SecondThreadInPollDies) {
  EXPECT_DEATH(
      {
        poller_->on_wait = [&] { reactor_->Poll(0, wakes_); };
        reactor_->Poll(0, wakes_);
      },
      "another thread is in it");
}

}  // namespace
}  // namespace home
