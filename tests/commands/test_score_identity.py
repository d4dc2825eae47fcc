"""A run is resumed only if its later scores can be compared with its earlier ones."""

import pytest

from ganexp.commands.score_identity import protocol_changes

BEFORE = {
    "extractor": "mine",
    "weights_sha256": "0123456789abcdef" * 4,
    "references": {"train": {"images": 9}},
    "accuracy": 0.5,
    "id": "11111111",
}


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        ({"weights_sha256": "f" * 64}, ["weights_sha256: 01234567…, now ffffffff…"]),
        ({"extractor": "other", "accuracy": 0.25}, ["extractor: mine, now other", "accuracy: 0.5, now 0.25"]),
        ({"references": {"train": {"images": 8}}}, ["references.train.images: 9, now 8"]),
        ({"drawn_together": 50}, ["drawn_together: none, now 50"]),
    ],
)
def test_every_difference_of_the_protocols_is_named(change, lines):
    assert protocol_changes(BEFORE, {**BEFORE, **change, "id": "22222222"}) == lines


@pytest.mark.parametrize("before", [None, {}, {**BEFORE, "accuracy": 0.25}])
def test_scores_with_the_same_id_or_an_unknown_protocol_are_comparable(before):
    assert protocol_changes(before, BEFORE) == []
