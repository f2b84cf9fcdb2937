"""Formulas that are written once and read three ways: as numbers here, as a spreadsheet's or JavaScript's text in `planner.report.formulas`.

A formula is a small tree. It is built with Python's own operators, and what is known when it is built is worked out at
once (``0 * x`` is 0), so that a formula for one option says nothing of what that option has not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np

from planner.arrays import FloatArray

Value: TypeAlias = "Expr | float"
Figures: TypeAlias = Any
"""A number or an array of numbers."""


def _power(base: Figures, exponent: Figures) -> Figures:
    """Return a power; that of many rates over evenly spaced months is multiplied up, in a tenth of the time."""
    if np.ndim(base) != 1 or np.ndim(exponent) != 2 or exponent.shape[1] > 1 or len(exponent) < 3:
        return np.power(base, exponent)
    steps = np.diff(exponent[:, 0])
    if steps.max() - steps.min() > EVENLY:
        return np.power(base, exponent)
    powers = np.empty((len(exponent), len(base)))
    powers[0], further, filled = base ** exponent[0], base ** steps[0], 1
    while filled < len(powers):
        more = min(filled, len(powers) - filled)
        np.multiply(powers[:more], further, out=powers[filled : filled + more])
        further, filled = further * further, filled + more
    return powers


def _at(series: Figures, index: Figures) -> Figures:
    """Return items of the last axis; an index down the first axis, of shape (months, 1), gives (months, draws)."""
    where = np.asarray(index, dtype=int)
    return np.take(series, where, axis=-1) if where.ndim < 2 else np.take(series, where[:, 0], axis=-1).T


EVENLY = 1e-9
SYMBOLS = {"+", "-", "*", "/", "^", "<", "<=", "=", ">", ">="}
ARITHMETIC: dict[str, Callable[..., Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "^": _power,
    "<": np.less,
    "<=": np.less_equal,
    "=": np.equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "min": np.minimum,
    "max": np.maximum,
    "if": np.where,
    "floor": np.floor,
    "abs": np.abs,
    "exp": np.exp,
    "ln": np.log,
    "at": _at,
    "and": np.logical_and,
    "or": np.logical_or,
}


class Expr:
    """A formula: an operator and what it works on; a number or a name at the leaves.

    Parameters
    ----------
    op : str
        ``number``, ``name``, or a key of `ARITHMETIC`.
    args : tuple
        The value, the name, or the formulas below.
    """

    __slots__ = ("args", "op")

    def __init__(self, op: str, *args: Any) -> None:
        self.op = op
        self.args = args

    def __add__(self, other: Value) -> Expr:
        a, b = self, number(other)
        if _is(a, 0):
            return b
        return a if _is(b, 0) else _call("+", a, b)

    def __radd__(self, other: Value) -> Expr:
        return number(other) + self

    def __sub__(self, other: Value) -> Expr:
        return self if _is(number(other), 0) else _call("-", self, number(other))

    def __rsub__(self, other: Value) -> Expr:
        return number(other) - self

    def __mul__(self, other: Value) -> Expr:
        a, b = self, number(other)
        if _is(a, 0) or _is(b, 0):
            return number(0.0)
        if _is(a, 1):
            return b
        return a if _is(b, 1) else _call("*", a, b)

    def __rmul__(self, other: Value) -> Expr:
        return number(other) * self

    def __truediv__(self, other: Value) -> Expr:
        if _is(self, 0):
            return number(0.0)
        return self if _is(number(other), 1) else _call("/", self, number(other))

    def __rtruediv__(self, other: Value) -> Expr:
        return number(other) / self

    def __pow__(self, other: Value) -> Expr:
        return _call("^", self, number(other))

    def __rpow__(self, other: Value) -> Expr:
        return number(other) ** self

    def __lt__(self, other: Value) -> Expr:
        return _call("<", self, number(other))

    def __le__(self, other: Value) -> Expr:
        return _call("<=", self, number(other))

    def __gt__(self, other: Value) -> Expr:
        return _call(">", self, number(other))

    def __ge__(self, other: Value) -> Expr:
        return _call(">=", self, number(other))

    def equals(self, other: Value) -> Expr:
        """Return whether both are the same number."""
        return _call("=", self, number(other))

    def __repr__(self) -> str:
        return f"{self.op}({', '.join(map(repr, self.args))})"


def number(value: Value) -> Expr:
    """Return a number as a formula; a formula stays itself."""
    return value if isinstance(value, Expr) else Expr("number", float(value))


def name(text: str) -> Expr:
    """Return what a name stands for."""
    return Expr("name", text)


def _is(expr: Expr, value: float) -> bool:
    return expr.op == "number" and bool(expr.args[0] == value)


def _call(op: str, *args: Expr) -> Expr:
    """Return an operation, worked out where all that it works on is known."""
    if all(arg.op == "number" for arg in args):
        return number(float(ARITHMETIC[op](*(arg.args[0] for arg in args))))
    return Expr(op, *args)


def minimum(a: Value, b: Value) -> Expr:
    """Return the smaller one."""
    return _call("min", number(a), number(b))


def maximum(a: Value, b: Value) -> Expr:
    """Return the larger one."""
    return _call("max", number(a), number(b))


def floor(a: Value) -> Expr:
    """Return the whole number at or below."""
    return _call("floor", number(a))


def ceil(a: Value) -> Expr:
    """Return the whole number at or above."""
    return 0.0 - floor(0.0 - number(a))


def absolute(a: Value) -> Expr:
    """Return the size."""
    return _call("abs", number(a))


def exp(a: Value) -> Expr:
    """Return e to the power."""
    return _call("exp", number(a))


def log(a: Value) -> Expr:
    """Return the natural logarithm."""
    return _call("ln", number(a))


def at(series: Expr, index: Value) -> Expr:
    """Return an item of a series, the first of which is at 0; only numbers have series, not the cells of a workbook."""
    return _call("at", series, number(index))


def both(a: Expr, b: Expr) -> Expr:
    """Return whether both hold."""
    if a.op == "number":
        return b if a.args[0] else a
    if b.op == "number":
        return a if b.args[0] else b
    return Expr("and", a, b)


def either(a: Expr, b: Expr) -> Expr:
    """Return whether one holds, or both."""
    if a.op == "number":
        return a if a.args[0] else b
    if b.op == "number":
        return b if b.args[0] else a
    return Expr("or", a, b)


def choose(condition: Expr, then: Value, otherwise: Value) -> Expr:
    """Return one of two; where the condition is known, that one alone."""
    if condition.op == "number":
        return number(then) if condition.args[0] else number(otherwise)
    return Expr("if", condition, number(then), number(otherwise))


def names_in(*exprs: Expr) -> set[str]:
    """Return the names that formulas use."""
    names: set[str] = set()
    seen: set[int] = set()
    left = list(exprs)
    while left:
        expr = left.pop()
        if expr.op == "name":
            names.add(expr.args[0])
        elif expr.op != "number" and id(expr) not in seen:
            seen.add(id(expr))
            left.extend(expr.args)
    return names


def substituted(expr: Expr, values: Mapping[str, Value], done: dict[int, Expr] | None = None) -> Expr:
    """Return a formula with names replaced, and what has become known worked out.

    `done` holds the parts replaced so far, by their identity, so that formulas go on sharing parts.
    """
    if expr.op == "number":
        return expr
    if expr.op == "name":
        return number(values[expr.args[0]]) if expr.args[0] in values else expr
    replaced = {} if done is None else done
    if id(expr) not in replaced:
        replaced[id(expr)] = _rebuilt(expr, [substituted(arg, values, replaced) for arg in expr.args])
    return replaced[id(expr)]


def _rebuilt(expr: Expr, args: list[Expr]) -> Expr:
    """Return an operation on other arguments, worked out where they are known."""
    match expr.op:
        case "+":
            return args[0] + args[1]
        case "-":
            return args[0] - args[1]
        case "*":
            return args[0] * args[1]
        case "/":
            return args[0] / args[1]
        case "and":
            return both(args[0], args[1])
        case "or":
            return either(args[0], args[1])
        case "if":
            return choose(args[0], args[1], args[2])
        case _:
            return _call(expr.op, *args)


@lru_cache(maxsize=512)
def _repeated(expr: Expr) -> frozenset[int]:
    """Return the parts that stand in a formula more than once, by their identity."""
    seen: set[int] = set()
    repeated: set[int] = set()
    left = [expr]
    while left:
        part = left.pop()
        if part.op not in {"number", "name"}:
            (repeated if id(part) in seen else seen).add(id(part))
            if id(part) not in repeated:
                left.extend(part.args)
    return frozenset(repeated)


def _is_zero(value: Any) -> bool:  # noqa: ANN401 - numbers and arrays
    return not isinstance(value, np.ndarray) and bool(value == 0)


def evaluate(
    expr: Expr, values: Mapping[str, float | FloatArray], parts: dict[int, FloatArray] | None = None
) -> FloatArray:
    """Return what a formula comes to.

    Parameters
    ----------
    expr : Expr
        The formula.
    values : mapping of str to float or array
        What its names stand for; arrays of one shape are worked out element by element.
    parts : dict, optional
        Values of parts of formulas that are already computed, by identity; filled here. Formulas share parts. Without it only what
        stands in the formula twice is remembered, so that the memory of everything else is used again at once.

    Examples
    --------
    >>> x = name("x")
    >>> evaluate(choose(x > 2, x**2, 10 - x), {"x": np.array([1.0, 2.0, 3.0])}).tolist()
    [9.0, 8.0, 9.0]
    """
    again = _repeated(expr) if parts is None else None
    with np.errstate(all="ignore"):  # the branch of a choice that is not taken may divide by zero
        return np.asarray(_value(expr, values, {} if parts is None else parts, again), dtype=float)


def _value(
    expr: Expr, values: Mapping[str, Figures], parts: dict[int, Figures], again: frozenset[int] | None
) -> Figures:
    if expr.op == "number":
        return expr.args[0]
    if expr.op == "name":
        return values[expr.args[0]]
    if again is not None and id(expr) not in again:
        return _worked_out(expr, values, parts, again)
    if id(expr) not in parts:
        parts[id(expr)] = _worked_out(expr, values, parts, again)
    return parts[id(expr)]


def _worked_out(
    expr: Expr, values: Mapping[str, Figures], parts: dict[int, Figures], again: frozenset[int] | None
) -> Figures:
    first = _value(expr.args[0], values, parts, again)
    # What one number decides, or a condition that holds everywhere or nowhere, needs no array.
    if expr.op == "if":
        is_array = isinstance(first, np.ndarray)
        if first.all() if is_array else first:
            return _value(expr.args[1], values, parts, again)
        if not (is_array and first.any()):
            return _value(expr.args[2], values, parts, again)
    elif expr.op in {"*", "/"} and _is_zero(first):
        return 0.0
    others = [_value(arg, values, parts, again) for arg in expr.args[1:]]
    if expr.op in {"+", "-"} and _is_zero(others[0]):
        return first
    if expr.op == "+" and _is_zero(first):
        return others[0]
    return ARITHMETIC[expr.op](first, *others)
