// What the stress tests of channels of values have in common: the cases that they run in, and sums
// of what was sent and what became of it.

#ifndef HOME_CHANNEL_CHANNEL_STRESS_TESTING_H_
#define HOME_CHANNEL_CHANNEL_STRESS_TESTING_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

#include "gtest/gtest.h"
#include "home/channel/kinds_testing.h"
#include "home/scheduler/testing.h"

namespace home::channel_testing {

template <typename Kind>
inline constexpr int kReceivers = Kind::kManyReceivers ? 3 : 1;

// A kind of channel on a flavour of the runtime: much of each, or little where a seed makes
// each run another one.
template <typename Kind, testing::Flavour kOn>
struct On : Kind {
  static constexpr testing::Flavour kFlavour = kOn;
  static constexpr bool kSimulated = kOn == testing::Flavour::kSimulated;
  static constexpr int kEach = kSimulated ? 20 : 3'000;
  static constexpr int kRounds = kSimulated ? 8 : 60;
};
using Cases = ::testing::Types<
    On<Mpmc<>, testing::Flavour::kFourWorkers>, On<Mpsc<>, testing::Flavour::kFourWorkers>,
    On<Mpmc<>, testing::Flavour::kSimulated>, On<Mpsc<>, testing::Flavour::kSimulated>>;
struct CaseName {
  template <typename Case>
  static std::string GetName(int) {
    return std::string(Case::kManyReceivers ? "Mpmc" : "Mpsc") +
           (Case::kSimulated ? "Simulated" : "FourWorkers");
  }
};

// The copy of a receiver, or the only one.
template <typename Receiver>
Receiver Share(Receiver& receiver) {
  if constexpr (std::is_copy_constructible_v<Receiver>) {
    return receiver;
  } else {
    return std::move(receiver);
  }
}

// What was accepted is received, or undelivered, once.
struct Tally {
  std::atomic<std::int64_t> sent{0};
  std::atomic<std::int64_t> received{0};
  std::atomic<std::int64_t> undelivered{0};
};

}  // namespace home::channel_testing

#endif  // HOME_CHANNEL_CHANNEL_STRESS_TESTING_H_
