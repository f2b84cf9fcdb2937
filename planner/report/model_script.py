"""The formulas of `planner.costs.formulas` as a script for the page: made from them, never written by hand."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import cast, get_args

from planner.costs.depreciation import Depreciation
from planner.costs.evaluate import MODELS
from planner.costs.expression import Expr
from planner.costs.financing import CASH, Financing, FinancingKind
from planner.costs.formulas import DISCOUNT, Model
from planner.costs.timeline import COMPONENTS
from planner.report.formula_text import javascript


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
