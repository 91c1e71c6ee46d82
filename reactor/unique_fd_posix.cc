#include <unistd.h>

#include "home/reactor/unique_fd.h"

namespace home::reactor_internal {

void CloseDescriptor(int fd) { ::close(fd); }

}  // namespace home::reactor_internal
