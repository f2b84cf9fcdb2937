"""How much work there is: tokens and images in a month, or in one run of a job."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from planner.demand.sections import mean_tokens
from planner.demand.workload import (
    Batch,
    Diffusion,
    Embed,
    EmbedService,
    Finetune,
    FinetuneImages,
    GpuHours,
    Pretrain,
    Serve,
    Transcribe,
    Video,
    Workload,
)

SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """Work of one month (for work that never ends), or of one run (for a job).

    Attributes
    ----------
    is_job : bool
        True where the figures are those of one run.
    runs_per_month : float
        Runs a month; 0 for a job that is run once, 1 for work that never ends.
    input_tokens, output_tokens : float
        Read and generated.
    trained_tokens : float
        Passed through training, epochs counted.
    images : float
        Images or clips generated.
    request_count : float
        Requests answered or documents embedded.
    """

    is_job: bool
    runs_per_month: float
    input_tokens: float = 0.0
    output_tokens: float = 0.0
    trained_tokens: float = 0.0
    images: float = 0.0
    request_count: float = 0.0

    @property
    def tokens(self) -> float:
        """All tokens, whatever was done with them."""
        return self.input_tokens + self.output_tokens + self.trained_tokens

    def runs(self, months: int) -> float:
        """Return how many times the figures come about in so many months."""
        return self.runs_per_month * months if self.runs_per_month else 1.0


def volume(workload: Workload, hours_per_month: float) -> Volume:
    """Return how much work a workload is.

    Parameters
    ----------
    workload : Workload
        The work.
    hours_per_month : float
        Hours in a month (730).

    Examples
    --------
    >>> from planner.demand.workload import Workload
    >>> work = {"kind": "serve", "model": "m", "serve": {"requests_per_s": 1, "input_tokens": 10, "output_tokens": 2}}
    >>> volume(Workload.model_validate(work), 730).output_tokens
    5256000.0
    """
    seconds_per_month = hours_per_month * SECONDS_PER_HOUR
    runs = (workload.runs_per_month or 0.0) if workload.ends else 1.0
    of_work = partial(Volume, is_job=workload.ends, runs_per_month=runs)
    match workload.work:
        case Serve() as work:
            requests = work.requests_per_s * seconds_per_month
            prompts, answers = (requests * mean_tokens(lengths) for lengths in (work.prompt_tokens, work.output_tokens))
            return of_work(input_tokens=prompts, output_tokens=answers, request_count=requests)
        case Batch() as work:
            prompts, answers = (float(work.requests) * lengths for lengths in (work.input_tokens, work.output_tokens))
            return of_work(input_tokens=prompts, output_tokens=answers, request_count=work.requests)
        case Embed() as work:
            tokens = float(work.documents) * work.tokens_per_document
            return of_work(input_tokens=tokens, request_count=work.documents)
        case EmbedService() as work:
            requests = work.requests_per_s * seconds_per_month
            tokens = requests * work.documents_per_request * work.tokens_per_document
            return of_work(input_tokens=tokens, request_count=requests)
        case Pretrain() as work:
            return of_work(trained_tokens=work.tokens_b * 1e9)
        case Finetune() as work:
            return of_work(trained_tokens=work.tokens_m * 1e6 * work.epochs)
        case Diffusion() as work:
            return of_work(images=work.images_per_day * hours_per_month / 24)
        case Video() as work:
            return of_work(images=work.clips_per_day * hours_per_month / 24)
        case Transcribe() | FinetuneImages() | GpuHours():
            return of_work()
