// TaskLabel: what tools show of a task, beside its id: a name, and where it was
// spawned.
//
//   Spawn(Serve(socket), "connection");
//   Spawn(Compute());                     // the place alone
//
// Both conversions are implicit: a function that takes a label as its last
// argument, with std::source_location::current() as its default, is told the
// place of its caller.

#ifndef HOME_TASK_TASK_LABEL_H_
#define HOME_TASK_TASK_LABEL_H_

#include <source_location>

namespace home {

class TaskLabel {
 public:
  // No name.
  TaskLabel(std::source_location location) noexcept  // NOLINT: implicit, see above
      : location_(location) {}
  // `name` must live for ever, as a literal does: it is not copied, and tools show it when the
  // task is gone.
  TaskLabel(const char* name,  // NOLINT: implicit, see above
            std::source_location location = std::source_location::current()) noexcept
      : name_(name), location_(location) {}

  // Null if there is none.
  [[nodiscard]] const char* name() const noexcept { return name_; }
  [[nodiscard]] const std::source_location& location() const noexcept { return location_; }

 private:
  const char* name_ = nullptr;
  std::source_location location_;
};

}  // namespace home

#endif  // HOME_TASK_TASK_LABEL_H_
