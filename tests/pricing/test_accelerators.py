"""Accelerators: data-sheet facts without the known traps, and names as people write them."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.catalog import load_bundled
from pricing.errors import PricingError
from pricing.facts.accelerator_names import split_count
from pricing.facts.accelerator_rows import RATES, Accelerator, slice_of, slices
from pricing.facts.accelerators import accelerators, families, resolve, resolve_all
from pricing.facts.instances import machine_type

SINGLE = [name for name in accelerators() if name not in families()]


@pytest.mark.parametrize(
    ("text", "name", "count"),
    [
        ("H100-SXM", "H100-SXM", None),
        ("h100-sxm5:8", "H100-SXM", 8),
        ("8xH100-SXM", "H100-SXM", 8),
        ("8 x h100 sxm", "H100-SXM", 8),
        ("H100 SXM x8", "H100-SXM", 8),
        ("h100-80gb-sxm", "H100-SXM", None),
        ("NVIDIA H100 80GB HBM3", "H100-SXM", None),
        ("NVIDIA H100 PCIe", "H100-PCIe", None),
        ("NVIDIA H100 NVL", "H100-NVL", None),
        ("h100 94gb", "H100-NVL", None),
        ("HGX H100", "H100-SXM", None),
        ("h100 96gb hbm2e sxm", "H100-SXM-96GB-HBM2e", None),
        ("NVIDIA H200", None, None),
        ("NVIDIA H200 NVL", "H200-NVL", None),
        ("a100 80gb pcie", "A100-80GB-PCIe", None),
        ("a100_80gb_sxm:4", "A100-80GB-SXM", 4),
        ("NVIDIA A100-SXM4-40GB", "A100-40GB-SXM", None),
        ("NVIDIA A100 80GB PCIe", "A100-80GB-PCIe", None),
        ("a100 80 sxm", "A100-80GB-SXM", None),
        ("A100-80G-PCIe-NVLink", "A100-80GB-PCIe", None),
        ("RTX4090", "RTX 4090", None),
        ("rtx-4090", "RTX 4090", None),
        ("4090", "RTX 4090", None),
        ("NVIDIA GeForce RTX 4090", "RTX 4090", None),
        ("NVIDIA RTX 6000 Ada Generation", "RTX 6000 Ada", None),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "RTX PRO 6000 Blackwell Server Edition", None),
        ("RTX PRO Server 6000", "RTX PRO 6000 Blackwell Server Edition", None),
        ("RTX PRO 6000 WS", "RTX PRO 6000 Blackwell Workstation Edition", None),
        ("RTX PRO 4500", "RTX PRO 4500 Blackwell", None),
        ("RTX PRO 4500 Blackwell Server Edition", "RTX PRO 4500 Blackwell Server Edition", None),
        ("DGX Station (GB300)", "DGX Station GB300", None),
        ("dgx station", "DGX Station GB300", None),
        ("NVIDIA GB300", "GB300", None),
        ("NVIDIA H800 PCIe", "H800-PCIe", None),
        ("AMD Instinct MI455X", "MI455X", None),
        ("VR200 (Rubin)", "VR200", None),
        ("Jetson AGX Thor (T5000)", "Jetson AGX Thor", None),
        ("RTX 4090 48GB (modified)", "RTX 4090-48GB", None),
        ("RTX PRO 6000 S", "RTX PRO 6000 Blackwell Server Edition", None),
        ("rtx-pro-6000:8", "RTX PRO 6000 Blackwell", 8),
        ("Tesla T4", "T4", None),
        ("t4:2", "T4", 2),
        ("l4:0.5", "L4", 0.5),
        ("NVIDIA L40S", "L40S", None),
        ("L40", "L40", None),
        ("A10", "A10", None),
        ("a10g", "A10G", None),
        ("AMD Instinct MI300X OAM", "MI300X", None),
        ("tpu-v5e", "TPU v5e", None),
        ("v5p", "TPU v5p", None),
        ("trn2", "Trainium2", None),
        ("B300 SXM6 AC", "B300", None),
        ("nvidia-h100-mega-80gb", "H100-SXM", None),
        ("NVIDIA GH200 480GB", "GH200-96GB", None),
        ("GB200 NVL72", "GB200", None),
        ("Tesla V100-PCIE-16GB", "V100-16GB-PCIe", None),
        ("h100-80gb-any", "H100-80GB", None),
    ],
)
def test_a_name_as_people_drivers_and_price_lists_write_it_means_one_accelerator(
    text: str, name: str | None, count: float | None
) -> None:
    if name is None:
        with pytest.raises(PricingError, match="is meant"):
            resolve(text)
    else:
        found, asked = resolve(text)
        assert (found.name, asked) == (name, count)


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        ("H100", ["H100-SXM", "H100-PCIe", "H100-NVL"]),
        ("8xH100", ["H100-SXM", "H100-PCIe", "H100-NVL"]),
        ("h100:8", ["H100-SXM", "H100-PCIe", "H100-NVL"]),
        ("a100", ["A100-40GB-SXM", "A100-40GB-PCIe", "A100-80GB-SXM", "A100-80GB-PCIe"]),
        ("A100-80GB", ["A100-80GB-SXM", "A100-80GB-PCIe"]),
        ("A100 SXM", ["A100-40GB-SXM", "A100-80GB-SXM"]),
        ("v100", ["V100-16GB-SXM", "V100-32GB-SXM", "V100-16GB-PCIe"]),
    ],
)
def test_a_name_that_means_several_asks_which(text: str, listed: list[str]) -> None:
    with pytest.raises(PricingError, match="is meant") as caught:
        resolve(text)
    for name in listed:
        assert name in caught.value.message
    assert "name one of them" in caught.value.hint
    # Those whose form factor is unknown are an answer for offers, not for a person who is asked.
    assert not any(f" {family} (" in caught.value.message for family in families())


@pytest.mark.parametrize("text", ["", "NVIDIA", "nvidia gpu", "server", "workstation"])
def test_a_maker_or_an_edition_alone_is_no_accelerator(text: str) -> None:
    with pytest.raises(PricingError, match="unknown accelerator"):
        resolve(text)


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("RTX 6000", "RTX 6000 Ada"),
        ("H10O", "H100"),
        ("mi300", "MI300X"),
        ("l40x", "L40"),
        ("a100 60gb", "A100-40GB-SXM"),
    ],
)
def test_an_unknown_name_is_told_the_nearest_known_ones(text: str, near: str) -> None:
    with pytest.raises(PricingError) as caught:
        resolve(text)
    assert near in caught.value.message


@pytest.mark.parametrize(
    "text",
    ["h100-sxm:0", "h100-sxm:-2", "h100-sxm:2.5", "h100-sxm:many", "h100-sxm:nan", "h100-sxm:1000000000", "0xT4"],
)
def test_a_count_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(PricingError, match="a whole number from 1 to 999,999"):
        resolve(text)


@pytest.mark.parametrize("name", SINGLE)
def test_every_canonical_name_means_itself_in_any_letter_case(name: str) -> None:
    for text in (name, name.lower(), name.upper(), name.replace("-", " "), name.replace(" ", "_"), f"{name}:4"):
        assert resolve(text)[0].name == name


@pytest.mark.slow
@given(st.text(max_size=30))
def test_any_text_is_an_accelerator_or_an_error_that_can_be_mended(text: str) -> None:
    with contextlib.suppress(PricingError):
        found, count = resolve(text)
        assert found.name in accelerators()
        assert count is None or count > 0


@given(st.integers(1, 9999), st.sampled_from(SINGLE))
def test_a_count_before_or_behind_the_name_is_the_same(count: int, name: str) -> None:
    assert (
        split_count(f"{count}x{name}")
        == split_count(f"{name}:{count}")
        == split_count(f"{name} x {count}")
        == (name, count)
    )


def test_a_filter_on_a_model_takes_all_its_forms_and_the_unknown_one() -> None:
    names = {row.name for row in resolve_all("H100")}
    assert {"H100-SXM", "H100-PCIe", "H100-NVL", "H100-80GB"} <= names
    assert not {name for name in names if not name.startswith("H100")}


def test_a_filter_on_forty_gigabytes_never_takes_eighty() -> None:
    assert {row.memory_nominal_gb for row in resolve_all("a100 40gb")} == {40}
    assert {row.memory_nominal_gb for row in resolve_all("a100 80gb")} == {80}
    assert {row.memory_nominal_gb for row in resolve_all("a100")} == {40, 80}


def test_a_filter_that_names_a_form_leaves_the_unknown_form_out() -> None:
    assert [row.name for row in resolve_all("a100-80gb-sxm")] == ["A100-80GB-SXM"]


@pytest.mark.parametrize("family", sorted(families()))
def test_an_unknown_form_factor_is_planned_with_the_weakest_figures(family: str) -> None:
    whole = accelerators()[family]
    variants = [accelerators()[name] for name in families()[family]]
    assert len(variants) > 1
    for field in (*RATES, "memory_gib", "memory_bandwidth_gb_per_s", "scale_up_gb_per_s_both_ways", "scale_up_count"):
        figure = getattr(whole, field)
        for variant in variants:
            other = getattr(variant, field)
            assert figure is None or (other is not None and figure <= other), field
    assert whole.tdp_w == max(variant.tdp_w or 0 for variant in variants)
    assert {variant.memory_nominal_gb for variant in variants} == {whole.memory_nominal_gb}
    assert "form factor unknown" in whole.notes


@pytest.mark.parametrize(
    ("name", "bf16_dense_tflop_per_s"),
    [
        ("H100-SXM", 989),  # 1979 is sparse
        ("L40S", 362),  # 733 is sparse
        ("A10G", 70),  # half an A10
        ("A10", 125),
        ("L40", 181),  # half an L40S
        ("RTX 4090", 165),  # 330 with fp16 accumulate
        ("Gaudi3", 1677),  # 1835 was announced
        ("A30", 165),  # 330 is sparse
        ("H200-NVL", 836),  # 1671 is sparse
        ("RTX 5070", 61.7),
    ],
)
def test_rates_are_dense_and_accumulate_in_fp32(name: str, bf16_dense_tflop_per_s: float) -> None:
    assert accelerators()[name].bf16_dense_tflop_per_s == bf16_dense_tflop_per_s


def test_chips_have_no_rate_for_units_that_they_lack() -> None:
    known = accelerators()
    assert known["T4"].bf16_dense_tflop_per_s is None
    assert known["V100-16GB-SXM"].bf16_dense_tflop_per_s is None
    for row in known.values():
        if row.vendor == "NVIDIA" and row.architecture in {"Volta", "Turing", "Ampere"}:
            assert row.fp8_dense_tflop_per_s is None, row.name
        if row.vendor == "NVIDIA" and not row.architecture.startswith(("Blackwell", "Rubin")):
            assert row.fp4_dense_tflop_per_s is None, row.name


def test_every_accelerator_can_be_and_says_who_says_so() -> None:
    for row in accelerators().values():
        assert replace(row) == row  # its own checks pass
        assert row.source
        assert row.retrieved_on >= date(2020, 1, 1)
        # A byte of every data sheet is read at most once in 100 ms and at least once in 2 ms: catches a wrong unit. Memory that
        # a processor shares is larger for its bandwidth.
        shares_memory = row.memory_nominal_gb > 1.06 * row.memory_gib or row.notes.startswith(("edge", "DDR"))
        most = 0.65 if shares_memory else 0.12
        assert 0.002 < row.memory_nominal_gb / row.memory_bandwidth_gb_per_s < most, row.name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"memory_bandwidth_gb_per_s": 0.0}, "memory_bandwidth_gb_per_s must be above 0, got 0"),
        ({"memory_gib": 90.0}, "memory_gib 90 is more than memory_nominal_gb 80"),
        ({"market_class": "toy"}, "market_class must be one of datacenter, workstation, consumer, got 'toy'"),
        ({"bf16_dense_tflop_per_s": -1.0}, "bf16_dense_tflop_per_s must be above 0, got -1"),
        ({"source": ""}, "source must not be empty"),
    ],
)
def test_an_accelerator_that_cannot_be_is_refused_in_words(change: dict[str, object], message: str) -> None:
    with pytest.raises(PricingError) as caught:
        replace(accelerators()["H100-SXM"], **change)  # type: ignore[arg-type]
    assert message in caught.value.message


def test_all_faults_of_a_row_are_told_together() -> None:
    with pytest.raises(PricingError) as caught:
        Accelerator(
            name="",
            vendor="v",
            architecture="a",
            market_class="datacenter",
            memory_gib=0,
            memory_nominal_gb=1,
            memory_bandwidth_gb_per_s=1,
            launch_year=17,
            source="s",
            retrieved_on=date(2026, 1, 1),
        )
    assert caught.value.message.count(";") == 2


@pytest.mark.parametrize(
    "name",
    ["H100 Ultra", "A100 Mega", "RTX 4090 Q", "RTX 4090 Laptop", "RTX 4080 Ti Super", "A10M", "MI300B", "T4H", "V100S", "AMD H100",
     "NVIDIA MI300X", "Intel A100", "H100 CNX", "B200 Ultra", "x" * 5_000],
)  # fmt: skip
def test_a_word_that_is_left_over_names_another_accelerator(name: str) -> None:
    with pytest.raises(PricingError):
        resolve_all(name)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("nvidia-h100-mega-80gb", "H100-SXM"),
        ("NVIDIA GeForce RTX 4090", "RTX 4090"),
        ("AMD Instinct MI300X OAM", "MI300X"),
        ("Intel Gaudi2", "Gaudi2"),
        ("Google Tesla T4", "T4"),
    ],
)
def test_makers_and_clouds_may_stand_before_a_name(name: str, meant: str) -> None:
    assert [row.name for row in resolve_all(name)] == [meant]


def test_every_bundled_offer_has_an_accelerator_that_its_stated_name_means() -> None:
    apart = {}
    for offer in load_bundled().offers:
        if offer.accelerator_stated and offer.accelerator not in _meant_by(offer.accelerator_stated):
            apart[offer.accelerator_stated] = offer.accelerator
    unknown = {offer.accelerator_stated for offer in load_bundled().offers if "accelerator_unknown" in offer.flags}
    # Memory says more than the name (a card that was doubled by hand), and so does the machine's (a card of its own).
    closer = {
        "RTX 4090": "RTX 4090-48GB", "RTX PRO 4500": "RTX PRO 4500 Blackwell Server Edition",
        "RTX PRO 6000": "RTX PRO 6000 Blackwell Max-Q",
    }  # fmt: skip
    assert apart == closer | dict.fromkeys(unknown)


def _meant_by(stated: str) -> set[str]:
    try:
        return {row.name for row in resolve_all(stated)}
    except PricingError:
        return set()


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("DGX Spark", "GB10"), ("gb10", "GB10"), ("7900 xtx", "Radeon RX 7900 XTX"), ("radeon 7900 XTX", "Radeon RX 7900 XTX"), ("W7900", "Radeon PRO W7900"),
        ("r9700", "Radeon AI PRO R9700"), ("arc b60", "Arc Pro B60"), ("4090D", "RTX 4090 D"), ("4090 48gb", "RTX 4090-48GB"), ("rtx 4090", "RTX 4090"),
        ("Strix Halo", "Ryzen AI Max+ 395"), ("jetson thor", "Jetson AGX Thor"), ("Apple M3 Ultra", "Apple M3 Ultra"), ("h20", "H20"),
        ("h20-141gb", "H20-141GB"), ("1080 ti", "GTX 1080 Ti"), ("Ascend 910B", "Ascend 910B"), ("a800-80gb-sxm", "A800-80GB-SXM"), ("L20", "L20"),
    ],
)  # fmt: skip
def test_an_accelerator_is_known_by_what_people_call_it(written: str, name: str) -> None:
    assert resolve(written)[0].name == name


@pytest.mark.parametrize(("written", "count"), [("2xL40S", 2), ("mi300x8", 8), ("L4 x 2", 2)])
def test_a_count_may_stand_on_either_side(written: str, count: int) -> None:
    assert split_count(written)[1] == count


def test_every_slice_is_a_part_of_what_it_is_cut_from() -> None:
    for part in slices():
        whole = accelerators()[part.accelerator]
        chip = slice_of(whole, part.profile)
        assert chip.memory_gib <= whole.memory_gib * 1.001
        assert chip.memory_bandwidth_gb_per_s <= whole.memory_bandwidth_gb_per_s
        assert chip.scale_up_count == 1
        assert (part.max_instances or 1) * part.memory_gib <= whole.memory_gib * 1.02, part


def test_a_slice_is_named_after_a_dash_and_an_unknown_one_is_answered_with_those_that_are() -> None:
    chip, count = resolve("a100-80gb-sxm/3g.40gb:2")
    assert (chip.name, count) == ("A100-80GB-SXM/3g.40gb", 2)
    with pytest.raises(PricingError, match=r"it is cut into 1g.10gb, 1g.20gb"):
        resolve("h100-sxm/9g.1gb")
    with pytest.raises(PricingError, match="it is sold whole"):
        slice_of(accelerators()["RTX 4090"], "1g.5gb")


@pytest.mark.parametrize(
    ("name", "accelerator", "count"),
    [("p5.48xlarge", "H100-SXM", 8), ("a3-highgpu-8g", "H100-SXM", 8), ("v5litepod-8", "TPU v5e", 8), ("g6f.large", "L4/g6f.large", 1)],
)  # fmt: skip
def test_a_machine_type_of_a_cloud_says_what_is_in_it(name: str, accelerator: str, count: float) -> None:
    found = machine_type(name)
    assert found is not None
    assert (found[0].name, found[1]) == (accelerator, count)
    assert machine_type("h100-sxm") is None


def test_an_accelerator_without_published_rates_is_said_to_have_none() -> None:
    for name in ("Gaudi", "Habana Gaudi HL-205"):
        with pytest.raises(PricingError, match="never published its rates"):
            resolve(name)
    assert resolve("Gaudi 2")[0].name == "Gaudi2"


@pytest.mark.parametrize(
    ("name", "accelerator", "count"),
    [
        ("Standard_NC4as_T4_v3", "T4", 1),
        ("Standard_NC40ads_H100_v5", "H100-NVL", 1),
        ("u-p6e-gb200x72", "GB200", 72),
        ("g7.12xlarge", "RTX PRO 4500 Blackwell Server Edition", 2),
    ],
)
def test_a_machine_type_is_found_though_a_pattern_of_its_length_fits_too(
    name: str, accelerator: str, count: float
) -> None:
    found = machine_type(name)
    assert found is not None
    assert (found[0].name, found[1]) == (accelerator, count)
