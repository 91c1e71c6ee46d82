// The events of poll(2), which are also epoll's, as conditions of ours.

#ifndef HOME_REACTOR_POLL_EVENTS_H_
#define HOME_REACTOR_POLL_EVENTS_H_

#include <poll.h>

#include "home/reactor/ready.h"

namespace home::reactor_internal {

constexpr ReadySet ReadySetOfPoll(unsigned events) {
  unsigned bits = 0;
  if ((events & POLLIN) != 0) bits |= ReadySet::kReadable;
  if ((events & POLLOUT) != 0) bits |= ReadySet::kWritable;
  if ((events & POLLPRI) != 0) bits |= ReadySet::kPriority;
  if ((events & POLLRDHUP) != 0) bits |= ReadySet::kReadClosed;
  if ((events & POLLHUP) != 0) bits |= ReadySet::kReadClosed | ReadySet::kWriteClosed;
  if ((events & POLLERR) != 0) bits |= ReadySet::kError;
  return ReadySet(bits);
}

}  // namespace home::reactor_internal

#endif  // HOME_REACTOR_POLL_EVENTS_H_
