// StreamCheck: how a stream notices that it is misused, as poll_check.h for futures.
//
// The contract of stream.h asks two things of whoever uses a stream: not to move it between
// its first poll and its end, and not to poll it after its end, unless it says that one may.
// A debug build dies on either with a message that names the adaptor:
//
//   static constexpr const char* kName = "Map";
//   Poll<std::optional<Item>> PollNext(Context& cx) {
//     check_.Begin();
//     if (...) return check_.End();
//     return item;
//   }
//   [[no_unique_address]] internal::StreamCheck<MapStream> check_;
//
// A stream whose poll threw has not ended.
//
// Cost: none where NDEBUG is defined, a byte and a comparison a poll where it is
// not. All code of a program has to be compiled one way or the other.

#ifndef HOME_FUTURE_STREAM_CHECK_H_
#define HOME_FUTURE_STREAM_CHECK_H_

#include <cstdint>
#include <optional>

#include "home/future/poll.h"
#include "home/future/poll_check.h"

namespace home::internal {

// The end, as the return value of any stream's poll.
struct EndTag {
  template <typename Item>
  constexpr operator Poll<std::optional<Item>>() const {  // NOLINT: implicit by design
    return std::optional<Item>();
  }
};

// What may be done with a stream that has ended.
enum class AfterEnd : std::uint8_t { kFatal, kPoll };

#if defined(NDEBUG)

// `Owner`: as for PollCheck.
template <typename Owner, AfterEnd kAfterEnd = AfterEnd::kFatal>
class StreamCheck {
 public:
  constexpr StreamCheck() noexcept = default;
  constexpr StreamCheck(const StreamCheck&) noexcept = default;
  StreamCheck& operator=(const StreamCheck&) = delete;

  constexpr void Begin() const noexcept {}
  constexpr EndTag End() const noexcept { return EndTag(); }
  template <typename Item>
  constexpr void Note(Poll<std::optional<Item>>&) const noexcept {}
};

#else

template <typename Owner, AfterEnd kAfterEnd = AfterEnd::kFatal>
class StreamCheck {
 public:
  StreamCheck() noexcept = default;
  StreamCheck(const StreamCheck& other) noexcept : state_(other.state_) {
    if (state_ == State::kPolled) DieOfStreamMoveAfterPoll(Owner::kName);
  }
  StreamCheck& operator=(const StreamCheck&) = delete;
  ~StreamCheck() = default;

  // First thing in a poll.
  void Begin() noexcept {
    if (state_ == State::kEnded && kAfterEnd == AfterEnd::kFatal) DieOfPollAfterEnd(Owner::kName);
    state_ = State::kPolled;
  }
  // The end, for the poll to return.
  EndTag End() noexcept {
    state_ = State::kEnded;
    return EndTag();
  }
  // Sees what the poll returns, if that is another stream's answer.
  template <typename Item>
  void Note(Poll<std::optional<Item>>& polled) noexcept {
    if (polled.ready() && !polled.value()) state_ = State::kEnded;
  }

 private:
  enum class State : std::uint8_t { kFresh, kPolled, kEnded };
  State state_ = State::kFresh;
};

#endif

}  // namespace home::internal

#endif  // HOME_FUTURE_STREAM_CHECK_H_
