// What the scheduler asks of the operating system, beyond what C++ has.

#ifndef HOME_SCHEDULER_PLATFORM_H_
#define HOME_SCHEDULER_PLATFORM_H_

#include <cstddef>
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

// Lets the calling thread run on one processor only: number `index` of those in its
// affinity mask, counted round and round. A wish: does nothing where the system refuses.
void PinThread(std::size_t index);

// Names the calling thread for debuggers and profilers; cut to what the system
// can show.
void SetThreadName(const std::string& name);

}  // namespace home::scheduler_internal

#endif  // HOME_SCHEDULER_PLATFORM_H_
