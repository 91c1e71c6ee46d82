// BarrierOnAllThreads for Linux: membarrier(2), private and expedited (4.14).

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "home/queue/asymmetric_fence.h"

namespace home::queue_internal {
namespace {

bool Membarrier(int command) { return syscall(SYS_membarrier, command, 0, 0) == 0; }

bool Register() { return Membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED); }

}  // namespace

bool BarrierOnAllThreads() {
  // The process announces once that it will ask for this; children of fork() inherit it.
  static const bool kRegistered = Register();
  if (!kRegistered) return false;
  if (Membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED)) return true;
  // Others rely on it by now. A filter that was put in place meanwhile, at worst.
  std::perror("home: membarrier, which this process has used before, fails");
  std::abort();
}

}  // namespace home::queue_internal
