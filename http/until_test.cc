#include "home/http/until.h"

#include <memory>
#include <optional>
#include <utility>

#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/context.h"
#include "home/future/poll.h"
#include "home/future/ready.h"
#include "home/future/testing.h"
#include "home/future/waker.h"
#include "home/sync/event.h"

namespace home::http {
namespace {

using home::testing::CountingWaker;
using home::testing::PollOnce;

Async<int> AnswerAfter(Event* event) {
  co_await event->Wait();
  co_return 42;
}

TEST(UntilTest, GivesTheValueIfItComesFirst) {
  Event go;
  Event stop;
  CountingWaker counter;
  Until<Async<int>> until(AnswerAfter(&go), stop);
  EXPECT_TRUE(PollOnce(until, counter).pending());
  go.Set();
  EXPECT_EQ(counter.wakes(), 1);
  auto polled = PollOnce(until, counter);
  ASSERT_TRUE(polled.ready());
  EXPECT_EQ(*polled, std::optional<int>(42));
}

TEST(UntilTest, GivesNothingIfTheEventComesFirst) {
  Event go;
  Event stop;
  CountingWaker counter;
  Until<Async<int>> until(AnswerAfter(&go), stop);
  EXPECT_TRUE(PollOnce(until, counter).pending());
  stop.Set();
  EXPECT_EQ(counter.wakes(), 1);
  auto polled = PollOnce(until, counter);
  ASSERT_TRUE(polled.ready());
  EXPECT_EQ(*polled, std::nullopt);
}

// The task waits for what the future waits for; that an event could end it explains nothing.
TEST(UntilTest, TheWaitReasonIsTheFutures) {
  const Waker waker;
  Turn turn;
  Context cx(waker, &turn);
  Event stop;
  Until until(PollFn([](Context& inner) -> Poll<void> { return inner.PendingFor("tea"); }), stop);
  EXPECT_TRUE(until.Poll(cx).pending());
  EXPECT_STREQ(turn.wait_reason, "tea");
}

TEST(UntilTest, WhatIsReadyIsNotThrownAway) {
  Event both;
  both.Set();
  Until<Async<int>> until(AnswerAfter(&both), both);
  auto polled = PollOnce(until);
  ASSERT_TRUE(polled.ready());
  EXPECT_EQ(*polled, std::optional<int>(42));
}

TEST(UntilTest, FuturesWithoutAValueGiveABool) {
  Event go;
  Event stop;
  stop.Set();
  Until<Event::WaitFuture> stopped(go.Wait(), stop);
  auto polled = PollOnce(stopped);
  ASSERT_TRUE(polled.ready());
  EXPECT_FALSE(*polled);
  go.Set();
  Until<Event::WaitFuture> gone(go.Wait(), stop);
  auto second = PollOnce(gone);
  ASSERT_TRUE(second.ready());
  EXPECT_TRUE(*second);
}

}  // namespace
}  // namespace home::http
