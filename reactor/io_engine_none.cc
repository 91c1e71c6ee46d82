// For systems that have a poller but no completion layer yet: nothing can be attached, and
// operations end at once, with "function not implemented".

#include <cerrno>
#include <memory>

#include "absl/status/status.h"
#include "home/reactor/io_engine.h"

namespace home::reactor_internal {
namespace {

class NoEngine final : public IoEngine {
 public:
  absl::string_view name() const override { return "none"; }

  absl::StatusOr<std::unique_ptr<IoFileState>> Attach(UniqueFd) override {
    return absl::UnimplementedError("attach a descriptor: this system has no completion layer");
  }
  void Submit(IoState* op) override {
    WakeList wakes;
    op->engine_fields.phase = IoEngineFields::Phase::kFinished;
    op->Finish(-ENOSYS, wakes);
    wakes.WakeAll();
  }
  void Cancel(IoState*) override {}
  bool BeforeWait(bool) override { return true; }
  std::size_t AfterWait(WakeList&) override { return 0; }
  void Shutdown(WakeList&) override {}
};

}  // namespace

std::shared_ptr<IoEngine> CreateIoEngine(std::shared_ptr<Registry>, const IoOptions&) {
  return std::make_shared<NoEngine>();
}

}  // namespace home::reactor_internal
