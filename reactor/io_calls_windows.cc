// What blocks on Windows, and what descriptors mean there: handles (unique_fd.h).

#include "home/reactor/io_system.h"
//
#include <windows.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>

#include "absl/time/time.h"
#include "home/reactor/afd_windows.h"
#include "home/reactor/error_windows.h"
#include "home/reactor/io_request.h"
#include "home/reactor/io_stats.h"

namespace home::reactor_internal {
namespace {

// What IoRawStats has room for.
struct Stats {
  FILE_BASIC_INFO basic;
  FILE_STANDARD_INFO standard;
  BY_HANDLE_FILE_INFORMATION file;
};
static_assert(sizeof(Stats) <= sizeof(IoRawStats));

// So that a file can be removed or renamed by others while it is open, as POSIX systems have it.
constexpr DWORD kShare = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

HANDLE HandleOf(int fd) { return reinterpret_cast<HANDLE>(static_cast<std::intptr_t>(fd)); }

std::int64_t LastError() { return -ErrnoOfWindows(GetLastError()); }

// As the system's calls want it. Empty: it is not UTF-8, or is empty.
std::wstring WidePath(const char* path) {
  const int size = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, nullptr, 0);
  if (size <= 1) return std::wstring();
  std::wstring wide(static_cast<std::size_t>(size), L'\0');
  MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide.data(), size);
  wide.pop_back();
  return wide;
}

std::int64_t OpenCall(const IoRequest& request) {
  const std::wstring path = WidePath(request.path);
  if (path.empty()) return -ENOENT;
  const int flags = static_cast<int>(request.flags);
  DWORD access = 0;
  if ((flags & O_WRONLY) == 0) access |= GENERIC_READ;
  // Without the right to write anywhere else, all is written at the end.
  if ((flags & (O_WRONLY | O_RDWR)) != 0) {
    access |= (flags & O_APPEND) != 0 ? FILE_GENERIC_WRITE & ~FILE_WRITE_DATA : GENERIC_WRITE;
  }
  DWORD how = OPEN_EXISTING;
  switch (flags & (O_CREAT | O_EXCL | O_TRUNC)) {
    case O_CREAT | O_EXCL:
    case O_CREAT | O_EXCL | O_TRUNC:
      how = CREATE_NEW;
      break;
    case O_CREAT | O_TRUNC:
      how = CREATE_ALWAYS;
      break;
    case O_CREAT:
      how = OPEN_ALWAYS;
      break;
    case O_TRUNC:
    case O_TRUNC | O_EXCL:
      how = TRUNCATE_EXISTING;
      break;
    default:
      break;
  }
  const bool read_only = (flags & O_CREAT) != 0 && (request.size & _S_IWRITE) == 0;
  const HANDLE file = CreateFileW(
      path.c_str(), access, kShare, nullptr, how,
      (read_only ? FILE_ATTRIBUTE_READONLY : FILE_ATTRIBUTE_NORMAL) | FILE_FLAG_OVERLAPPED,
      nullptr);
  if (file == INVALID_HANDLE_VALUE) return LastError();
  return static_cast<int>(reinterpret_cast<std::intptr_t>(file));
}

std::int64_t CloseCall(int fd) {
  // Winsock knows what is a socket.
  if (closesocket(static_cast<SOCKET>(fd)) == 0) return 0;
  const auto error = static_cast<unsigned long>(WSAGetLastError());
  if (error != WSAENOTSOCK) return -ErrnoOfWindows(error);
  return CloseHandle(HandleOf(fd)) ? 0 : LastError();
}

std::int64_t StatHandle(HANDLE file, void* room) {
  Stats stats = {};
  if (!GetFileInformationByHandle(file, &stats.file) ||
      !GetFileInformationByHandleEx(file, FileBasicInfo, &stats.basic, sizeof(stats.basic)) ||
      !GetFileInformationByHandleEx(file, FileStandardInfo, &stats.standard,
                                    sizeof(stats.standard))) {
    return LastError();
  }
  std::memcpy(room, &stats, sizeof(stats));
  return 0;
}

std::int64_t StatCall(const IoRequest& request) {
  if (request.fd != AT_FDCWD && *request.path == '\0') {
    return StatHandle(HandleOf(request.fd), request.extra);
  }
  const std::wstring path = WidePath(request.path);
  if (path.empty()) return -ENOENT;
  DWORD flags = FILE_FLAG_BACKUP_SEMANTICS;  // folders, too
  if ((request.flags & AT_SYMLINK_NOFOLLOW) != 0) flags |= FILE_FLAG_OPEN_REPARSE_POINT;
  const HANDLE file = CreateFileW(path.c_str(), FILE_READ_ATTRIBUTES, kShare, nullptr,
                                  OPEN_EXISTING, flags, nullptr);
  if (file == INVALID_HANDLE_VALUE) return LastError();
  const std::int64_t result = StatHandle(file, request.extra);
  CloseHandle(file);
  return result;
}

// From 100 ns since 1601.
absl::Time ToTime(const LARGE_INTEGER& time) {
  constexpr std::int64_t kTicksPerSecond = 10'000'000;
  constexpr std::int64_t kUnixEpoch = 11'644'473'600;
  return absl::FromUnixSeconds(time.QuadPart / kTicksPerSecond - kUnixEpoch) +
         absl::Nanoseconds(time.QuadPart % kTicksPerSecond * 100);
}

}  // namespace

IoStats IoStatsOf(const IoRawStats& raw) {
  Stats from;
  std::memcpy(&from, raw.bytes, sizeof(from));
  IoStats stats;
  stats.mode = (from.basic.FileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0 ? S_IFDIR : S_IFREG;
  stats.mode |= (from.basic.FileAttributes & FILE_ATTRIBUTE_READONLY) != 0 ? 0444 : 0666;
  stats.size = static_cast<std::uint64_t>(from.standard.EndOfFile.QuadPart);
  stats.device = from.file.dwVolumeSerialNumber;
  stats.inode = std::uint64_t{from.file.nFileIndexHigh} << 32 | from.file.nFileIndexLow;
  stats.links = from.standard.NumberOfLinks;
  stats.blocks = static_cast<std::uint64_t>(from.standard.AllocationSize.QuadPart) / 512;
  stats.accessed = ToTime(from.basic.LastAccessTime);
  stats.modified = ToTime(from.basic.LastWriteTime);
  stats.changed = ToTime(from.basic.ChangeTime);
  stats.created = ToTime(from.basic.CreationTime);
  return stats;
}

std::int64_t PerformIo(const IoRequest& request, bool) {
  switch (request.kind) {
    case IoKind::kFsync:
      return FlushFileBuffers(HandleOf(request.fd)) ? 0 : LastError();
    case IoKind::kOpen:
      return OpenCall(request);
    case IoKind::kClose:
      return CloseCall(request.fd);
    case IoKind::kStat:
      return StatCall(request);
    default:
      // There is nothing like splice(2); all else is the engine's (io_engine_iocp.cc).
      return -ENOTSUP;
  }
}

unsigned IoPollMask(Direction direction) {
  return AfdEvents(Interest::ReadWrite() | Interest::Priority(), direction);
}

ReadySet ReadySetOfIoPoll(Direction direction, unsigned events) {
  return ReadySetOfAfd(events) & ReadySet::MaskOf(direction);
}

}  // namespace home::reactor_internal
