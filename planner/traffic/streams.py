"""Streams: requests drawn as a workload describes them, the same every time for one seed."""

from __future__ import annotations

import numpy as np

from planner.demand.sections import Lengths, tokens_at
from planner.traffic.simulation import Requests


def drawn_requests(  # noqa: PLR0913 - a formula takes the inputs that it has
    input_tokens: Lengths | float, output_tokens: Lengths | float, *, rate_per_s: float, count: int, arrival_cv: float = 1.0,
    length_cv: tuple[float, float] = (0.0, 0.0), cached_share: float = 0.0, longest_tokens: int | None = None, seed: int = 0,
) -> Requests:  # fmt: skip
    """Return requests whose gaps are Gamma distributed and whose prompts and answers are drawn apart.

    In public traces prompt and answer of a request are nearly uncorrelated (-0.37 to 0.07, planner/facts/traffic_profiles.csv).

    Parameters
    ----------
    input_tokens, output_tokens : Lengths or float
        A plain number is a mean.
    rate_per_s : float
        Mean arrival rate.
    count : int
        Requests to draw.
    arrival_cv : float
        Standard deviation over mean of the time between requests; 1 is a Poisson stream.
    length_cv : tuple of float
        Variation of prompts and of answers where none is stated.
    cached_share : float
        Part of every prompt that is found in the prefix cache.
    longest_tokens : int, optional
        Context of the model: longer requests are cut as an engine cuts them.
    seed : int
        The same seed draws the same requests.

    Examples
    --------
    >>> requests = drawn_requests(1000, 300, rate_per_s=20, count=3, seed=1)
    >>> requests.arrival_s.round(3).tolist(), requests.input_tokens.tolist()
    ([0.054, 0.069, 0.338], [1000, 1000, 1000])
    """
    rng = np.random.default_rng(seed)
    shape = 1.0 / max(arrival_cv, 1e-3) ** 2
    arrival_s = np.cumsum(rng.gamma(shape, 1.0 / (shape * rate_per_s), count))
    inputs, outputs = (
        np.maximum(np.rint(tokens_at(lengths, rng.standard_normal(count), default_cv=cv)), 1.0).astype(np.int64)
        for lengths, cv in zip((input_tokens, output_tokens), length_cv, strict=True)
    )
    if longest_tokens:
        outputs = np.minimum(outputs, longest_tokens - 1)
        inputs = np.minimum(inputs, longest_tokens - outputs)
    return Requests(
        arrival_s=arrival_s,
        input_tokens=inputs,
        output_tokens=outputs,
        cached_tokens=np.asarray(inputs * cached_share, dtype=np.int64),
    )
