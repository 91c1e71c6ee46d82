// MpscSender, MpscReceiver: a channel from many senders to one receiver.
//
//   auto [sender, receiver] = MakeMpscChannel<Job>(100);       // room for 100
//   auto [sender, receiver] = MakeMpscChannel<Job>(0);         // a rendezvous, as in mpmc.h
//   auto [sender, receiver] = MakeUnboundedMpscChannel<Job>();
//
// What the ends can do stands in sender.h and receiver.h. The receiver can't be copied; in
// return it claims nothing, and of a bounded channel publishes the room of a batch at once
// (sole_head.h). T may be move-only; it must move and be destroyed without throwing.
//
// Cost and progress: as in mpmc.h; the receiver waits for some microseconds if it has caught up
// with a sender that runs at that moment (sole_head.h). A value that a permit sends after the
// receiver's end is undelivered when the channel's memory goes.

#ifndef HOME_CHANNEL_MPSC_H_
#define HOME_CHANNEL_MPSC_H_

#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "home/channel/channel_policy.h"
#include "home/channel/channel_state.h"
#include "home/channel/receiver.h"
#include "home/channel/sender.h"
#include "home/channel/sole_head.h"

namespace home {

template <ChannelValue T, typename Policy = ChannelPolicy>
using MpscState = channel_internal::ChannelState<T, Policy, channel_internal::SoleHead>;

template <ChannelValue T, typename Policy = ChannelPolicy>
using MpscSender = BasicSender<MpscState<T, Policy>>;
template <ChannelValue T, typename Policy = ChannelPolicy>
using WeakMpscSender = BasicWeakSender<MpscState<T, Policy>>;
template <ChannelValue T, typename Policy = ChannelPolicy>
using MpscPermit = BasicPermit<MpscState<T, Policy>>;
template <ChannelValue T, typename Policy = ChannelPolicy>
using MpscReceiver = BasicReceiver<MpscState<T, Policy>>;

// The two ends of a new channel with room for `capacity` values. `undelivered`, if it is
// given, is called with each value that was accepted and never received.
template <ChannelValue T, typename Policy = ChannelPolicy>
[[nodiscard]] std::pair<MpscSender<T, Policy>, MpscReceiver<T, Policy>> MakeMpscChannel(
    std::size_t capacity, absl::AnyInvocable<void(T)> undelivered = nullptr) {
  using State = MpscState<T, Policy>;
  State* const state = Policy::template New<State>(std::uint64_t{capacity}, std::move(undelivered));
  return {MpscSender<T, Policy>(state), MpscReceiver<T, Policy>(state)};
}

// The same without a limit: sending never waits.
template <ChannelValue T, typename Policy = ChannelPolicy>
[[nodiscard]] std::pair<MpscSender<T, Policy>, MpscReceiver<T, Policy>> MakeUnboundedMpscChannel(
    absl::AnyInvocable<void(T)> undelivered = nullptr) {
  using State = MpscState<T, Policy>;
  State* const state = Policy::template New<State>(channel_internal::TailEnd<T, Policy>::kUnlimited,
                                                   std::move(undelivered));
  return {MpscSender<T, Policy>(state), MpscReceiver<T, Policy>(state)};
}

}  // namespace home

#endif  // HOME_CHANNEL_MPSC_H_
