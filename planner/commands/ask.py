"""A question in one line: the keys of a kind of work as options of the commands that take a workload."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import click

from planner.commands.options import completing
from planner.demand.fields import SHARED_NAMES, Field, fields_of
from planner.demand.models import known_model, load_workload
from planner.demand.workload import Workload, type_of_kind
from planner.errors import InputError
from planner.inputs.amount import quantity
from planner.inputs.faults import Document, Path_
from planner.inputs.reading import document_of, validated
from pricing.commands.console import CommandLineError, Talk, write_output
from pricing.errors import GpuplanError
from pricing.facts.accelerators import resolve_all

EXAMPLES = {
    "serve": "--model llama-3.1-70b --rps 20 --in 1000 --out 300",
    "pretrain": "--model llama-3.1-8b --tokens 1T --deadline-days 60",
    "finetune": "--model llama-3.1-8b --method lora --tokens 50M",
    "batch": "--model llama-3.1-8b --requests 1M --in 800 --out 200 --deadline-hours 12",
    "embed": "--model bge-base-en-v1.5 --documents 10M",
    "diffusion": "--model sdxl --images-per-day 50k",
    "transcribe": "--model whisper-large-v3 --audio-hours 1000",
    "video": "--model wan2.1-t2v-14b --clips-per-day 200",
    "gpu_hours": "--gpu h100-sxm --count 8 --hours 438",
}
"""A question of each kind, as it is typed after ``gpuplan plan KIND``."""
ENDINGS = {"launch": " --to skypilot", "estimate": " --on h100-sxm:8"}
"""What a command asks for besides the question."""
LENGTHS = {"input_tokens", "output_tokens"}
"""Of a service both may be left away: those of chats stand for them."""
MOST_CHOICES = 8
"""Of more, a help shows the first."""
_STATED = "planner.commands.ask.stated"
_KIND = "planner.commands.ask.kind"


@dataclass(frozen=True, slots=True)
class _Line(Document):
    """A workload from the command line: faults name the option."""

    names: dict[str, str] = field(default_factory=dict)

    def place(self, path: Path_) -> str:
        """Return the command; each message names the option itself."""
        del path
        return self.name

    def label(self, path: Path_) -> str:
        """Return the option."""
        dotted = ".".join(str(part) for part in path)
        return self.names.get(dotted, dotted or "this question")


class AskCommand(click.Command):
    """A command that takes a workload as a file, or as a kind of work and options made from the keys of its schema."""

    def __init__(self, *args: Any, with_constraints: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.with_constraints = with_constraints

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Look for a kind of work among the words before the options are read."""
        flags = {
            name
            for param in self.params
            if getattr(param, "is_flag", False)
            for name in (*param.opts, *param.secondary_opts)
        }
        for before, word in zip(["", *args], args, strict=False):
            kind = word.replace("-", "_")
            is_value = before.startswith("-") and before not in flags and "=" not in before and before != "--"
            if kind in type_of_kind and not is_value:
                ctx.meta[_KIND] = kind
                break
        return super().parse_args(ctx, args)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the options, with those of the kind of work that was named."""
        kind = ctx.meta.get(_KIND)
        params = super().get_params(ctx)
        if not kind:
            return params
        arguments = [param for param in params if isinstance(param, click.Argument)]
        options = [param for param in params if not isinstance(param, click.Argument)]
        return [*arguments, *_options(kind, with_constraints=self.with_constraints), *options]

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """End the help with a question of the kind."""
        kind = ctx.meta.get(_KIND)
        named = [kind] if kind else list(type_of_kind)
        with formatter.section("Example" if kind else "Examples"):
            for name in named:
                ending = ENDINGS.get(str(ctx.info_name), "")
                formatter.write_text(f"gpuplan {ctx.info_name} {name} {EXAMPLES.get(name, '')}{ending}")
        if not kind:
            formatter.write_paragraph()
            formatter.write_text(f"gpuplan {ctx.info_name} KIND --help lists the options of a kind of work.")


def kind_of(ctx: click.Context) -> str | None:
    """Return the kind of work that the command line names in place of a file."""
    kind: str | None = ctx.meta.get(_KIND)
    return kind


@cache
def _asked_fields(kind: str, *, with_constraints: bool) -> tuple[Field, ...]:
    fields = (
        field
        for _, group in fields_of(kind)
        for field in group
        if field.name not in SHARED_NAMES and (with_constraints or not field.name.startswith(("constraints.", "own.")))
    )
    return tuple(sorted(fields, key=lambda field: field.name != "model"))


@cache
def _options(kind: str, *, with_constraints: bool) -> tuple[click.Parameter, ...]:
    fields = _asked_fields(kind, with_constraints=with_constraints)
    return tuple(option for field in fields for option in _options_of(field))


def _options_of(asked: Field) -> list[click.Option]:
    named = ", ".join(asked.choices[:MOST_CHOICES]) + (" ..." if len(asked.choices) > MOST_CHOICES else "")
    about = asked.about + (f" Any of {named}, with commas." if named and asked.is_list else "")
    shared: dict[str, Any] = {"help": about.replace("`", ""), "expose_value": False, "default": None}
    variable = f"ask_{asked.name}".replace(".", "_")
    if asked.kind == "flag":
        return [click.Option([f"{asked.option}/--no-{asked.option[2:]}", variable], callback=_keep(asked), **shared)]
    one_of = "|".join(asked.choices) if asked.choices and not asked.is_list else ""
    shared["metavar"] = one_of or ("N" if asked.kind == "number" else "TEXT")
    shared |= {"multiple": asked.is_list, "shell_complete": completing(asked.key, asked.choices)}
    if asked.short == "tokens":
        single = shared | {
            "help": f"{about} Here as a plain number of tokens: 50M.",
            "callback": _keep(asked, scale_key=asked.key),
        }
        shared["callback"] = _keep(asked)
        return [
            click.Option(["--tokens", f"{variable}_single"], **single),
            click.Option([asked.option, variable], **shared),
        ]
    names = dict.fromkeys([asked.option, asked.short_option])
    return [click.Option([*names, variable], callback=_keep(asked), **shared)]


def _keep(asked: Field, scale_key: str = "") -> Callable[[click.Context, click.Parameter, Any], None]:
    """Return a callback that keeps what was stated, under the key's place."""

    def keep(ctx: click.Context, param: click.Parameter, value: Any) -> None:  # noqa: ANN401  click's own
        if value is None or value == ():
            return
        read = [word for text in value for word in _words(text)] if asked.is_list else value
        if isinstance(read, str):
            read = _value(read)
        if scale_key and isinstance(read, int | float):
            read = quantity(f"{read / 1000}k", scale_key)
        stated = ctx.meta.setdefault(_STATED, {})
        if asked.name in stated:
            raise CommandLineError(
                "stated twice", where=param.opts[0], hint=f"say it once; the other is {stated[asked.name][0]}"
            )
        stated[asked.name] = (param.opts[0], read)

    return keep


def _value(text: str) -> object:
    """Read a value as in a workload file, so that `{mean: 1000, cv: 1.2}` is a mapping; what is no YAML is text."""
    try:
        return document_of(f"value: {text}", "").content["value"]
    except InputError:
        return text


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.strip("[] ").split(",") if word.strip()]


def asked_workload(ctx: click.Context, sources: Sequence[str], overrides: dict[str, Any]) -> Workload:
    """Return the workload that the command line states by a kind and its options.

    Parameters
    ----------
    ctx : click.Context
        Of the command, whose words name a kind.
    sources : sequence of str
        The words that are no options; only the kind itself is allowed.
    overrides : dict of str to Any
        What options shared with files state, by the place of their keys.

    Raises
    ------
    CommandLineError
        A file stands beside the kind.
    InputError
        All faults at once, each with its option.
    """
    kind = kind_of(ctx)
    assert kind is not None
    more = [source for source in sources if source.replace("-", "_") != kind]
    if more:
        raise CommandLineError(
            "a kind of work and a file are two questions",
            where=more[0],
            hint=f"leave one out; a file that is called {kind} is read as ./{kind}",
        )
    stated = {name: value for name, (_, value) in ctx.meta.get(_STATED, {}).items()} | overrides
    content: dict[str, Any] = {"kind": kind, kind: {}}
    for name, value in stated.items():
        section, _, key = name.rpartition(".")
        (content.setdefault(section, {}) if section else content)[key] = value
    names = {asked.name: asked.short_option for asked in _asked_fields(kind, with_constraints=True)}
    names |= {name: f"--{option}" for name, option in SHARED_NAMES.items()}
    line = _Line(content, f"{ctx.info_name} {kind}", {}, names)
    _refuse_what_is_missing(line, kind, str(ctx.info_name))
    return validated(line, Workload)


INSTEAD = {
    ("serve", "requests_per_s"): "concurrency", ("embed", "documents"): "requests_per_s", ("finetune", "tokens_m"): "steps",
}  # fmt: skip
"""What may be stated in place of a key that is needed."""


def _refuse_what_is_missing(line: _Line, kind: str, command: str) -> None:
    """Stop where the question lacks what it cannot do without, the model included."""
    stated = line.content[kind]
    # A service may state neither length, since the traffic of chats fills in both; one alone asks for the other.
    lengths = LENGTHS if kind == "serve" and ("traffic" in stated or len(LENGTHS & stated.keys()) != 1) else set()
    missing = []
    for asked in _asked_fields(kind, with_constraints=False):
        instead = INSTEAD.get((kind, asked.key), "")
        is_stated = asked.key in (stated if "." in asked.name else line.content) or instead in stated
        if (asked.is_required or asked.name == "model") and not is_stated and asked.key not in lengths:
            option = f"--{instead.replace('_', '-')}" if instead else ""
            missing.append(" or ".join(filter(None, (asked.short_option, option))))
    if missing:
        raise InputError(
            f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing",
            where=line.name,
            hint=f"for example: gpuplan {command} {kind} {EXAMPLES.get(kind, '')}",
        )


def workload_of_file(source: str) -> Workload:
    """Return the workload of a file; a name that is no file but a kind, a model or a GPU is answered with the question to ask.

    Raises
    ------
    InputError
        No such file, or all its faults at once.
    """
    if source != "-" and not Path(source).exists() and (question := _question_about(source)):
        raise InputError("no such file", where=source, hint=question)
    return load_workload(source)


def _question_about(word: str) -> str:
    """Return what may have been meant by a word that is no file; empty where nothing is close."""
    near = difflib.get_close_matches(word.replace("-", "_"), type_of_kind, n=1, cutoff=0.75)
    if near:
        return f"did you mean `gpuplan plan {near[0]} {EXAMPLES.get(near[0], '')}`?"
    with suppress(GpuplanError):
        model = known_model(word).name
        return f"{model} is a model; ask: gpuplan plan serve --model {model} --rps 20 --in 1000 --out 300"
    with suppress(GpuplanError):
        name = resolve_all(word)[0].name
        return f"{name} is a GPU; ask: gpuplan plan gpu_hours --gpu {shlex.quote(name)} --count 8 --hours 438"
    if Path(word).suffix or "/" in word:
        return ""
    return f"kinds of work are {', '.join(type_of_kind)}; `gpuplan init KIND -o {word}` writes a file to start from"


def save_workload(works: Sequence[Workload], path: Path, talk: Talk) -> None:
    """Write the question as a workload file.

    Raises
    ------
    CommandLineError
        Several workloads were asked about, or a file is there already.
    """
    if len(works) != 1:
        raise CommandLineError("one question makes one file", where="--save", hint="plan a single workload")
    if path.exists():
        raise CommandLineError("there is a file already", where=str(path), hint="choose another name")
    import yaml

    content = works[0].model_dump(mode="json", exclude_unset=True, exclude_none=True)
    write_output(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), path)
    talk.say(f"saved; the same again: gpuplan plan {path}")
