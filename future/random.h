// RandomBits: the random numbers that futures decide by: which branch a Select
// polls first, how long a Retry waits. RandomScope makes them repeatable.
//
//   RandomScope seeded(42);      // from here on, on this thread
//
// Each thread has a generator of its own, seeded differently in every process. A
// simulation, which replays one schedule from one seed, runs under a scope: then
// what futures draw is the same in every run too. RandomGenerator is for who
// wants a sequence that nobody else draws from.
//
// Not for secrets: xorshift64* (Vigna, An experimental exploration of Marsaglia's
// xorshift generators, scrambled, 2016).
//
// Thread-safety: full; each thread draws from its own generator. A
// RandomGenerator: one thread at a time.
// Cost: about 2 ns.

#ifndef HOME_FUTURE_RANDOM_H_
#define HOME_FUTURE_RANDOM_H_

#include <cstdint>

namespace home {

// A sequence of random numbers that its seed fixes.
class RandomGenerator {
 public:
  explicit RandomGenerator(std::uint64_t seed) noexcept;

  [[nodiscard]] std::uint64_t Bits() noexcept;
  // A number below `bound`, which is not 0. Its bias is bound / 2^32 at most.
  [[nodiscard]] std::uint32_t Below(std::uint32_t bound) noexcept {
    // The upper half times the bound, instead of a division (Lemire 2019).
    return static_cast<std::uint32_t>(((Bits() >> 32) * bound) >> 32);
  }

 private:
  std::uint64_t state_;
};

// 64 random bits from this thread's generator. Not inlined: coroutines move
// between threads, and a compiler may keep the address of a thread's variable
// across a suspension.
[[nodiscard]] std::uint64_t RandomBits() noexcept;

// As RandomGenerator::Below().
[[nodiscard]] inline std::uint32_t RandomBelow(std::uint32_t bound) noexcept {
  return static_cast<std::uint32_t>(((RandomBits() >> 32) * bound) >> 32);
}

// A number in [0, 1).
[[nodiscard]] inline double RandomUnit() noexcept {
  return static_cast<double>(RandomBits() >> 11) * 0x1p-53;
}

// Seeds this thread's generator, and puts the old state back when it ends. On
// the thread that made it; scopes nest.
class RandomScope {
 public:
  explicit RandomScope(std::uint64_t seed) noexcept;
  RandomScope(const RandomScope&) = delete;
  RandomScope& operator=(const RandomScope&) = delete;
  ~RandomScope();

 private:
  const std::uint64_t previous_;
};

}  // namespace home

#endif  // HOME_FUTURE_RANDOM_H_
