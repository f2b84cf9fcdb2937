"""Texts without secrets and without characters that steer."""

from __future__ import annotations

from collections import UserDict
from collections.abc import Iterator

import pytest

from pricing import plain_text
from pricing.plain_text import said


class _Vanishing(UserDict[str, str]):
    """Names a variable that another thread takes away before it is read."""

    def __iter__(self) -> Iterator[str]:
        yield "GONE_API_KEY"
        yield from super().__iter__()


def test_a_variable_that_another_thread_takes_away_does_not_stop_the_hiding(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("os.environ", _Vanishing({"OTHER_API_KEY": "long-enough-to-hide"}))
        shown = plain_text.without_secrets("asked with long-enough-to-hide")
    assert shown == "asked with ***"


def test_a_pasted_word_is_not_said_back_whole() -> None:
    assert said("what is " + "x" * 5000 + " here?") == "what is " + "x" * 1000 + "... here?"
