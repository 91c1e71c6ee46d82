// Countdown: a count, and those who wait until it is zero. The core of Latch and WaitGroup.
//
// A GrantQueue (grant_queue.h) whose requests take nothing, from a count that has to be zero.

#ifndef HOME_SYNC_COUNTDOWN_H_
#define HOME_SYNC_COUNTDOWN_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "home/future/lock_watch.h"
#include "home/sync/grant_queue.h"
#include "home/sync/grant_wait.h"

namespace home::sync_internal {

// The word: the count.
struct ZeroKind {
  static constexpr const char* kName = "Latch or WaitGroup";

  static std::optional<std::uint64_t> Take(std::uint64_t word, std::uint64_t) {
    if (word != 0) return std::nullopt;
    return word;
  }
  static bool IsUrgent(std::uint64_t, std::uint64_t) { return false; }
  template <typename Policy>
  static void GiveBack(GrantQueue<ZeroKind, Policy>&, std::uint64_t) {}
};

class Countdown {
 public:
  explicit Countdown(std::size_t count) : queue_(Units(count)) {}

  void Add(std::size_t count) { queue_.Give(Units(count)); }
  void Subtract(std::size_t count) { queue_.Give(-Units(count)); }
  [[nodiscard]] std::size_t count() const {
    return static_cast<std::size_t>(queue_.word() / GrantQueue<ZeroKind>::kOne);
  }
  [[nodiscard]] GrantFuture<ZeroKind> Wait(const char* reason, const internal::LockPlace& place) {
    return GrantFuture<ZeroKind>(queue_, 0, reason, place);
  }

 private:
  static std::uint64_t Units(std::size_t count) { return count * GrantQueue<ZeroKind>::kOne; }

  GrantQueue<ZeroKind> queue_;
};

}  // namespace home::sync_internal

#endif  // HOME_SYNC_COUNTDOWN_H_
