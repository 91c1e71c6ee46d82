// FileTree on Linux.
//
// openat2 with RESOLVE_BENEATH makes the kernel itself refuse what leads out:
// "..", absolute links, links through /proc. RESOLVE_CACHED and RWF_NOWAIT make
// it answer EAGAIN where it would have to wait. Kernels without openat2 (before
// 5.6, or a seccomp filter) get one openat a path component, none of which
// follows a link.

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "home/integration/examples/http_server/file_tree.h"

namespace home::http_server {
namespace {

// NONBLOCK: opening a FIFO must not wait for its other end.
constexpr int kOpenFlags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

absl::Status OpenError(int error, absl::string_view path) {
  const std::string message = absl::StrCat("open ", path, ": ", std::strerror(error));
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
    case EXDEV:  // leads out of the root
    case ELOOP:  // a link that may not be followed
    case ENXIO:  // a socket
    case EINVAL:
      return absl::NotFoundError(message);
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(message);
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return absl::ResourceExhaustedError(message);
    case EAGAIN:
      return absl::UnavailableError(message);
    default:
      return absl::InternalError(message);
  }
}

// A descriptor, or -1 and errno.
int OpenBeneath(int root, const char* path, std::uint64_t more) {
  open_how how = {};
  how.flags = kOpenFlags;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | more;
  return static_cast<int>(::syscall(SYS_openat2, root, path, &how, sizeof(how)));
}

// The same without openat2 and without links.
int OpenComponentwise(int root, absl::string_view path) {
  UniqueFd directory;
  int at = root;
  while (true) {
    const std::size_t slash = path.find('/');
    const std::string part(path.substr(0, slash));
    const bool last = slash == absl::string_view::npos;
    if (part == ".." || part.empty()) {
      errno = EXDEV;
      return -1;
    }
    const int fd = ::openat(at, part.c_str(), kOpenFlags | O_NOFOLLOW | (last ? 0 : O_DIRECTORY));
    if (fd < 0 || last) return fd;
    directory = UniqueFd(fd);
    at = fd;
    path.remove_prefix(slash + 1);
  }
}

}  // namespace

absl::StatusOr<FileTree> FileTree::Open(const std::string& root, Resolver resolver) {
  UniqueFd fd(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return OpenError(errno, root);
  return FileTree(std::move(fd), resolver);
}

absl::StatusOr<File> FileTree::OpenFile(const std::string& path, Blocking blocking) const {
  int raw = -1;
  errno = EAGAIN;
  if (resolver_ == Resolver::kPortable) {
    if (blocking == Blocking::kAllowed) raw = OpenComponentwise(root_.get(), path);
  } else if (blocking == Blocking::kNever) {
    raw = OpenBeneath(root_.get(), path.c_str(), RESOLVE_CACHED);
    // Any other refusal may be one of RESOLVE_CACHED itself, as on kernels
    // that do not know it: the other form decides.
    if (raw < 0 && errno != ENOENT && errno != EMFILE && errno != ENFILE) errno = EAGAIN;
  } else {
    // EAGAIN here: something was renamed just now, and it may have been a way out.
    for (int attempt = 0; attempt < 16; ++attempt) {
      raw = OpenBeneath(root_.get(), path.c_str(), 0);
      if (raw >= 0 || errno != EAGAIN) break;
    }
    if (raw < 0 && errno == EAGAIN) errno = ENOENT;
    if (raw < 0 && errno == ENOSYS) raw = OpenComponentwise(root_.get(), path);
  }
  UniqueFd fd(raw);
  if (!fd) return OpenError(errno, path);
  struct stat status;
  if (::fstat(fd.get(), &status) != 0) return OpenError(errno, path);
  File::Kind kind = File::Kind::kOther;
  if (S_ISREG(status.st_mode)) kind = File::Kind::kRegular;
  if (S_ISDIR(status.st_mode)) kind = File::Kind::kDirectory;
  return File(std::move(fd), kind, static_cast<std::uint64_t>(status.st_size),
              status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
}

absl::StatusOr<std::size_t> File::ReadNow(std::uint64_t offset, absl::Span<char> out) const {
  iovec vector;
  vector.iov_base = out.data();
  vector.iov_len = out.size();
  while (true) {
    const ssize_t count = ::preadv2(fd_.get(), &vector, 1, static_cast<off_t>(offset), RWF_NOWAIT);
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno == EINTR) continue;
    // EOPNOTSUPP: this file system can't tell whether it would wait.
    if (errno == EAGAIN || errno == EOPNOTSUPP || errno == ENOSYS) {
      return absl::UnavailableError("read a file: it would wait");
    }
    return absl::InternalError(absl::StrCat("read a file: ", std::strerror(errno)));
  }
}

absl::StatusOr<IoFile> File::ForOperations(const std::shared_ptr<IoEngine>& engine) const {
  UniqueFd fd(::fcntl(fd_.get(), F_DUPFD_CLOEXEC, 0));
  if (!fd) return OpenError(errno, "a file once more");
  return IoFile::Attach(engine, std::move(fd));
}

}  // namespace home::http_server
