// A fuzz target as a test: its entry point is run on every input of its corpus, and on some
// that are made up, the same ones each time. What a fuzzer found once stays found.
//
// The files of the corpus are the arguments of the program.

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <ios>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

std::vector<std::string> corpus;

TEST(FuzzTest, Corpus) {
  ASSERT_FALSE(corpus.empty());
  for (const std::string& path : corpus) {
    SCOPED_TRACE(path);
    std::ifstream file(path, std::ios::binary);
    ASSERT_TRUE(file);
    const std::vector<char> input{std::istreambuf_iterator<char>(file), {}};
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
    ASSERT_FALSE(HasFailure());
  }
}

TEST(FuzzTest, MadeUpInputs) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 1000; ++i) {
    std::vector<std::uint8_t> input(random() % 512);
    for (std::uint8_t& byte : input) byte = static_cast<std::uint8_t>(random());
    LLVMFuzzerTestOneInput(input.data(), input.size());
    ASSERT_FALSE(HasFailure()) << "input " << i;
  }
}

}  // namespace

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  corpus.assign(argv + 1, argv + argc);
  return RUN_ALL_TESTS();
}
