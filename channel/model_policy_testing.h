// The model checker's atomics under the channels, and the values that its scenarios send.

#ifndef HOME_CHANNEL_MODEL_POLICY_TESTING_H_
#define HOME_CHANNEL_MODEL_POLICY_TESTING_H_

#include <cstddef>
#include <cstdint>
#include <utility>

#include "home/channel/channel_policy.h"
#include "home/tools/model/atomic.h"

namespace home::channel_testing {

struct ModelChannelPolicy : ChannelPolicy {
  template <typename U>
  using Atomic = model::Atomic<U>;
  template <typename U>
  using Plain = model::Data<U>;
  using Mutex = model::Mutex;

  // Precedence is seen in short scenarios, too.
  static constexpr std::uint8_t kPatience = 1;

  // So is a bias; ordinary fences stand for the asymmetric one.
  static constexpr std::size_t kPositionsPerTurn = 1;
  static constexpr std::uint8_t kTurnsToBias = 1;
  static constexpr std::uint8_t kMostTurnsToBias = 1;
  static bool BiasPays() { return true; }
  static void LightFence() { model::Fence(std::memory_order_seq_cst); }
  static void HeavyFence() { model::Fence(std::memory_order_seq_cst); }
  static const void* ThisThread() { return &threads[model::ThreadIndex()]; }

  static constexpr std::size_t BlockPositions(std::size_t) { return 2; }

  static void Relax(int) { model::Yield(); }
  // A pause is nothing to the checker, and the guess whether to make one would multiply its work.
  static void Slip() {}
  static constexpr std::uint8_t kFewRuns = 0;
  static constexpr std::uint16_t kMostPauses = 0;

  template <typename T, typename... Args>
  [[nodiscard]] static T* New(Args&&... args) {
    ++alive;
    return new T(std::forward<Args>(args)...);
  }
  template <typename T>
  static void Delete(T* object) noexcept {
    --alive;
    delete object;
  }

  // What is allocated and not freed: the checker does not see who forgets memory. Plain, as all
  // of its threads run in one.
  inline static int alive = 0;

 private:
  inline static char threads[8] = {};  // Their addresses stand for the threads.
};

// What is sent: watched, so that a value that is handed over without order is found.
class ModelValue {
 public:
  explicit ModelValue(int value) : value_(value) {}
  ModelValue(ModelValue&& other) noexcept : value_(static_cast<int>(other.value_)) {}
  ModelValue& operator=(ModelValue&&) = delete;
  ~ModelValue() = default;
  [[nodiscard]] int get() const { return value_; }

 private:
  model::Data<int> value_;
};

}  // namespace home::channel_testing

#endif  // HOME_CHANNEL_MODEL_POLICY_TESTING_H_
