"""Reasons: why an option is shown but not recommended, as codes with their figures; `planner.report.wording` says them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ReasonCode(StrEnum):
    """Why an option is not recommended."""

    RECLAIMABLE = "reclaimable"
    BLOCK_TOO_SHORT = "block_too_short"
    BLOCK_TOO_LARGE = "block_too_large"
    GANG_RECLAIMABLE = "gang_reclaimable"
    NO_TIME_TO_REPEAT = "no_time_to_repeat"
    MARKETPLACE_ASK = "marketplace_ask"
    COMMUNITY_HOST = "community_host"
    FAR_BELOW_OTHERS = "far_below_others"
    SINGLE_RUN = "single_run"
    DELIVERED_TOO_LATE = "delivered_too_late"
    NO_BRIDGE = "no_bridge"
    CAPEX_ABOVE_LIMIT = "capex_above_limit"
    SERVICE_AT_HOME = "service_at_home"
    SINGLE_SERVER = "single_server"
    CONSUMER_LICENSE = "consumer_license"
    QUOTA_UNPUBLISHED = "quota_unpublished"
    CREDIT = "credit"
    SESSION_TOO_SHORT = "session_too_short"
    NEEDS_XLA = "needs_xla"
    TOO_FEW_OWNED = "too_few_owned"
    LIMITS_MISSED = "limits_missed"
    SPEED_EXTRAPOLATED = "speed_extrapolated"
    TIER_B = "tier_b"
    TIER_C = "tier_c"
    TIER_D = "tier_d"
    QUANTITY = "quantity"
    PRICE_OLD = "price_old"
    FLOOR_PRICE = "floor_price"
    COLD_START_UNKNOWN = "cold_start_unknown"
    FREE_TIER = "free_tier"
    MARGIN = "margin"
    CONFIDENCE = "confidence"
    PAYS_OFF_LATE = "pays_off_late"
    QUOTES = "quotes"
    OUTLASTS_RUN = "outlasts_run"
    UNDATED_PRICE = "undated_price"


@dataclass(frozen=True, slots=True)
class Reason:
    """A code, and the figures that its sentence needs, in the order in which the sentence names them.

    Attributes
    ----------
    code : ReasonCode
        Which rule speaks against the option.
    figures : tuple of float
        Months or hours, as the rule states them.
    """

    code: ReasonCode
    figures: tuple[float, ...] = ()
