"""The formulas of an option's money at numbers: one option or thousands, under one set of assumptions or ten thousand draws.

Values are numbers or arrays whose last axis, of length 1, stands for the months; leading axes are options or draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from planner.arrays import FloatArray
from planner.costs.expression import Expr, choose, evaluate, number
from planner.costs.financing import financing_of
from planner.costs.formulas import COLOCATION, DISCOUNT, Model, buy_model, rent_model, site_names, token_model
from planner.costs.inputs import Bridge, BuyInputs, CostInputs, RentInputs, TokenInputs
from planner.costs.timeline import Timeline
from planner.errors import PlanningError

Value = float | FloatArray
WHOLE_MONTHS = frozenset({"own.life_months", "own.lead_time_months", "money.loan_months"})
"""Assumptions that are whole months."""
NUMBERS: dict[type, list[str]] = {
    inputs: [
        field.name
        for field in fields(inputs)
        if field.name not in {"kind", "site", "bridge", "option_id", "takes_over_id"}
    ]
    for inputs in (RentInputs, BuyInputs, TokenInputs, Bridge)
}
"""The numbers of each kind of inputs, in their order."""
BLOCK_DRAWS = 2048
"""Draws worked out at once: their months fit into a processor's cache."""
MODELS = {"rent": rent_model, "buy": buy_model, "tokens": token_model}


def model_of(kind: str, assumptions: Mapping[str, float], *, once: bool) -> Model:
    """Return the formulas of a kind of book, under the tax and the financing that are assumed."""
    return MODELS[kind](once=once, financing=financing_of(assumptions))


def own_values(cost_inputs: CostInputs) -> dict[str, float]:
    """Return an option's own numbers under the names that the formulas use."""
    bridge = bridge_values(cost_inputs.bridge) if isinstance(cost_inputs, BuyInputs) else {}
    return {f"book.{name}": float(getattr(cost_inputs, name)) for name in NUMBERS[type(cost_inputs)]} | bridge


def bridge_values(bridge: Bridge) -> dict[str, float]:
    """Return a bridge's numbers under the names that the formulas use."""
    return {f"book.bridge_{name}": float(getattr(bridge, name)) for name in NUMBERS[Bridge]}


def _stacked(all_inputs: Sequence[CostInputs]) -> dict[str, Value]:
    """Return the numbers of many options, each of shape (options, 1); a number that all share stays one."""
    rows = [tuple(own_values(cost_inputs).values()) for cost_inputs in all_inputs]
    columns = np.array(rows).T
    shared = (columns == columns[:, :1]).all(axis=1)
    names = own_values(all_inputs[0])
    return {
        name: float(column[0]) if same else column[:, None]
        for name, column, same in zip(names, columns, shared, strict=True)
    }


def values_of(
    model: Model,
    own: Mapping[str, Value],
    assumptions: Mapping[str, Value],
    *,
    horizon_months: Value,
    site: str = "",
    use_ratio: Value = 1.0,
) -> dict[str, Value]:
    """Return what the names of an option's formulas stand for.

    Parameters
    ----------
    model : Model
        The formulas; only what they take is looked up.
    own : mapping of str to number or array
        The option's own numbers (`own_values`).
    assumptions : mapping of str to number or array
        By their dotted names.
    horizon_months : number or array
        How far the comparison looks.
    site : {'home', 'colocation', 'own_room'}, optional
        Where owned servers stand.
    use_ratio : number or array
        How much more or less the machines are needed than planned.
    """
    aliases = site_names(site) if site else {}
    values: dict[str, Value] = {
        **own,
        "input.horizon_months": horizon_months,
        "input.use_ratio": use_ratio,
    }
    if site in {"home", "own_room"}:
        values |= {f"site.{key}": 0.0 for key in COLOCATION}
    for name in sorted(model.names - values.keys()):
        value = assumptions[aliases.get(name, name)]
        values[name] = np.rint(value) if name in WHOLE_MONTHS else value
    return values


def run(model: Model, values: Mapping[str, Value], months: int) -> dict[str, FloatArray]:
    """Return the scalars, and the lines for months 0 to `months`, with ``total``, ``lumps`` and ``discount_ratio``."""
    figures: dict[str, Value] = dict(values)
    for key, expr in model.scalars.items():
        figures[key] = evaluate(expr, figures)
    parts: dict[int, FloatArray] = {}
    figures["month"] = np.arange(months + 1, dtype=float)
    # Kept while parts are remembered by their identity: a formula made on the way could take the place of one that is gone.
    wanted = {**model.lines, "total": model.total, "lumps": model.lumps, "discount_ratio": DISCOUNT}
    for key, expr in wanted.items():
        usd = evaluate(expr, figures, parts)
        figures[key] = np.broadcast_to(usd, np.broadcast_shapes(usd.shape, (months + 1,))).astype(float)
    return {key: np.asarray(value) for key, value in figures.items() if key not in values}


def timelines(
    all_inputs: Sequence[CostInputs],
    assumptions: Mapping[str, float],
    *,
    months: int,
    once: bool = False,
    useful_gpu_hours_per_month: ArrayLike = 0.0,
) -> Timeline:
    """Return what options of one kind (and, for owned ones, at one site) cost.

    Parameters
    ----------
    all_inputs : sequence of CostInputs
        The options' own numbers; one or more.
    assumptions : mapping of str to float
        By their dotted names.
    months : int
        Horizon.
    once : bool
        Whether the work is a job that is run once.
    useful_gpu_hours_per_month : array_like, shape () or (options, months)
        Accelerator hours of useful work of the whole fleet.

    Returns
    -------
    Timeline
        Of shape (options, components, months + 1).

    Raises
    ------
    PlanningError
        If a price, a count or hours are negative, or an upfront payment is larger than the whole price.

    Examples
    --------
    >>> from planner.assumptions import default_assumptions
    >>> from planner.costs.inputs import RentInputs
    >>> job = RentInputs(price_usd_per_hour=10.0, run_hours=240.0)
    >>> timelines([job], default_assumptions(), months=12, once=True).component_usd("on_demand")[0, :3].tolist()
    [0.0, 2400.0, 0.0]
    """
    model = model_of(all_inputs[0].kind, assumptions, once=once)
    own = _stacked(all_inputs)
    for name, value in own.items():
        # Comparing this way round refuses NaN as well.
        if not np.all(value >= 0):
            words = name.removeprefix("book.").replace("_", " ")
            raise PlanningError(f"{words} must not be negative, got {float(np.min(value)):g}")
    site = getattr(all_inputs[0], "site", "")
    values = values_of(
        model,
        own,
        assumptions,
        horizon_months=float(months),
        site=site,
    )
    figures = run(model, values, months)
    if np.any(figures.get("monthly_usd", 0.0) < 0):
        raise PlanningError("an upfront payment is larger than the effective price times the hours of the term")
    shape = (len(all_inputs), months + 1)
    cash = np.stack([np.broadcast_to(figures[item], shape) for item in model.lines], axis=-2)
    useful = np.broadcast_to(np.asarray(useful_gpu_hours_per_month, dtype=float), (len(all_inputs), months))
    return Timeline(tuple(model.lines), cash, np.concatenate([np.zeros((len(all_inputs), 1)), useful], axis=-1))


def present_value_usd(model: Model, values: Mapping[str, Value], months: int) -> tuple[FloatArray, FloatArray]:
    """Return the present value of all items, and their plain sum; shape (draws,).

    Parameters
    ----------
    model : Model
        The formulas.
    values : mapping of str to number or array, shape (draws, 1)
        What their names stand for; a series has the shape (draws, months + 1), or (1, months + 1) for all draws. What is a
        plain number is worked out before any array is touched.
    months : int
        Horizon.
    """
    figures: dict[str, Value] = dict(values)
    for key, expr in model.scalars.items():
        figure = evaluate(expr, figures)
        figures[key] = figure if figure.ndim else float(figure)
    month = np.arange(months + 1, dtype=float)[:, None]
    count = max((len(value) for value in figures.values() if isinstance(value, np.ndarray) and value.ndim), default=1)
    worth, plain = np.empty(count), np.empty(count)
    for start in range(0, count, BLOCK_DRAWS):
        block = slice(start, start + BLOCK_DRAWS)
        here = {key: _of_draws(value, block) for key, value in figures.items()} | {"month": month}
        # Draws are the last axis here, so that every operation runs over many numbers in a row.
        figure = evaluate(_whole(model), here)
        total = np.broadcast_to(figure, np.broadcast_shapes(figure.shape, month.shape))
        worth[block] = (total * evaluate(DISCOUNT, here)).sum(axis=0)
        plain[block] = total.sum(axis=0)
    return worth, plain


def _of_draws(value: Value, draws: slice) -> Value:
    if not isinstance(value, np.ndarray) or value.ndim < 2 or len(value) == 1:
        return value
    return value[draws, 0] if value.shape[1] == 1 else value[draws]


@cache
def _whole(model: Model) -> Expr:
    """Return all items of a month together; what is paid under one condition is added up before it is asked."""
    whole = number(0.0)
    under: dict[int, tuple[Expr, Expr]] = {}
    for line in model.lines.values():
        if line.op == "if" and (line.args[2].op, line.args[2].args) == ("number", (0.0,)):
            condition, amount, _ = line.args
            _, others = under.get(id(condition), (condition, number(0.0)))
            under[id(condition)] = condition, others + amount
        else:
            whole = whole + line
    for condition, amount in under.values():
        whole = whole + choose(condition, amount, 0.0)
    return whole
