#include "home/process/signal.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "home/future/testing.h"
#include "home/reactor/reactor.h"
#include "home/reactor/testing.h"

namespace home {
namespace {

using home::testing::BlockOn;
using home::testing::CountingWaker;
using home::testing::PollOnce;
using home::testing::Turn;
using home::testing::TurnOnce;
using home::testing::TurnUntil;

class SignalTest : public ::testing::Test {
 protected:
  SignalTest() : reactor_(Reactor::Create().value()) {}

  absl::StatusOr<SignalListener> Listen(absl::Span<const int> signals) {
    ReactorScope scope(reactor_.get());
    return SignalListener::Create(signals);
  }

  int Next(SignalListener& listener) { return BlockOn(*reactor_, listener.Next()).value(); }

  std::unique_ptr<Reactor> reactor_;
};

// What is set for a signal now.
void (*HandlerOf(int signal))(int) {
  struct sigaction action = {};
  EXPECT_EQ(::sigaction(signal, nullptr, &action), 0);
  return action.sa_handler;
}

TEST_F(SignalTest, DeliversARaisedSignal) {
  SignalListener listener = Listen({SIGINT, SIGTERM}).value();
  ASSERT_EQ(::raise(SIGTERM), 0);
  EXPECT_EQ(Next(listener), SIGTERM);
  ASSERT_EQ(::kill(::getpid(), SIGINT), 0);
  EXPECT_EQ(Next(listener), SIGINT);
}

TEST_F(SignalTest, WaitsForTheNextOne) {
  SignalListener listener = Listen({SIGUSR1}).value();
  CountingWaker counter;
  for (int i = 0; i < 3; ++i) {
    SignalNext next = listener.Next();
    EXPECT_TRUE(PollOnce(next, counter).pending());
    const int wakes = counter.wakes();
    ASSERT_EQ(::raise(SIGUSR1), 0);
    TurnUntil(*reactor_, [&] { return counter.wakes() != wakes; });
    home::Poll<SignalNext::Output> result = PollOnce(next, counter);
    ASSERT_TRUE(result.ready());
    EXPECT_EQ((*result).value(), SIGUSR1);
  }
}

TEST_F(SignalTest, WakesAReactorThatSleeps) {
  SignalListener listener = Listen({SIGUSR1}).value();
  std::thread sender([] { ::kill(::getpid(), SIGUSR1); });
  EXPECT_EQ(Next(listener), SIGUSR1);
  sender.join();
}

TEST_F(SignalTest, RepeatedSignalsCountOnceDifferentOnesEach) {
  SignalListener listener = Listen({SIGUSR1, SIGUSR2, SIGHUP}).value();
  for (const int signal : {SIGUSR1, SIGUSR2, SIGUSR1, SIGHUP, SIGUSR1}) {
    ASSERT_EQ(::raise(signal), 0);
  }
  std::set<int> got;
  for (int i = 0; i < 3; ++i) got.insert(Next(listener));
  EXPECT_EQ(got, (std::set<int>{SIGUSR1, SIGUSR2, SIGHUP}));
  SignalNext next = listener.Next();
  TurnOnce(*reactor_);
  EXPECT_TRUE(PollOnce(next).pending());
}

TEST_F(SignalTest, EveryListenerGetsIt) {
  SignalListener first = Listen({SIGUSR1}).value();
  SignalListener second = Listen({SIGUSR1, SIGUSR2}).value();
  const std::unique_ptr<Reactor> other = Reactor::Create().value();
  ReactorScope scope(other.get());
  SignalListener third = SignalListener::Create({SIGUSR1}).value();
  ASSERT_EQ(::raise(SIGUSR1), 0);
  EXPECT_EQ(Next(first), SIGUSR1);
  EXPECT_EQ(Next(second), SIGUSR1);
  EXPECT_EQ(BlockOn(*other, third.Next()).value(), SIGUSR1);
}

std::atomic<int> earlier_handler_runs{0};
void EarlierHandler(int) { earlier_handler_runs.fetch_add(1); }
void LaterHandler(int) {}

TEST_F(SignalTest, PreviousHandlerReturnsWithTheLastListener) {
  struct sigaction action = {};
  action.sa_handler = EarlierHandler;
  struct sigaction original = {};
  ASSERT_EQ(::sigaction(SIGUSR1, &action, &original), 0);
  {
    SignalListener first = Listen({SIGUSR1}).value();
    {
      SignalListener second = Listen({SIGUSR1}).value();
      ASSERT_EQ(::raise(SIGUSR1), 0);
    }
    EXPECT_NE(HandlerOf(SIGUSR1), EarlierHandler);
    EXPECT_EQ(Next(first), SIGUSR1);
  }
  EXPECT_EQ(HandlerOf(SIGUSR1), EarlierHandler);
  EXPECT_EQ(earlier_handler_runs.load(), 0);
  ASSERT_EQ(::raise(SIGUSR1), 0);
  EXPECT_EQ(earlier_handler_runs.load(), 1);
  ASSERT_EQ(::sigaction(SIGUSR1, &original, nullptr), 0);
}

TEST_F(SignalTest, HandlerThatSomebodySetMeanwhileStays) {
  struct sigaction original = {};
  ASSERT_EQ(::sigaction(SIGUSR1, nullptr, &original), 0);
  {
    const SignalListener listener = Listen({SIGUSR1}).value();
    struct sigaction action = {};
    action.sa_handler = LaterHandler;
    ASSERT_EQ(::sigaction(SIGUSR1, &action, nullptr), 0);
  }
  EXPECT_EQ(HandlerOf(SIGUSR1), LaterHandler);
  ASSERT_EQ(::sigaction(SIGUSR1, &original, nullptr), 0);
}

TEST_F(SignalTest, ErrnoSurvivesTheHandler) {
  SignalListener listener = Listen({SIGUSR1}).value();
  errno = ENOTTY;
  ::raise(SIGUSR1);
  EXPECT_EQ(errno, ENOTTY);
  EXPECT_EQ(Next(listener), SIGUSR1);
}

TEST_F(SignalTest, SignalOfTheLastListenerIsNotTheNextOnes) {
  {
    const SignalListener first = Listen({SIGUSR1}).value();
    ASSERT_EQ(::raise(SIGUSR1), 0);
  }
  SignalListener second = Listen({SIGUSR1}).value();
  CountingWaker counter;
  SignalNext next = second.Next();
  EXPECT_TRUE(PollOnce(next, counter).pending());
  // The descriptor is the same and may still ring; nothing comes of it.
  TurnOnce(*reactor_);
  EXPECT_TRUE(PollOnce(next, counter).pending());
  ASSERT_EQ(::raise(SIGUSR1), 0);
  EXPECT_EQ(Next(second), SIGUSR1);
}

TEST_F(SignalTest, DroppedNextLosesNothing) {
  SignalListener listener = Listen({SIGUSR1}).value();
  CountingWaker counter;
  {
    SignalNext next = listener.Next();
    EXPECT_TRUE(PollOnce(next, counter).pending());
  }
  EXPECT_EQ(counter.alive(), 0);
  ASSERT_EQ(::raise(SIGUSR1), 0);
  EXPECT_EQ(Next(listener), SIGUSR1);
}

TEST_F(SignalTest, MovedListenerGoesOn) {
  SignalListener first = Listen({SIGUSR1}).value();
  ASSERT_EQ(::raise(SIGUSR1), 0);
  SignalListener second = std::move(first);
  EXPECT_EQ(Next(second), SIGUSR1);
  SignalListener third = Listen({SIGUSR2}).value();
  third = std::move(second);
  EXPECT_EQ(HandlerOf(SIGUSR2), SIG_DFL);
  ASSERT_EQ(::raise(SIGUSR1), 0);
  EXPECT_EQ(Next(third), SIGUSR1);
}

TEST_F(SignalTest, SignalsThatCannotBeCaught) {
  for (const int signal : {0, -1, 65, 1000, SIGKILL, SIGSTOP, SIGSEGV, SIGFPE}) {
    const absl::Status status = Listen({SIGUSR1, signal}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << signal;
    EXPECT_NE(status.message().find("listen to signal " + std::to_string(signal)),
              std::string::npos);
  }
  // Reserved by the C library: refused after SIGUSR1 was set, which is undone.
  EXPECT_FALSE(Listen({SIGUSR1, 32}).ok());
  EXPECT_EQ(HandlerOf(SIGUSR1), SIG_DFL);
}

TEST_F(SignalTest, WithoutAReactorTheErrorSaysWhatToDo) {
  const absl::Status status = SignalListener::Create({SIGUSR1}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(status.message().find("has no reactor"), std::string::npos);
}

TEST_F(SignalTest, TooManyListeners) {
  std::vector<SignalListener> listeners;
  for (;;) {
    absl::StatusOr<SignalListener> listener = Listen({SIGUSR1});
    if (!listener.ok()) {
      EXPECT_EQ(listener.status().code(), absl::StatusCode::kResourceExhausted);
      break;
    }
    listeners.push_back(*std::move(listener));
  }
  EXPECT_EQ(listeners.size(), 64u);
  ASSERT_EQ(::raise(SIGUSR1), 0);
  for (SignalListener& listener : listeners) EXPECT_EQ(Next(listener), SIGUSR1);
  listeners.pop_back();
  EXPECT_TRUE(Listen({SIGUSR1}).ok());
}

TEST_F(SignalTest, ReactorThatDiesEndsAWait) {
  SignalListener listener = Listen({SIGUSR1}).value();
  CountingWaker counter;
  SignalNext next = listener.Next();
  EXPECT_TRUE(PollOnce(next, counter).pending());
  reactor_.reset();
  EXPECT_EQ(counter.wakes(), 1);
  EXPECT_EQ((*PollOnce(next, counter)).status().code(), absl::StatusCode::kCancelled);
}

// Listeners come and go while signals hit every thread of the process.
TEST_F(SignalTest, ListenersComeAndGoUnderFire) {
  const SignalListener keeps_the_handler = Listen({SIGUSR1}).value();
  std::atomic<bool> done{false};
  std::thread sender([&] {
    while (!done.load()) ::kill(::getpid(), SIGUSR1);
  });
  for (int i = 0; i < 300; ++i) {
    SignalListener listener = Listen({SIGUSR1}).value();
    EXPECT_EQ(Next(listener), SIGUSR1);
  }
  done.store(true);
  sender.join();
}

}  // namespace
}  // namespace home
