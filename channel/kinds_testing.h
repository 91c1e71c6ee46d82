// The two kinds of channels of values, for tests that hold for both.
//
//   TYPED_TEST_SUITE(ChannelTest, channel_testing::Kinds);
//   TYPED_TEST(ChannelTest, Sends) {
//     auto [sender, receiver] = TypeParam::template Make<int>(1);

#ifndef HOME_CHANNEL_KINDS_TESTING_H_
#define HOME_CHANNEL_KINDS_TESTING_H_

#include <cstddef>
#include <utility>

#include "gtest/gtest.h"
#include "home/channel/channel_policy.h"
#include "home/channel/mpmc.h"
#include "home/channel/mpsc.h"

namespace home::channel_testing {

template <typename Policy = ChannelPolicy>
struct Mpmc {
  template <typename T>
  using State = MpmcState<T, Policy>;
  template <typename T>
  using Sender = home::Sender<T, Policy>;
  template <typename T>
  using Receiver = home::Receiver<T, Policy>;

  static constexpr bool kManyReceivers = true;

  template <typename T, typename... Args>
  static auto Make(std::size_t capacity, Args... args) {
    return MakeChannel<T, Policy>(capacity, std::move(args)...);
  }
  template <typename T, typename... Args>
  static auto MakeUnbounded(Args... args) {
    return MakeUnboundedChannel<T, Policy>(std::move(args)...);
  }
};

template <typename Policy = ChannelPolicy>
struct Mpsc {
  template <typename T>
  using State = MpscState<T, Policy>;
  template <typename T>
  using Sender = MpscSender<T, Policy>;
  template <typename T>
  using Receiver = MpscReceiver<T, Policy>;

  static constexpr bool kManyReceivers = false;

  template <typename T, typename... Args>
  static auto Make(std::size_t capacity, Args... args) {
    return MakeMpscChannel<T, Policy>(capacity, std::move(args)...);
  }
  template <typename T, typename... Args>
  static auto MakeUnbounded(Args... args) {
    return MakeUnboundedMpscChannel<T, Policy>(std::move(args)...);
  }
};

using Kinds = ::testing::Types<Mpmc<>, Mpsc<>>;

}  // namespace home::channel_testing

#endif  // HOME_CHANNEL_KINDS_TESTING_H_
