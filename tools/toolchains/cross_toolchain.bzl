"""C++ toolchains for machines other than this one."""

load("@bazel_tools//tools/build_defs/cc:action_names.bzl", "ACTION_NAMES")
load(
    "@bazel_tools//tools/cpp:cc_toolchain_config_lib.bzl",
    "artifact_name_pattern",
    "feature",
    "flag_group",
    "flag_set",
    "tool_path",
    "with_feature_set",
)

_COMPILE = [
    ACTION_NAMES.assemble,
    ACTION_NAMES.preprocess_assemble,
    ACTION_NAMES.c_compile,
    ACTION_NAMES.cpp_compile,
    ACTION_NAMES.cpp_header_parsing,
]
_LINK = [
    ACTION_NAMES.cpp_link_executable,
    ACTION_NAMES.cpp_link_dynamic_library,
    ACTION_NAMES.cpp_link_nodeps_dynamic_library,
]

def _feature(name, actions, flags):
    return feature(
        name = name,
        enabled = True,
        flag_sets = [flag_set(actions = actions, flag_groups = [flag_group(flags = flags)])] if flags else [],
    )

def _config_impl(ctx):
    return cc_common.create_cc_toolchain_config_info(
        ctx = ctx,
        toolchain_identifier = ctx.attr.identifier,
        host_system_name = "local",
        target_system_name = ctx.attr.identifier,
        target_cpu = ctx.attr.identifier,
        # Bazel takes special paths for libcs that it knows by name; none of them fits.
        target_libc = "unknown",
        abi_version = "unknown",
        abi_libc_version = "unknown",
        compiler = ctx.attr.compiler,
        cxx_builtin_include_directories = ctx.attr.builtin_include_directories,
        tool_paths = [tool_path(name = name, path = path) for name, path in ctx.attr.tools.items()],
        artifact_name_patterns = [
            artifact_name_pattern(
                category_name = "executable",
                prefix = "",
                extension = ctx.attr.executable_suffix,
            ),
        ] if ctx.attr.executable_suffix else [],
        features = [
            feature(name = "supports_pic", enabled = not ctx.attr.executable_suffix),
            # Tests and programs are linked with our libraries inside.
            feature(name = "supports_dynamic_linker", enabled = False),
            feature(name = "opt"),
            feature(name = "dbg"),
            feature(name = "fastbuild"),
            # The compiler is called by its name for C++, to link, and takes all for that.
            _feature("cross_language_c", [ACTION_NAMES.c_compile], ["-x", "c"]),
            _feature("cross_compile_flags", _COMPILE, ctx.attr.compile_flags),
            feature(
                name = "cross_opt_flags",
                enabled = True,
                flag_sets = [flag_set(
                    actions = _COMPILE,
                    flag_groups = [flag_group(flags = ["-O2", "-DNDEBUG"])],
                    with_features = [with_feature_set(features = ["opt"])],
                )],
            ),
            _feature("cross_link_flags", _LINK, ctx.attr.link_flags),
        ],
    )

_cross_cc_toolchain_config = rule(
    implementation = _config_impl,
    attrs = {
        "builtin_include_directories": attr.string_list(),
        "compile_flags": attr.string_list(),
        "compiler": attr.string(),
        "executable_suffix": attr.string(),
        "identifier": attr.string(),
        "link_flags": attr.string_list(),
        "tools": attr.string_dict(),
    },
    provides = [CcToolchainConfigInfo],
)

def cross_cc_toolchain(
        name,
        platform,
        compiler,
        builtin_include_directories,
        compile_flags,
        link_flags,
        executable_suffix = "",
        files = [],
        tool_prefix = "",
        tool_suffix = "",
        wrappers = []):
    """A toolchain `name` that runs here and builds for `platform`.

    Args:
      name: of the toolchain, for --extra_toolchains.
      platform: one of the platforms of this package.
      compiler: what select()s on the compiler's name see.
      builtin_include_directories: where the compiler's own headers are.
      compile_flags: for every compilation.
      link_flags: for every link.
      executable_suffix: of programs.
      files: what the flags name in this package.
      tool_prefix: path and prefix of the GNU tools, if it is made of those.
      tool_suffix: what the compiler's name ends with.
      wrappers: else scripts of this package: the archiver, the compiler, one for all others.
    """
    names = ["cpp", "dwp", "gcov", "ld", "nm", "objcopy", "objdump", "strip"]
    if wrappers:
        archiver, cxx, other = wrappers
        tools = {tool: other for tool in names}
    else:
        archiver = tool_prefix + "ar"
        cxx = tool_prefix + "g++" + tool_suffix
        tools = {tool: tool_prefix + tool for tool in names}
    tools["ar"] = archiver
    tools["gcc"] = cxx
    _cross_cc_toolchain_config(
        name = name + "_config",
        builtin_include_directories = builtin_include_directories,
        compile_flags = compile_flags,
        compiler = compiler,
        executable_suffix = executable_suffix,
        identifier = name,
        link_flags = link_flags,
        tools = tools,
    )
    native.filegroup(name = name + "_files", srcs = wrappers + files)
    native.cc_toolchain(
        name = name + "_cc",
        all_files = name + "_files",
        ar_files = name + "_files",
        as_files = name + "_files",
        compiler_files = name + "_files",
        dwp_files = name + "_files",
        linker_files = name + "_files",
        objcopy_files = name + "_files",
        strip_files = name + "_files",
        toolchain_config = name + "_config",
    )
    native.toolchain(
        name = name,
        exec_compatible_with = [
            "@platforms//cpu:x86_64",
            "@platforms//os:linux",
        ],
        target_compatible_with = {
            ":linux_aarch64": ["@platforms//cpu:aarch64", "@platforms//os:linux"],
            ":macos_aarch64": ["@platforms//cpu:aarch64", "@platforms//os:macos"],
            ":macos_x86_64": ["@platforms//cpu:x86_64", "@platforms//os:macos"],
            ":windows_x86_64": ["@platforms//cpu:x86_64", "@platforms//os:windows"],
        }[platform],
        toolchain = name + "_cc",
        toolchain_type = "@bazel_tools//tools/cpp:toolchain_type",
    )
