// Connection: serves the requests of one client, one after the other.
//
//   read -> parse -> handler -> append the response -> next request, if it is
//   here already -> write all responses at once -> read ...
//
// Everything of a connection runs in one task. Its coroutines wait only in the
// small futures below, which combine what may end a wait: bytes, a deadline,
// the server's stop.
//
//   phase            ends by                     on timeout
//   idle             bytes, EOF, stop            close
//   head             bytes (deadline from the    408
//                    first byte on), EOF: 400
//   handler          its result; meanwhile       (none: the handler's business)
//                    earlier responses are sent
//   body (handler)   bytes, EOF: 400             408
//   sending          the client's reading        close
//   lingering        EOF, linger_bytes           close
//
// Memory: the head of a request and the views into it stay where they are in
// `in_` until the handler is done; the body is read behind it. Responses are
// made in `out_`. Both buffers are kept from request to request.
//
// Thread-safety: one thread at a time. Cancellation: dropping the future closes
// the connection.

#ifndef HOME_HTTP_CONNECTION_H_
#define HOME_HTTP_CONNECTION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "home/future/async.h"
#include "home/future/context.h"
#include "home/future/poll.h"
#include "home/http/body.h"
#include "home/http/buffer.h"
#include "home/http/date.h"
#include "home/http/deadline.h"
#include "home/http/parser.h"
#include "home/http/request.h"
#include "home/http/response.h"
#include "home/http/response_writer.h"
#include "home/http/server_state.h"
#include "home/http/status.h"
#include "home/net/tcp_stream.h"
#include "home/sync/event.h"
#include "home/timer/instant.h"

namespace home::http::internal {

class Connection final : private BodyReader {
 public:
  // `state` must outlive the connection.
  Connection(TcpStream stream, ServerState& state);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Serves until the connection ends. Call once; borrows this object.
  Async<void> Run();

 private:
  // Why a read ended.
  enum class Arrival : std::uint8_t { kBytes, kEnd, kBroken, kTimeout, kStopped };

  class ReadFuture;
  class FlushFuture;
  template <typename T>
  class CallFuture;

  // -- The loop's parts. Those that return bool: false, the connection is over.
  // Gets a whole head to the front of `in_`.
  Async<bool> ReceiveHead();
  // Runs the handler for that head; appends its response, or sends it.
  Async<bool> Answer();
  Async<bool> Send(const Request& request, Response response);
  Async<bool> SendSource(const Request& request, BodySource& source, BodyFraming framing);
  Async<bool> Flush();
  // Sends an error and closes.
  Async<void> Refuse(StatusCode status);
  // Reads over what is left of the request's body.
  Async<bool> DiscardBody();
  // Tells the client that no more will come, and lets it finish.
  Async<void> Linger();

  // BodyReader: the next piece of the request's body.
  Async<absl::StatusOr<absl::string_view>> Read() override;

  // -- Helpers ----------------------------------------------------------------
  // The handler's future, also if the handler itself throws.
  Async<absl::StatusOr<Response>> CallHandler(Request& request);
  absl::Status FailBody(StatusCode answer, absl::Status status);
  // Reads over what has arrived of the body.
  void SkipArrivedBody();
  [[nodiscard]] bool MayDiscardBody() const;
  [[nodiscard]] bool is_head_request() const;
  // Sends `out_` and then `tail_`. Ready(false): the connection is broken.
  home::Poll<bool> PollFlush(Context& cx);

  ServerState& state_;
  TcpStream stream_;
  RequestParser parser_;
  Buffer in_;
  Buffer out_;
  // Sent after `out_`: a body too large to be copied.
  absl::string_view tail_;
  std::optional<TcpWrite> write_;  // borrows out_ or tail_
  DateCache date_;
  Deadline read_deadline_;
  Deadline write_deadline_;
  Event::WaitFuture stop_wait_;
  Instant head_deadline_ = Instant::Infinite();
  std::size_t head_bytes_ = 0;
  std::size_t body_mark_ = 0;  // where in `in_` the body is read to
  bool write_waits_ = false;   // write_deadline_ is set for write_
  bool broken_ = false;        // the client is gone, or as good as gone
  bool close_ = false;         // after this response
  bool head_done_ = false;     // parser_ knows the request's method
  bool body_done_ = true;      // all of the request was read
  bool continue_sent_ = false;
  // What to answer because the body could not be read.
  std::optional<StatusCode> body_failure_;
};

// Serves `stream` until it ends or the server's `kill` is set.
class ConnectionTask {
 public:
  using Output = void;

  ConnectionTask(TcpStream stream, std::shared_ptr<ServerState> state);
  ConnectionTask(ConnectionTask&&) = default;

  home::Poll<void> Poll(Context& cx);

 private:
  // Destroyed last: the server learns of the end when all else is gone.
  LiveGuard live_;
  Async<void> serving_;
  Event::WaitFuture kill_;
};

}  // namespace home::http::internal

#endif  // HOME_HTTP_CONNECTION_H_
