"""Aggregations beside NetVLAD, and models that give no local features."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from place_search.models import (
    UNWHITENED_MODEL,
    Aggregation,
    LocalFeatures,
    ModelCard,
    ModelError,
    encode_grid,
    find_model,
    open_model,
    read_card,
    write_card,
)
from place_search.models.aggregations.gem import GeM
from place_search.models.aggregations.netvlad import netvlad_of
from place_search.models.aggregations.spoc import SPoC
from place_search.models.folder import write_model
from place_search.models.network import build_network
from place_search.models.verify import verify_model
from place_search.photos import Photo, Preprocessing
from place_search.search.verification import Query, verify

FEATURES = torch.tensor([[[[1.0, 3.0]], [[2.0, 2.0]]]])  # (1, 2 channels, 1 row, 2 columns)


def card_of(aggregation: str, local: LocalFeatures | None) -> ModelCard:
    return ModelCard(
        id="small",
        title="small",
        family="test",
        backbone="alexnet",
        aggregation=Aggregation(aggregation),
        local_features=local,
        dims=256,
        licence="",
        preprocessing=Preprocessing("area", 128, 96),
        files={},
    )


def test_gem_is_the_generalised_mean_of_each_channel() -> None:
    expected = torch.tensor([(28 / 2) ** (1 / 3), 2.0])
    torch.testing.assert_close(GeM(2)(FEATURES)[0], expected / expected.norm())
    average = GeM(2)
    torch.nn.init.ones_(average.power)
    torch.testing.assert_close(average(FEATURES)[0], torch.tensor([0.5, 0.5]).sqrt())


def test_spoc_is_the_sum_of_each_channel() -> None:
    torch.testing.assert_close(SPoC(2)(FEATURES * torch.tensor(2.0)), torch.full((1, 2), 0.5**0.5))


@pytest.mark.parametrize("aggregation", ["gem", "spoc"])
@pytest.mark.parametrize("local", [LocalFeatures(256, 16), None])
def test_a_model_folder_of_another_aggregation(
    aggregation: str, local: LocalFeatures | None, tmp_path: Path
) -> None:
    torch.manual_seed(1)
    card = card_of(aggregation, local)
    write_model(build_network(card).eval(), card, tmp_path / "small")
    assert verify_model(tmp_path / "small").problems == []
    model = open_model(tmp_path / "small")
    assert (model.card.aggregation, model.card.local_features) == (Aggregation(aggregation), local)
    assert model.card.in_0_1_words["clusters"] is None
    pixels = np.random.default_rng(1).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    embedding = model.embed(Photo(pixels, 128, 96))
    assert embedding.descriptor.shape == (256,)
    assert (embedding.local_features is None) == (local is None)
    if local is None:
        codes = encode_grid(embedding)
        assert (len(codes[0]), codes[1]) == (0, (0, 0))
        assert verify(Query(None), codes).inliers == 0
        with pytest.raises(ModelError, match="gives no local features"):
            embedding.require_local_features()
    with pytest.raises(ModelError, match=f"pools with {aggregation}, and this needs NetVLAD"):
        netvlad_of(build_network(card))


def test_a_card_of_version_0_1_says_the_same_in_todays_words(tmp_path: Path) -> None:
    card = read_card(find_model(UNWHITENED_MODEL))
    assert card.aggregation == Aggregation("netvlad", {"clusters": 64})
    assert card.local_features == LocalFeatures(112, 16)
    assert card.in_0_1_words == {"clusters": 64, "channels": 112, "stride": 16}
    # Indexes of version 0.1 hold this one.
    assert replace(card, precision="int8").fingerprint.startswith("46fd7b61")
    write_card(card, tmp_path)
    assert asdict(read_card(tmp_path)) == asdict(card)


@pytest.mark.parametrize(
    ("name", "parameters", "fault"),
    [
        ("netvlad", {"clusters": 4, "cluster": 8}, "knows no parameter 'cluster' of it"),
        ("netvlad", {}, "'clusters'"),
        ("gem", {"power": 3}, "knows no parameter 'power' of it"),
        ("gem-linear", {"dims": 8, "power": 3}, "unexpected keyword argument 'power'"),
        ("gem-linear", {"dims": "many"}, "many"),
    ],
)
def test_parameters_that_an_aggregation_has_not_are_refused(
    name: str, parameters: dict[str, object], fault: str
) -> None:
    card = replace(card_of("gem", None), aggregation=Aggregation(name, parameters))
    with pytest.raises(ModelError, match=f"describes no aggregation {name} .*{fault}"):
        build_network(card)


def test_an_unknown_aggregation_is_named() -> None:
    card = replace(card_of("gem", None), aggregation=Aggregation("mean"))
    with pytest.raises(ModelError, match=r"no aggregation 'mean'; known are .*gem, .*netvlad"):
        build_network(card)
