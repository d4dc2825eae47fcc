"""The schemas declare the type and the limits of every key that is not in a node with `_target_`."""

import subprocess
import sys
from dataclasses import fields, is_dataclass

import pytest
from helpers.config import TINY, config, raw_config
from omegaconf import OmegaConf

from ganexp.config import schema
from ganexp.config.annotations import allows, is_data
from ganexp.config.fields import field_violations
from ganexp.errors import UserError

ROOTS = (schema.Train, schema.Describe, schema.EvaluateImages, schema.Evaluate, schema.Sample)


def complaints(overrides, config_name="train"):
    with pytest.raises(UserError) as error:
        schema.resolve(raw_config(*overrides, config=config_name))
    return str(error.value).splitlines()


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["schedule.steps=0"], "schedule.steps=0: must be a whole number, at least 1, or null"),
        (["schedule.ema.decay=1"], "schedule.ema.decay=1.0: must be a number above 0 and below 1, or null"),
        (["schedule.ema.start=-1"], "schedule.ema.start=-1: must be a whole number, at least 0"),
        (["data.channels=0"], "data.channels=0: must be one of 1, 3"),
        (["data.workers=-1"], "data.workers=-1: must be a whole number, at least 0"),
        (["data.on_error=stop"], "data.on_error=stop: must be one of skip, raise"),
        (["data.in_memory=1"], "data.in_memory=1: must be true or false, or auto"),
        (["loss.logits=0"], "loss.logits=0: must be a whole number from 1 to 100000"),
        (["metrics.fid_at=[5000,0]"], "metrics.fid_at=[5000, 0]: must be a list of whole numbers, each at least 2"),
        (["metrics.grid_rows=0"], "metrics.grid_rows=0: must be a whole number from 1 to 100"),
        (["metrics.grid_columns=0"], "metrics.grid_columns=0: must be a whole number from 1 to 100"),
        (["trainer.accelerator=tpu"], "trainer.accelerator=tpu: must be one of auto, cpu, gpu"),
        (["trainer.precision=64"], "trainer.precision=64: must be one of 32-true, 32, bf16-mixed, bf16, auto"),
        (["trainer.deterministic=maybe"], "trainer.deterministic=maybe: must be true or false, or warn"),
        (["trainer.profiler=fast"], "trainer.profiler=fast: must be one of simple, advanced, pytorch, or null"),
        (
            ["schedule.clip_gradients.generator=0"],
            "schedule.clip_gradients.generator=0: must be a number above 0, or null",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_value_outside_its_range_is_refused(overrides, expected):
    assert complaints(overrides) == [expected]


@pytest.mark.parametrize(
    ("config_name", "override", "expected"),
    [
        ("sample", "n=0", "n=0: must be a whole number from 1 to 10000000"),
        ("sample", "truncation=0", "truncation=0.0: must be a number, at least 0.01, or null"),
        ("sample", "format=gif", "format=gif: must be one of png, zip, npz"),
        ("describe", "seed=-1", "seed=-1: must be a whole number from 0 to 4294967295"),
    ],
)
def test_other_commands_have_ranges_too(config_name, override, expected):
    assert complaints(["ckpt=a", override] if config_name == "sample" else [override], config_name) == [expected]


def test_part_of_a_config_is_resolved():
    cfg = raw_config("ckpt=a", "samples=7", config="evaluate")  # metrics refer to the data of the run
    assert "metrics" not in schema.resolve(cfg, without=["metrics"])
    cfg.samples = 0
    with pytest.raises(UserError, match=r"^samples=0: must be a whole number from 1 to 10000000, or null$"):
        schema.resolve(cfg, without=["metrics"])
    with pytest.raises(UserError, match=r"^Missing value: ckpt=… \(a checkpoint"):
        schema.resolve(raw_config(config="evaluate"), without=["metrics"])


def test_config_without_a_schema_has_no_ranges():
    assert schema.resolve(OmegaConf.create({"seed": -1, "copy": "${seed}"})) == {"seed": -1, "copy": -1}


def test_all_values_outside_their_ranges_are_listed():
    assert len(complaints(["seed=-1", "schedule.steps=0", "data.range=byte"])) == 3


@pytest.mark.parametrize(
    "key",
    [
        "optimizer",
        "model.auxiliary",
        "loss.penalties",
        "loss.auxiliary",
        "augment",
        "callbacks",
        "logger",
        "metrics.scores",
    ],
)
def test_dictionaries_hold_nodes_only(key):
    assert complaints([f"+{key}.unknown.width=3"]) == [
        f"{key}.unknown={{width: 3}}: has no _target_, which names the class or function to build"
    ]
    config(f"+{key}.unknown=null")  # an entry that is null is left out


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("+trainer.foo=1", "trainer.foo: there is no such setting"),
        ("+trainer.profile=simple", "trainer.profile: there is no such setting; did you mean trainer.profiler?"),
        ("+schedule.ema.decays=0.9", "schedule.ema.decays: there is no such setting; did you mean schedule.ema.decay?"),
        ("+sed=1", "sed: there is no such setting; did you mean seed?"),
        ("+mine.deep.key=1", "mine: there is no such setting"),
        ("+metrics.kid.subsets=3", "metrics.kid: there is no such setting"),
    ],
)
def test_unknown_settings_are_refused_even_behind_a_plus(override, expected):
    assert complaints([override]) == [expected]


def test_other_commands_refuse_unknown_settings_too():
    assert complaints(["ckpt=a", "+truncate=1"], "sample") == [
        "truncate: there is no such setting; did you mean truncation?"
    ]
    with pytest.raises(UserError, match=r"^metrics.kid: there is no such setting$"):
        schema.resolve(raw_config("ckpt=a", "+metrics.kid=1", config="evaluate"), without=["metrics"])


@pytest.mark.parametrize(
    ("given", "full"), [("32", "32-true"), ("32-true", "32-true"), ("bf16", "bf16-mixed"), ("bf16-mixed", "bf16-mixed")]
)
def test_precision_has_its_full_name(given, full):
    assert config(f"trainer.precision={given}").trainer.precision == full


@pytest.mark.parametrize("given", ["16", "16-mixed", "16-true"])
def test_precision_16_is_refused_with_the_reason(given):
    range_, reason = complaints([f"trainer.precision={given}"])
    assert "must be one of 32-true" in range_
    assert reason == (
        f"trainer.precision={given}: the loss scaling of float16 would leave out the discriminator's optimizer: "
        "use trainer.precision=bf16-mixed"
    )


@pytest.mark.parametrize("devices", ["-1", "0"])
def test_devices_that_are_no_number_above_0_are_refused(devices):
    assert any(
        f"trainer.devices={devices}: give the number of devices" in line
        for line in complaints([f"trainer.devices={devices}"])
    )


def test_misspelled_entry_gets_a_suggestion():
    assert complaints(["+optimizer.generater.lr=1"])[0].endswith("; did you mean optimizer.generator?")


@pytest.mark.parametrize("key", ["augment", "callbacks", "logger", "optimizer", "model.auxiliary", "loss.auxiliary"])
def test_dictionaries_default_to_empty(key):
    default = OmegaConf.structured(schema.Train)
    for part in key.split("."):
        part_schema = next(field.type for field in fields(OmegaConf.get_type(default)) if field.name == part)
        default = OmegaConf.structured(part_schema) if is_dataclass(part_schema) else default[part]
    assert default == {}


def test_grid_has_ten_rows_and_columns_by_default():
    metrics = config(*TINY).metrics
    assert (metrics.grid_rows, metrics.grid_columns) == (10, 10)


@pytest.mark.parametrize("root", ROOTS)
def test_defaults_are_within_their_ranges(root):
    assert list(checked_fields(root)) == []


def checked_fields(root):
    """Yield the names of fields whose annotation cannot be checked, or whose default is not allowed."""
    for field in fields(root):
        annotation = field.metadata.get("annotation")
        if is_dataclass(field.type):
            yield from checked_fields(field.type)
        if annotation is None:
            continue
        default = field.default_factory() if callable(field.default_factory) else field.default
        if not is_data(annotation) or (default != "???" and not allows(annotation, default)):
            yield field.name


def test_missing_values_are_named():
    assert complaints(["data=folder"])[0].startswith("Missing value: data.path=…")
    with pytest.raises(UserError, match=r"^Missing value: ckpt=… \(a checkpoint"):
        schema.resolve(raw_config(config="sample"))


def test_resolver_may_refuse():
    assert "no such directory or zip" in complaints(["data=folder", "data.path=/nowhere"])[0]


def test_other_classes_than_schemas_allow_everything():
    assert list(field_violations({"steps": 0}, dict)) == []


@pytest.mark.slow
def test_config_does_not_import_torch():
    code = "import sys; from ganexp.config import schema, suggestions, optimizers; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
