"""What to do, in one sentence to act on."""

from __future__ import annotations

from planner.costs.inputs import BuyInputs
from planner.notes import NoteCode
from planner.options.option import RENTED, Option, OptionKind
from planner.options.price_evidence import age_limit_of
from planner.plan import Plan
from planner.report.figures import count, duration, percent, usd
from planner.report.option_words import confidence, given_back, gpus, is_by_resale, machines, money, place_of
from planner.report.words import how_paid, seller
from planner.verdict.alternatives import best_by_kind, owned_of
from planner.verdict.choice import Status

RIVALS = {
    OptionKind.RENT: "rented GPUs",
    OptionKind.BUY: "servers of your own",
    OptionKind.CPU: "rented CPUs",
    OptionKind.FREE: "a free tier",
    OptionKind.HAVE: "what you have",
}
"""What a hosted API is held against."""
KINDS = {
    OptionKind.RENT: "renting",
    OptionKind.BUY: "buying",
    OptionKind.CPU: "CPUs",
    OptionKind.API: "a hosted API",
    OptionKind.FREE: "the free tier",
    OptionKind.HAVE: "what you have",
}
"""What the confidence in a kind of answer is confidence in."""


def headline(plan: Plan) -> str:
    """Return the verdict in one sentence to act on, after a word of warning where hardly any offer could be used."""
    warning = ""
    if few := plan.few_offers:
        warning = f"Only {few.left_count:,} of {few.of_count:,} offers have a price from the days asked for. "
    return f"{warning}{_verdict(plan)} {_confidence(plan)}{_in_currency(plan)}"


def _in_currency(plan: Plan) -> str:
    """Say what the verdict costs in the currency asked for, and by which rate."""
    rate, chosen, code = plan.usd_per_unit, plan.chosen, plan.workload.currency
    if not rate:
        return ""
    row = next((row for row in plan.assumptions if row.name == "money.usd_per_eur"), None)
    dated = f" ({'set by you' if row.overridden else f'{row.source}, {row.as_of}'})" if row else ""
    once = plan.workload.runs_once
    per = "for the run" if once else "a month on average" if chosen.stages else "a month"
    return f" That is {usd(chosen.stated_usd(once=once) / rate)} {code} {per}, at {rate:g} USD/{code}{dated}."


def _confidence(plan: Plan) -> str:
    """Say how old the price is, and how far the verdict can be relied on."""
    days = (plan.planned_on - plan.chosen.priced_on).days
    age = f"The price is {('of today', 'a day old')[days] if days in {0, 1} else f'{days} days old'}"
    limit = age_limit_of(plan.chosen.kind, plan.chosen.purchase_option)
    is_old = any(row.name == limit and days > row.value for row in plan.assumptions)
    if is_old and plan.chosen.kind in RENTED:
        age += ", too old to count on: `gpuplan prices refresh` renews it"
    if plan.chosen.kind is OptionKind.BUY and plan.verdict.status is Status.ASK_FOR_QUOTES:
        age = age.replace("The price", "The server's price")
    if plan.chosen.kind is OptionKind.FREE:
        age = age.replace("The price is", "These terms are")
        return f"{age}, and free tiers change without notice: read them first."
    if plan.chosen.kind is OptionKind.HAVE:
        age = "Its price is as you state it"
        if plan.chosen.provider == "own":
            age = "Only the cost of running and keeping your machines counts"
    sure = f"confidence {_shares(plan)}"
    match plan.verdict.status:
        case Status.DECIDED:
            return f"{age}; {sure}."
        case Status.CLOSE_CALL:
            return f"{age}. A close call: {sure}."
        case Status.ASK_FOR_QUOTES if plan.verdict.outdated_id:
            return f"{age}; {sure}. {_outdated(plan)}"
        case Status.ASK_FOR_QUOTES if plan.chosen.kind is OptionKind.BUY:
            return f"{age}: get a new quote before you buy; {sure}."
        case Status.ASK_FOR_QUOTES:
            sure = f"confidence {_shares(plan, with_seller=False)}"
            return f"{age}; {sure}. This many GPUs take a contract, and list prices are only a guide."


def _shares(plan: Plan, *, with_seller: bool = True) -> str:
    """Say how sure the kind of answer is, and how sure its seller; quotes will tell of which seller."""
    verdict, kind = plan.verdict, KINDS[plan.chosen.kind]
    if plan.chosen.kind is OptionKind.RENT and plan.chosen.binds:
        kind = "this commitment"
    said = f"{confidence(verdict.kind_confidence_share)} in {kind}"
    if not with_seller or verdict.seller_confidence_share is None or verdict.outdated_id:
        return said
    return f"{said}, then {confidence(verdict.seller_confidence_share)} in this seller"


def _outdated(plan: Plan) -> str:
    """Say whom to ask first: a rent that would be taken if its old price still held."""
    rent = next(option for option in plan.options if option.id == plan.verdict.outdated_id)
    days, share = (plan.planned_on - rent.priced_on).days, plan.verdict.seller_confidence_share
    still = "" if share is None else f"; in {confidence(share)} of the draws the recommended offer is the cheapest"
    return (
        f"Ask {rent.provider} first: {days} days ago {machines(rent)}, {how_paid(rent.purchase_option)}, "
        f"was {money(rent, once=plan.workload.runs_once)}{still}."
    )


def _ask_for_quotes(plan: Plan) -> str:
    """Say what to ask quotes for, and what list prices say meanwhile."""
    chosen, once = plan.chosen, plan.workload.runs_once
    owned = owned_of(plan.options)
    guide = f"{place_of(chosen)}, {how_paid(chosen.purchase_option)}, {money(chosen, once=once)}"
    also = ""
    if owned is not None and not once:
        also = f"; owned servers {money(owned, once=once)} and {usd(owned.capex_usd)} USD capex"
    what = f"{count(chosen.accelerators_total_count)} {chosen.accelerator}"
    return f"Ask several sellers for quotes for {what}: at list prices, {guide}{also}{_without_quotes(plan)}."


def _without_quotes(plan: Plan) -> str:
    """Say what the cheapest rent costs that takes no quotes, where there is one."""
    rents = (option for option in plan.options if option.choosable and option.kind is OptionKind.RENT)
    small = next((rent for rent in rents if rent.accelerators_total_count <= rent.most_accelerators), None)
    if small is None or small.present_value_usd <= plan.chosen.present_value_usd:
        return ""
    cost, how = money(small, once=plan.workload.runs_once), how_paid(small.purchase_option)
    return f"; without quotes, {gpus(small)} at {place_of(small)}, {how}, cost {cost}"


def _meanwhile(plan: Plan, verb: str) -> str:
    """Say what to do until the servers that quotes are asked for are there: what bridges the time, at a price that holds."""
    book = plan.chosen.book
    bridge_id = book.bridge.option_id if isinstance(book, BuyInputs) else ""
    sound = [option for option in plan.options if option.choosable and not option.staleness_count]
    loose = [option for option in sound if option.kind in {OptionKind.RENT, OptionKind.API} and not option.binds]
    cheapest = min(loose, key=lambda option: option.usd_per_month, default=None)
    bridge = next((option for option in sound if option.id == bridge_id), cheapest)
    if bridge is None or not bridge_id:
        return f"Ask for quotes, then {verb}"
    is_hosted = bridge.kind is OptionKind.API
    what = f"Use {bridge.instance_type}" if is_hosted else f"Rent {gpus(bridge)}"
    cost = money(bridge, once=plan.workload.runs_once)
    how = how_paid(bridge.purchase_option)
    return f"{what} at {place_of(bridge)}, {how}, for {cost} for now; ask for quotes, then {verb}"


def _verdict(plan: Plan) -> str:
    is_for_quotes = plan.verdict.status is Status.ASK_FOR_QUOTES
    if is_for_quotes and plan.chosen.kind is not OptionKind.BUY and not plan.verdict.outdated_id:
        return _ask_for_quotes(plan)
    chosen, once = plan.chosen, plan.workload.runs_once
    best = best_by_kind(plan.options)
    rivals = [option for kind, option in best.items() if kind is not chosen.kind]
    rival = min(rivals, key=lambda option: option.present_value_usd, default=None)
    place, how, cost = place_of(chosen), how_paid(chosen.purchase_option), money(chosen, once=once)
    match chosen.kind:
        case OptionKind.RENT:
            return f"Rent {gpus(chosen)} at {place}, {how}, for {cost}{given_back(chosen, plan.workload.kind)}{_buying(plan)}."
        case OptionKind.BUY:
            pair = min(plan.break_evens, key=lambda pair: pair.saving_usd, default=None)
            tail = ""
            if pair is not None and pair.month is not None:
                tail = f"; against the cheapest rent it pays off from month {pair.month:.0f} on"
            leased = chosen.purchase_option == "lease"
            verb = "lease" if leased else "buy"
            first = _meanwhile(plan, verb) if is_for_quotes else verb.capitalize()
            on_a_loan = " on a loan" if chosen.purchase_option == "loan" else ""
            capex = "" if leased else f"{usd(chosen.capex_usd)} USD{on_a_loan}, "
            return f"{first} {machines(chosen)} ({capex}{chosen.region}) for {cost} all in{tail}."
        case OptionKind.HAVE:
            tail = f"; the cheapest other choice costs {money(rival, once=once)}" if rival else ""
            rest = next((option for option in plan.options if option.id == chosen.rest_id), None)
            also = f", and {_rest_words(rest)} for the other {percent(chosen.rest_share)} of the work" if rest else ""
            return f"Use what you have, {machines(chosen)} ({place}){also}, for {cost}{'' if chosen.stages else ' from now on'}{tail}."
        case OptionKind.CPU:
            return f"No GPU needed: {machines(chosen)} at {place}, {how}, for {cost}{given_back(chosen, plan.workload.kind)}."
        case OptionKind.API:
            against = f", against {money(rival, once=once)} for {RIVALS[rival.kind]}" if rival else ""
            tail = against + (given_back(rival, plan.workload.kind) if rival else "")
            if rival and rival.present_value_usd < chosen.present_value_usd and once:
                tail += ", which saves less than setting a machine up is worth"
            if rival and not once and rival.usd_per_month < chosen.usd_per_month:
                tail += ", more as NPV"
            model = f"{chosen.instance_type} at {seller(chosen.provider)}"
            return f"No GPU of your own needed: {model}, paid per token, for {cost}{tail}."
        case OptionKind.FREE:
            rent = best.get(OptionKind.RENT) or best.get(OptionKind.CPU)
            tail = f"; otherwise {machines(rent)} at {rent.provider} for {money(rent, once=once)}" if rent else ""
            took = duration(chosen.hours_per_run)
            quota = next((note.figures for note in chosen.notes if note.code is NoteCode.QUOTA_USED), None)
            of_quota = f" of its {quota[1]:g} h a {quota[2]}" if quota else ""
            what = f"{chosen.provider} ({machines(chosen)}), {took}{of_quota}"
            return f"A free tier is enough: {what}; its terms often forbid commercial or unattended use{tail}."


def _rest_words(option: Option) -> str:
    """Describe the option that does the rest of the work."""
    if option.fleet is None:
        return f"{option.instance_type} at {option.provider}, paid per token,"
    return f"{option.instance_type} at {place_of(option)}, {how_paid(option.purchase_option)},"


def _buying(plan: Plan) -> str:
    """Say after a rent whether buying pays off; nothing where it would, yet is not recommended for another reason."""
    if plan.workload.runs_once:
        return "; a single run does not justify buying a server"
    pair = next((pair for pair in plan.break_evens if pair.rent_id == plan.chosen.id), None)
    if pair is None or pair.month is None:
        return f"; buying does not pay off within {plan.horizon_months} months"
    owned = next(option for option in plan.options if option.id == pair.buy_id)
    if is_by_resale(pair.month, plan.horizon_months):
        return f"; buying pays for itself only by the resale after {plan.horizon_months} months"
    return f"; buying would pay off from month {pair.month:.0f} on" if owned.choosable else ""
