"""The formulas of `planner.costs.formulas` written out as the text of a cell and as the page's JavaScript."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from functools import cache
from typing import TypeAlias, cast, get_args

from planner.costs.evaluate import MODELS
from planner.costs.expression import SYMBOLS, Expr, absolute, number
from planner.costs.financing import CASH, Depreciation, Financing, FinancingKind
from planner.costs.formulas import DISCOUNT, Model
from planner.costs.timeline import COMPONENTS

References: TypeAlias = Callable[[str], str]
STRENGTH = {"<": 1, "<=": 1, "=": 1, ">": 1, ">=": 1, "+": 2, "-": 2, "*": 3, "/": 3, "^": 5}
FUNCTIONS = {
    "min": "MIN",
    "max": "MAX",
    "if": "IF",
    "floor": "INT",
    "abs": "ABS",
    "exp": "EXP",
    "ln": "LN",
    "and": "AND",
    "or": "OR",
}


def _digits(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError(f"no spreadsheet holds {value}")
    text = repr(value)
    return text.removesuffix(".0") if "e" not in text else text.upper()


def spreadsheet(expr: Expr, reference: References, *, over_months: bool = False) -> str:
    """Return a formula as the text of a cell, without the leading ``=``.

    Parameters
    ----------
    expr : Expr
        The formula.
    reference : callable
        From a name to a cell, a range or a defined name.
    over_months : bool
        Whether names stand for whole columns (inside SUMPRODUCT). IF, AND, MIN and their like then give one value instead
        of a column of them in some spreadsheets, so they are written as arithmetic; a branch that is not taken must not
        divide by zero.

    Examples
    --------
    >>> from planner.costs.expression import choose, name
    >>> a, b = name("a"), name("b")
    >>> spreadsheet((a - (b - 1)) * 2 ** (a / 12), str)
    '(a-(b-1))*2^(a/12)'
    >>> spreadsheet(choose(a > 1, b, 0), str), spreadsheet(choose(a > 1, b, 0), str, over_months=True)
    ('IF(a>1,b,0)', '(a>1)*b')
    """

    def text(part: Expr, strength: int) -> str:
        if part.op == "number":
            return f"({_digits(part.args[0])})" if part.args[0] < 0 else _digits(part.args[0])
        if part.op == "name":
            return reference(part.args[0])
        if part.op in SYMBOLS:
            own = STRENGTH[part.op]
            left, right = text(part.args[0], own), text(part.args[1], own + 1)
            # No spreadsheet agrees with the others on what -a^b and a^b^c are.
            if part.op == "^":
                left, right = text(part.args[0], 6), text(part.args[1], 6)
            joined = f"{left}{part.op}{right}"
            return joined if own >= strength else f"({joined})"
        if over_months and part.op in {"if", "and", "or", "min", "max"}:
            return text(_as_arithmetic(part), strength)
        return f"{FUNCTIONS[part.op]}({','.join(text(arg, 0) for arg in part.args)})"

    return text(expr, 0)


def _as_arithmetic(expr: Expr) -> Expr:
    """Return the same value made of operators that work on columns."""
    args: tuple[Expr, ...] = expr.args
    match expr.op:
        case "if":
            then = args[0] * args[1]
            return then if (args[2].op, args[2].args) == ("number", (0.0,)) else then + (1.0 - args[0]) * args[2]
        case "and":
            return Expr("*", args[0], args[1])
        case "or":
            return Expr(">", Expr("+", args[0], args[1]), number(0.0))
        case "min":
            return (args[0] + args[1] - absolute(args[0] - args[1])) / 2
        case _:
            return (args[0] + args[1] + absolute(args[0] - args[1])) / 2


JAVASCRIPT = {name: f"Math.{name}" for name in ("min", "max", "floor", "abs", "exp")} | {
    "^": "Math.pow",
    "ln": "Math.log",
}
OPERATORS = {"=": "===", "and": "&&", "or": "||"}
"""Operators that JavaScript writes in another way."""


def javascript(expr: Expr) -> str:
    """Return a formula as JavaScript.

    Examples
    --------
    >>> from planner.costs.expression import choose, name
    >>> javascript(choose(name("a") > 1, name("b") ** 2, 0))
    '((v["a"] > 1) ? Math.pow(v["b"], 2) : 0)'
    """
    if expr.op == "number":
        return _digits(expr.args[0]).lower() if expr.args[0] >= 0 else f"({_digits(expr.args[0]).lower()})"
    if expr.op == "name":
        return f"v[{json.dumps(expr.args[0])}]"
    args = [javascript(arg) for arg in expr.args]
    if expr.op == "if":
        return f"({args[0]} ? {args[1]} : {args[2]})"
    if expr.op in JAVASCRIPT:
        return f"{JAVASCRIPT[expr.op]}({', '.join(args)})"
    return f"({args[0]} {OPERATORS.get(expr.op, expr.op)} {args[1]})"


@cache
def models_script(*, once: bool, financing: Financing = CASH) -> str:
    """Return a script that puts one entry into ``MODELS``: by kind of book, a function from values and months to sums by month.

    Parameters
    ----------
    once : bool
        Whether the work is a job that is run once.
    financing : Financing
        How hardware is paid, and whether there is tax.
    """
    kinds = {kind: make(once=once, financing=financing) for kind, make in MODELS.items()}
    functions = ",\n".join(f"{kind}: {_function(model)}" for kind, model in kinds.items())
    key = models_key(once=once, financing=financing)
    return f'"use strict";\nglobalThis.MODELS ??= {{}};\nMODELS["{key}"] = {{\n{functions}\n}};\n'


def models_key(*, once: bool, financing: Financing) -> str:
    """Return the name of an entry of ``MODELS``."""
    return f"{'once' if once else 'steady'}{financing.key}"


def script_named(file_name: str) -> str | None:
    """Return the script that a page of a financed or taxed plan loads by its name; None where there is no such one."""
    parts = re.fullmatch(r"page-(once|steady)-([a-z]+)-([a-z0-9_]+)-([0-9]{1,2})[.]js", file_name)
    if parts is None:
        return None
    when, kind, method, years = parts.groups()
    if kind not in get_args(FinancingKind) or method not in {"untaxed", *get_args(Depreciation)}:
        return None
    is_taxed = method != "untaxed"
    if is_taxed != (int(years) > 0):
        return None
    financing = Financing(cast("FinancingKind", kind), cast("Depreciation", method) if is_taxed else None, int(years))
    return models_script(once=when == "once", financing=financing)


def _function(model: Model) -> str:
    last: Expr = model.scalars["last_month"]
    scalars = "\n".join(f"v[{json.dumps(key)}] = {javascript(expr)};" for key, expr in model.scalars.items())
    # Items keep their names as constants of the month, so that no line is worked out twice.
    items = "\n".join(f"const {key} = {javascript(expr)};" for key, expr in model.lines.items())
    groups = {
        "total": list(model.lines),
        "lumps": [key for key in model.lines if COMPONENTS[key].lump],
        "use": [key for key in model.lines if COMPONENTS[key].with_use],
        "price": [key for key in model.lines if COMPONENTS[key].with_rent_price],
        "usePrice": [key for key in model.lines if COMPONENTS[key].with_use and COMPONENTS[key].with_rent_price],
    }
    pushes = "\n".join(f"out.{group}.push({' + '.join(keys) or '0'});" for group, keys in groups.items())
    empty = ", ".join(f"{group}: []" for group in (*groups, "discount"))
    return (
        f"function (v, months) {{\nconst out = {{ {empty} }};\n{scalars}\nout.last = {javascript(last)};\n"
        f"for (let month = 0; month <= months; month++) {{\nv.month = month;\n{items}\n{pushes}\n"
        f"out.discount.push({javascript(DISCOUNT)});\n}}\nreturn out;\n}}"
    )
