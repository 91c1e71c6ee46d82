// Channels between tasks. Where there is one receiver, as Tokio's always have, ours is the
// channel for one receiver, too.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "home/channel/mpmc.h"
#include "home/channel/mpsc.h"
#include "home/channel/oneshot.h"
#include "home/integration/peers/home/workloads.h"
#include "home/integration/peers/measure.h"
#include "home/runtime.h"

namespace home::race {
namespace {

constexpr std::size_t kCapacity = 1024;
constexpr std::size_t kIdleCapacity = 16;
constexpr std::uint64_t kDepthValues = 1'000'000;

Async<> AnswerOnce(OneshotReceiver<std::uint64_t> question, OneshotSender<std::uint64_t> answer) {
  const absl::StatusOr<std::uint64_t> asked = co_await question;
  static_cast<void>(std::move(answer).Send(asked.value_or(0)));
}

Async<> AnswerAll(MpscReceiver<std::uint64_t> pinged, MpscSender<std::uint64_t> pong) {
  while (true) {
    const std::optional<std::uint64_t> value = co_await pinged.Recv();
    if (!value.has_value()) co_return;
    const absl::Status sent = co_await pong.Send(*value);
    if (!sent.ok()) co_return;
  }
}

// Returns the sum of the answers.
Async<std::uint64_t> AskAll(MpscSender<std::uint64_t> ping, MpscReceiver<std::uint64_t> ponged,
                            std::uint64_t round_trips) {
  std::uint64_t sum = 0;
  for (std::uint64_t i = 1; i <= round_trips; ++i) {
    const absl::Status sent = co_await ping.Send(i);
    if (!sent.ok()) co_return 0;
    const std::optional<std::uint64_t> answer = co_await ponged.Recv();
    sum += answer.value_or(0);
  }
  co_return sum;
}

Sample Pairs(std::uint64_t pairs, std::uint64_t round_trips, std::size_t threads) {
  return RunOnWorker(threads, [pairs, round_trips]() -> Async<Sample> {
    std::vector<JoinHandle<std::uint64_t>> players;
    const Watch watch;
    for (std::uint64_t i = 0; i < pairs; ++i) {
      auto [ping, pinged] = MakeMpscChannel<std::uint64_t>(1);
      auto [pong, ponged] = MakeMpscChannel<std::uint64_t>(1);
      Spawn(AnswerAll(std::move(pinged), std::move(pong))).Detach();
      players.push_back(Spawn(AskAll(std::move(ping), std::move(ponged), round_trips)));
    }
    std::uint64_t sum = 0;
    for (JoinHandle<std::uint64_t>& player : players) {
      const absl::StatusOr<std::uint64_t> one = co_await player;
      sum += *one;
    }
    co_return watch.Stop(pairs * round_trips, sum == pairs * SumTo(round_trips));
  });
}

// Sends first, first + step, ... up to n; waits for room if the channel is bounded.
template <bool kBounded, typename Sender>
Async<> Produce(Sender sender, std::uint64_t first, std::uint64_t step, std::uint64_t n) {
  for (std::uint64_t value = first; value <= n; value += step) {
    if constexpr (kBounded) {
      const absl::Status sent = co_await sender.Send(value);
      if (!sent.ok()) co_return;
    } else {
      if (sender.TrySend(std::uint64_t{value}) != TrySendResult::kSent) co_return;
    }
  }
}

template <typename Receiver>
Async<std::uint64_t> Consume(Receiver receiver) {
  std::uint64_t sum = 0;
  while (true) {
    const std::optional<std::uint64_t> value = co_await receiver.Recv();
    if (!value.has_value()) co_return sum;
    sum += *value;
  }
}

// Between `producers` senders, and a receiver for each of `consumers`, which
// MakeReceiver(receiver) gives.
template <bool kBounded, typename Sender, typename Receiver, typename MakeReceiver>
Async<Sample> Stream(std::pair<Sender, Receiver> ends, std::uint64_t n, std::uint64_t producers,
                     std::uint64_t consumers, MakeReceiver make_receiver) {
  const Watch watch;
  for (std::uint64_t i = 1; i <= producers; ++i) {
    Spawn(Produce<kBounded>(Sender(ends.first), i, producers, n)).Detach();
  }
  {
    // Its last senders are the producers.
    const Sender dropped = std::move(ends.first);
  }
  std::vector<JoinHandle<std::uint64_t>> receivers;
  for (std::uint64_t i = 0; i < consumers; ++i) {
    receivers.push_back(Spawn(Consume<Receiver>(make_receiver(ends.second))));
  }
  std::uint64_t sum = 0;
  for (JoinHandle<std::uint64_t>& receiver : receivers) {
    const absl::StatusOr<std::uint64_t> one = co_await receiver;
    sum += *one;
  }
  co_return watch.Stop(n, sum == SumTo(n));
}

// `started` is there until it has been counted.
Async<> ReceiveOne(MpscReceiver<std::uint64_t> receiver, std::atomic<std::uint64_t>& started) {
  started.fetch_add(1, std::memory_order_relaxed);  // relaxed: nothing goes with it
  const std::optional<std::uint64_t> value = co_await receiver.Recv();
  static_cast<void>(value);
}

}  // namespace

Sample OneshotRoundTrips(std::uint64_t n, std::size_t threads) {
  return RunOnWorker(threads, [n]() -> Async<Sample> {
    std::uint64_t sum = 0;
    const Watch watch;
    for (std::uint64_t i = 1; i <= n; ++i) {
      auto [question, asked] = MakeOneshot<std::uint64_t>();
      auto [reply, answer] = MakeOneshot<std::uint64_t>();
      Spawn(AnswerOnce(std::move(asked), std::move(reply))).Detach();
      static_cast<void>(std::move(question).Send(std::uint64_t{i}));
      const absl::StatusOr<std::uint64_t> value = co_await answer;
      sum += value.value_or(0);
    }
    co_return watch.Stop(n, sum == SumTo(n));
  });
}

Sample PingPong(std::uint64_t n, std::size_t threads) {
  return Pairs(kBatch, Batches(n, kBatch), threads);
}
Sample PingPongOfOne(std::uint64_t n, std::size_t threads) { return Pairs(1, n, threads); }

template <std::uint64_t kProducers, std::uint64_t kConsumers>
Sample BoundedForMany(std::uint64_t n, std::size_t threads) {
  return RunOnWorker(threads, [n] {
    return Stream<true>(MakeChannel<std::uint64_t>(kCapacity), n, kProducers, kConsumers,
                        [](auto& receiver) { return receiver; });
  });
}
template <std::uint64_t kProducers, std::uint64_t kConsumers>
Sample UnboundedForMany(std::uint64_t n, std::size_t threads) {
  return RunOnWorker(threads, [n] {
    return Stream<false>(MakeUnboundedChannel<std::uint64_t>(), n, kProducers, kConsumers,
                         [](auto& receiver) { return receiver; });
  });
}

// To one receiver by the channel for one, to more by that for many.
template <std::uint64_t kProducers, std::uint64_t kConsumers>
Sample Bounded(std::uint64_t n, std::size_t threads) {
  if constexpr (kConsumers != 1) return BoundedForMany<kProducers, kConsumers>(n, threads);
  return RunOnWorker(threads, [n] {
    return Stream<true>(MakeMpscChannel<std::uint64_t>(kCapacity), n, kProducers, 1,
                        [](auto& receiver) { return std::move(receiver); });
  });
}
template <std::uint64_t kProducers, std::uint64_t kConsumers>
Sample Unbounded(std::uint64_t n, std::size_t threads) {
  if constexpr (kConsumers != 1) return UnboundedForMany<kProducers, kConsumers>(n, threads);
  return RunOnWorker(threads, [n] {
    return Stream<false>(MakeUnboundedMpscChannel<std::uint64_t>(), n, kProducers, 1,
                         [](auto& receiver) { return std::move(receiver); });
  });
}
template Sample Bounded<1, 1>(std::uint64_t, std::size_t);
template Sample Bounded<1, 4>(std::uint64_t, std::size_t);
template Sample Bounded<2, 2>(std::uint64_t, std::size_t);
template Sample Bounded<4, 1>(std::uint64_t, std::size_t);
template Sample Bounded<4, 4>(std::uint64_t, std::size_t);
template Sample BoundedForMany<1, 1>(std::uint64_t, std::size_t);
template Sample BoundedForMany<4, 1>(std::uint64_t, std::size_t);
template Sample Unbounded<1, 1>(std::uint64_t, std::size_t);
template Sample Unbounded<1, 4>(std::uint64_t, std::size_t);
template Sample Unbounded<2, 2>(std::uint64_t, std::size_t);
template Sample Unbounded<4, 1>(std::uint64_t, std::size_t);
template Sample Unbounded<4, 4>(std::uint64_t, std::size_t);
template Sample UnboundedForMany<1, 1>(std::uint64_t, std::size_t);
template Sample UnboundedForMany<4, 1>(std::uint64_t, std::size_t);

Sample IdleReceive(std::uint64_t n, std::size_t threads) {
  return RunOnWorker(threads, [n]() -> Async<Sample> {
    std::atomic<std::uint64_t> started{0};
    const double before = Resident();
    std::vector<MpscSender<std::uint64_t>> senders;
    senders.reserve(n);
    const Watch watch;
    for (std::uint64_t i = 0; i < n; ++i) {
      auto [sender, receiver] = MakeMpscChannel<std::uint64_t>(1);
      senders.push_back(std::move(sender));
      Spawn(ReceiveOne(std::move(receiver), started)).Detach();
    }
    // relaxed: as in ReceiveOne().
    while (started.load(std::memory_order_relaxed) < n) co_await Sleep(absl::Milliseconds(10));
    co_await Sleep(absl::Milliseconds(100));
    const double bytes = (Resident() - before) / static_cast<double>(n);
    Sample sample = watch.Stop(n, true);
    sample.more.emplace_back("bytes", bytes);
    co_return sample;
  });
}

Sample IdleChannel(std::uint64_t n, std::size_t threads) {
  return RunOnWorker(threads, [n]() -> Async<Sample> {
    using Ends = std::pair<MpscSender<std::uint64_t>, MpscReceiver<std::uint64_t>>;
    const double before = Resident();
    std::vector<Ends> channels;
    channels.reserve(n);
    const Watch watch;
    for (std::uint64_t i = 0; i < n; ++i) {
      channels.push_back(MakeMpscChannel<std::uint64_t>(kIdleCapacity));
    }
    const double bytes = (Resident() - before) / static_cast<double>(n);
    Sample sample = watch.Stop(n, true);
    sample.more.emplace_back("bytes", bytes);
    co_return sample;
  });
}

Sample ChannelDepth(std::uint64_t n, std::size_t threads) {
  return RunOnWorker(threads, [n]() -> Async<Sample> {
    auto [sender, receiver] = MakeUnboundedMpscChannel<std::uint64_t>();
    bool correct = true;
    for (std::uint64_t i = 0; i < n; ++i) {
      correct = sender.TrySend(std::uint64_t{i}) == TrySendResult::kSent && correct;
    }
    const Watch watch;
    for (std::uint64_t i = 0; i < kDepthValues; ++i) {
      correct = sender.TrySend(n + i) == TrySendResult::kSent && correct;
      const std::optional<std::uint64_t> value = co_await receiver.Recv();
      correct = value == i && correct;
    }
    co_return watch.Stop(kDepthValues, correct);
  });
}

}  // namespace home::race
