"""The macros that every package uses for its C++ targets.

They fix what all targets share: headers are included as "home/<package>/<file>.h",
tests run under GoogleTest's main, benchmarks under Google Benchmark's.
"""

load("@rules_cc//cc:defs.bzl", "cc_binary", "cc_library", "cc_test")

# For target_compatible_with: systems with POSIX calls. What depends on such a target is built for no
# other system either, and patterns like //... leave it out there.
POSIX = select({
    "@platforms//os:linux": [],
    "@platforms//os:macos": [],
    "//conditions:default": ["@platforms//:incompatible"],
})

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

def home_readme_examples(name, blocks, deps, srcs = ["readme_examples.cc"], **kwargs):
    """What the package's README.md shows as C++, compiled with everything else.

    Its `blocks` blocks are the files home/<package>/readme_1.inc and so on, which
    readme_examples.cc includes where such code may stand. tools/lint sees that it leaves none
    out. Errors are told by their lines in README.md.
    """
    outs = ["readme_%d.inc" % number for number in range(1, blocks + 1)]
    native.genrule(
        name = name + "_blocks",
        srcs = ["README.md"],
        outs = outs,
        cmd = """awk -v dir=$(RULEDIR) '
            /^```cpp$$/ {
              file = dir "/readme_" ++count ".inc"
              for (i = split("variable but-set-variable parameter function", kinds); i > 0; --i) {
                print "#pragma GCC diagnostic ignored \\"-Wunused-" kinds[i] "\\"" > file
              }
              print "#line " NR + 1 " \\"" FILENAME "\\"" > file
              inside = 1
              next
            }
            /^```/ { inside = 0 }
            inside { print > file }' $<""",
    )
    home_cc_library(
        name = name + "_inc",
        testonly = True,
        hdrs = outs,
    )
    home_cc_library(
        name = name,
        testonly = True,
        srcs = srcs,
        deps = deps + [":" + name + "_inc"],
        **kwargs
    )

def home_model_test(name, srcs, deps = [], size = "small", tags = [], **kwargs):
    """A model check of lock-free code (tools/model/README.md).

    It checks by its own means, on fibers and with its own memory, what sanitizers would:
    those configurations leave it out.
    """
    home_cc_test(
        name = name,
        size = size,
        srcs = srcs,
        # longjmp between fibers, which glibc's checked one takes for an error. g++ 12 warns
        # of Relacy's arrays, one entry a thread, where there is one thread.
        copts = ["-U_FORTIFY_SOURCE", "-Wno-array-bounds"],
        tags = ["model"] + tags,
        deps = deps + ["//tools/model"],
        **kwargs
    )

def home_fuzz_test(name, srcs, corpus, deps = [], **kwargs):
    """A fuzz target (tools/fuzz/README.md): a test of its corpus, and `<name>_fuzzer`."""
    home_cc_test(
        name = name,
        srcs = srcs + ["//tools/fuzz:replay.cc"],
        data = corpus,
        args = ["$(location %s)" % file for file in corpus],
        main = False,
        deps = deps,
        **kwargs
    )
    cc_binary(
        name = name + "_fuzzer",
        testonly = True,
        srcs = srcs,
        linkopts = ["-fsanitize=fuzzer"],
        # For --config=fuzz alone: g++ has no libFuzzer.
        tags = ["manual"],
        deps = deps,
    )
