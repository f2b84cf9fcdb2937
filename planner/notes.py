"""Notes: what a reader should know of a figure, as codes with their figures; `planner.report.notes` says them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class NoteCode(StrEnum):
    """What is said."""

    AS_STATED = "as_stated"
    TOGETHER = "together"
    # of a model
    UNKNOWN_MODEL_TYPE = "unknown_model_type"
    QUANTIZED_CONFIGURATION = "quantized_configuration"
    FILLED_IN = "filled_in"
    PARAMETERS_DISAGREE = "parameters_disagree"
    NO_MODEL = "no_model"
    # why a machine cannot do the work
    OTHER_ACCELERATOR = "other_accelerator"
    PART_OF_ONE = "part_of_one"
    WHOLE_MACHINES_ABOVE_LIMIT = "whole_machines_above_limit"
    NO_SUCH_FORMAT = "no_such_format"
    NO_FORMAT_AT_ALL = "no_format_at_all"
    SERVING_MEMORY = "serving_memory"
    TRAINING_MEMORY = "training_memory"
    PIECES_MEMORY = "pieces_memory"
    TTFT_ABOVE_LIMIT = "ttft_above_limit"
    TPOT_ABOVE_LIMIT = "tpot_above_limit"
    TOTAL_ABOVE_LIMIT = "total_above_limit"
    LIMITS_EXCLUDE_EACH_OTHER = "limits_exclude_each_other"
    PIECE_TOO_SLOW = "piece_too_slow"
    DEADLINE_MISSED = "deadline_missed"
    ACCELERATORS_ABOVE_LIMIT = "accelerators_above_limit"
    MACHINE_ABOVE_LIMIT = "machine_above_limit"
    NOT_SO_MANY_JOINED = "not_so_many_joined"
    CPU_MACHINES = "cpu_machines"
    FLEET_TOO_LARGE = "fleet_too_large"
    # of a fleet
    ONLY_SMALLER_WEIGHTS_FIT = "only_smaller_weights_fit"
    IDLE_ACCELERATORS = "idle_accelerators"
    REPLICAS_ABOVE_LIMIT = "replicas_above_limit"
    NO_REPLICA = "no_replica"
    RATE_ABOVE_CAPACITY = "rate_above_capacity"
    LONGER_THAN_CONTEXT = "longer_than_context"
    SEQUENCES_LONGER_THAN_CONTEXT = "sequences_longer_than_context"
    WIDENED_WEIGHTS = "widened_weights"
    OFFLOADED = "offloaded"
    GENERATION = "generation"
    REQUEST_TOO_SLOW = "request_too_slow"
    REQUEST_LATENCY = "request_latency"
    PIECES_AT_ONCE = "pieces_at_once"
    COMPILED_MODEL = "compiled_model"
    TUNED_IMAGES = "tuned_images"
    BATCH_TOO_SMALL = "batch_too_small"
    TRAINER = "trainer"
    NO_DEADLINE = "no_deadline"
    SIDE_BY_SIDE = "side_by_side"
    RELIEF = "relief"
    OVER_PROVISIONED = "over_provisioned"
    NO_CURVE = "no_curve"
    # what stands behind a speed
    STATED_HOURS = "stated_hours"
    OWN_ROWS = "own_rows"
    MEASURED_ROWS = "measured_rows"
    MEASURED_ON_GENERATION = "measured_on_generation"
    MEASURED_ELSEWHERE = "measured_elsewhere"
    NOT_MEASURED = "not_measured"
    CALIBRATED_ON_OWN_ROWS = "calibrated_on_own_rows"
    # of a price
    SPOT_AT_ON_DEMAND = "spot_at_on_demand"
    MEDIAN_OF_SPOT = "median_of_spot"
    STRETCHED_RUN = "stretched_run"
    COMMITMENT = "commitment"
    BLOCKS = "blocks"
    SERVERLESS = "serverless"
    FORM_FACTOR_UNKNOWN = "form_factor_unknown"
    SEPARATE_MACHINES = "separate_machines"
    DISCOUNT = "discount"
    CREDIT_FIRST = "credit_first"
    CREDIT_LOST = "credit_lost"
    SET_WITHOUT_EFFECT = "set_without_effect"
    TERMS_OF_FREE_TIERS = "terms_of_free_tiers"
    QUOTA_USED = "quota_used"
    MONTHLY_CREDIT = "monthly_credit"
    RATE_LIMITS = "rate_limits"
    LATENCY_OF_SELLER = "latency_of_seller"
    NO_FIRM_PRICE = "no_firm_price"
    ASKED_SINCE = "asked_since"
    POWER_FROM_ACCELERATORS = "power_from_accelerators"
    SOLD_AFTER_RUN = "sold_after_run"
    UNTIL_DELIVERY = "until_delivery"
    OWNED_HOUR = "owned_hour"
    RUNNING_COSTS = "running_costs"
    PAID_UNTIL = "paid_until"
    BEYOND_COMMITMENT = "beyond_commitment"
    RENT_AFTERWARDS = "rent_afterwards"
    # of a plan
    SMALLER_WEIGHTS = "smaller_weights"
    UNKNOWN_ACCELERATORS = "unknown_accelerators"
    OTHER_DAYS = "other_days"
    # of bills and records of use
    CHARGES_WITHOUT_HOURS = "charges_without_hours"
    SPREAD_CHARGES = "spread_charges"
    COPIED_ROWS = "copied_rows"
    CORRECTIONS = "corrections"
    UNUSED_SAVINGS_PLANS = "unused_savings_plans"
    NO_LIST_PRICES = "no_list_prices"
    NOT_IN_CATALOG = "not_in_catalog"
    BASIS_OF_TABLE = "basis_of_table"
    TIMES_WITHOUT_ZONE = "times_without_zone"
    SLICES = "slices"
    CUT_OFF_RESOURCES = "cut_off_resources"
    SHARDS = "shards"
    JOBS_NOT_STARTED = "jobs_not_started"
    JOBS_RUNNING = "jobs_running"
    REPEATED_JOBS = "repeated_jobs"
    NO_SUCH_TAG = "no_such_tag"
    IDLE_ALLOCATIONS = "idle_allocations"
    COARSE_COUNTER = "coarse_counter"
    NO_USEFUL_HOURS = "no_useful_hours"
    NO_OWNER_LABELS = "no_owner_labels"
    OTHER_SPARK = "other_spark"


@dataclass(frozen=True, slots=True)
class Note:
    """A code, and the figures that its sentence needs, in the order in which the sentence names them.

    Attributes
    ----------
    code : NoteCode
        What is said; `NoteCode.AS_STATED` hands on the words of a source.
    figures : tuple
        Numbers, names and notes within.
    """

    code: NoteCode
    figures: tuple[object, ...] = ()
