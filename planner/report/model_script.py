"""The formulas of `planner.costs.formulas` as a script for the page: made from them, never written by hand."""

from __future__ import annotations

import json
from functools import cache

from planner.costs.expression import Expr
from planner.costs.formulas import DISCOUNT, Model, buy_model, rent_model, token_model
from planner.costs.timeline import COMPONENTS
from planner.report.formula_text import javascript

__all__ = ["models_script"]


@cache
def models_script(*, once: bool) -> str:
    """Return a script that puts one entry into ``MODELS``: by kind of book, a function from values and months to sums by month.

    Parameters
    ----------
    once : bool
        Whether the work is a job that is run once.
    """
    kinds = {"rent": rent_model(once=once), "buy": buy_model(once=once), "tokens": token_model(once=once)}
    functions = ",\n".join(f"{kind}: {_function(model)}" for kind, model in kinds.items())
    kind = "once" if once else "steady"
    return f'"use strict";\nglobalThis.MODELS ??= {{}};\nMODELS.{kind} = {{\n{functions}\n}};\n'


def _function(model: Model) -> str:
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
        f"function (v, months) {{\nconst out = {{ {empty} }};\n{scalars}\nout.last = {_last(model)};\n"
        f"for (let month = 0; month <= months; month++) {{\nv.month = month;\n{items}\n{pushes}\n"
        f"out.discount.push({javascript(DISCOUNT)});\n}}\nreturn out;\n}}"
    )


def _last(model: Model) -> str:
    last: Expr = model.scalars["last_month"]
    return javascript(last)
