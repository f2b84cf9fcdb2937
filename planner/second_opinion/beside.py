"""Beside: aiconfigurator is asked for one replica of a fleet, and its figures are laid beside ours."""

from __future__ import annotations

from planner.demand.architecture import Architecture
from planner.demand.workload import Workload
from planner.second_opinion.asking import LIMIT_S, Figures, ask
from planner.second_opinion.opinion import SecondOpinion
from planner.second_opinion.question import Question, question_of
from planner.supply.machines import Fleet

__all__ = ["our_figures", "second_opinion"]


def second_opinion(
    workload: Workload, architecture: Architecture | None, fleet: Fleet | None, *, limit_s: float = LIMIT_S
) -> SecondOpinion:
    """Return what aiconfigurator says of one replica of a fleet; it never raises and never changes the fleet.

    Parameters
    ----------
    workload, architecture, fleet : Workload, Architecture or None, Fleet or None
        The work, its model, and the machines as they were sized; without machines there is nothing to ask.
    limit_s : float
        Seconds to wait.
    """
    if fleet is None:
        return SecondOpinion(reason="aiconfigurator speaks of accelerators, and the answer has none")
    question = question_of(workload, architecture, fleet)
    if not isinstance(question, Question):
        return SecondOpinion(reason=question)
    answer = ask(question, limit_s=limit_s)
    if not isinstance(answer, Figures):
        return SecondOpinion(reason=answer)
    ours = our_figures(fleet)
    return SecondOpinion(
        version=answer.version,
        engine=answer.engine,
        request_count=fleet.layout.micro_batch,
        theirs=answer.values,
        ours=ours,
        ratio={name: answer.values[name] / value for name, value in ours.items() if value > 0},
        warning=answer.warning,
    )


def our_figures(fleet: Fleet) -> dict[str, float]:
    """Return our figures of one replica at the load of the fleet, in the same terms.

    With B requests in flight, each of which gets a token every TPOT (prompts of others included), a replica makes
    ``B / TPOT`` tokens per second (Little's law).
    """
    performance, layout = fleet.performance, fleet.layout
    found: dict[str, float] = {}
    if performance.tpot_ms is not None:
        each = fleet.accelerators_used / max(layout.data, 1)
        found["tokens_per_s_per_gpu"] = layout.micro_batch / performance.tpot_ms.typical * 1e3 / each
        found["tpot_ms"] = performance.tpot_ms.typical
    if performance.ttft_ms is not None:
        found["ttft_ms"] = performance.ttft_ms.typical
    return found
