// Counts calls of the global operator new, for tests that prove how often
// something allocates.
//
// A test that uses this has the operator replaced in its whole process. What comes
// from the recycling cache (frame_allocator.h) is counted only where the cache has
// to ask for more: so a proof that something takes recycled blocks and nothing
// else counts a second run, which finds the first one's blocks.

#ifndef HOME_FUTURE_ALLOCATION_TESTING_H_
#define HOME_FUTURE_ALLOCATION_TESTING_H_

#include <cstddef>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "home/future/context.h"
#include "home/future/future.h"
#include "home/future/sanitizer_testing.h"
#include "home/future/stream.h"
#include "home/future/waker.h"

namespace home::testing {

// How often this thread has called the global operator new, and how many bytes it asked for.
[[nodiscard]] std::size_t Allocations() noexcept;
[[nodiscard]] std::size_t AllocatedBytes() noexcept;

// How often run() does.
template <typename Run>
std::size_t AllocationsOf(Run run) {
  const std::size_t before = Allocations();
  run();
  return Allocations() - before;
}

// How often run() does once it has run before.
template <typename Run>
std::size_t AllocationsOfWarm(Run run) {
  run();
  return AllocationsOf(run);
}

// Polls a future, or a stream for all that it has. True: it waits; false: it has
// ended.
template <typename F>
bool PollToWait(F& polled, Context& cx) {
  if constexpr (Stream<F>) {
    while (true) {
      auto item = polled.PollNext(cx);
      if (item.pending()) return true;
      if (!item.value().has_value()) return false;
    }
  } else {
    return polled.Poll(cx).pending();
  }
}

// The whole life of what make() makes, a future or a stream: one goes to its end,
// one is dropped where it waits first, and one that was moved is dropped unpolled.
// between() is called where the first one waits: it must do so at least once.
template <typename Make, typename Between>
void LiveAndDrop(Make& make, Between between) {
  const Waker waker;
  Context cx(waker);
  {
    auto whole = make();
    int waits = 0;
    for (; PollToWait(whole, cx); ++waits) between();
    EXPECT_GE(waits, 1);
  }
  {
    auto waiting = make();
    EXPECT_TRUE(PollToWait(waiting, cx));
  }
  {
    auto unpolled = make();
    [[maybe_unused]] auto moved = std::move(unpolled);
  }
}

// How often LiveAndDrop() allocates.
template <typename Make, typename Between>
std::size_t Count(Make make, Between between) {
  return AllocationsOf([&] { LiveAndDrop(make, between); });
}
template <typename Make>
std::size_t Count(Make make) {
  return Count(std::move(make), [] {});
}

// How often it allocates once it has run before.
template <typename Make, typename Between>
std::size_t CountWarm(Make make, Between between) {
  return AllocationsOfWarm([&] { LiveAndDrop(make, between); });
}
template <typename Make>
std::size_t CountWarm(Make make) {
  return CountWarm(std::move(make), [] {});
}

// A matcher of exactly `blocks` blocks, of what takes recycled ones and has run before.
// Under AddressSanitizer, where nothing is recycled (frame_allocator.h), those of the cache
// can't be told from others: there it matches any number.
inline ::testing::Matcher<std::size_t> IfRecycled(std::size_t blocks) {
  if (kAddressSanitizer) return ::testing::_;
  return ::testing::Eq(blocks);
}

}  // namespace home::testing

#endif  // HOME_FUTURE_ALLOCATION_TESTING_H_
