// Sender, Receiver: a channel from many to many.
//
//   auto [sender, receiver] = MakeChannel<Job>(100);       // room for 100
//   auto [sender, receiver] = MakeChannel<Job>(0);         // a rendezvous
//   auto [sender, receiver] = MakeUnboundedChannel<Job>();
//
// What the ends can do stands in sender.h and receiver.h. T may be move-only; it must move
// and be destroyed without throwing.
//
// A rendezvous has no room of its own: a value is accepted when a receiver waits for it in
// Recv() or the like. If that one is dropped before it is polled again, the value is in the
// channel and goes to the next receiver. TryRecv() does not wait, and so gets nothing that is
// not there for that reason.
//
// Cost: 256 bytes and no block before the first value. Values lie in blocks of 31 (fewer
// if they are large), some 500 bytes for 8-byte values, which are freed as the values leave:
// what a channel holds follows from what is in it now, but for one block that it keeps.
// Algorithm: tail_end.h, shared_head.h, block.h for the queue, wait_queue.h for those who
// wait. Claims take no lock; but a receiver waits for a sender that has claimed a cell and
// is interrupted before it has filled it, whoever meets a counter at the end of a block for the
// one who moves it on, and who comes to an end that another thread alone has used for long for
// that one to leave its claim (biased_word.h).

#ifndef HOME_CHANNEL_MPMC_H_
#define HOME_CHANNEL_MPMC_H_

#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "home/channel/channel_policy.h"
#include "home/channel/channel_state.h"
#include "home/channel/receiver.h"
#include "home/channel/sender.h"
#include "home/channel/shared_head.h"

namespace home {

template <ChannelValue T, typename Policy = ChannelPolicy>
using MpmcState = channel_internal::ChannelState<T, Policy, channel_internal::SharedHead>;

template <ChannelValue T, typename Policy = ChannelPolicy>
using Sender = BasicSender<MpmcState<T, Policy>>;
template <ChannelValue T, typename Policy = ChannelPolicy>
using WeakSender = BasicWeakSender<MpmcState<T, Policy>>;
template <ChannelValue T, typename Policy = ChannelPolicy>
using Permit = BasicPermit<MpmcState<T, Policy>>;
template <ChannelValue T, typename Policy = ChannelPolicy>
using Receiver = BasicReceiver<MpmcState<T, Policy>>;

// The two ends of a new channel with room for `capacity` values. `undelivered`, if it is
// given, is called with each value that was accepted and never received, on the thread that
// drops the last receiver, or sends by a permit after that.
template <ChannelValue T, typename Policy = ChannelPolicy>
[[nodiscard]] std::pair<Sender<T, Policy>, Receiver<T, Policy>> MakeChannel(
    std::size_t capacity, absl::AnyInvocable<void(T)> undelivered = nullptr) {
  using State = MpmcState<T, Policy>;
  State* const state = Policy::template New<State>(std::uint64_t{capacity}, std::move(undelivered));
  return {Sender<T, Policy>(state), Receiver<T, Policy>(state)};
}

// The same without a limit: sending never waits.
template <ChannelValue T, typename Policy = ChannelPolicy>
[[nodiscard]] std::pair<Sender<T, Policy>, Receiver<T, Policy>> MakeUnboundedChannel(
    absl::AnyInvocable<void(T)> undelivered = nullptr) {
  using State = MpmcState<T, Policy>;
  State* const state = Policy::template New<State>(channel_internal::TailEnd<T, Policy>::kUnlimited,
                                                   std::move(undelivered));
  return {Sender<T, Policy>(state), Receiver<T, Policy>(state)};
}

}  // namespace home

#endif  // HOME_CHANNEL_MPMC_H_
