#include "home/future/poll_check.h"

#include <cstdio>

#include "home/future/fatal.h"

namespace home::internal {
namespace {

[[noreturn]] void Die(const char* what, const char* name, const char* mistake) noexcept {
  char message[128];
  std::snprintf(message, sizeof message, "a %s (%s) was %s", what, name, mistake);
  Fatal(message);
}

}  // namespace

void DieOfPollAfterReady(const char* name) noexcept {
  Die("future", name, "polled after it was ready, or after its poll threw");
}

void DieOfMoveAfterPoll(const char* name) noexcept {
  Die("future", name, "moved after its first poll");
}

void DieOfPollAfterEnd(const char* name) noexcept { Die("stream", name, "polled after its end"); }

void DieOfStreamMoveAfterPoll(const char* name) noexcept {
  Die("stream", name, "moved after its first poll");
}

}  // namespace home::internal
