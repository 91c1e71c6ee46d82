// StaticFiles: answers GET and HEAD with the files below a directory.
//
//   - Files are streamed, with Content-Type, Last-Modified and ETag.
//   - If-None-Match and If-Modified-Since give 304; a single Range gives 206 or
//     416, If-Range is heeded.
//   - A directory answers with its index.html; without one, 404. Without the
//     slash at its end it redirects (301) to the URL with it.
//   - Other methods: 405.
//   - Nothing outside of the directory is ever opened (file_tree.h).
//
// No disk is waited for on a worker: what is cached is opened and read at once,
// and the rest goes through SpawnBlocking.
//
// Thread-safety: Handle() from any worker.

#ifndef HOME_INTEGRATION_EXAMPLES_HTTP_SERVER_STATIC_FILES_H_
#define HOME_INTEGRATION_EXAMPLES_HTTP_SERVER_STATIC_FILES_H_

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "home/future/async.h"
#include "home/http/request.h"
#include "home/http/response.h"
#include "home/integration/examples/http_server/file_tree.h"

namespace home::http_server {

class StaticFiles {
 public:
  explicit StaticFiles(FileTree tree) : tree_(std::make_shared<const FileTree>(std::move(tree))) {}

  // Borrows the request. Within a runtime.
  Async<absl::StatusOr<http::Response>> Handle(http::Request& request) const;

 private:
  // Shared with opens that run on blocking threads.
  std::shared_ptr<const FileTree> tree_;
};

}  // namespace home::http_server

#endif  // HOME_INTEGRATION_EXAMPLES_HTTP_SERVER_STATIC_FILES_H_
