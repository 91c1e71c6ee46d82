"""Relacy Race Detector, with corrections to the memory model that it checks.

Relacy (Debian's relacy-dev, of 2019) implements C++11 and keeps little of an
object's past. Each correction below makes it see more; //tools/model:model_test
has a test for each that fails without it.
"""

# File -> pairs of what stands there and what has to.
_CORRECTIONS = {
    "defs.hpp": [
        # How many values of an atomic object a load may choose among. With three,
        # most weakened orders go unnoticed: the stale value is gone too soon.
        (
            "size_t const atomic_history_size = 3;",
            "size_t const atomic_history_size = 8;",
        ),
    ],
    "atomic.hpp": [
        # With a longer history all of it has to be marked as empty.
        (
            "history_[atomic_history_size - 1].busy_ = false;",
            "for (size_t i = 0; i != atomic_history_size; ++i) history_[i].busy_ = false;",
        ),
    ],
    "signature.hpp": [
        # The mark of a dead object: a plain store at the end of a life is optimised away.
        (
            "magic_ = 0;",
            "*(unsigned volatile*)&magic_ = 0;",
        ),
    ],
    "thread.hpp": [
        # The exhaustive search looked one value back, no further.
        (
            "size_t const limit = c.is_random_sched() ? atomic_history_size  - 1: 1;",
            "size_t const limit = atomic_history_size - 1;",
        ),
        # Since C++20 a release sequence goes on with RMWs alone: a plain store by the
        # releasing thread ends it.
        (
            "prev.busy_ && (rmw || (index_ == prev.thread_id_));",
            "prev.busy_ && rmw;",
        ),
    ],
}

def _relacy_repository_impl(ctx):
    headers = ctx.path("/usr/include/relacy")
    if not headers.exists:
        ctx.download_and_extract(
            url = ctx.attr.urls,
            sha256 = ctx.attr.sha256,
            stripPrefix = ctx.attr.strip_prefix,
            output = "original",
        )
        headers = ctx.path("original/relacy")
    for folder, prefix in [(headers, ""), (headers.get_child("stdlib"), "stdlib/")]:
        for header in folder.readdir():
            if not header.basename.endswith(".hpp"):
                continue
            name = prefix + header.basename
            text = ctx.read(header).replace("\r\n", "\n")
            for wrong, right in _CORRECTIONS.get(name, []):
                if wrong not in text:
                    fail("%s of this Relacy lacks what is corrected: %s" % (name, wrong))
                text = text.replace(wrong, right)
            ctx.file("include/relacy/" + name, text, executable = False)
    ctx.symlink(ctx.attr.build_file, "BUILD.bazel")

relacy_repository = repository_rule(
    implementation = _relacy_repository_impl,
    doc = "Debian's headers if they are installed, else the archive that they were built from.",
    attrs = {
        "build_file": attr.label(mandatory = True),
        "sha256": attr.string(mandatory = True),
        "strip_prefix": attr.string(mandatory = True),
        "urls": attr.string_list(mandatory = True),
    },
)
