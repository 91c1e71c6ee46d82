// ChannelPolicy: what the channels take from their surroundings.
//
// Their cores are templates over this policy so that the model checker can put its own
// atomics, its own mutex and its own waiting under the production headers. A program uses
// the default and never names it.

#ifndef HOME_CHANNEL_CHANNEL_POLICY_H_
#define HOME_CHANNEL_CHANNEL_POLICY_H_

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "home/channel/this_thread.h"
#include "home/future/frame_allocator.h"
#include "home/future/frame_object.h"
#include "home/parker/futex_mutex.h"
#include "home/queue/asymmetric_fence.h"
#include "home/queue/queue_policy.h"

namespace home {

// Atomic, Plain, Relax and Pause are those of the queues.
struct ChannelPolicy : QueuePolicy {
  using Mutex = FutexMutex;

  // How often one who waits lets itself be overtaken (home/sync/wait_queue.h).
  static constexpr std::uint8_t kPatience = 3;

  // Each how many positions a thread has a turn, and after how many turns in a row a word is biased
  // to it, at first and at the most (biased_word.h).
  static constexpr std::size_t kPositionsPerTurn = 256;
  static constexpr std::uint8_t kTurnsToBias = 4;
  static constexpr std::uint8_t kMostTurnsToBias = 128;
  // Whether a bias saves anything: not where the light fence would be a real one.
  static bool BiasPays() { return queue_internal::AsymmetricFence::IsAsymmetric(); }
  // Only where that is so: no look at which fence it has to be.
  static void LightFence() { std::atomic_signal_fence(std::memory_order_seq_cst); }
  static void HeavyFence() { queue_internal::AsymmetricFence::Heavy(); }
  // Tells threads that are alive from one another.
  static const void* ThisThread() { return channel_internal::ThisThread(); }

  // After how many looks in a row that found few values a receiver of many lets the senders get
  // ahead, and how many are not few (shared_head.h).
  static constexpr std::uint8_t kFewRuns = 2;
  static constexpr std::uint64_t kFewValues = 16;
  // Of either kind of receiver, for two to six microseconds (shared_head.h, sole_head.h).
  static void Slip() { Pause(128); }

  // For how many pauses whoever loses a race for an end leaves it alone, at first and at the most,
  // which is eight to 25 microseconds; and how many each position that the others get on may take,
  // about as long as two transfers of a cache line, for a wait to have paid (contention.h).
  static constexpr std::uint16_t kLeastPauses = 16;
  static constexpr std::uint16_t kMostPauses = 512;
  static constexpr std::uint64_t kPausesPerPosition = 10;

  // Positions in a block of a channel's queue, a power of two of at least 2: one less
  // than that many cells, and a gap. As many as fit what the recycling cache holds.
  static constexpr std::size_t BlockPositions(std::size_t cell_size) {
    return std::clamp<std::size_t>(std::bit_floor(kMaxCachedBytes / cell_size), 4, 32);
  }

  // Blocks, and what the ends of a channel share, come and go often and between threads:
  // they are from the recycling cache.
  template <typename T, typename... Args>
  [[nodiscard]] static T* New(Args&&... args) {
    return internal::FrameObject<T>::New(std::forward<Args>(args)...);
  }
  template <typename T>
  static void Delete(T* object) noexcept {
    internal::FrameObject<T>::Delete(object);
  }
};

// What a channel can carry: between claiming a cell and handing it over there is no way
// back, so nothing may throw there.
template <typename T>
concept ChannelValue = std::is_object_v<T> && std::is_nothrow_move_constructible_v<T> &&
                       std::is_nothrow_destructible_v<T>;

}  // namespace home

#endif  // HOME_CHANNEL_CHANNEL_POLICY_H_
