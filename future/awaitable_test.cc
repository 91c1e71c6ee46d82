// Awaitables of other libraries inside Async. The types here are written in the
// styles that are found: an awaiter, an operator co_await, the three result
// types of await_suspend.

#include "home/future/awaitable.h"

#include <atomic>
#include <coroutine>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <utility>

#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/join.h"
#include "home/future/testing.h"

namespace home {
namespace {

using testing::CountingWaker;
using testing::PollOnce;

// What a foreign library would keep of those who wait for it.
struct Foreign {
  std::coroutine_handle<> waiting;
  int value = 0;

  void Finish(int result) {
    value = result;
    std::exchange(waiting, nullptr).resume();
  }
};

// await_suspend returns void.
class VoidSuspend {
 public:
  explicit VoidSuspend(Foreign& foreign) : foreign_(foreign) {}
  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> handle) { foreign_.waiting = handle; }
  int await_resume() const { return foreign_.value; }

 private:
  Foreign& foreign_;
};

TEST(AwaitableTest, AResumptionWakesTheTaskWhichTakesTheValue) {
  Foreign foreign;
  CountingWaker counter;
  auto body = [](Foreign& other) -> Async<int> {
    int value = co_await VoidSuspend(other);
    co_return value + 1;
  };
  {
    Async<int> future = body(foreign);
    EXPECT_TRUE(PollOnce(future, counter).pending());
    EXPECT_TRUE(PollOnce(future, counter).pending());
    EXPECT_EQ(counter.wakes(), 0);
    foreign.Finish(41);
    EXPECT_EQ(counter.wakes(), 1);
    EXPECT_EQ(*PollOnce(future, counter), 42);
  }
  EXPECT_EQ(counter.alive(), 0);
}

// An awaiter that is made for the await, and gives a reference into itself.
class Lends {
 public:
  class Awaiter {
   public:
    Awaiter() : text_("longer than what fits into the string itself") {}
    bool await_ready() const { return false; }
    bool await_suspend(std::coroutine_handle<>) { return false; }
    std::string&& await_resume() { return std::move(text_); }

   private:
    std::string text_;
  };
  Awaiter operator co_await() const { return Awaiter(); }
};

TEST(AwaitableTest, WhatAnAwaiterLendsIsTakenBeforeItDies) {
  auto future = FromAwaitable(Lends());
  EXPECT_EQ(*PollOnce(future), "longer than what fits into the string itself");
}

// await_suspend returns bool: false means "go on at once".
class BoolSuspend {
 public:
  BoolSuspend(Foreign& foreign, bool suspend) : foreign_(foreign), suspend_(suspend) {}
  bool await_ready() const { return false; }
  bool await_suspend(std::coroutine_handle<> handle) {
    if (suspend_) foreign_.waiting = handle;
    return suspend_;
  }
  int await_resume() const { return foreign_.value; }

 private:
  Foreign& foreign_;
  bool suspend_;
};

TEST(AwaitableTest, ABoolSaysWhetherToSuspend) {
  for (bool suspend : {false, true}) {
    Foreign foreign;
    foreign.value = 5;
    auto body = [](Foreign& other, bool waits) -> Async<int> {
      int value = co_await BoolSuspend(other, waits);
      co_return value;
    };
    Async<int> future = body(foreign, suspend);
    if (suspend) {
      EXPECT_TRUE(PollOnce(future).pending());
      foreign.Finish(5);
    }
    EXPECT_EQ(*PollOnce(future), 5);
  }
}

// await_suspend returns a handle, and the awaited is a coroutine of another
// library: lazy, started and left by symmetric transfer.
class ForeignTask {
 public:
  struct promise_type {
    std::coroutine_handle<> continuation;
    std::optional<std::string> value;

    ForeignTask get_return_object() {
      return ForeignTask(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    auto final_suspend() const noexcept {
      struct Final {
        bool await_ready() const noexcept { return false; }
        std::coroutine_handle<> await_suspend(
            std::coroutine_handle<promise_type> self) const noexcept {
          return self.promise().continuation;
        }
        void await_resume() const noexcept {}
      };
      return Final();
    }
    void return_value(std::string result) { value = std::move(result); }
    [[noreturn]] void unhandled_exception() const { std::terminate(); }
  };

  explicit ForeignTask(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  ForeignTask(ForeignTask&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  ForeignTask& operator=(ForeignTask&&) = delete;
  ~ForeignTask() {
    if (handle_ != nullptr) handle_.destroy();
  }

  auto operator co_await() && {
    struct Awaiter {
      bool await_ready() const { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<> handle) const {
        task.promise().continuation = handle;
        return task;
      }
      std::string await_resume() const { return *std::move(task.promise().value); }
      std::coroutine_handle<promise_type> task;
    };
    return Awaiter{handle_};
  }

 private:
  std::coroutine_handle<promise_type> handle_;
};

ForeignTask SaySoon(Foreign& foreign) {
  int value = co_await VoidSuspend(foreign);
  co_return "said " + std::to_string(value);
}
ForeignTask SayAtOnce() { co_return "said"; }

TEST(AwaitableTest, ATaskOfAnotherLibraryIsStartedAndAwaited) {
  Foreign foreign;
  auto body = [](Foreign& other) -> Async<std::string> {
    std::string first = co_await SayAtOnce();
    ForeignTask named = SaySoon(other);
    std::string second = co_await std::move(named);
    co_return first + ", " + second;
  };
  Async<std::string> future = body(foreign);
  EXPECT_TRUE(PollOnce(future).pending());
  foreign.Finish(2);
  EXPECT_EQ(*PollOnce(future), "said, said 2");
}

// A free operator co_await, found by the arguments' namespace; lvalues too.
struct Event {
  Foreign foreign;
};
VoidSuspend operator co_await(Event& event) { return VoidSuspend(event.foreign); }

TEST(AwaitableTest, AnLvalueWithAFreeOperatorIsReferredTo) {
  Event event;
  auto body = [](Event& shared) -> Async<int> {
    int first = co_await shared;
    int second = co_await shared;
    co_return 10 * first + second;
  };
  Async<int> future = body(event);
  EXPECT_TRUE(PollOnce(future).pending());
  event.foreign.Finish(1);
  EXPECT_TRUE(PollOnce(future).pending());
  event.foreign.Finish(2);
  EXPECT_EQ(*PollOnce(future), 12);
}

// Ready at once: never suspends.
template <typename R>
class ReadyWith {
 public:
  explicit ReadyWith(R value) : value_(std::forward<R>(value)) {}
  bool await_ready() const { return true; }
  void await_suspend(std::coroutine_handle<>) const { ADD_FAILURE() << "suspended"; }
  R await_resume() { return std::forward<R>(value_); }

 private:
  R value_;
};

TEST(AwaitableTest, ValuesReferencesAndMoveOnlyTypesComeThrough) {
  auto body = []() -> Async<bool> {
    int object = 1;
    int& reference = co_await ReadyWith<int&>(object);
    std::unique_ptr<int> owned = co_await ReadyWith<std::unique_ptr<int>>(std::make_unique<int>(2));
    std::string moved_from = "three";
    std::string moved = co_await ReadyWith<std::string&&>(std::move(moved_from));
    co_await std::suspend_never();
    co_return &reference == &object && *owned == 2 && moved == "three";
  };
  Async<bool> future = body();
  EXPECT_TRUE(*PollOnce(future));
}

struct Throws {
  Throws() = default;
  bool await_ready() const { return false; }
  bool await_suspend(std::coroutine_handle<>) const { return false; }
  void await_resume() const { throw std::runtime_error("from await_resume"); }
};

TEST(AwaitableTest, AnExceptionSurfacesAtTheAwait) {
  auto body = []() -> Async<std::string> {
    std::string caught;
    try {
      co_await Throws();
    } catch (const std::runtime_error& error) {
      caught = error.what();
    }
    co_return caught;
  };
  Async<std::string> future = body();
  EXPECT_EQ(*PollOnce(future), "from await_resume");
}

TEST(AwaitableTest, AnAwaitableIsAFutureForCombinators) {
  Foreign left;
  Foreign right;
  auto both = Join(FromAwaitable(VoidSuspend(left)), FromAwaitable(VoidSuspend(right)));
  EXPECT_TRUE(PollOnce(both).pending());
  right.Finish(2);
  EXPECT_TRUE(PollOnce(both).pending());
  left.Finish(1);
  EXPECT_EQ(*PollOnce(both), std::tuple(1, 2));
}

// Keeps an owned awaitable and its value in sight.
class Shared {
 public:
  Shared(Foreign& foreign, std::shared_ptr<int> token)
      : foreign_(foreign), token_(std::move(token)) {}
  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> handle) { foreign_.waiting = handle; }
  std::shared_ptr<int> await_resume() const { return token_; }

 private:
  Foreign& foreign_;
  std::shared_ptr<int> token_;
};

TEST(AwaitableTest, AResumptionAfterTheAsyncWasDroppedIsSafeAndFreesAll) {
  Foreign foreign;
  CountingWaker counter;
  std::weak_ptr<int> token;
  {
    auto shared = std::make_shared<int>(1);
    token = shared;
    auto body = [](Foreign& other, std::shared_ptr<int> value) -> Async<> {
      auto same = co_await Shared(other, std::move(value));
      ADD_FAILURE() << "went on after it was dropped: " << *same;
    };
    Async<> future = body(foreign, std::move(shared));
    EXPECT_TRUE(PollOnce(future, counter).pending());
  }
  // The operation goes on, with the awaitable that it owns.
  EXPECT_FALSE(token.expired());
  EXPECT_EQ(counter.alive(), 0);
  foreign.Finish(0);
  EXPECT_TRUE(token.expired());
  EXPECT_EQ(counter.wakes(), 0);
}

TEST(AwaitableTest, AHandleThatIsDestroyedInsteadLeavesTheFuturePending) {
  Foreign foreign;
  CountingWaker counter;
  {
    auto body = [](Foreign& other) -> Async<int> {
      int value = co_await VoidSuspend(other);
      co_return value;
    };
    Async<int> future = body(foreign);
    EXPECT_TRUE(PollOnce(future, counter).pending());
    std::exchange(foreign.waiting, nullptr).destroy();
    EXPECT_TRUE(PollOnce(future, counter).pending());
  }
  EXPECT_EQ(counter.wakes(), 0);
  EXPECT_EQ(counter.alive(), 0);
}

// Resumes on a thread of its own, perhaps before await_suspend has returned.
class OnNewThread {
 public:
  explicit OnNewThread(std::thread& thread) : thread_(thread) {}
  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> handle) {
    thread_ = std::thread([handle] { handle.resume(); });
  }
  std::thread::id await_resume() const { return std::this_thread::get_id(); }

 private:
  std::thread& thread_;
};

TEST(AwaitableTest, AResumptionOnAnotherThreadIsSeenByTheNextPoll) {
  for (int i = 0; i < 300; ++i) {
    std::thread thread;
    CountingWaker counter;
    auto body = [](std::thread& out) -> Async<std::thread::id> {
      std::thread::id resumer = co_await OnNewThread(out);
      co_return resumer;
    };
    {
      Async<std::thread::id> future = body(thread);
      // Another waker each time: it changes under the resumption.
      Poll<std::thread::id> polled = PollOnce(future, counter);
      const bool at_once = polled.ready();
      if (!at_once) {
        while (counter.wakes() == 0) std::this_thread::yield();
        EXPECT_NE(*PollOnce(future, counter), std::this_thread::get_id());
      }
    }
    thread.join();
    EXPECT_EQ(counter.alive(), 0);
  }
}

TEST(AwaitableTest, ADropThatRacesWithTheResumptionIsSafe) {
  for (int i = 0; i < 300; ++i) {
    std::thread thread;
    CountingWaker counter;
    {
      auto future = FromAwaitable(OnNewThread(thread));
      static_cast<void>(PollOnce(future, counter).ready());
    }
    thread.join();
    EXPECT_EQ(counter.alive(), 0);
  }
}

// Only for coroutines of its own library.
struct OwnPromise {};
struct ForOwnPromise {
  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<OwnPromise>) const {}
  void await_resume() const {}
};
static_assert(ForeignAwaitable<VoidSuspend>);
static_assert(ForeignAwaitable<Event&>);
static_assert(!ForeignAwaitable<Event>);  // its operator takes lvalues
static_assert(ForeignAwaitable<ForeignTask>);
static_assert(!ForeignAwaitable<ForeignTask&>);  // its operator takes rvalues
static_assert(!ForeignAwaitable<ForOwnPromise>);
static_assert(!ForeignAwaitable<Async<int>>);
static_assert(!ForeignAwaitable<int>);

using AwaitableDeathTest = ::testing::Test;

TEST(AwaitableDeathTest, PollingAfterReadyIsNamed) {
  EXPECT_DEATH(
      {
        auto future = FromAwaitable(std::suspend_never());
        static_cast<void>(PollOnce(future).ready());
        static_cast<void>(PollOnce(future).ready());
      },
      "AwaitableFuture that was ready");
}

}  // namespace
}  // namespace home
