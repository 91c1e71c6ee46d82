#include "home/task/chaos.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <thread>

namespace home::internal {
namespace {

constexpr std::uint32_t kSpinOnceIn = 16;
constexpr std::uint32_t kYieldOnceIn = 64;
constexpr std::uint32_t kSleepOnceIn = 2048;
constexpr std::uint32_t kMostSpins = 256;
constexpr std::uint32_t kMostMicroseconds = 64;

// A different one for each thread.
std::uint32_t FirstState() {
  static const std::uint32_t seed = [] {
    const char* const text = std::getenv("HOME_CHAOS_SEED");
    return text == nullptr ? 0 : static_cast<std::uint32_t>(std::strtoul(text, nullptr, 10));
  }();
  static std::atomic<std::uint32_t> threads{0};
  // relaxed: any number that no other thread has.
  const std::uint32_t thread = threads.fetch_add(1, std::memory_order_relaxed);
  return std::max(1u, (seed * 40503u + thread + 1) * 2654435761u);
}

// xorshift (Marsaglia 2003).
std::uint32_t Random() {
  thread_local std::uint32_t state = FirstState();
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state;
}

}  // namespace

void ChaosPause() noexcept {
  const std::uint32_t random = Random();
  const std::uint32_t amount = random >> 16;
  if (random % kSleepOnceIn == 0) {
    std::this_thread::sleep_for(std::chrono::microseconds(amount % kMostMicroseconds));
  } else if (random % kYieldOnceIn == 0) {
    std::this_thread::yield();
  } else if (random % kSpinOnceIn == 0) {
    volatile std::uint32_t spins = amount % kMostSpins;
    while (spins > 0) spins = spins - 1;
  }
}

}  // namespace home::internal
