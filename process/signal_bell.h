// A bell: what a signal handler rings, and a reactor hears. One source file a kind implements it:
// signal_bell_linux.cc, by an eventfd, and signal_bell_pipe.cc, which every POSIX system can have.

#ifndef HOME_PROCESS_SIGNAL_BELL_H_
#define HOME_PROCESS_SIGNAL_BELL_H_

#include "absl/status/statusor.h"

namespace home::process_internal {

// Two descriptors, or one twice; neither blocks, nor is inherited by programs that are executed.
struct SignalBell {
  int watched;  // becomes readable, by an edge, each time that the bell is rung
  int rope;     // for RingSignalBell()
};

absl::StatusOr<SignalBell> OpenSignalBell();

// May be called by a signal handler; changes errno.
void RingSignalBell(int rope);

// Makes room for further rings; to be called after an edge, before the look at what it was for.
void SilenceSignalBell(int watched);

}  // namespace home::process_internal

#endif  // HOME_PROCESS_SIGNAL_BELL_H_
