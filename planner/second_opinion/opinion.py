"""Opinion: another program's figures beside ours, for the same replica under the same load, and their ratios."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from planner.figures import significant

__all__ = ["FIGURES", "SecondOpinion"]

FIGURES = ("tokens_per_s_per_gpu", "ttft_ms", "tpot_ms")


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondOpinion:
    """What another program says, and why it says nothing where it does not.

    Attributes
    ----------
    tool, version, engine : str
        Who speaks, and of which serving engine.
    request_count : int
        In flight on one replica, in both answers.
    theirs, ours : mapping of str to float
        ``tokens_per_s_per_gpu``, ``ttft_ms`` and ``tpot_ms``, where they have one.
    ratio : mapping of str to float
        Theirs over ours.
    reason : str
        Why there is no answer; empty where there is one.
    warning : str
        What the tool says beside its figures.
    """

    tool: str = "aiconfigurator"
    version: str = ""
    engine: str = ""
    request_count: int = 0
    theirs: Mapping[str, float] = field(default_factory=dict)
    ours: Mapping[str, float] = field(default_factory=dict)
    ratio: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    warning: str = ""

    def record(self) -> dict[str, object]:
        """Return the opinion as plain values."""
        return asdict(self)

    def sentence(self) -> str:
        """Return the opinion in words."""
        if self.reason:
            return f"no second opinion: {self.reason}"
        said = [
            f"{significant(self.theirs[name], 3):,g} {words}"
            + (f" (ours {significant(self.ours[name], 3):,g})" if name in self.ours else "")
            for name, words in (
                ("tokens_per_s_per_gpu", "tokens/s a GPU"),
                ("ttft_ms", "ms to the first token"),
                ("tpot_ms", "ms a further token"),
            )
        ]
        return (
            f"second opinion of {self.tool} {self.version} ({self.engine}), a replica with {self.request_count:,} requests in "
            f"flight: {', '.join(said)}{f'; {self.warning}' if self.warning else ''}"
        )
