// Fatal: ends the process with a message that names a misuse of the API.

#ifndef HOME_FUTURE_FATAL_H_
#define HOME_FUTURE_FATAL_H_

namespace home {

// Writes "home: <message>" to standard error and aborts. For mistakes of the
// program, never for bad input.
[[noreturn]] void Fatal(const char* message) noexcept;

}  // namespace home

#endif  // HOME_FUTURE_FATAL_H_
