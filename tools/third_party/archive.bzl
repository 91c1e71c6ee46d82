"""Repository rules for third-party sources, pinned by checksum.

An archive may have two origins with different bytes and the same content:
Debian's source package (put into `.archives/` by tools/setup) and the public
release. Each origin has its own file name, checksum and top folder.
"""

def _overlay(ctx):
    if ctx.attr.build_file:
        for existing in ["BUILD", "BUILD.bazel"]:
            ctx.delete(existing)
        ctx.symlink(ctx.attr.build_file, "BUILD.bazel")

def _pinned_archive_impl(ctx):
    root = ctx.path(ctx.attr._anchor).dirname
    local = root.get_child(".archives").get_child(ctx.attr.local_file) if ctx.attr.local_file else None
    if local and local.exists:
        # `download` of a file URL checks the checksum; `extract` does not.
        ctx.download_and_extract(
            url = "file://" + str(local),
            sha256 = ctx.attr.local_sha256,
            stripPrefix = ctx.attr.local_strip_prefix,
        )
    else:
        ctx.download_and_extract(
            url = ctx.attr.urls,
            sha256 = ctx.attr.sha256,
            stripPrefix = ctx.attr.strip_prefix,
        )
    _overlay(ctx)

pinned_archive = repository_rule(
    implementation = _pinned_archive_impl,
    doc = "Unpacks `.archives/<local_file>` if it is there, else the public release.",
    attrs = {
        "build_file": attr.label(doc = "BUILD file of ours that replaces the archive's."),
        "local_file": attr.string(doc = "File name under .archives."),
        "local_sha256": attr.string(),
        "local_strip_prefix": attr.string(),
        "sha256": attr.string(mandatory = True, doc = "Of the public release."),
        "strip_prefix": attr.string(mandatory = True),
        "urls": attr.string_list(mandatory = True),
        "_anchor": attr.label(default = Label("//:WORKSPACE"), allow_single_file = True),
    },
)

def _llhttp_repository_impl(ctx):
    # Debian ships llhttp's generated C sources; its security team keeps them,
    # so they carry no pin of ours. Elsewhere: the pinned release.
    system = ctx.path("/usr/share/llhttp/llhttp.c")
    if system.exists:
        for name in ["api.c", "http.c", "llhttp.c"]:
            ctx.symlink("/usr/share/llhttp/" + name, "src/" + name)
        ctx.symlink("/usr/include/llhttp/llhttp.h" if ctx.path("/usr/include/llhttp/llhttp.h").exists else "/usr/share/include/llhttp/llhttp.h", "include/llhttp.h")
    else:
        ctx.download_and_extract(
            url = ctx.attr.urls,
            sha256 = ctx.attr.sha256,
            stripPrefix = ctx.attr.strip_prefix,
        )
    _overlay(ctx)

llhttp_repository = repository_rule(
    implementation = _llhttp_repository_impl,
    attrs = {
        "build_file": attr.label(mandatory = True),
        "sha256": attr.string(mandatory = True),
        "strip_prefix": attr.string(mandatory = True),
        "urls": attr.string_list(mandatory = True),
    },
)
