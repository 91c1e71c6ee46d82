// Measures one workload with one peer, once:
//
//   compare WORKLOAD PEER N    prints "WORKLOAD PEER N THREADS NS_PER_OP key=value..."
//   compare --list             prints "KIND PEER" for everything that was built in
//
// Exits with 0 also if the elements do not add up: the line then says check=wrong.

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "home/integration/benchmarks/containers/harness.h"

namespace home::containers {
namespace {

int Usage() {
  std::fprintf(stderr, "usage: compare WORKLOAD PEER N | compare --list\n");
  return 2;
}

int Measure(const std::string& workload, std::string_view peer, std::uint64_t n) {
  const std::size_t underscore = workload.rfind('_');
  Load load{.n = n};
  if (underscore == std::string::npos ||
      std::sscanf(workload.c_str() + underscore, "_%dx%d", &load.a, &load.b) < 1 || load.a < 1 ||
      n == 0) {
    return Usage();
  }
  const std::string_view kind = std::string_view(workload).substr(0, underscore);
  for (const Entry& entry : Entries()) {
    if (entry.kind != kind || entry.peer != peer) continue;
    const Sample sample = entry.run(load);
    const auto count = static_cast<double>(n);
    std::printf("%s %s %llu %d %.3f cpu=%.3f check=%s", workload.c_str(), entry.peer.c_str(),
                static_cast<unsigned long long>(n), sample.threads, sample.wall_ns / count,
                sample.cpu_ns / count, sample.correct ? "ok" : "wrong");
    if (sample.stolen >= 0) {
      std::printf(" stolen=%.3f", static_cast<double>(sample.stolen) / count);
    }
    std::printf("\n");
    return 0;
  }
  std::fprintf(stderr, "no peer %.*s for %.*s\n", static_cast<int>(peer.size()), peer.data(),
               static_cast<int>(kind.size()), kind.data());
  return 2;
}

int Main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--list") {
    for (const Entry& entry : Entries()) {
      std::printf("%s %s\n", entry.kind.c_str(), entry.peer.c_str());
    }
    return 0;
  }
  if (argc != 4) return Usage();
  return Measure(argv[1], argv[2], std::strtoull(argv[3], nullptr, 10));
}

}  // namespace
}  // namespace home::containers

int main(int argc, char** argv) {
  const int status = home::containers::Main(argc, argv);
  std::fflush(nullptr);
  // Not through the destructors of the peers' global state: some wait or abort there.
  std::_Exit(status);
}
