"""A file that a user wrote, and where each of its values stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Path_ = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A file's content and where each part of it stands.

    Attributes
    ----------
    content : dict
        The top-level mapping.
    name : str
        File name for messages.
    lines : mapping of path to (line, column)
        Place of each value; a path that ends in ``@key`` gives the place of the key itself.
    """

    content: dict[str, Any]
    name: str
    lines: Mapping[tuple[str | int, ...], tuple[int, int]]

    def place(self, path: Path_) -> str:
        """Return ``file:line:column`` of the key at `path`, or of the nearest part around it."""
        for end in range(len(path), 0, -1):
            for candidate in ((*path[:end], "@key"), path[:end]):
                if candidate in self.lines:
                    line, column = self.lines[candidate]
                    return f"{self.name}:{line}:{column}"
        return f"{self.name}:1:1"

    def label(self, path: Path_) -> str:
        """Return what messages call the key at `path`."""
        return ".".join(str(part) for part in path) or "the file"
