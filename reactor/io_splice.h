// IoSpliceFuture: what IoSplice() (io.h) yields.
//
// It waits until there is something at the one end, then until there is room at the other, and
// then has it tried, again if that would block after all. The readiness engine has no queue for
// what waits for two descriptors. io_uring could wait by itself, but does so in a thread that
// holds the pipe's lock, and whatever else is done with the pipe waits for that lock in the
// kernel, in the thread of whoever asks: so it is asked when there is nothing to wait for.
// The waits look at what holds (poll(2)) and not at edges, so it does not matter what happens to
// the first end during the second; and neither ends at once for as long as the next try fails
// for its sake. A file that has positions is always ready.
//
// Thread-safety: as any future.

#ifndef HOME_REACTOR_IO_SPLICE_H_
#define HOME_REACTOR_IO_SPLICE_H_

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "home/future/context.h"
#include "home/future/poll.h"
#include "home/reactor/io_file.h"
#include "home/reactor/io_operation.h"
#include "home/reactor/io_payload.h"
#include "home/reactor/ready.h"

namespace home {

class [[nodiscard]] IoSpliceFuture {
 public:
  using Output = absl::StatusOr<std::size_t>;

  IoSpliceFuture(IoFile from, std::int64_t from_offset, IoFile to, std::int64_t to_offset,
                 std::size_t size)
      : from_(std::move(from)),
        to_(std::move(to)),
        from_offset_(from_offset),
        to_offset_(to_offset),
        size_(size) {}

  home::Poll<Output> Poll(Context& cx) {
    if (from_.engine() != to_.engine()) {
      return Output(absl::InvalidArgumentError(
          absl::StrCat(What(), ": the two are attached to different reactors")));
    }
    for (;;) {
      if (step_ != Step::kTry) {
        const bool first = step_ == Step::kWaitForData;
        const IoFile& file = first ? from_ : to_;
        if (file.state()->stream) {
          if (!wait_) {
            wait_.emplace(reactor_internal::StartOnFile(reactor_internal::IoPollPayload(
                file, first ? Direction::kRead : Direction::kWrite)));
          }
          home::Poll<absl::StatusOr<ReadySet>> waited = wait_->Poll(cx);
          if (waited.pending()) return kPending;
          wait_.reset();
          if (!(*waited).ok()) return Output((*waited).status());
        }
        step_ = first ? Step::kWaitForRoom : Step::kTry;
        continue;
      }
      if (!try_) {
        try_.emplace(reactor_internal::StartOnFile(
            reactor_internal::IoSplicePayload(from_, from_offset_, to_, to_offset_, size_)));
      }
      home::Poll<std::int64_t> tried = try_->Poll(cx);
      if (tried.pending()) return kPending;
      try_.reset();
      if (*tried >= 0) return Output(static_cast<std::size_t>(*tried));
      if (*tried != -EAGAIN) {
        return Output(absl::ErrnoToStatus(static_cast<int>(-*tried), What()));
      }
      step_ = Step::kWaitForData;
    }
  }

 private:
  enum class Step { kWaitForData, kWaitForRoom, kTry };

  std::string What() const {
    return absl::StrCat(reactor_internal::IoName(reactor_internal::IoKind::kSplice), " descriptor ",
                        from_.fd(), " to descriptor ", to_.fd());
  }

  IoFile from_;
  IoFile to_;
  std::int64_t from_offset_;
  std::int64_t to_offset_;
  std::size_t size_;
  Step step_ = Step::kWaitForData;
  // At most one of them.
  std::optional<IoOperation<reactor_internal::IoPollPayload>> wait_;
  std::optional<IoOperation<reactor_internal::IoSplicePayload>> try_;
};

}  // namespace home

#endif  // HOME_REACTOR_IO_SPLICE_H_
