// Keeps README.md true: the program that it shows is the one that is compiled,
// and it does what the text says.

#include <sys/wait.h>

#include <cstddef>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

#include "gtest/gtest.h"

namespace home {
namespace {

constexpr char kReadme[] = "README.md";
constexpr char kSource[] = "integration/examples/readme/readme_example.cc";
constexpr char kProgram[] = "integration/examples/readme/readme_example";

// Tests run in the folder that holds their data.
std::string ReadFile(const char* path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.good()) << path;
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

// The first block of C++ in a Markdown text.
std::string FirstCodeBlock(const std::string& text) {
  constexpr char kOpening[] = "```cpp\n";
  const std::size_t opening = text.find(kOpening);
  if (opening == std::string::npos) return "";
  const std::size_t begin = opening + sizeof(kOpening) - 1;
  const std::size_t end = text.find("```\n", begin);
  return end == std::string::npos ? "" : text.substr(begin, end - begin);
}

// A source file from its first #include on, without the comment before it.
std::string FromFirstInclude(const std::string& text) {
  const std::size_t begin = text.find("#include");
  return begin == std::string::npos ? "" : text.substr(begin);
}

TEST(ReadmeTest, ShowsTheProgramThatIsCompiled) {
  const std::string shown = FirstCodeBlock(ReadFile(kReadme));
  ASSERT_FALSE(shown.empty()) << "README.md has no block of C++";
  EXPECT_EQ(shown, FromFirstInclude(ReadFile(kSource)));
}

TEST(ReadmeTest, TheProgramPrintsWhatTheTextSays) {
  std::FILE* output = ::popen(kProgram, "r");
  ASSERT_NE(output, nullptr);
  std::string printed;
  char buffer[256];
  while (std::fgets(buffer, sizeof(buffer), output) != nullptr) printed += buffer;
  int status = ::pclose(output);  // not const: macOS's macros take its address
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  ASSERT_FALSE(printed.empty());
  EXPECT_NE(ReadFile(kReadme).find("```\n" + printed + "```\n"), std::string::npos)
      << "README.md does not show this output:\n"
      << printed;
}

}  // namespace
}  // namespace home
