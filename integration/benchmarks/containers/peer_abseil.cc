// Abseil's ways to wait.

#include <cstddef>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "home/integration/benchmarks/containers/ping_pong.h"

namespace home::containers {
namespace {

class MutexAwait {
 public:
  void Unpark() {
    const absl::MutexLock lock(&mutex_);
    token_ = true;
  }
  void Park() {
    const absl::MutexLock lock(&mutex_, absl::Condition(&token_));
    token_ = false;
  }

 private:
  absl::Mutex mutex_;
  bool token_ = false;
};

// A notification serves once: a row of them.
class Notifications {
 public:
  void Unpark() { row_[given_++].Notify(); }
  void Park() { row_[taken_++].WaitForNotification(); }

 private:
  static constexpr std::size_t kMost = 1 << 16;

  std::vector<absl::Notification> row_{kMost};
  alignas(64) std::size_t given_ = 0;
  alignas(64) std::size_t taken_ = 0;
};

const bool kAdded =
    AddParker<MutexAwait>("absl_mutex_await") && AddParker<Notifications>("absl_notification");

}  // namespace
}  // namespace home::containers
