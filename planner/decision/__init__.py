"""From what was used and paid to what to own, commit to, keep on demand and switch off."""

from planner.decision.answer import Decision, GpuDecision, Kept, Note, Part, Step, SwitchOff
from planner.decision.decide import decide

__all__ = ["Decision", "GpuDecision", "Kept", "Note", "Part", "Step", "SwitchOff", "decide"]
