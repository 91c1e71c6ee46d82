#include <winsock2.h>
//
#include <windows.h>

#include <cstdint>

#include "home/reactor/unique_fd.h"

namespace home::reactor_internal {

void CloseDescriptor(int fd) {
  // Winsock keeps data of its own of each socket, and knows what is one.
  if (closesocket(static_cast<SOCKET>(fd)) == 0) return;
  const int error = WSAGetLastError();
  if (error != WSAENOTSOCK && error != WSANOTINITIALISED) return;
  CloseHandle(reinterpret_cast<HANDLE>(static_cast<std::intptr_t>(fd)));
}

}  // namespace home::reactor_internal
