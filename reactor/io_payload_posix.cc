#include <sys/socket.h>

#include <cstddef>
#include <cstring>

#include "home/reactor/io_payload.h"

namespace home::reactor_internal {

void CloseReceivedDescriptors(msghdr& header) {
  for (cmsghdr* control = CMSG_FIRSTHDR(&header); control != nullptr;
       control = CMSG_NXTHDR(&header, control)) {
    if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(control) + i * sizeof(int), sizeof(int));
      UniqueFd(fd).Reset();
    }
  }
}

}  // namespace home::reactor_internal
