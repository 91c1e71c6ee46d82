// One workload of the race on Home Async; see ../README.md.

#include "home/integration/peers/home/workloads.h"
#include "home/integration/peers/measure.h"

int main(int argc, char** argv) {
  return home::race::Main(argc, argv, "home", home::race::Workloads());
}
