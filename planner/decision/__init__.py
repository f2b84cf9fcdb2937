"""From what was used and paid to what to own, commit to, keep on demand and switch off."""

from planner.decision.decide import Decision, GpuDecision, Part, SwitchOff, decide

__all__ = ["Decision", "GpuDecision", "Part", "SwitchOff", "decide"]
