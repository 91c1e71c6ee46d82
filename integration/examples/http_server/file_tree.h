// FileTree: files below one directory, opened so that no path, link or race
// with a rename leads out of it.
//
// An open comes in two forms. With Blocking::kNever it answers kUnavailable instead of
// waiting for a disk: an event loop tries that first. With Blocking::kAllowed it may wait,
// and belongs on a thread that may. A read is tried by ReadNow(), and what that would wait for
// is left to the operations of the reactor.
//
// Thread-safety: const members from any thread.

#ifndef HOME_INTEGRATION_EXAMPLES_HTTP_SERVER_FILE_TREE_H_
#define HOME_INTEGRATION_EXAMPLES_HTTP_SERVER_FILE_TREE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "home/reactor/io_file.h"
#include "home/reactor/unique_fd.h"

namespace home::http_server {

enum class Blocking : std::uint8_t { kNever, kAllowed };

// An open file or directory, as it was when it was opened.
class File {
 public:
  enum class Kind : std::uint8_t { kRegular, kDirectory, kOther };

  File(UniqueFd fd, Kind kind, std::uint64_t size, std::int64_t modified_seconds,
       std::int64_t modified_nanos)
      : fd_(std::move(fd)),
        kind_(kind),
        size_(size),
        modified_seconds_(modified_seconds),
        modified_nanos_(modified_nanos) {}

  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] std::uint64_t size() const { return size_; }
  // Since the epoch.
  [[nodiscard]] std::int64_t modified_seconds() const { return modified_seconds_; }
  [[nodiscard]] std::int64_t modified_nanos() const { return modified_nanos_; }

  // Reads at `offset` what is in memory; 0 at the end of the file. kUnavailable: it would wait.
  absl::StatusOr<std::size_t> ReadNow(std::uint64_t offset, absl::Span<char> out) const;
  // The same file for IoRead(), which waits without a thread or on another one.
  absl::StatusOr<IoFile> ForOperations(const std::shared_ptr<IoEngine>& engine) const;

 private:
  UniqueFd fd_;
  Kind kind_;
  std::uint64_t size_;
  std::int64_t modified_seconds_;
  std::int64_t modified_nanos_;
};

class FileTree {
 public:
  // Who keeps paths below the root.
  enum class Resolver : std::uint8_t {
    kSystem,    // the kernel, in one call; links are followed while they stay inside
    kPortable,  // we, one component at a time; links are not followed
  };

  // Errors name the directory. Where the kernel can't do it, kSystem becomes
  // kPortable by itself.
  static absl::StatusOr<FileTree> Open(const std::string& root,
                                       Resolver resolver = Resolver::kSystem);

  // `path` is relative. Errors: kNotFound (also for what leads out of the
  // tree), kPermissionDenied, kResourceExhausted (no descriptors),
  // kUnavailable (see above), kInternal.
  absl::StatusOr<File> OpenFile(const std::string& path, Blocking blocking) const;

 private:
  FileTree(UniqueFd root, Resolver resolver) : root_(std::move(root)), resolver_(resolver) {}

  UniqueFd root_;
  Resolver resolver_;
};

}  // namespace home::http_server

#endif  // HOME_INTEGRATION_EXAMPLES_HTTP_SERVER_FILE_TREE_H_
