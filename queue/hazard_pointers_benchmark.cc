// What hazard pointers cost the reader and the one who retires.

#include <atomic>

#include "benchmark/benchmark.h"
#include "home/queue/asymmetric_fence.h"
#include "home/queue/hazard_access.h"
#include "home/queue/hazard_pointers.h"

namespace home {
namespace {

template <typename Domain>
struct Object : Domain::Object {
  int value = 1;
};

// The classic form: a barrier in every Protect().
struct SymmetricPolicy : HazardPolicy {
  static void LightFence() { std::atomic_thread_fence(std::memory_order_seq_cst); }
  static void HeavyFence() { std::atomic_thread_fence(std::memory_order_seq_cst); }
};
using Symmetric = BasicHazardDomain<SymmetricPolicy>;

template <typename Domain>
void BM_Protect(benchmark::State& state) {
  Domain domain;
  typename Domain::Participant self(domain);
  Object<Domain> object;
  const std::atomic<Object<Domain>*> source = &object;
  for (auto _ : state) {
    typename Domain::HazardPointer hazard(self);
    benchmark::DoNotOptimize(hazard.Protect(source)->value);
  }
}
BENCHMARK(BM_Protect<HazardDomain>);
BENCHMARK(BM_Protect<Symmetric>);

void BM_Access(benchmark::State& state) {
  for (auto _ : state) {
    const HazardAccess access;
    benchmark::DoNotOptimize(&access.participant());
  }
}
BENCHMARK(BM_Access);

template <typename Domain>
void BM_NewAndRetire(benchmark::State& state) {
  Domain domain;
  typename Domain::Participant self(domain);
  for (auto _ : state) self.Retire(new Object<Domain>);
}
BENCHMARK(BM_NewAndRetire<HazardDomain>);
BENCHMARK(BM_NewAndRetire<Symmetric>);

void BM_NewAndDelete(benchmark::State& state) {
  for (auto _ : state) {
    auto* object = new Object<HazardDomain>;
    benchmark::DoNotOptimize(object);
    delete object;
  }
}
BENCHMARK(BM_NewAndDelete);

void BM_LightFence(benchmark::State& state) {
  for (auto _ : state) queue_internal::AsymmetricFence::Light();
}
BENCHMARK(BM_LightFence);

void BM_HeavyFence(benchmark::State& state) {
  for (auto _ : state) queue_internal::AsymmetricFence::Heavy();
}
BENCHMARK(BM_HeavyFence);

}  // namespace
}  // namespace home
