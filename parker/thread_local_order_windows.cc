// mingw-w64's thread_local variables live in memory that the end of the thread frees, and their
// destructors run at the end of the thread too: both are destructors of POSIX thread keys, which
// run in the order in which the keys were made. The key of the memory is made when the first
// thread_local variable is touched, that of the destructors when the first is registered; so the
// destructors would find their objects freed.
//
// Here one is registered before anything is touched, for nothing but that order.

extern "C" int __cxa_thread_atexit(void (*destructor)(void*), void* object, void* library);

namespace home::parker_internal {
namespace {

struct DestructorsFirst {
  DestructorsFirst() {
    __cxa_thread_atexit([](void*) {}, nullptr, nullptr);
  }
};

// Before all static objects that name no priority.
__attribute__((init_priority(101))) const DestructorsFirst destructors_first;

}  // namespace
}  // namespace home::parker_internal
