"""Every external repository of the WORKSPACE build, in one place."""

load(":archive.bzl", "llhttp_repository", "pinned_archive")
load(":relacy.bzl", "relacy_repository")

def bazel_repositories(home_async = "."):
    """What Debian's Bazel needs to work without a network: its own rules, from Debian packages.

    Args:
      home_async: where this repository is, seen from the workspace that calls.
    """
    native.local_repository(name = "platforms", path = "/usr/share/bazel/tools/platforms")
    native.local_repository(name = "bazel_skylib", path = "/usr/share/bazel/tools/skylib")
    native.local_repository(name = "rules_java", path = "/usr/share/bazel/rules/java")
    native.local_repository(name = "rules_proto", path = "/usr/share/bazel/rules/proto")

    # Debian's rules_cc is too new for its own Bazel: a stub over the native rules.
    native.local_repository(name = "rules_cc", path = home_async + "/tools/third_party/rules_cc")
    native.local_repository(name = "remote_coverage_tools", path = home_async + "/tools/third_party/remote_coverage_tools")

def home_async_repositories():
    """The libraries that Home Async is built from."""
    pinned_archive(
        name = "com_google_absl",
        local_file = "abseil_20220623.1.orig.tar.gz",
        local_sha256 = "abfe2897f3a30edaa74bc34365afe3c2a3cd012091a97dc7e008f7016adcd5fe",
        local_strip_prefix = "abseil-20220623.1",
        sha256 = "91ac87d30cc6d79f9ab974c51874a704de9c2647c40f6932597329a282217ba8",
        strip_prefix = "abseil-cpp-20220623.1",
        urls = ["https://github.com/abseil/abseil-cpp/archive/refs/tags/20220623.1.tar.gz"],
    )
    pinned_archive(
        name = "com_google_googletest",
        local_file = "googletest_1.12.1.orig.tar.gz",
        local_sha256 = "81964fe578e9bd7c94dfdb09c8e4d6e6759e19967e397dbea48d1c10e45d0df2",
        local_strip_prefix = "googletest-release-1.12.1",
        sha256 = "81964fe578e9bd7c94dfdb09c8e4d6e6759e19967e397dbea48d1c10e45d0df2",
        strip_prefix = "googletest-release-1.12.1",
        urls = ["https://github.com/google/googletest/archive/refs/tags/release-1.12.1.tar.gz"],
    )
    pinned_archive(
        name = "com_github_google_benchmark",
        local_file = "benchmark_1.7.1.orig.tar.gz",
        local_sha256 = "6430e4092653380d9dc4ccb45a1e2dc9259d581f4866dc0759713126056bc1d7",
        local_strip_prefix = "benchmark-1.7.1",
        sha256 = "6430e4092653380d9dc4ccb45a1e2dc9259d581f4866dc0759713126056bc1d7",
        strip_prefix = "benchmark-1.7.1",
        urls = ["https://github.com/google/benchmark/archive/refs/tags/v1.7.1.tar.gz"],
    )
    pinned_archive(
        name = "liburing",
        build_file = Label("//tools/third_party:overlays/liburing.BUILD"),
        local_file = "liburing_2.3.orig.tar.gz",
        local_sha256 = "2eac26f880125d83f75ba8641fde5d88226dd352d3cee95d45a9128758a8f1be",
        local_strip_prefix = "liburing-2.3",
        sha256 = "60b367dbdc6f2b0418a6e0cd203ee0049d9d629a36706fcf91dfb9428bae23c8",
        strip_prefix = "liburing-liburing-2.3",
        urls = ["https://github.com/axboe/liburing/archive/refs/tags/liburing-2.3.tar.gz"],
    )
    pinned_archive(
        name = "mimalloc",
        build_file = Label("//tools/third_party:overlays/mimalloc.BUILD"),
        local_file = "mimalloc_2.0.9+ds.orig.tar.xz",
        local_sha256 = "cbc9d207ff105ad1f0cb739c378076143a6452b8d0624309cea0abfb040e972b",
        local_strip_prefix = "mimalloc-2.0.9+ds",
        sha256 = "4a29edae32a914a706715e2ac8e7e4109e25353212edeed0888f4e3e15db5850",
        strip_prefix = "mimalloc-2.0.9",
        urls = ["https://github.com/microsoft/mimalloc/archive/refs/tags/v2.0.9.tar.gz"],
    )
    llhttp_repository(
        name = "llhttp",
        build_file = Label("//tools/third_party:overlays/llhttp.BUILD"),
        sha256 = "9da0d23453e8e242cf3b2bc5d6fb70b1517b8a70520065fcbad6be787e86638e",
        strip_prefix = "llhttp-release-v8.1.0",
        urls = ["https://github.com/nodejs/llhttp/archive/refs/tags/release/v8.1.0.tar.gz"],
    )
    relacy_repository(
        name = "relacy",
        build_file = Label("//tools/third_party:overlays/relacy.BUILD"),
        sha256 = "5ec12eaf002783b8fe01fd15dcff018b092bbd2e5ecb764d511d93325182ecc5",
        strip_prefix = "relacy-0.0+git20191025.acc09bb",
        urls = ["https://deb.debian.org/debian/pool/main/r/relacy/relacy_0.0+git20191025.acc09bb.orig.tar.xz"],
    )
