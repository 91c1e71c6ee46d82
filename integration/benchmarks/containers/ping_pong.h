// The workload for parkers, over an adapter P:
//
//   class P {
//     void Park();      // waits for a token and takes it; always the same thread
//     void Unpark();    // gives one; always the same other thread
//   };
//
// Kind: ping_pong _CPUS: two threads wake each other in turn, n times to and fro, pinned to
// one processor or to two; ns a round trip. Each looks whether it was its turn.

#ifndef HOME_INTEGRATION_BENCHMARKS_CONTAINERS_PING_PONG_H_
#define HOME_INTEGRATION_BENCHMARKS_CONTAINERS_PING_PONG_H_

#include <cstdint>
#include <string>

#include "home/integration/benchmarks/containers/harness.h"

namespace home::containers {

template <typename P>
Sample PingPong(const Load& load) {
  alignas(64) P ping;
  alignas(64) P pong;
  // Handed to and fro by the tokens: not atomic on purpose.
  alignas(64) std::uint64_t turn = 0;
  std::uint64_t wrong[2] = {0, 0};
  Sample sample;
  RunTogether(
      2,
      [&](int side) {
        PinTo(load.a == 1 ? 0 : side);
        std::uint64_t& missed = wrong[side];
        for (std::uint64_t i = 0; i < load.n; ++i) {
          if (side == 0) {
            missed += turn++ == 2 * i ? 0 : 1;
            pong.Unpark();
            ping.Park();
          } else {
            pong.Park();
            missed += turn++ == 2 * i + 1 ? 0 : 1;
            ping.Unpark();
          }
        }
      },
      sample);
  sample.correct = wrong[0] + wrong[1] == 0 && turn == 2 * load.n;
  return sample;
}

template <typename P>
bool AddParker(const std::string& peer) {
  return AddEntry("ping_pong", peer, &PingPong<P>);
}

}  // namespace home::containers

#endif  // HOME_INTEGRATION_BENCHMARKS_CONTAINERS_PING_PONG_H_
