// TaskId: a number that names one task of the process, for as long as it runs.

#ifndef HOME_TASK_TASK_ID_H_
#define HOME_TASK_TASK_ID_H_

#include <compare>
#include <cstdint>
#include <string>
#include <utility>

namespace home {

// Unique in the process and never reused; not in the order of the spawns, as
// every thread draws from a block of its own. 0 names no task.
class TaskId {
 public:
  constexpr TaskId() noexcept = default;
  explicit constexpr TaskId(std::uint64_t value) noexcept : value_(value) {}

  // A new id. Any thread; one RMW on shared memory every 1024 calls.
  [[nodiscard]] static TaskId Next() noexcept;

  [[nodiscard]] constexpr std::uint64_t value() const noexcept { return value_; }
  [[nodiscard]] std::string ToString() const { return std::to_string(value_); }

  friend constexpr auto operator<=>(TaskId, TaskId) = default;
  template <typename H>
  friend H AbslHashValue(H state, TaskId id) {
    return H::combine(std::move(state), id.value_);
  }

 private:
  std::uint64_t value_ = 0;
};

}  // namespace home

#endif  // HOME_TASK_TASK_ID_H_
