// Weakening: a memory order of a production header that a test takes away.
//
//   const Weakening publish{.function = "Push", .access = Access::kStore, .type = "int",
//                           .from = std::memory_order_release};
//   ExpectFound<OneThief>(Exhaustively(), publish);
//
// A mutation test shows that a scenario is able to see what an order is for: with the order
// weakened the checker must find an error. The order is named from outside, by the function
// that the access stands in, its kind, the type of the atomic object and the order that is
// written there. So production headers carry no marks. The model's atomics learn where they
// are called from through a default argument (std::source_location).
//
// A name has to fit exactly one line of source: a test whose weakening fits none, or more
// than one, fails and lists them. So a name can't go stale, nor weaken more than it says.

#ifndef HOME_TOOLS_MODEL_WEAKENING_H_
#define HOME_TOOLS_MODEL_WEAKENING_H_

#include <atomic>
#include <set>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>

namespace home::model {

enum class Access { kLoad, kStore, kRmw, kFence };

struct Weakening {
  // The function, by its name without a scope. For an access in a lambda, the function
  // around it.
  std::string_view function;
  Access access;
  // Part of the compiler's name for the atomic object's value type ("int", "Buffer").
  // Empty: any.
  std::string_view type = "";
  // What is written there. For a compare-exchange: on success.
  std::memory_order from;
  // What it becomes. A compare-exchange that fails is then relaxed.
  std::memory_order to = std::memory_order_relaxed;
};

// "store in Push, release to relaxed".
std::string Describe(const Weakening& weakening);

namespace model_internal {

// The weakening in force, if any: a test's, for the time of one search.
class ActiveWeakening {
 public:
  explicit ActiveWeakening(const Weakening& weakening) : weakening_(weakening) { active_ = this; }
  ActiveWeakening(const ActiveWeakening&) = delete;
  ActiveWeakening& operator=(const ActiveWeakening&) = delete;
  ~ActiveWeakening() { active_ = nullptr; }

  // The order that an access gets which asks for `order`.
  static std::memory_order Apply(Access access, std::string_view type, std::memory_order order,
                                 const std::source_location& where) {
    return active_ == nullptr ? order : active_->ApplyTo(access, type, order, where);
  }

  // The lines that it was applied to, as FILE:LINE.
  std::set<std::string> Lines() const;

 private:
  std::memory_order ApplyTo(Access access, std::string_view type, std::memory_order order,
                            const std::source_location& where);

  static inline ActiveWeakening* active_ = nullptr;

  const Weakening weakening_;
  // By address of the file's name: nothing is allocated during a search but at first.
  std::pair<const char*, unsigned> lines_[8] = {};
};

}  // namespace model_internal
}  // namespace home::model

#endif  // HOME_TOOLS_MODEL_WEAKENING_H_
