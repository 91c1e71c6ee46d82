// Die: ends the process with a message that names a misuse of this package, or a
// failure of the system that must not happen.

#ifndef HOME_PARKER_FATAL_H_
#define HOME_PARKER_FATAL_H_

namespace home::parker_internal {

// Writes "parker: <message>" to standard error, with the text of `system_error` (an
// errno) if it is not 0, and aborts.
[[noreturn]] void Die(const char* message, int system_error = 0) noexcept;

}  // namespace home::parker_internal

#endif  // HOME_PARKER_FATAL_H_
