#include "home/reactor/io_payload.h"

namespace home::reactor_internal {

// None travel in messages.
void CloseReceivedDescriptors(msghdr&) {}

}  // namespace home::reactor_internal
