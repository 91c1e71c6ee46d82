// BlockingClass: what a blocking closure waits for, so that one kind of waiting cannot
// starve another.
//
//   SpawnBlocking(BlockingClass::kDns, [host] { return Resolve(host); });
//
// Each class has a limit of its own on how many of its closures run at once
// (RuntimeBuilder::MaxBlockingThreads) and a queue of its own for those above it. The
// threads are common: an idle one takes a closure of any class. So a name server that
// does not answer holds up names, and neither files nor computations.

#ifndef HOME_SCHEDULER_BLOCKING_CLASS_H_
#define HOME_SCHEDULER_BLOCKING_CLASS_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace home {

// The last four have no meaning of ours: they are a program's own.
enum class BlockingClass : std::uint8_t {
  kGeneral,
  kFile,
  kDns,
  kUser0,
  kUser1,
  kUser2,
  kUser3,
};

inline constexpr std::size_t kBlockingClasses = 7;

// How many closures of each class run at once, if nobody says otherwise. General ones
// are many because nothing is known of them; files, as many as keep a fast disk busy;
// names, as many as resolvers answer.
inline constexpr std::array<std::size_t, kBlockingClasses> kDefaultBlockingLimits = {
    512, 128, 32, 64, 64, 64, 64};

// "general", "file" and so on.
[[nodiscard]] constexpr const char* BlockingClassName(BlockingClass blocking_class) {
  constexpr std::array<const char*, kBlockingClasses> kNames = {"general", "file",  "dns",  "user0",
                                                                "user1",   "user2", "user3"};
  return kNames[static_cast<std::size_t>(blocking_class)];
}

}  // namespace home

#endif  // HOME_SCHEDULER_BLOCKING_CLASS_H_
