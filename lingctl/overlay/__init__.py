"""The ATB overlay: the files that teach MindIE the BailingMoE models, and where they go."""

from lingctl.overlay.package import (
    digest_command,
    overlay_digest,
    overlay_files,
    overlay_folder,
    overlay_version,
    package_document,
    read_digest,
)

__all__ = [
    "digest_command",
    "overlay_digest",
    "overlay_files",
    "overlay_folder",
    "overlay_version",
    "package_document",
    "read_digest",
]
