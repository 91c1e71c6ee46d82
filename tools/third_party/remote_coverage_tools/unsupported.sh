#!/usr/bin/env bash
echo "bazel coverage is not configured in this workspace" >&2
exit 1
