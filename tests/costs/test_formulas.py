"""The formulas of workbook and page against the planner's own arithmetic, cent by cent."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.assumptions import default_assumptions
from planner.costs.evaluate import bridge_values, run
from planner.costs.expression import (
    Expr,
    choose,
    either,
    evaluate,
    maximum,
    minimum,
    name,
    substituted,
)
from planner.costs.financing import CASH, Financing
from planner.costs.formulas import COLOCATION, Model, buy_model, rent_model, token_model
from planner.costs.inputs import Bridge
from planner.costs.servers import RESALE_AGES_MONTHS, share_at
from planner.costs.timeline import Timeline, discount_factors
from planner.report.formulas import javascript, spreadsheet
from planner.report.workbook.options import month_total
from tests.published.owning import ResaleCurve, buy_timeline, ownership_terms
from tests.published.renting import rent_timeline

ASSUMPTIONS = dict(default_assumptions())
MONTHS = 75
CENT = 0.005


def site_values(assumptions: Mapping[str, float], site: str) -> dict[str, float]:
    values = {key.replace(f"site.{site}.", "site."): value for key, value in assumptions.items()}
    return {
        **values,
        **{f"site.{key}": assumptions[f"site.colocation.{key}"] if site == "colocation" else 0.0 for key in COLOCATION},
    }


def inlined(model: Model, values: Mapping[str, float]) -> Expr:
    """All items of a month in one formula, as a workbook's row of an option holds it."""
    known: dict[str, Expr | float] = dict(values)
    for key, expr in model.scalars.items():
        known[key] = substituted(expr, known)
    return month_total(model, known)


def same_cents(ours: dict[str, Any], planners: Timeline) -> None:
    months = planners.months
    for item in planners.components:
        if item in ours:
            np.testing.assert_allclose(
                ours[item][: months + 1], planners.component_usd(item), rtol=1e-12, atol=CENT, err_msg=item
            )
        else:
            assert not planners.component_usd(item).any(), item
    assert not ours["total"][months + 1 :].any()
    factors = discount_factors(ASSUMPTIONS["money.discount_rate_share_per_year"], months)
    np.testing.assert_allclose(ours["discount_ratio"][: months + 1], factors, rtol=1e-12)


@settings(max_examples=150, deadline=None)
@given(
    once=st.booleans(),
    term=st.sampled_from([0, 0, 1, 12, 36, 60]),
    horizon=st.integers(1, MONTHS),
    hours=st.floats(0.5, 730.0),
    run_hours=st.floats(0.5, 9000.0),
    upfront_share=st.sampled_from([0.0, 0.5, 1.0]),
    step=st.sampled_from([0.0, 1.0, 24.0]),
    advance=st.booleans(),
    change=st.sampled_from([0.0, -0.4, 0.2]),
    support=st.sampled_from([0.0, 0.07]),
    stretch=st.sampled_from([1.0, 1.13]),
)
@pytest.mark.slow
def test_the_rent_of_workbook_and_page_is_the_planners_to_the_cent(
    *,
    once: bool,
    term: int,
    horizon: int,
    hours: float,
    run_hours: float,
    upfront_share: float,
    step: float,
    advance: bool,
    change: float,
    support: float,
    stretch: float,
) -> None:
    assumptions = ASSUMPTIONS | {"rent.price_change_share_per_year": change, "rent.support_share": support}
    hours_month = assumptions["money.hours_per_month"]
    on = np.full(horizon, hours)
    kept, last = 1.0, horizon
    if once:
        on = np.diff(np.minimum(run_hours, hours_month * np.arange(1, horizon + 1)), prepend=0.0)
        last = max(1, min(horizon, int(np.ceil(run_hours / hours_month - 1e-9))))
        kept = float(on.sum()) / (hours_month * last)
    price = 12.25
    upfront = price * term * hours_month * upfront_share if term else 100.0 * upfront_share
    # A run that is bought ahead is one block, paid as a whole.
    block = once and advance and not term
    timeline = rent_timeline(
        price_usd_per_hour=price,
        instance_count=3,
        paid_hours_per_month=np.concatenate([[run_hours], np.zeros(horizon - 1)]) if block else on,
        useful_gpu_hours_per_month=on,
        months=horizon,
        upfront_usd=upfront,
        term_months=term,
        minimum_hours=step,
        paid_in_advance=advance,
        price_change_share_per_year=change,
        overhead_ratio=stretch,
        storage_usd_per_month=assumptions["rent.storage_gb"] * assumptions["rent.storage_usd_per_gb_month"] * kept,
        egress_usd_per_month=assumptions["rent.egress_gb_per_month"] * assumptions["rent.egress_usd_per_gb"],
        support_share=support,
        hours_per_month=hours_month,
    )
    values = assumptions | {
        "input.horizon_months": horizon,
        "input.use_ratio": 1.0,
        "book.price_usd_per_hour": price,
        "book.upfront_usd": upfront,
        "book.instance_count": 3,
        "book.hours_per_month": hours,
        "book.run_hours": run_hours,
        "book.term_months": term,
        "book.minimum_hours": step,
        "book.weekly_above_hours": 0.0,
        "book.paid_in_advance": float(advance),
        "book.overhead_ratio": stretch,
        "book.interruptible": 0.0,
        "book.first_months": 0.0,
        "book.first_usd_per_hour": 0.0,
        "book.credit_usd": 0.0,
        "book.credit_months": 0.0,
    }
    ours = run(rent_model(once=once), values, MONTHS)
    assert ours["last_month"] == last
    same_cents(ours, timeline)
    one_formula = inlined(rent_model(once=once), values)
    np.testing.assert_allclose(
        np.broadcast_to(evaluate(one_formula, {"month": np.arange(MONTHS + 1.0)}), MONTHS + 1), ours["total"], atol=CENT
    )


@settings(max_examples=150, deadline=None)
@given(
    once=st.booleans(),
    site=st.sampled_from(["home", "colocation"]),
    horizon=st.integers(1, MONTHS),
    life=st.integers(1, 80),
    lead=st.integers(0, 9),
    servers=st.integers(1, 40),
    change=st.sampled_from([0.0, -0.2, 0.1]),
    install=st.sampled_from([0.0, 0.05]),
    last_share=st.sampled_from([0.0, 0.12]),
    hours=st.floats(1.0, 730.0),
    run_hours=st.floats(0.5, 9000.0),
)
def test_owning_in_workbook_and_page_is_the_planners_to_the_cent(
    *,
    once: bool,
    site: str,
    horizon: int,
    life: int,
    lead: int,
    servers: int,
    change: float,
    install: float,
    last_share: float,
    hours: float,
    run_hours: float,
) -> None:
    assumptions = ASSUMPTIONS | {
        "own.life_months": life,
        "own.lead_time_months": lead,
        "own.install_share": install,
        "own.software_usd_per_gpu_year": 450.0,
        "own.refresh_price_change_share_per_year": change,
        "own.resale_after_60_months_share": last_share,
    }
    hours_month = assumptions["money.hours_per_month"]
    on, end, delivered = np.full(horizon, hours), horizon, (0 if lead >= horizon else lead)
    if once:
        on = np.diff(np.minimum(run_hours, hours_month * np.arange(1, horizon + 1)), prepend=0.0)
        end, delivered = max(1, min(horizon, int(np.ceil(run_hours / hours_month - 1e-9)))), 0
    timeline = buy_timeline(
        server_price_usd=250_000,
        accelerator_count=8,
        server_max_kw=10.2,
        server_count=servers,
        busy_share=on * 0.8 / hours_month,
        useful_gpu_hours_per_month=on,
        months=horizon,
        terms=ownership_terms(assumptions, site),  # type: ignore[arg-type]
        lead_time_months=delivered,
        bridge_rent_usd_per_month=7000.0 + 14.0 if delivered else 0.0,
        sold_after_months=end,
    )
    values = site_values(assumptions, site) | {
        "input.horizon_months": horizon,
        "input.use_ratio": 1.0,
        **bridge_values(Bridge(usd_per_hour=10.0, hours_per_month=700.0)),
        "book.server_price_usd": 250_000,
        "book.accelerator_count": 8,
        "book.server_max_kw": 10.2,
        "book.server_count": servers,
        "book.hours_per_month": hours,
        "book.run_hours": run_hours,
        "book.busy_ratio": 0.8,
    }
    ours = run(buy_model(once=once), values, MONTHS)
    same_cents(ours, timeline)


def test_tokens_are_paid_at_the_end_of_each_month_of_the_horizon_or_once() -> None:
    values = {"book.usd_per_month": 100.0, "book.run_usd": 70.0, "input.use_ratio": 0.5, "input.horizon_months": 2.0}
    values["money.discount_rate_share_per_year"] = 0.0
    assert run(token_model(once=False), values, 3)["total"].tolist() == [0.0, 50.0, 50.0, 0.0]
    assert run(token_model(once=True), values, 3)["total"].tolist() == [0.0, 35.0, 0.0, 0.0]


@given(age=st.floats(0, 150), last_share=st.sampled_from([0.0, 0.12]))
def test_the_resale_formula_is_the_resale_curve(age: float, last_share: float) -> None:
    assumptions = ASSUMPTIONS | {"own.resale_after_60_months_share": last_share}
    curve = ResaleCurve(
        ages_months=RESALE_AGES_MONTHS,
        shares=tuple(assumptions[f"own.resale_after_{age}_months_share"] for age in RESALE_AGES_MONTHS),
        decline_log10_per_year=assumptions["own.resale_decline_log10_per_year"],
    )
    assert evaluate(share_at(name("age")), assumptions | {"age": age}) == pytest.approx(
        float(curve.share_at(age)), rel=1e-9, abs=1e-12
    )


def test_what_is_known_of_an_option_leaves_its_formula() -> None:
    known = {"book.term_months": 0.0, "book.paid_in_advance": 0.0, "book.upfront_usd": 0.0, "book.minimum_hours": 0.0}
    text = spreadsheet(inlined(rent_model(once=False), known), str, over_months=True)
    assert "upfront" not in text
    assert "term" not in text
    assert not re.search(r"\b(IF|AND|OR|MIN|MAX)\(", text)


def test_a_choice_over_whole_columns_is_written_as_arithmetic() -> None:
    a, b = name("a"), name("b")
    assert (
        spreadsheet(choose(either(a > 1, b > 1), a, b), str, over_months=True)
        == "((a>1)+(b>1)>0)*a+(1-((a>1)+(b>1)>0))*b"
    )
    assert spreadsheet(minimum(a, 0 - b), str, over_months=True) == "(a+(0-b)-ABS(a-(0-b)))/2"
    assert spreadsheet(maximum(a, 1), str) == "MAX(a,1)"


@pytest.mark.skipif(
    shutil.which("node") is None, reason="no node on this machine: the page's script is checked in Chromium alone"
)
@pytest.mark.parametrize("financing", [CASH, Financing("loan", "macrs5", 5), Financing("lease", "straight_line", 6)])
@pytest.mark.parametrize("once", [True, False])
def test_javascript_computes_what_python_computes(*, once: bool, financing: Financing) -> None:
    assumptions = site_values(
        ASSUMPTIONS | {"money.tax_share": 0.3, "own.life_months": 14.0, "own.lead_time_months": 3.0}, "colocation"
    )
    for model in (rent_model(once=once, financing=financing), buy_model(once=once, financing=financing)):
        values = _some_values(model, assumptions)
        ours = run(model, values, 40)
        lines = {key: ours[key].tolist() for key in model.lines}
        script = _script(model)
        answer = subprocess.run(
            ["node", "-e", f"{script}; console.log(JSON.stringify(months({json.dumps(values)}, 40)))"],
            capture_output=True,
            text=True,
            check=True,
        )
        theirs = json.loads(answer.stdout)
        for key, cells in lines.items():
            np.testing.assert_allclose(theirs[key], cells, rtol=1e-12, atol=1e-6, err_msg=key)


def _some_values(model: Model, assumptions: Mapping[str, float]) -> dict[str, float]:
    numbers = {
        "input.horizon_months": 37.0,
        "input.use_ratio": 0.7,
        **bridge_values(Bridge(usd_per_hour=10.0, hours_per_month=400.0, minimum_hours=24.0)),
        "book.weekly_above_hours": 336.0,
        "book.first_months": 4.5,
        "book.first_usd_per_hour": 1.0,
        "book.credit_usd": 1500.0,
        "book.credit_months": 2.5,
        "book.price_usd_per_hour": 3.0,
        "book.upfront_usd": 1000.0,
        "book.instance_count": 2.0,
        "book.hours_per_month": 300.0,
        "book.run_hours": 2000.0,
        "book.term_months": 12.0,
        "book.minimum_hours": 0.0,
        "book.paid_in_advance": 0.0,
        "book.overhead_ratio": 1.0,
        "book.interruptible": 0.0,
        "book.server_price_usd": 90_000.0,
        "book.accelerator_count": 8.0,
        "book.server_max_kw": 6.0,
        "book.server_count": 2.0,
        "book.busy_ratio": 0.9,
    }
    assert model.lines
    return {**assumptions, **numbers}


def _script(model: Model) -> str:
    scalars = ";".join(f"v[{json.dumps(key)}] = {javascript(expr)}" for key, expr in model.scalars.items())
    lines = ";".join(
        f"(out[{json.dumps(key)}] ??= []).push({javascript(expr)} + 0)" for key, expr in model.lines.items()
    )
    return f"function months(v, n) {{ const out = {{}}; {scalars}; for (v.month = 0; v.month <= n; v.month++) {{ {lines} }} return out; }}"
