// Destructors of thread_local variables find their objects as they were.

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>

#include "gtest/gtest.h"

namespace {

constexpr int kThreads = 20;
constexpr int kValue = 42;

std::atomic<int> intact{0};

struct Checked {
  Checked() { values.fill(kValue); }
  ~Checked() {
    if (std::all_of(values.begin(), values.end(), [](int v) { return v == kValue; })) ++intact;
  }
  std::array<int, 64> values;
};

thread_local const Checked* touched = nullptr;

TEST(ThreadLocalOrderTest, DestructorsRunBeforeTheMemoryGoes) {
  for (int i = 0; i < kThreads; ++i) {
    std::thread([] {
      thread_local const Checked checked;
      touched = &checked;
    }).join();
  }
  EXPECT_EQ(intact.load(), kThreads);
}

}  // namespace
