"""Every option can be composed and built, and every loss and every model can be trained."""

import json
import re
from contextlib import nullcontext

import pytest
import torch
from helpers.bench import BASE, MLP, Bench
from helpers.cli import ganexp
from helpers.config import TINY, config, raw_config
from helpers.images import photo
from helpers.options import options
from omegaconf import OmegaConf
from torch.nn.utils import parametrizations

from ganexp import build
from ganexp.build import build_gan, build_objective
from ganexp.cli import CONF
from ganexp.config import checks, schema, trust
from ganexp.config.annotations import is_node
from ganexp.config.checks import BATCH_NORMS
from ganexp.config.instantiate import check, instantiate
from ganexp.errors import UserError

pytestmark = pytest.mark.slow

# The groups with settings of the LightningModule.
OF_THE_GAN = ("data", "model", "loss", "augment", "schedule", "optimizer", "trainer", "as_published", "debug")
GROUPS = (*OF_THE_GAN, "metrics", "callbacks", "logger")
LISTS = ("augment", "callbacks", "logger", "metrics/score")  # groups of which several options can be chosen
EVERY_OPTION = [(group, option) for group in GROUPS for option in options(group)]
DATASETS = {
    "sngan": "cifar10",
    "sngan48": "stl10",
    "sngan96": "flowers102",
    "sagan": "cifar10",
    "sagan48": "stl10",
    "sagan96": "flowers102",
}
RESIDUAL = ("model.generator.widths=[8,8]", "model.discriminator.widths=[8,8]", "model.discriminator.halvings=2")
ATTENTION = ("model.generator.attention=8", "model.discriminator.attention=4")
NARROW = {
    "mlp": MLP,
    "dcgan": ("model=dcgan", "model.generator.width=4", "model.discriminator.width=4"),
    "dcgan_dropout": ("model=dcgan_dropout", "model.generator.width=4", "model.discriminator.width=4"),
    "dcgan_mnist": ("model=dcgan_mnist",),
    "autoencoder": ("model=autoencoder", "model.generator.width=4", "model.discriminator.width=4"),
    "dfm": ("model=dfm", "model.generator.width=4", "model.discriminator.width=4"),
    "dcgan_strided": (
        "model=dcgan_strided",
        "data.resolution=16",
        "model.generator.width=4",
        "model.discriminator.width=4",
    ),
    "progressive": ("model=progressive", "model.generator.width=4", "model.generator.max_width=8"),
    "sngan_cnn": ("model=sngan_cnn", "model.generator.width=4", "model.discriminator.width=4"),
    "r3gan": ("model=r3gan", "model.generator.widths=[8,8]", "model.discriminator.group_size=8"),
}
NARROW |= {name: (f"model={name}", *RESIDUAL, *(ATTENTION if "sagan" in name else ())) for name in DATASETS}


NEEDED = {  # the further overrides that an option needs
    ("augment", "ada"): ["loss=hinge"],
    ("loss", "began"): ["model=autoencoder"],
    ("metrics", "timm"): ["metrics.extractor.model=resnet18"],
    ("model", "dcgan_strided"): ["data.resolution=16"],
    ("schedule/growth", "progressive"): ["model=progressive"],
    ("schedule/updates", "loss_limit"): ["loss=hinge"],
    ("schedule/updates", "no_loss_limit"): ["loss=hinge"],
}


def overrides_for(group, option, tmp_path):
    """Return the overrides that choose an option, and the further overrides that this option needs."""
    path, _, last = option.rpartition("/")
    group = f"{group}/{path}" if path else group
    overrides = [f"{group}=[{last}]" if group in LISTS else f"{group}={last}"]
    overrides += NEEDED.get((group, last), ())
    if path == "auxiliary":
        overrides.append("data=cifar10")
    if group == "model" and option in DATASETS:
        overrides.append(f"data={DATASETS[option]}")
    if group == "as_published" and option != "none":
        overrides.insert(0, f"experiment={option}/{options(f'experiment/{option}')[-1]}")
    if option == "folder":
        for name in ("a", "b"):
            photo(tmp_path / name / "1.png")
        overrides.append(f"data.path={tmp_path}")
    return overrides


@pytest.mark.parametrize(("group", "option"), EVERY_OPTION, ids=lambda value: value)
def test_option_composes_and_builds(group, option, tmp_path):
    cfg = config(*overrides_for(group, option, tmp_path))
    for key, node in nodes_of(OmegaConf.to_container(cfg)):
        check(node | {"_partial_": True}, key)  # ganexp itself passes some of the arguments
    if group not in OF_THE_GAN:
        return
    data = cfg.data
    with torch.device("meta"):  # the networks have no weights
        gan = build_gan(cfg)
    latents = gan.latent.sample(2).to("meta")
    images = gan.generator(latents, torch.zeros(2, dtype=torch.long, device="meta"))
    assert images.shape[1:] == (data.channels, data.resolution, data.resolution)


def nodes_of(value, key=""):
    """Yield every node below `value`, with its key."""
    if is_node(value):
        yield key, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from nodes_of(item, f"{key}.{name}" if key else name)


LOSSES = [option for option in options("loss") if "/" not in option]
PENALTIES = options("loss/penalty")
# Models for 48 and 96 pixels are left out, because they have the same layers as the models for 32 pixels.
MODELS = [name for name in options("model") if not name.endswith(("48", "96"))]
WITHOUT_GRADIENT = ("bcr", "cr", "drift", "lecam")  # penalties that need no gradient of single images
# Losses that need a discriminator with vector outputs, and models whose conditional discriminators have such outputs.
VECTOR_LOSSES, VECTOR_MODELS = ("two_class", "cramer"), ("mlp",)


@pytest.fixture(scope="module")
def loss_nodes():
    """Return the section `loss` of the config for each loss."""
    return {loss: raw_config(f"loss={loss}").loss for loss in LOSSES}


@pytest.fixture(scope="module")
def penalty_nodes():
    """Return the config node of each penalty."""
    return {name: config("loss=hinge", f"loss/penalty={name}").loss.penalties[name] for name in PENALTIES}


@pytest.fixture
def networks_built_once(monkeypatch):
    """Build networks with equal config nodes only once, and reuse them; the networks in these tests have no weights."""
    networks = {}

    def remembered(node, key, /, **arguments):
        if key not in ("model.generator", "model.discriminator"):
            return instantiate(node, key, **arguments)
        name = f"{key}: {node}"
        if name not in networks:
            networks[name] = instantiate(node, key)
        return networks[name]

    monkeypatch.setattr(build, "instantiate", remembered)


def go_together(loss, model, conditional):
    """Return whether a loss suits a model."""
    has_vectors = not conditional or model in VECTOR_MODELS
    return (has_vectors or loss not in VECTOR_LOSSES) and (loss == "began") == (model == "autoencoder")


def attempt(function, *arguments):
    """Return the result of a call and None, or None and the message of the UserError that the call raises."""
    try:
        return function(*arguments), None
    except UserError as error:
        return None, str(error)


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.usefixtures("networks_built_once")
def test_every_loss_and_penalty_fits_a_model_or_is_refused(loss_nodes, penalty_nodes, monkeypatch, model, conditional):
    """Build every loss with every model, and check every penalty with the first fitting loss of each model.

    Networks have no weights here. With the model dcgan, every penalty is checked with every fitting loss.
    """
    monkeypatch.setattr(torch, "autocast", lambda *args, **options: nullcontext())  # autocast refuses the device `meta`
    # Power iterations are slow, and have no effect without weights.
    monkeypatch.setattr(parametrizations._SpectralNorm, "_power_method", lambda *args: None)
    labels = "schedule.updates.labels.generator=real"  # the relativistic loss needs images of one class
    raw = raw_config(*BASE, *NARROW[model], f"model.conditional={conditional}", labels)
    fitting = []
    for loss in LOSSES:
        raw.loss = loss_nodes[loss]
        cfg = schema.resolve(raw)
        with torch.device("meta"):
            gan, refused = attempt(build_gan, cfg)
            assert go_together(loss, model, conditional) == (refused is None), refused
            if refused:
                assert re.search("use |set |leave |try ", refused), refused
                continue
            fitting.append(loss)
            if len(fitting) == 1 or model == "dcgan":
                assert_penalties_fit_or_are_refused(cfg, gan, penalty_nodes)
    assert fitting


def assert_penalties_fit_or_are_refused(cfg, gan, nodes):
    added = cfg.copy()
    for name, node in nodes.items():
        added.loss.penalties = {name: node}
        gan.objective = build_objective(added)
        _, refused = attempt(checks.check, added, gan)
        mixes_samples = any(isinstance(layer, BATCH_NORMS) for layer in gan.discriminator.modules())
        assert refused is None or re.search(rf"penalties\.{name}.*(use |set |leave )", refused, re.DOTALL), refused
        assert refused or not mixes_samples or name in WITHOUT_GRADIENT


def assert_both_networks_learn(bench):
    before = bench.weights()
    bench.step(2)
    after = bench.weights()
    assert all(weights.isfinite().all() for weights in after)
    trained = [not torch.equal(a, b) for a, b in zip(before, after, strict=True)]
    generators = len(list(bench.gan.generator.parameters()))
    assert any(trained[:generators])
    assert any(trained[generators:])


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_model_takes_two_steps(model, conditional):
    loss = "began" if model == "autoencoder" else "hinge"
    assert_both_networks_learn(Bench(f"loss={loss}", f"model.conditional={conditional}", model=NARROW[model]))


@pytest.mark.parametrize("loss", LOSSES)
def test_loss_takes_two_steps(loss):
    assert_both_networks_learn(Bench(f"loss={loss}", model=NARROW["autoencoder" if loss == "began" else "dcgan"]))


@pytest.mark.parametrize("penalty", PENALTIES)
def test_penalty_takes_two_steps(penalty):
    bench = Bench("loss=hinge", f"loss/penalty={penalty}", model=NARROW["dcgan"])
    assert list(bench.gan.objective.penalties) == [penalty]
    assert_both_networks_learn(bench)


@pytest.mark.parametrize(
    ("data", "shape"),
    [("mnist", (1, 28, 10)), ("stl10", (3, 48, 10)), ("flowers102", (3, 96, 102)), ("cifar100", (3, 32, 100))],
)
def test_model_takes_its_size_from_the_dataset(data, shape):
    node = config(f"data={data}", "model=dcgan", "model.conditional=true").model.generator
    assert (node.channels, node.resolution, node.num_classes) == shape


def test_unlabelled_split_has_no_classes():
    assert config("data=stl10", "data.split=unlabeled").data.num_classes == 0


def test_dataset_chooses_model_and_metrics_by_default():
    assert "dcgan" in config("data=cifar10").model.generator._target_
    assert "Inception" in config("data=cifar10").metrics.extractor._target_
    assert "mlp" in config("data=cifar10", "model=mlp").model.generator._target_
    assert "train_classifier" in config("data=mnist").metrics.extractor._target_


def test_targets_in_conf_are_trusted():
    for file in CONF.rglob("*.yaml"):
        for key, value in trust.leaves(OmegaConf.to_container(OmegaConf.load(file))):
            if key.endswith("_target_") and CONF / "hydra" not in file.parents:
                assert trust.trusted(value), f"{file}: {value}"


def test_tiny_run_builds():
    build_gan(config(*TINY))


def test_experiments_of_the_guide_compose(tmp_path):
    guide = (CONF.parent / "docs" / "extending.md").read_text()
    names = []
    for name, block in re.findall(r"`my_conf/experiment/(\w+)\.yaml`:\n+```yaml\n(.*?)```", guide, re.DOTALL):
        (tmp_path / "experiment").mkdir(exist_ok=True)
        (tmp_path / "experiment" / f"{name}.yaml").write_text(block)
        names.append(name)
    assert len(names) == 2
    for name in names:
        done = ganexp("describe", "--config-dir", str(tmp_path), f"experiment={name}", cwd=tmp_path)
        assert json.loads(done.stdout)["experiment"] == name
