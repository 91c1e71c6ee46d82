// What the scheduler asks of the operating system, beyond what C++ has.

#ifndef HOME_SCHEDULER_PLATFORM_H_
#define HOME_SCHEDULER_PLATFORM_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

namespace home::scheduler_internal {

// The number of processors in this thread's affinity mask, at least 1.
[[nodiscard]] std::size_t AvailableProcessors();

// How many processors' worth of time the system grants this process in the long run, if
// it limits that.
[[nodiscard]] std::optional<double> CpuLimit();

// Calls `in_child` in the child of every fork() from now on, on the thread that forked.
void OnFork(void (*in_child)());

// The processors on which the thread that makes one may run: its affinity mask. Any thread
// may then be confined to one of them, or to all. Both are wishes: nothing happens where the
// system refuses.
class Processors {
 public:
  Processors();
  Processors(const Processors&) = delete;
  Processors& operator=(const Processors&) = delete;
  ~Processors();

  // Lets the calling thread run on number `index` only, counted round and round.
  void PinThread(std::size_t index) const;
  // Lets it run on all.
  void UnpinThread() const;

 private:
  struct Mask;
  const std::unique_ptr<const Mask> mask_;
};

// Names the calling thread for debuggers and profilers; cut to what the system
// can show.
void SetThreadName(const std::string& name);

}  // namespace home::scheduler_internal

#endif  // HOME_SCHEDULER_PLATFORM_H_
