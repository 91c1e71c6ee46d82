#include "home/integration/examples/http_server/command_line.h"

#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"

namespace home::http_server {
namespace {

absl::StatusOr<CommandLine> Parse(std::vector<const char*> arguments) {
  return ParseCommandLine(arguments);
}

TEST(CommandLineTest, Defaults) {
  const auto line = Parse({"--root", "/srv"});
  ASSERT_TRUE(line.ok());
  EXPECT_EQ(line->root, "/srv");
  EXPECT_EQ(line->address.ToString(), "127.0.0.1:8080");
  EXPECT_EQ(line->workers, 0u);
  EXPECT_FALSE(line->help);
}

TEST(CommandLineTest, AllArgumentsInBothForms) {
  const auto line = Parse({"--root=/srv", "--host", "0.0.0.0", "--port=0", "--workers", "3"});
  ASSERT_TRUE(line.ok());
  EXPECT_EQ(line->address.ToString(), "0.0.0.0:0");
  EXPECT_EQ(line->workers, 3u);
  EXPECT_EQ(Parse({"--root=a=b", "--host=::1", "--port=1"})->address.ToString(), "[::1]:1");
  EXPECT_EQ(Parse({"--root=a=b"})->root, "a=b");
  EXPECT_TRUE(Parse({"--help"})->help);
}

TEST(CommandLineTest, MistakesAreNamed) {
  struct {
    std::vector<const char*> arguments;
    const char* part;
  } cases[] = {
      {{}, "--root is required"},
      {{"--root"}, "--root needs a value"},
      {{"--root=x", "--prot=1"}, "unknown argument '--prot=1'"},
      {{"--root=x", "y"}, "unknown argument 'y'"},
      {{"--root=x", "--port=65536"}, "--port must be a number from 0 to 65535, not '65536'"},
      {{"--root=x", "--port=-1"}, "--port must be"},
      {{"--root=x", "--port="}, "--port must be"},
      {{"--root=x", "--workers=0"}, "--workers must be"},
      {{"--root=x", "--host=example.org"}, "--host must be an IPv4 or IPv6 address"},
  };
  for (const auto& c : cases) {
    const absl::Status status = Parse(c.arguments).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(status.message().find(c.part), absl::string_view::npos) << status;
  }
}

}  // namespace
}  // namespace home::http_server
