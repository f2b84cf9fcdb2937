"""Texts to vectors, or pairs of texts to a score: a heap by a deadline, or a service by its rate."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from planner.demand.sections import Count, Positive, Profile, Rate, Section, Tokens

Task = Literal["embed", "rerank"]


class Embed(Section):
    """Turn documents into vectors with an encoder, or score pairs of texts.

    Attributes
    ----------
    documents : int
        Documents to embed, or pairs to score.
    tokens_per_document : int
        Mean length of a document, or of a query and a document together, in tokens.
    task : str
        ``embed``, or ``rerank``: each document is read together with its query, and scored.
    deadline_hours : float, optional
        Hours by which it has to be done.
    """

    documents: Count
    tokens_per_document: Tokens = 300
    task: Task = "embed"
    deadline_hours: Positive | None = None


class EmbedService(Section):
    """Turn documents into vectors, or score pairs of texts, as requests come.

    Attributes
    ----------
    requests_per_s : float
        Mean arrival rate over the whole week, requests per second.
    documents_per_request : int
        Documents in a request; for reranking, those of one query.
    tokens_per_document : int
        Mean length of a document, or of a query and a document together, in tokens.
    task : str
        ``embed``, or ``rerank``: each document is read together with its query, and scored.
    latency_limit_ms : float, optional
        Limit on the time of a request, including the wait for the batch before it.
    profile : Profile
        How the rate moves over the week.
    """

    requests_per_s: Rate
    documents_per_request: Annotated[int, Field(ge=1, le=100_000)] = 1
    tokens_per_document: Tokens = 300
    task: Task = "embed"
    latency_limit_ms: Positive | None = None
    profile: Profile = Profile.STEADY

    @property
    def documents_per_s(self) -> float:
        """Mean rate of documents."""
        return self.requests_per_s * self.documents_per_request


_BY_RATE = frozenset({"requests_per_s", "documents_per_request", "latency_limit_ms", "profile"})


def _sort(value: object) -> str:
    keys = value.keys() if isinstance(value, dict) else ()
    return (
        "Service" if isinstance(value, EmbedService) or ("documents" not in keys and _BY_RATE & set(keys)) else "Heap"
    )


def _one_form(value: object) -> object:
    if isinstance(value, dict) and {"documents", "requests_per_s"} <= value.keys():
        raise ValueError("documents make a job, requests_per_s makes a service; leave one of them out")
    return value


Embedding = Annotated[
    Annotated[Embed, Tag("Heap")] | Annotated[EmbedService, Tag("Service")],
    Discriminator(_sort),
    BeforeValidator(_one_form),
]
"""By the keys: a number of documents makes a heap, a rate makes a service."""
