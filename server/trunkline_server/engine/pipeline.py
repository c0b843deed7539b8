# SPDX-License-Identifier: Apache-2.0
"""What happened to a call besides the model's work, as stages of `openrouter_metadata.pipeline`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import orjson

from trunkline.v1.router_metadata_pb2 import PipelineStage
from trunkline_server.dialects.base import RenderedRequest

_DIALECT: Final = "dialect"
_MOST_PATHS: Final = 64
_LONGEST_PATH: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """What became of a request in a provider's language.

    `dropped` are the JSON paths of what the provider did not get, `changed` of what it got otherwise than meant, each with what was done.
    """

    dialect: str
    dropped: tuple[str, ...]
    changed: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, dialect: str, rendered: RenderedRequest) -> Rendering | None:
        """As much as is worth keeping of what a request lost: unknown keys, whose names are the caller's, are among the paths. None where it lost nothing."""
        dropped, changed = rendered.dropped, rendered.changed
        if not dropped and not changed:
            return None
        return cls(
            dialect=dialect,
            dropped=tuple(path[:_LONGEST_PATH] for path in dropped[:_MOST_PATHS]),
            changed=tuple((path[:_LONGEST_PATH], what) for path, what in changed[:_MOST_PATHS]),
        )


def describe_rendering(rendering: Rendering | None) -> list[PipelineStage]:
    """The stage that tells of it; none where nothing was lost or changed."""
    if rendering is None:
        return []
    said = []
    if rendering.dropped:
        said.append(f"not sent: {', '.join(rendering.dropped)}")
    if rendering.changed:
        said.append("changed: " + ", ".join(f"{path} ({what})" for path, what in rendering.changed))
    data = {"dropped": rendering.dropped, "changed": dict(rendering.changed)}
    summary = "; ".join(said)
    return [
        PipelineStage(
            type=_DIALECT,
            name=rendering.dialect,
            summary=f"{summary[:1].upper()}{summary[1:]}.",
            data=orjson.dumps(data).decode(),
        )
    ]
