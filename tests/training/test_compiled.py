"""Compiled updates take the same steps as plain updates; where they would take other steps, plain updates are used."""

import logging
import shutil
from unittest import mock

import pytest
import torch
from helpers.bench import Bench
from helpers.cli import ganexp
from helpers.device_cases import CASES, CHOICES
from helpers.states import last_checkpoint, logged_points
from omegaconf import OmegaConf

from ganexp.losses import penalties
from ganexp.training import compiled
from ganexp.training.compiled import CompiledUpdates
from ganexp.training.gan import GAN

pytestmark = pytest.mark.slow
WARNING = "warning: trainer.compile"
ROUNDING = {"rtol": 1e-4, "atol": 1e-5}
SMALL = ("model.generator.width=2", "model.discriminator.width=2", "data.resolution=8", "data.channels=1")
KINDS = {
    "plain": ("model=dcgan", "loss=non_saturating", *SMALL),
    "gradient_penalty": (
        *("model=mlp", "model.generator.hidden=[8]", "model.discriminator.hidden=[8]"),
        *("loss=wgan_gp", "loss.n_critic=2", "data.resolution=4", "data.channels=1"),
    ),
    "spectral_norm": (
        *("model=dcgan", "model.discriminator.norm=none", "model.discriminator.spectral_norm=persistent"),
        *("loss=hinge", *SMALL),
    ),
    "conditional": ("model=dcgan", "model.conditional=true", "loss=hinge", *SMALL),
}
GRADIENT_PENALTY = KINDS["gradient_penalty"]
RUN = (
    *("data=fake", "data.source.size=64", "schedule.batch_size=8", "metrics=none", "callbacks=none"),
    *("schedule.steps=4", "schedule.evaluate_every=2", "trainer.log_every=1", "trainer=cpu", "logger=none"),
    *GRADIENT_PENALTY,
)


@pytest.fixture(autouse=True)
def without_code_generation(monkeypatch):
    """Compile as for a real run, but without the slow last part, which turns the operations into machine code."""
    monkeypatch.setattr(compiled, "BACKEND", "aot_eager")
    yield
    torch.compiler.reset()


def steps(words, compute=lambda gan: None, parts=1):
    """Make three steps of gradient descent, and return the Bench.

    Args:
        words: the overrides.
        compute: a function that takes the GAN and returns the function that computes the gradients. If `compute`
            returns None, the usual function computes the gradients.
        parts: number of parts into which each batch is divided.
    """
    bench = Bench(*words, f"schedule.accumulate={parts}", base=CHOICES, model=())
    gan = bench.gan
    bench.optimizers = [torch.optim.SGD(network.parameters(), lr=1e-2) for network in gan.networks.values()]
    gan.lr_schedulers = lambda: []
    gan.gradient_function = compute(gan) or gan.compute_gradients
    torch.manual_seed(1)
    bench.step(3)
    return bench


def compile_updates(gan):
    return CompiledUpdates(gan.compute_gradients, gan.evaluate, gan.networks)


def compile_discriminator(gan):
    """Compile D's update only; with a gradient penalty, only this update has second-order gradients."""
    update = compile_updates(gan)
    return lambda phase, real: (update if phase.network == "discriminator" else gan.compute_gradients)(phase, real)


def assert_equal(bench, plain, **tolerance):
    torch.testing.assert_close(bench.gan.state_dict(), plain.gan.state_dict(), **tolerance)


@pytest.mark.parametrize("kind", KINDS)
def test_compiled_steps_equal_plain_ones(kind, capsys, caplog):
    plain, calls = steps(KINDS[kind]), []
    after = torch.get_rng_state()

    def counted(gan):
        def compute(phase, real):
            calls.append(phase.network)
            return gan.compute_gradients(phase, real)

        return CompiledUpdates(compute, gan.evaluate, gan.networks)

    bench = steps(KINDS[kind], counted)
    assert torch.equal(torch.get_rng_state(), after)
    assert_equal(bench, plain, **ROUNDING)
    assert sorted(calls) == ["discriminator"] * 2 + ["generator"] * 2  # `compute` is called in the self-tests only
    used = [each for each in bench.gan.networks.parameters() if each.grad is not None]
    assert [each.grad.stride() for each in used] == [each.stride() for each in used]  # as fused optimizers require
    assert WARNING not in capsys.readouterr().out
    assert "CUDA_HOME" not in caplog.text


def test_fixed_weights_are_not_trained_by_compiled_steps(capsys):
    def compile_with_fixed_weights(gan):
        gan.discriminator.body.requires_grad_(False)
        return compile_discriminator(gan)

    def fix_weights(gan):
        gan.discriminator.body.requires_grad_(False)

    assert_equal(steps(GRADIENT_PENALTY, compile_with_fixed_weights), steps(GRADIENT_PENALTY, fix_weights), **ROUNDING)
    assert WARNING not in capsys.readouterr().out


@pytest.mark.skipif(not shutil.which("g++"), reason="there is no C++ compiler")
def test_machine_code_computes_the_same_steps(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(compiled, "BACKEND", "inductor")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(torch._inductor.config.cpp, "vec_isa_ok", True)  # without a trial in a new process

    plain, bench = steps(GRADIENT_PENALTY), steps(GRADIENT_PENALTY, compile_discriminator)
    assert_equal(bench, plain, **ROUNDING)
    assert WARNING not in capsys.readouterr().out


def test_message_about_a_missing_gpu_is_silenced(caplog):
    compile_updates(Bench(*GRADIENT_PENALTY, base=CHOICES, model=()).gan)
    for message in ("No CUDA runtime is found, using CUDA_HOME='/usr'", "another"):
        logging.getLogger("torch.utils.cpp_extension").warning(message)
    assert caplog.messages[-1:] == ["another"]
    assert "CUDA_HOME" not in caplog.text


def test_compiled_parts_of_a_batch_equal_plain_ones(capsys):
    plain, bench = steps(GRADIENT_PENALTY, parts=2), steps(GRADIENT_PENALTY, compile_discriminator, parts=2)
    assert_equal(bench, plain, **ROUNDING)
    assert WARNING not in capsys.readouterr().out


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_lost_second_order_gradients_are_found(precision, monkeypatch, capsys):
    """In half precision, this test gives the penalty so small a weight that rounding errors outweigh the penalty."""
    weight = 10 if precision == "32-true" else 0.003
    words = (*GRADIENT_PENALTY, f"loss.penalties.gradient_penalty.weight={weight}")

    def without_second_order(update, **options):
        def wrong(*arguments):
            with monkeypatch.context() as patch:
                norm = penalties.squared_gradient_norm
                patch.setattr(penalties, "squared_gradient_norm", lambda *values: norm(*values).detach())
                return update(*arguments)

        return wrong

    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16-mixed"):
        plain = steps(words)
        monkeypatch.setattr(torch, "compile", without_second_order)
        bench = steps(words, compile_updates)
    assert_equal(bench, plain, rtol=0, atol=0)
    printed = capsys.readouterr().out
    assert printed.count(WARNING) == 1
    assert "the update of the discriminator is not compiled: the gradients differ by" in printed


def test_network_that_reads_values_is_not_compiled(capsys):
    def reading(gan):
        gan.generator.register_forward_hook(lambda module, inputs, images: images if images.sum() < 1e9 else -images)
        return compile_updates(gan)

    plain, bench = steps(KINDS["plain"]), steps(KINDS["plain"], reading)
    assert_equal(bench, plain, rtol=0, atol=0)
    printed = capsys.readouterr().out
    assert printed.count(WARNING) == 1
    assert "the update of the discriminator is not compiled: Data-dependent branching" in printed


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (CASES["began"], "has a state of its own"),
        (CASES["progressive"], "changes with the progress of the run"),
        ((*CASES["mlp"], "schedule.updates.fakes=shared"), "schedule.updates.fakes=shared"),
    ],
)
def test_updates_that_change_objects_are_not_compiled(words, reason, capsys):
    gan = Bench(*words, "trainer.compile=true", base=CHOICES, model=()).gan
    gan._trainer.optimizers = []
    gan.on_train_start()
    assert gan.gradient_function == gan.compute_gradients
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(WARNING)
    assert reason in line


@pytest.mark.parametrize(("device", "compiles"), [("cpu", False), ("cuda", True)])
def test_auto_compiles_on_a_gpu_only(device, compiles):
    gan = Bench("trainer.compile=auto", "trainer.cuda_graph=false").gan
    gan._trainer.optimizers = []
    with mock.patch.object(GAN, "device", torch.device(device)):
        gan.on_train_start()
    assert isinstance(gan.gradient_function, CompiledUpdates) is compiles


@pytest.fixture(scope="module")
def plain_run(tmp_path_factory):
    """Train a run without compilation, and return its directory."""
    directory = tmp_path_factory.mktemp("plain")
    ganexp(*RUN, "hydra.run.dir=run", cwd=directory)
    return directory / "run"


@pytest.mark.parametrize("compiled_first", [True, False])
def test_run_resumes_with_and_without_compilation(compiled_first, plain_run, tmp_path):
    begin = (f"trainer.compile={compiled_first}", "trainer.max_time=00:00:00:00", "hydra.run.dir=run")
    printed = [ganexp(*RUN, *begin, cwd=tmp_path).stdout]
    cfg = OmegaConf.load(tmp_path / "run" / "config.yaml")
    cfg.trainer.compile, cfg.trainer.max_time = not compiled_first, None
    OmegaConf.save(cfg, tmp_path / "run" / "config.yaml")
    printed.append(ganexp("resume", "run", cwd=tmp_path).stdout)
    assert WARNING not in "".join(printed)
    plain, resumed = last_checkpoint(plain_run), last_checkpoint(tmp_path / "run")
    assert plain["global_step"] == resumed["global_step"]
    for part in ("state_dict", "optimizer_states"):
        torch.testing.assert_close(resumed[part], plain[part], rtol=1e-2, atol=1e-4)
    for point, expected in zip(logged_points(tmp_path / "run"), logged_points(plain_run), strict=True):
        assert point == pytest.approx(expected, rel=1e-2, abs=1e-3)
