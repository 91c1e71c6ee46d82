#include "home/future/poll_check.h"

#include <cstdio>

#include "home/future/fatal.h"

namespace home::internal {
namespace {

[[noreturn]] void Die(const char* name, const char* mistake) noexcept {
  char message[128];
  std::snprintf(message, sizeof message, "a future (%s) was %s", name, mistake);
  Fatal(message);
}

}  // namespace

void DieOfPollAfterReady(const char* name) noexcept {
  Die(name, "polled after it was ready, or after its poll threw");
}

void DieOfMoveAfterPoll(const char* name) noexcept { Die(name, "moved after its first poll"); }

}  // namespace home::internal
