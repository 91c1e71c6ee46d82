// Windows's error codes as absl::Status and as errno.

#ifndef HOME_REACTOR_ERROR_WINDOWS_H_
#define HOME_REACTOR_ERROR_WINDOWS_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace home::reactor_internal {

// The errno that says what `error`, of GetLastError() or WSAGetLastError(), says; EIO if
// there is none.
int ErrnoOfWindows(unsigned long error);

// `error` as a status: "OPERATION: Windows error N (errno's text)".
absl::Status WindowsErrorToStatus(unsigned long error, absl::string_view operation);

}  // namespace home::reactor_internal

#endif  // HOME_REACTOR_ERROR_WINDOWS_H_
