#include "home/integration/examples/http_server/static_files.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "home/http/body.h"
#include "home/http/date.h"
#include "home/http/headers.h"
#include "home/integration/examples/http_server/byte_range.h"
#include "home/integration/examples/http_server/content_type.h"
#include "home/integration/examples/http_server/url_path.h"
#include "home/reactor/io.h"
#include "home/reactor/reactor.h"
#include "home/scheduler/runtime.h"

namespace home::http_server {
namespace {

using http::Method;
using http::Response;
using http::StatusCode;

using SharedFile = std::shared_ptr<const File>;

// A part of a file as the body of a response.
class FileBody : public http::BodySource {
 public:
  FileBody(SharedFile file, std::uint64_t first, std::uint64_t size)
      : file_(std::move(file)), offset_(first), size_(size) {}

  std::optional<std::uint64_t> size() const override { return size_; }

  Async<absl::StatusOr<std::size_t>> Read(absl::Span<char> out) override {
    absl::StatusOr<std::size_t> count = file_->ReadNow(offset_, out);
    if (absl::IsUnavailable(count.status())) {
      if (!waiting_) {
        absl::StatusOr<IoFile> attached = file_->ForOperations(Reactor::Current()->io());
        if (!attached.ok()) co_return attached.status();
        waiting_ = *std::move(attached);
      }
      // It owns its memory: the response, and with it the connection's buffer, may be gone by the
      // time the disk answers.
      auto reading =
          IoRead(waiting_, std::string(out.size(), '\0'), static_cast<std::int64_t>(offset_));
      IoResult<std::string> read = co_await std::move(reading);
      if (read.count.ok()) std::memcpy(out.data(), read.buffer.data(), *read.count);
      count = std::move(read.count);
    }
    if (count.ok()) offset_ += *count;
    co_return count;
  }

 private:
  SharedFile file_;
  IoFile waiting_;  // the same, once something was not in memory
  std::uint64_t offset_;
  const std::uint64_t size_;
};

Async<absl::StatusOr<SharedFile>> OpenFile(std::shared_ptr<const FileTree> tree, std::string path) {
  absl::StatusOr<File> file = tree->OpenFile(path, Blocking::kNever);
  if (absl::IsUnavailable(file.status())) {
    auto opening = SpawnBlocking(BlockingClass::kFile,
                                 [tree, path] { return tree->OpenFile(path, Blocking::kAllowed); });
    absl::StatusOr<File> opened = co_await opening;
    if (!opened.ok()) co_return opened.status();
    file = *std::move(opened);
  }
  if (!file.ok()) co_return file.status();
  co_return std::make_shared<const File>(*std::move(file));
}

// The answer to a path that could not be resolved or opened.
Response ErrorResponse(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      return Response::Error(StatusCode::kBadRequest);
    case absl::StatusCode::kNotFound:
      return Response::Error(StatusCode::kNotFound);
    case absl::StatusCode::kPermissionDenied:
      return Response::Error(StatusCode::kForbidden);
    case absl::StatusCode::kResourceExhausted: {
      Response response = Response::Error(StatusCode::kServiceUnavailable);
      response.AddHeader("Retry-After", "1");
      return response;
    }
    default:
      return Response::Error(StatusCode::kInternalServerError);
  }
}

// Changes whenever the file's size or its time of modification do.
std::string ETagOf(const File& file) {
  return absl::StrCat("\"", absl::Hex(file.size()), "-", absl::Hex(file.modified_seconds()), "-",
                      absl::Hex(file.modified_nanos()), "\"");
}

// If-None-Match: a list of tags, of which the weakness does not matter here.
bool MatchesAnyTag(absl::string_view list, absl::string_view tag) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    absl::string_view element = absl::StripAsciiWhitespace(list.substr(0, comma));
    if (element.substr(0, 2) == "W/") element.remove_prefix(2);
    if (element == tag || element == "*") return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

bool IsNotModified(const http::HeaderView& headers, const File& file, absl::string_view tag) {
  // A tag overrules a date (RFC 9110, section 13.1.3).
  if (const auto tags = headers.Find("If-None-Match")) return MatchesAnyTag(*tags, tag);
  const auto since = http::ParseHttpDate(headers.Get("If-Modified-Since"));
  return since.has_value() && file.modified_seconds() <= *since;
}

// The range counts only if the client's copy is of this very file.
ByteRange RequestedRange(const http::HeaderView& headers, const File& file, absl::string_view tag) {
  if (const auto condition = headers.Find("If-Range")) {
    const auto date = http::ParseHttpDate(*condition);
    const bool same = date.has_value() ? *date == file.modified_seconds() : *condition == tag;
    if (!same) return ByteRange();
  }
  return ParseByteRange(headers.Get("Range"), file.size());
}

Response FileResponse(const http::Request& request, SharedFile file, absl::string_view type) {
  const std::string tag = ETagOf(*file);
  const std::uint64_t size = file->size();
  Response response;
  response.AddHeader("Last-Modified", http::FormatHttpDate(file->modified_seconds()));
  response.AddHeader("ETag", tag);
  response.AddHeader("Accept-Ranges", "bytes");
  if (IsNotModified(request.headers(), *file, tag)) {
    response.set_status(StatusCode::kNotModified);
    return response;
  }
  const ByteRange range = RequestedRange(request.headers(), *file, tag);
  switch (range.kind) {
    case ByteRange::Kind::kUnsatisfiable: {
      Response refused = Response::Error(StatusCode::kRangeNotSatisfiable);
      refused.AddHeader("Content-Range", absl::StrCat("bytes */", size));
      return refused;
    }
    case ByteRange::Kind::kPart:
      response.set_status(StatusCode::kPartialContent);
      response.AddHeader("Content-Range", absl::StrCat("bytes ", range.first, "-",
                                                       range.first + range.size - 1, "/", size));
      response.set_body(std::make_unique<FileBody>(std::move(file), range.first, range.size), type);
      return response;
    case ByteRange::Kind::kWhole:
      break;
  }
  response.set_body(std::make_unique<FileBody>(std::move(file), 0, size), type);
  return response;
}

Response RedirectTo(std::string location) {
  Response response = Response::Error(StatusCode::kMovedPermanently);
  response.AddHeader("Location", location);
  return response;
}

Async<absl::StatusOr<Response>> HandleRequest(std::shared_ptr<const FileTree> tree,
                                              http::Request* request) {
  if (request->method() != Method::kGet && request->method() != Method::kHead) {
    Response response = Response::Error(StatusCode::kMethodNotAllowed);
    response.AddHeader("Allow", "GET, HEAD");
    co_return std::move(response);
  }
  absl::StatusOr<UrlPath> path = ResolveUrlPath(request->path());
  if (!path.ok()) co_return ErrorResponse(path.status());
  std::string name = path->file;
  if (path->is_directory) name = name == "." ? "index.html" : name + "/index.html";
  absl::StatusOr<SharedFile> file = co_await OpenFile(tree, name);
  if (!file.ok()) co_return ErrorResponse(file.status());
  const SharedFile& opened = *file;
  if (opened->kind() == File::Kind::kDirectory && !path->is_directory) {
    const absl::string_view query = request->query();
    co_return RedirectTo(
        absl::StrCat(EncodeUrlPath(path->file), "/", query.empty() ? "" : "?", query));
  }
  if (opened->kind() != File::Kind::kRegular) co_return Response::Error(StatusCode::kNotFound);
  co_return FileResponse(*request, opened, ContentTypeOf(name));
}

}  // namespace

Async<absl::StatusOr<Response>> StaticFiles::Handle(http::Request& request) const {
  return HandleRequest(tree_, &request);
}

}  // namespace home::http_server
