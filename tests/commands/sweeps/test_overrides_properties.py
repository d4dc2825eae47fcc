"""Overrides with any values are read from sweep.json as they were given."""

import tempfile
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from ganexp.commands.sweeps.overrides import resumed_overrides
from ganexp.commands.sweeps.settings import _as_parameters, of_parameters
from ganexp.config.composition import CONF
from ganexp.config.texts import quote_exactly
from ganexp.runs.sweep_directory import SweepDirectory

KEYS = st.sampled_from(["name", "schedule.steps", "model.generator.slope", "optimizer.generator.lr"])
LETTERS = st.characters(min_codepoint=32, max_codepoint=0x24F, exclude_characters="$")
TEXTS = st.text(LETTERS, max_size=12)
PIECES = ["a", "'", '"', "\\", " ", ",", "${", "${seed}", "$", "}", "~/", "="]
NASTY = st.lists(st.sampled_from(PIECES), min_size=1).map("".join)
VALUES = st.recursive(
    st.one_of(st.booleans(), st.integers(), st.floats(allow_nan=False), st.none(), TEXTS),
    lambda values: st.lists(values, max_size=3),
    max_leaves=6,
)


def written(value):
    """Return a value in Hydra's syntax."""
    if isinstance(value, list):
        return f"[{','.join(map(written, value))}]"
    if isinstance(value, str):
        return quote_exactly(value)
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)


@settings(max_examples=150)
@given(st.lists(st.tuples(KEYS, VALUES), max_size=4), st.text("ab'\\ ,=", min_size=1, max_size=6))
def test_stored_overrides_come_back_unchanged(pairs, name):
    overrides = [f"{key}={written(value)}" for key, value in pairs]
    parser = OverridesParser.create()
    with tempfile.TemporaryDirectory() as scratch:
        sweep = SweepDirectory(Path(scratch) / name.replace("/", "_"))
        sweep.create(overrides)
        sweep.lock.release()
        *stored, directory = resumed_overrides(str(sweep.path), [], [CONF])
        assert stored == overrides
        assert parser.parse_override(directory).value() == str(sweep.path)
    for (_, value), override in zip(pairs, stored, strict=True):
        assert parser.parse_override(override).value() == value


@settings(max_examples=300)
@given(NASTY)
def test_exactly_quoted_text_is_read_unchanged(text):
    read = OverridesParser.create().parse_override(f"name={quote_exactly(text)}").value()
    assert OmegaConf.create({"name": read}).name == text


@settings(max_examples=300)
@given(NASTY)
def test_parameters_of_the_jobs_come_back_unchanged(text):
    handed = _as_parameters([f"model.latent.dim={text}"])
    assert of_parameters(handed) == [f"model.latent.dim={text}"]
    values = OverridesParser.create().parse_override(handed).value()
    assert dict(OmegaConf.create(values)) == {"model.latent.dim": text}  # as Hydra's sweeper reads it
