#include "home/future/random.h"

#include <chrono>

#include "absl/base/attributes.h"

namespace home {
namespace {

// 0 before the first use; the generator never gets there by itself.
thread_local std::uint64_t state = 0;

// Spreads a seed over all bits (splitmix64, Steele et al. 2014). Never 0.
std::uint64_t Spread(std::uint64_t seed) noexcept {
  seed += 0x9e3779b97f4a7c15;
  seed = (seed ^ (seed >> 30)) * 0xbf58476d1ce4e5b9;
  seed = (seed ^ (seed >> 27)) * 0x94d049bb133111eb;
  seed ^= seed >> 31;
  return seed == 0 ? 1 : seed;
}

// Differs between threads by the address, between runs by the time.
ABSL_ATTRIBUTE_NOINLINE std::uint64_t FreshSeed() noexcept {
  const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
  return Spread(reinterpret_cast<std::uintptr_t>(&state) ^ (static_cast<std::uint64_t>(now) << 20));
}

// The next state, from one that is not 0, and the number that it stands for.
std::uint64_t Step(std::uint64_t x) noexcept {
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  return x;
}
std::uint64_t Scramble(std::uint64_t x) noexcept { return x * 0x2545f4914f6cdd1d; }

}  // namespace

RandomGenerator::RandomGenerator(std::uint64_t seed) noexcept : state_(Spread(seed)) {}

std::uint64_t RandomGenerator::Bits() noexcept {
  state_ = Step(state_);
  return Scramble(state_);
}

ABSL_ATTRIBUTE_NOINLINE std::uint64_t RandomBits() noexcept {
  std::uint64_t x = state;
  if (x == 0) x = FreshSeed();
  x = Step(x);
  state = x;
  return Scramble(x);
}

RandomScope::RandomScope(std::uint64_t seed) noexcept : previous_(state) { state = Spread(seed); }

RandomScope::~RandomScope() { state = previous_; }

}  // namespace home
