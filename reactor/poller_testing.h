// The fixture of the conformance suite of Poller, and what its tests are made of.
//
// The suite is about what every Poller does (poller.h), whichever system it is
// made from. Its tests lie in poller_conformance_test.cc (edges, registration,
// waiting), poller_conditions_test.cc (hang-ups, errors, priority: what is
// reported when), poller_threads_test.cc (several threads) and poller_posix_test.cc (what only
// POSIX systems have: pipes, signals, fork); a back end joins by a line in the list at the end
// of the first.

#ifndef HOME_REACTOR_POLLER_TESTING_H_
#define HOME_REACTOR_POLLER_TESTING_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "home/reactor/fd_testing.h"
#include "home/reactor/poller.h"
#include "home/reactor/ready.h"
#include "home/reactor/unique_fd.h"

namespace home::reactor_internal {

// No test waits longer for something that must happen.
inline constexpr std::int64_t kHangGuard = 60'000'000'000;

struct PollerBackend {
  std::string name;
  std::function<absl::StatusOr<std::unique_ptr<Poller>>()> create;
};

class PollerTest : public ::testing::TestWithParam<PollerBackend> {
 protected:
  using Events = std::map<std::uint64_t, ReadySet>;

  PollerTest() : poller_(GetParam().create().value()) {}

  absl::Status Add(int fd, Interest interest, std::uint64_t key) {
    fds_[key] = fd;
    return poller_->Add(fd, interest, key);
  }

  // All that is reported now, by key; or what comes first, if `timeout_ns` is not 0.
  Events Wait(std::int64_t timeout_ns = 0) {
    std::array<Poller::Event, 64> events;
    const std::size_t count = poller_->Wait(timeout_ns, absl::MakeSpan(events));
    Events result;
    for (std::size_t i = 0; i < count; ++i) {
      result[events[i].key] = result[events[i].key] | events[i].ready;
    }
    return result;
  }

  // Waits until all of `wanted` was reported for `key`, in one event or several, and
  // returns all that was. What happens to a connection may come in pieces.
  ReadySet WaitFor(std::uint64_t key, ReadySet wanted) {
    return WaitUntil(key, [&](ReadySet seen) { return (seen & wanted) == wanted; });
  }
  // The same for one of them.
  ReadySet WaitForAny(std::uint64_t key, ReadySet wanted) {
    return WaitUntil(key, [&](ReadySet seen) { return !(seen & wanted).empty(); });
  }

  std::unique_ptr<Poller> poller_;

 private:
  // Whatever was reported is used up by its being looked at: where there are no edges, what
  // holds is reported again.
  template <typename Done>
  ReadySet WaitUntil(std::uint64_t key, Done done) {
    ReadySet seen;
    while (!done(seen)) {
      const Events events = Wait(kHangGuard);
      if (events.empty()) {
        ADD_FAILURE() << "waited in vain; seen of key " << key << ": " << int{seen.bits()};
        break;
      }
      if (const auto event = events.find(key); event != events.end()) seen = seen | event->second;
      if (done(seen)) break;
      for (const Direction direction : {Direction::kRead, Direction::kWrite}) {
        poller_->Rearm(fds_[key], direction);
      }
    }
    return seen;
  }

  std::map<std::uint64_t, int> fds_;
};

}  // namespace home::reactor_internal

#endif  // HOME_REACTOR_POLLER_TESTING_H_
