#include "home/http/connection.h"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

namespace home::http {
namespace internal {
namespace {

// Room for a first read: most requests are smaller.
constexpr std::size_t kReadBytes = 4 << 10;
// Room behind the head of a request that has a body.
constexpr std::size_t kBodyReadBytes = 32 << 10;
// Responses to pipelined requests are sent when this much has come together.
constexpr std::size_t kFlushBytes = 64 << 10;
// A larger body in a string is sent from where it is.
constexpr std::size_t kCopyBytes = 16 << 10;
// What a source is asked for at a time.
constexpr std::size_t kSourceBytes = 32 << 10;
static_assert(kMaxChunkBytes >= kSourceBytes);
// A buffer larger than this is not kept by an idle connection.
constexpr std::size_t kIdleBytes = 16 << 10;

constexpr absl::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

template <typename T>
Async<absl::StatusOr<T>> Failed(absl::Status status) {
  co_return status;
}

// The source's future, also if the source throws before it has one.
Async<absl::StatusOr<std::size_t>> CallSource(BodySource& source, absl::Span<char> out) {
#if defined(__cpp_exceptions)
  try {
    return source.Read(out);
  } catch (...) {
    return Failed<std::size_t>(absl::InternalError("exception in a body source"));
  }
#else
  return source.Read(out);
#endif
}

// What is wrong with what a source gave.
absl::Status SourceFailure(const absl::StatusOr<std::size_t>& got, std::size_t wanted,
                           bool has_length) {
  if (!got.ok()) return got.status();
  if (*got > wanted) return absl::InternalError("a body source gave more than it was asked for");
  if (*got == 0 && has_length) return absl::DataLossError("a body source ended before its size");
  return absl::OkStatus();
}

Async<void> Serve(TcpStream stream, ServerState* state) {
  Connection connection(std::move(stream), *state);
  co_await connection.Run();
}

}  // namespace

// -- What the coroutines wait in ------------------------------------------------

// Reads into the free space of `in_`, until `deadline` or, if that is infinite,
// for `timeout` from when it turns out that there is a wait. With `stoppable`,
// the server's stop ends the wait too.
class Connection::ReadFuture {
 public:
  using Output = Arrival;

  ReadFuture(Connection& connection, Instant deadline, absl::Duration timeout, bool stoppable)
      : connection_(connection),
        deadline_(deadline),
        timeout_(timeout),
        stoppable_(stoppable),
        read_(connection.stream_, connection.in_.Prepare(1)) {}

  home::Poll<Arrival> Poll(Context& cx) {
    home::Poll<absl::StatusOr<std::size_t>> read = read_.Poll(cx);
    if (read.ready()) {
      if (!(*read).ok()) return Arrival::kBroken;
      if (**read == 0) return Arrival::kEnd;
      connection_.in_.Commit(**read);
      return Arrival::kBytes;
    }
    if (!waiting_) {
      waiting_ = true;
      connection_.read_deadline_.Set(
          deadline_.is_infinite() ? connection_.read_deadline_.In(timeout_) : deadline_);
    }
    if (connection_.read_deadline_.Poll(cx)) return Arrival::kTimeout;
    if (stoppable_ && connection_.stop_wait_.Poll(cx).ready()) return Arrival::kStopped;
    return kPending;
  }

 private:
  Connection& connection_;
  const Instant deadline_;
  const absl::Duration timeout_;
  const bool stoppable_;
  bool waiting_ = false;
  TcpRead read_;
};

// Sends all that is to be sent.
class Connection::FlushFuture {
 public:
  using Output = bool;
  explicit FlushFuture(Connection& connection) : connection_(connection) {}
  home::Poll<bool> Poll(Context& cx) { return connection_.PollFlush(cx); }

 private:
  Connection& connection_;
};

// Calls the user's code: turns an exception into an error and, while the code
// waits, sends what has come together so far.
template <typename T>
class Connection::CallFuture {
 public:
  using Output = absl::StatusOr<T>;

  CallFuture(Connection& connection, Async<absl::StatusOr<T>> call)
      : connection_(connection), call_(std::move(call)) {}

  home::Poll<Output> Poll(Context& cx) {
    home::Poll<Output> result = PollCall(cx);
    if (result.ready()) return result;
    if (connection_.out_.empty()) return kPending;
    home::Poll<bool> flushed = connection_.PollFlush(cx);
    if (flushed.pending() || *flushed) return kPending;
    call_ = Async<absl::StatusOr<T>>();
    return Output(absl::UnavailableError("the client has gone"));
  }

 private:
  home::Poll<Output> PollCall(Context& cx) {
#if defined(__cpp_exceptions)
    try {
      return call_.Poll(cx);
    } catch (const std::exception& exception) {
      return Output(absl::InternalError(absl::StrCat("exception: ", exception.what())));
    } catch (...) {
      return Output(absl::InternalError("exception of an unknown type"));
    }
#else
    return call_.Poll(cx);
#endif
  }

  Connection& connection_;
  Async<absl::StatusOr<T>> call_;
};

home::Poll<bool> Connection::PollFlush(Context& cx) {
  while (!broken_ && !(out_.empty() && tail_.empty())) {
    if (!write_.has_value()) {
      write_.emplace(stream_, out_.empty() ? tail_ : out_.readable());
      write_waits_ = false;
    }
    home::Poll<absl::StatusOr<std::size_t>> written = write_->Poll(cx);
    if (written.pending()) {
      if (!write_waits_) {
        write_waits_ = true;
        write_deadline_.Set(write_deadline_.In(state_.options.write_timeout));
      }
      if (!write_deadline_.Poll(cx)) return kPending;
      broken_ = true;
    } else if (!(*written).ok()) {
      broken_ = true;
    } else if (!out_.empty()) {
      out_.ConsumeInPlace(**written);  // a source may be writing behind it
    } else {
      tail_.remove_prefix(**written);
    }
    write_.reset();
  }
  return !broken_;
}

}  // namespace internal

void LogError(const Request& request, const absl::Status& error) {
  // The target contains no control characters: the parser saw to that.
  const std::string text =
      absl::StrCat(request.method_name(), " ", request.target(), ": ", error.ToString());
  std::fprintf(stderr, "http: %s\n", text.c_str());
}

namespace internal {

// -- The loop -------------------------------------------------------------------

Connection::Connection(TcpStream stream, ServerState& state)
    : state_(state),
      stream_(std::move(stream)),
      parser_(state.options.limits),
      stop_wait_(state.stop.WaitBeside()) {}

Async<void> Connection::Run() {
  while (true) {
    const bool received = co_await ReceiveHead();
    if (!received) co_return;
    const bool answered = co_await Answer();
    if (!answered) co_return;
    parser_.Reset();
    head_done_ = false;
  }
}

Async<bool> Connection::ReceiveHead() {
  while (true) {
    if (!in_.empty()) {
      const ParseStep step = parser_.ParseHead(in_.readable());
      if (step.kind == ParseStep::Kind::kHead) {
        head_bytes_ = step.consumed;
        head_deadline_ = Instant::Infinite();
        co_return true;
      }
      if (step.kind == ParseStep::Kind::kError) {
        co_await Refuse(step.error);
        co_return false;
      }
    }
    // No further request is complete: time to send the responses.
    if (!out_.empty()) {
      const bool flushed = co_await Flush();
      if (!flushed) co_return false;
    }
    const bool idle = in_.empty();
    if (idle) {
      if (state_.stop.IsSet()) co_return false;
      in_.Clear();
      if (in_.capacity() > kIdleBytes) in_.Release();
      if (out_.capacity() > kIdleBytes) out_.Release();
    } else if (head_deadline_.is_infinite()) {
      head_deadline_ = read_deadline_.In(state_.options.header_timeout);
    }
    in_.Prepare(idle ? kReadBytes : kReadBytes / 4);
    ReadFuture read(*this, head_deadline_, state_.options.idle_timeout, idle);
    const Arrival arrival = co_await read;
    if (arrival == Arrival::kBytes) continue;
    if (!idle && arrival == Arrival::kTimeout) co_await Refuse(StatusCode::kRequestTimeout);
    if (!idle && arrival == Arrival::kEnd) co_await Refuse(StatusCode::kBadRequest);
    co_return false;
  }
}

Async<bool> Connection::Answer() {
  // From here on nothing may move what lies in front of the body.
  if (parser_.has_body()) in_.Prepare(kBodyReadBytes);
  const char* head = in_.readable().data();
  in_.ConsumeInPlace(head_bytes_);
  body_mark_ = in_.Mark();
  head_done_ = true;
  body_done_ = !parser_.has_body();
  body_failure_.reset();
  continue_sent_ = false;
  close_ = !parser_.keep_alive();
  // Relaxed: a figure for people.
  state_.requests.fetch_add(1, std::memory_order_relaxed);

  Request request(parser_.method(), parser_.method_name(), parser_.Target(head),
                  parser_.minor_version(), parser_.Headers(head),
                  parser_.has_body() ? RequestBody(this, parser_.content_length()) : RequestBody());
  CallFuture<Response> call(*this, CallHandler(request));
  absl::StatusOr<Response> answer = co_await call;

  if (broken_) co_return false;
  if (body_failure_.has_value()) {
    co_await Refuse(*body_failure_);
    co_return false;
  }
  if (answer.ok() && !answer->headers().valid()) {
    answer = absl::InternalError("the response has a header field that no message may contain");
  }
  if (!answer.ok()) {
    state_.options.on_error(request, answer.status());
    co_await Refuse(StatusCode::kInternalServerError);
    co_return false;
  }
  SkipArrivedBody();
  if (answer->close() || state_.stop.IsSet() || !MayDiscardBody()) close_ = true;
  const bool sent = co_await Send(request, *std::move(answer));
  if (!sent) co_return false;
  if (!body_done_ && !close_) {
    const bool discarded = co_await DiscardBody();
    if (!discarded) close_ = true;
  }
  if (close_ || out_.size() >= kFlushBytes) {
    const bool flushed = co_await Flush();
    if (!flushed) co_return false;
  }
  // With nothing unread, closing loses nothing of what was sent.
  if (close_ && !(body_done_ && in_.empty())) co_await Linger();
  co_return !close_;
}

Async<bool> Connection::Send(const Request& request, Response response) {
  BodyFraming framing = BodyFraming::Length(response.body().size());
  if (!StatusAllowsBody(response.status())) {
    framing = BodyFraming::None();
  } else if (response.source() != nullptr) {
    const std::optional<std::uint64_t> size = response.source()->size();
    if (size.has_value()) {
      framing = BodyFraming::Length(*size);
    } else if (parser_.minor_version() >= 1) {
      framing = BodyFraming::Chunked();
    } else {
      framing = BodyFraming::Close();
      close_ = true;
    }
  }
  ConnectionField connection = ConnectionField::kAbsent;
  if (close_) {
    connection = ConnectionField::kClose;
  } else if (parser_.minor_version() == 0) {
    connection = ConnectionField::kKeepAlive;
  }
  const bool with_body = !is_head_request() && framing.kind() != BodyFraming::Kind::kNone;
  const bool copied =
      with_body && response.source() == nullptr && response.body().size() <= kCopyBytes;
  AppendResponse(out_, response.status(), date_.Now(), response.headers().text(), framing,
                 connection, copied ? absl::string_view(response.body()) : absl::string_view());
  if (!with_body || copied) co_return true;
  if (response.source() != nullptr) {
    co_return co_await SendSource(request, *response.source(), framing);
  }
  tail_ = response.body();
  co_return co_await Flush();
}

Async<bool> Connection::SendSource(const Request& request, BodySource& source,
                                   BodyFraming framing) {
  const bool chunked = framing.kind() == BodyFraming::Kind::kChunked;
  const bool has_length = framing.kind() == BodyFraming::Kind::kLength;
  const std::size_t head = chunked ? kChunkHeadSize : 0;
  std::uint64_t left = framing.length();
  while (!has_length || left > 0) {
    const std::size_t wanted =
        has_length ? static_cast<std::size_t>(std::min<std::uint64_t>(left, kSourceBytes))
                   : kSourceBytes;
    char* space = out_.Prepare(head + wanted + kChunkTailSize).data();
    CallFuture<std::size_t> call(*this, CallSource(source, absl::Span<char>(space + head, wanted)));
    const absl::StatusOr<std::size_t> got = co_await call;
    if (broken_) co_return false;
    const absl::Status failure = SourceFailure(got, wanted, has_length);
    if (!failure.ok()) {
      state_.options.on_error(request, failure);
      co_return false;  // closing early is how the client learns of it
    }
    if (*got == 0) break;
    left -= *got;
    if (chunked) {
      FillChunkHead(space, *got);
      space[head + *got] = '\r';
      space[head + *got + 1] = '\n';
      out_.Commit(head + *got + kChunkTailSize);
    } else {
      out_.Commit(*got);
    }
    const bool flushed = co_await Flush();
    if (!flushed) co_return false;
  }
  if (chunked) out_.Append("0\r\n\r\n");
  co_return true;
}

Async<bool> Connection::Flush() {
  FlushFuture flush(*this);
  const bool flushed = co_await flush;
  out_.Clear();
  co_return flushed;
}

Async<void> Connection::Refuse(StatusCode status) {
  const Response response = Response::Error(status);
  const bool with_body = !(head_done_ && is_head_request());
  AppendResponse(out_, status, date_.Now(), response.headers().text(),
                 BodyFraming::Length(response.body().size()), ConnectionField::kClose,
                 with_body ? absl::string_view(response.body()) : absl::string_view());
  const bool flushed = co_await Flush();
  if (flushed) co_await Linger();
}

Async<void> Connection::Linger() {
  // A failure shows in the read that follows.
  (void)stream_.ShutdownWrite();
  const Instant deadline = read_deadline_.In(state_.options.linger_timeout);
  std::size_t left = state_.options.linger_bytes;
  while (left > 0) {
    in_.Clear();
    in_.Prepare(kReadBytes);
    ReadFuture read(*this, deadline, absl::ZeroDuration(), false);
    const Arrival arrival = co_await read;
    if (arrival != Arrival::kBytes) break;
    left -= std::min(left, in_.size());
  }
}

// -- The request's body -----------------------------------------------------------

Async<absl::StatusOr<absl::string_view>> Connection::Read() {
  while (true) {
    if (body_done_) co_return absl::string_view();
    if (broken_ || body_failure_.has_value()) {
      co_return absl::FailedPreconditionError("reading a request body: it failed before");
    }
    const ParseStep step = parser_.ParseBody(in_.readable());
    in_.ConsumeInPlace(step.consumed);
    if (step.kind == ParseStep::Kind::kBody) co_return step.body;
    if (step.kind == ParseStep::Kind::kEnd) {
      body_done_ = true;
      continue;
    }
    if (step.kind == ParseStep::Kind::kError) {
      const bool too_large = step.error == StatusCode::kContentTooLarge;
      const std::string message = absl::StrCat("reading a request body: ", step.reason);
      co_return FailBody(step.error, too_large ? absl::ResourceExhaustedError(message)
                                               : absl::InvalidArgumentError(message));
    }
    if (parser_.expects_continue() && !continue_sent_) {
      continue_sent_ = true;
      out_.Append(kContinue);
      const bool flushed = co_await Flush();
      if (!flushed) continue;
    }
    in_.Rewind(body_mark_);
    ReadFuture read(*this, Instant::Infinite(), state_.options.body_timeout, false);
    const Arrival arrival = co_await read;
    if (arrival == Arrival::kBytes) {
      continue_sent_ = true;  // it did not wait for us
    } else if (arrival == Arrival::kTimeout) {
      co_return FailBody(StatusCode::kRequestTimeout,
                         absl::DeadlineExceededError("reading a request body: too slow"));
    } else if (arrival == Arrival::kEnd) {
      co_return FailBody(
          StatusCode::kBadRequest,
          absl::DataLossError("reading a request body: the client closed before its end"));
    } else {
      broken_ = true;
    }
  }
}

absl::Status Connection::FailBody(StatusCode answer, absl::Status status) {
  body_failure_ = answer;
  return status;
}

void Connection::SkipArrivedBody() {
  while (!body_done_) {
    const ParseStep step = parser_.ParseBody(in_.readable());
    in_.ConsumeInPlace(step.consumed);
    if (step.kind == ParseStep::Kind::kEnd) {
      body_done_ = true;
    } else if (step.kind != ParseStep::Kind::kBody) {
      if (step.kind == ParseStep::Kind::kError) close_ = true;
      return;
    }
  }
}

bool Connection::MayDiscardBody() const {
  if (body_done_) return true;
  // A client that still waits for "100 Continue" may send its body or not.
  if (parser_.expects_continue() && !continue_sent_) return false;
  return parser_.content_length().value_or(0) <= state_.options.discard_bytes;
}

Async<bool> Connection::DiscardBody() {
  // The client may wait for the response before it goes on.
  const bool flushed = co_await Flush();
  if (!flushed) co_return false;
  std::size_t left = state_.options.discard_bytes;
  while (true) {
    const absl::StatusOr<absl::string_view> piece = co_await Read();
    if (!piece.ok() || piece->size() > left) co_return false;
    if (piece->empty()) co_return true;
    left -= piece->size();
  }
}

bool Connection::is_head_request() const { return parser_.method() == Method::kHead; }

Async<absl::StatusOr<Response>> Connection::CallHandler(Request& request) {
#if defined(__cpp_exceptions)
  try {
    return state_.handler(request);
  } catch (...) {
    return Failed<Response>(absl::InternalError("exception in the handler"));
  }
#else
  return state_.handler(request);
#endif
}

// -- The task -----------------------------------------------------------------------

ConnectionTask::ConnectionTask(TcpStream stream, std::shared_ptr<ServerState> state)
    : live_(state),
      serving_(Serve(std::move(stream), state.get())),
      kill_(state->kill.WaitBeside()) {}

home::Poll<void> ConnectionTask::Poll(Context& cx) {
  if (serving_.Poll(cx).ready()) return kReady;
  if (kill_.Poll(cx).pending()) return kPending;
  serving_ = Async<void>();
  return kReady;
}

}  // namespace internal
}  // namespace home::http
