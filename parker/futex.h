// Futex: sleep until a word changes, in the form that the Parker needs.
//
// This is the contract; each platform has one source file that fulfils it
// (futex_linux.cc and so on), chosen in BUILD. A word is an ordinary 32-bit atomic; a
// wait compares it with the expected value and goes to sleep in one step as seen by
// Wake(), so that a change followed by a Wake() is never slept through. One test-suite
// covers whichever of them a machine can run.
//
// Memory ordering: none. Sleeping and waking order nothing, the accesses to the
// word do. A wait may end for no reason: callers look at the word and decide.

#ifndef HOME_PARKER_FUTEX_H_
#define HOME_PARKER_FUTEX_H_

#include <atomic>
#include <cstdint>

namespace home::parker_internal {

// A deadline that never comes.
inline constexpr std::int64_t kNoDeadline = INT64_MAX;

// Nanoseconds on the monotonic clock that deadlines refer to (never negative).
std::int64_t FutexClockNanos();

// Sleeps while `word` holds `expected`, until a FutexWake() of the same word, until
// the clock has reached `deadline` (at once if it lies behind), or for no reason.
// Returns false only if the deadline was reached.
bool FutexWait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
               std::int64_t deadline);

// Wakes one thread that sleeps on the word at this address. The address is not
// dereferenced, the word may be gone: then nobody is woken, or a thread that sleeps
// on a new word at the same address wakes for no reason.
void FutexWake(const std::atomic<std::uint32_t>* word);

}  // namespace home::parker_internal

#endif  // HOME_PARKER_FUTEX_H_
