"""The macros that every package uses for its C++ targets.

They fix what all targets share: headers are included as "home/<package>/<file>.h",
tests run under GoogleTest's main, benchmarks under Google Benchmark's.
"""

load("@rules_cc//cc:defs.bzl", "cc_binary", "cc_library", "cc_test")

def home_cc_library(name, **kwargs):
    """A library whose headers carry the prefix `home/`."""
    package = native.package_name()
    cc_library(
        name = name,
        include_prefix = "home/" + package if package else "home",
        **kwargs
    )

def home_cc_test(name, srcs, deps = [], size = "small", main = True, **kwargs):
    """A GoogleTest binary; `main = False` for tests that bring a main of their own."""
    cc_test(
        name = name,
        size = size,
        srcs = srcs,
        linkstatic = True,
        deps = deps + (["@com_google_googletest//:gtest_main"] if main else ["@com_google_googletest//:gtest"]),
        **kwargs
    )

def home_cc_benchmark(name, srcs, deps = [], **kwargs):
    """A Google Benchmark binary, found by `tools/bench` through its tag."""
    cc_binary(
        name = name,
        testonly = True,
        srcs = srcs,
        tags = ["benchmark"],
        deps = deps + ["@com_github_google_benchmark//:benchmark_main"],
        **kwargs
    )

def home_cc_binary(name, **kwargs):
    """A program."""
    cc_binary(name = name, **kwargs)
