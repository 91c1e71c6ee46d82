// The wheel against a sorted map, over operations that a fuzzer chooses.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "gtest/gtest.h"
#include "home/timer/wheel_model_testing.h"

namespace home {
namespace {

// A small choice takes a byte and a large one six, so that a change of the input changes one
// choice and leaves the others.
class ByteChoices {
 public:
  ByteChoices(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}

  std::uint64_t Below(std::uint64_t bound) {
    std::uint64_t number = 0;
    for (int bytes = bound <= 256 ? 1 : 6; bytes > 0 && size_ > 0; --bytes, ++data_, --size_) {
      number = number << 8 | *data_;
    }
    return number % bound;
  }
  bool done() const { return size_ == 0; }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
};

}  // namespace
}  // namespace home

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  home::ByteChoices choices(data, size);
  const std::uint64_t start = choices.Below(std::uint64_t{1} << 48);
  home::testing::WheelModel model(choices, start);
  model.Run();
  // Under the fuzzer no test fails: it wants to see the process die.
  if (::testing::Test::HasFailure()) std::abort();
  return 0;
}
