// What kqueue is asked for an interest, and what its events say, as values of our own: free of
// the system's headers, so that what is decided here is tested on every system.
//
// kqueue knows filters, one a direction, where epoll has one registration a descriptor:
//
//   READ    data to read; EOF: nothing more will come
//   WRITE   room to write; EOF: nothing can be sent any more
//   EXCEPT  out-of-band data
//
// A filter tells the hang-up of its own direction only. So that errors and hang-ups reach every
// registration (ready.h), each has both directions watched; the one that is not asked for has a
// low-water mark that is out of reach, so that little but its EOF is reported. The kernel lowers
// such a mark to the size of the buffer, which may still be reached: an event says which filter
// it is from, not which mark that had, so the interest decides once more what is passed on.
//
// Thread-safety: plain values.

#ifndef HOME_REACTOR_KQUEUE_EVENTS_H_
#define HOME_REACTOR_KQUEUE_EVENTS_H_

#include "home/reactor/ready.h"

namespace home::reactor_internal {

enum class KqueueFilter { kRead, kWrite, kExcept };

// How a filter is registered.
enum class KqueueWatch {
  kNone,
  kHangUp,  // its EOF; data or room only if there is as much as the buffer holds
  kAll,
};

// What one event says.
struct KqueueEvent {
  KqueueFilter filter;
  bool eof = false;          // EV_EOF
  bool error = false;        // ... with an error of the socket's in fflags
  bool has_data = false;     // of kRead: data is not 0
  bool out_of_band = false;  // of kExcept: NOTE_OOB
};

constexpr KqueueWatch KqueueWatchOf(Interest interest, KqueueFilter filter) {
  switch (filter) {
    case KqueueFilter::kRead:
      return interest.read() ? KqueueWatch::kAll : KqueueWatch::kHangUp;
    case KqueueFilter::kWrite:
      return interest.write() ? KqueueWatch::kAll : KqueueWatch::kHangUp;
    case KqueueFilter::kExcept:
      return interest.priority() ? KqueueWatch::kAll : KqueueWatch::kNone;
  }
  return KqueueWatch::kNone;
}

// Empty: it is nothing for a registration with this interest.
constexpr ReadySet ReadySetOfKqueue(const KqueueEvent& event, Interest interest) {
  unsigned bits = 0;
  switch (event.filter) {
    case KqueueFilter::kRead:
      if (interest.read() && (event.has_data || !event.eof)) bits |= ReadySet::kReadable;
      // With an error the connection is gone. Without, this may be half a close, which is for
      // those who ask; of a whole one kWrite tells the others.
      if (event.eof && (event.error || interest.read_hang_up())) bits |= ReadySet::kReadClosed;
      break;
    case KqueueFilter::kWrite:
      if (interest.write() && !event.eof) bits |= ReadySet::kWritable;
      // One's own half close, or the end of the connection.
      if (event.eof) bits |= ReadySet::kWriteClosed;
      break;
    case KqueueFilter::kExcept:
      // Its EOF is kRead's.
      if (interest.priority() && event.out_of_band && !event.eof) bits |= ReadySet::kPriority;
      return ReadySet(bits);
  }
  if (event.eof && event.error) bits |= ReadySet::kError;
  return ReadySet(bits);
}

}  // namespace home::reactor_internal

#endif  // HOME_REACTOR_KQUEUE_EVENTS_H_
