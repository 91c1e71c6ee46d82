#include "home/integration/examples/http_server/file_tree.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "home/reactor/io.h"
#include "home/reactor/reactor.h"
#include "home/reactor/testing.h"

namespace home::http_server {
namespace {

class FileTreeTest : public ::testing::TestWithParam<FileTree::Resolver> {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/file_tree_XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    top_ = pattern;
    root_ = top_ + "/root";
    ASSERT_EQ(::mkdir(root_.c_str(), 0755), 0);
    ASSERT_EQ(::mkdir((root_ + "/sub").c_str(), 0755), 0);
    Write(top_ + "/secret", "secret");
    Write(root_ + "/a.txt", "content of a");
    Write(root_ + "/sub/b.txt", "b");
    Link("../../secret", "/sub/out");
    Link("/etc/passwd", "/absolute");
    Link("..", "/up");
    Link("/proc/self/root", "/magic");
    Link("loop", "/loop");
    ASSERT_EQ(::mkfifo((root_ + "/fifo").c_str(), 0644), 0);
  }
  static void Write(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
  }
  void Link(const char* to, const std::string& from) {
    ASSERT_EQ(::symlink(to, (root_ + from).c_str()), 0);
  }
  FileTree Open() { return *FileTree::Open(root_, GetParam()); }

  std::string top_;
  std::string root_;
};

TEST_P(FileTreeTest, OpensAndReads) {
  const FileTree tree = Open();
  absl::StatusOr<File> file = tree.OpenFile("a.txt", Blocking::kAllowed);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->kind(), File::Kind::kRegular);
  EXPECT_EQ(file->size(), 12u);
  const auto reactor = Reactor::Create().value();
  const IoFile waiting = file->ForOperations(reactor->io()).value();
  IoResult<std::string> read =
      testing::BlockOn(*reactor, IoRead(waiting, std::string(100, 'x'), 8));
  EXPECT_EQ(read.count.value(), 4u);
  EXPECT_EQ(read.buffer.substr(0, 4), "of a");
  read = testing::BlockOn(*reactor, IoRead(waiting, std::string(100, 'x'), 12));
  EXPECT_EQ(read.count.value(), 0u);
  EXPECT_TRUE(tree.OpenFile("sub/b.txt", Blocking::kAllowed).ok());
  EXPECT_EQ(tree.OpenFile("sub", Blocking::kAllowed)->kind(), File::Kind::kDirectory);
  EXPECT_EQ(tree.OpenFile(".", Blocking::kAllowed)->kind(), File::Kind::kDirectory);
}

TEST_P(FileTreeTest, NeverWaitingEitherSucceedsOrSaysSo) {
  const FileTree tree = Open();
  ASSERT_TRUE(tree.OpenFile("a.txt", Blocking::kAllowed).ok());
  absl::StatusOr<File> file = tree.OpenFile("a.txt", Blocking::kNever);
  EXPECT_TRUE(file.ok() || absl::IsUnavailable(file.status())) << file.status();
  file = tree.OpenFile("a.txt", Blocking::kAllowed);
  char buffer[100];
  const auto count = file->ReadNow(0, absl::MakeSpan(buffer));
  EXPECT_TRUE(absl::IsUnavailable(count.status()) || count.value() == 12u);
}

TEST_P(FileTreeTest, NothingOutsideIsOpened) {
  const FileTree tree = Open();
  for (const char* path :
       {"../secret", "sub/../../secret", "sub/out", "absolute", "up/secret", "up/root/a.txt",
        "magic/etc/passwd", "/etc/passwd", "loop", "sub/../../root/a.txt"}) {
    for (const Blocking blocking : {Blocking::kAllowed, Blocking::kNever}) {
      EXPECT_FALSE(tree.OpenFile(path, blocking).ok()) << path;
    }
    EXPECT_TRUE(absl::IsNotFound(tree.OpenFile(path, Blocking::kAllowed).status())) << path;
  }
}

TEST_P(FileTreeTest, WhatIsNoFile) {
  const FileTree tree = Open();
  EXPECT_TRUE(absl::IsNotFound(tree.OpenFile("none", Blocking::kAllowed).status()));
  EXPECT_TRUE(absl::IsNotFound(tree.OpenFile("a.txt/x", Blocking::kAllowed).status()));
  EXPECT_TRUE(absl::IsNotFound(tree.OpenFile(std::string(5000, 'x'), Blocking::kAllowed).status()));
  // Opening a FIFO that nobody writes to must not wait.
  EXPECT_EQ(tree.OpenFile("fifo", Blocking::kAllowed)->kind(), File::Kind::kOther);
}

INSTANTIATE_TEST_SUITE_P(Resolvers, FileTreeTest,
                         ::testing::Values(FileTree::Resolver::kSystem,
                                           FileTree::Resolver::kPortable),
                         [](const auto& resolver) {
                           return resolver.param == FileTree::Resolver::kSystem ? "System"
                                                                                : "Portable";
                         });

TEST(FileTreeOpenTest, LinksInsideAreFollowedBySystem) {
  std::string root = ::testing::TempDir() + "/file_tree_links_XXXXXX";
  ASSERT_NE(::mkdtemp(root.data()), nullptr);
  std::ofstream(root + "/real") << "x";
  ASSERT_EQ(::symlink("real", (root + "/link").c_str()), 0);
  EXPECT_TRUE(FileTree::Open(root)->OpenFile("link", Blocking::kAllowed).ok());
}

TEST(FileTreeOpenTest, MissingDirectory) {
  const auto missing = FileTree::Open("/no/such/directory");
  EXPECT_TRUE(absl::IsNotFound(missing.status()));
  EXPECT_NE(missing.status().message().find("/no/such/directory"), std::string::npos);
  EXPECT_FALSE(FileTree::Open("/etc/passwd").ok());
}

}  // namespace
}  // namespace home::http_server
