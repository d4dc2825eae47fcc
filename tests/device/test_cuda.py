"""Training and scoring on a real GPU. The tests are skipped if there is no GPU.

If GANEXP_TEST_DEVICE=cpu is set, the tests that need no GPU use the CPU, so that this file itself can be tested.
"""

import contextlib
import json
import os
import shutil
import warnings
from unittest import mock

import pytest
import torch
from helpers.bench import Bench
from helpers.cli import ganexp
from helpers.config import config
from helpers.device_cases import CASES, CHOICES, READS_A_LOSS
from helpers.networks import assert_equal_features
from helpers.random_on_cpu import RandomOnCpu
from helpers.states import last_checkpoint, logged_points, same_state
from pytorch_lightning import Callback

from ganexp import build
from ganexp.build_scores import build_scores
from ganexp.losses import NonSaturating
from ganexp.metrics.extractors.inception import InceptionExtractor
from ganexp.tf32 import use_tf32
from ganexp.training import trainer as trainers

DEVICE = os.environ.get("GANEXP_TEST_DEVICE", "cuda")
ON_GPU = DEVICE == "cuda"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(ON_GPU and not torch.cuda.is_available(), reason="torch finds no GPU"),
]
os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # for trainer.deterministic; cuBLAS reads this variable only once

PRECISIONS = ("32-true", "bf16-mixed")
TRAINER = "trainer=gpu" if ON_GPU else "trainer=cpu"
ACCELERATOR = "accelerator=gpu" if ON_GPU else "accelerator=cpu"  # the override for evaluate and sample
LENGTH = ("schedule.steps=4", "schedule.evaluate_every=2", "trainer.log_every=2", "callbacks=none", "hydra.run.dir=run")
SHORT = (*LENGTH, TRAINER)
TOLERANCE = 1e-5  # allowed norm of a gradient's error, divided by the norm of the gradient
WAITS = "called a synchronizing CUDA operation"  # part of torch's warning


@pytest.fixture(autouse=True)
def usual_algorithms():
    """Undo what an earlier run has set: tests start without TF32, and algorithms need not be deterministic."""
    trainers.choose_algorithms(deterministic=False, tf32=False)
    # With benchmark=True, cuDNN would time its algorithms and choose the fastest; this choice can differ each time.
    torch.backends.cudnn.benchmark = False
    yield
    trainers.choose_algorithms(deterministic=False, tf32=True)
    set_waiting("default")


def set_waiting(mode):
    """Set what happens when the CPU waits for the GPU: `default` (nothing), `warn` or `error`."""
    if ON_GPU:
        torch.cuda.set_sync_debug_mode(mode)


def make_bench(case, *overrides):
    return Bench(*CASES[case], *overrides, base=CHOICES, model=(), device=DEVICE)


def autocast(precision):
    return torch.autocast(DEVICE, torch.bfloat16) if precision == "bf16-mixed" else contextlib.nullcontext()


def gradients(bench):
    """Return the gradient of each network as one vector on the CPU."""
    found = {}
    for name, network in bench.gan.networks.items():
        used = [each.grad for each in network.parameters() if each.grad is not None]
        found[name] = torch.cat([gradient.flatten().cpu() for gradient in used])
    return found


def metadata(run):
    return json.loads((run / "run.json").read_text())


# Single updates


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("case", CASES)
def test_steps_have_finite_gradients_on_the_device(case, precision):
    bench = make_bench(case)
    with autocast(precision):
        bench.step(2)
    parameters = list(bench.gan.networks.parameters())
    used = [each for each in parameters if each.grad is not None]  # a growing network does not use all parameters yet
    assert {each.device.type for each in parameters} == {DEVICE}
    assert {(each.grad.device.type, each.grad.dtype) for each in used} == {(DEVICE, torch.float32)}
    assert all(gradient.isfinite().all() and gradient.norm() > 0 for gradient in gradients(bench).values())


@pytest.mark.parametrize("case", CASES)
def test_gradients_agree_with_the_cpu(case):
    found = {}
    for device in ("cpu", DEVICE):
        bench = Bench(*CASES[case], base=CHOICES, model=(), device=device)
        for optimizer in bench.optimizers:  # all networks then keep their initial weights
            for group in optimizer.param_groups:
                group["lr"] = 0.0
        torch.manual_seed(1)
        with RandomOnCpu():
            bench.step()
        found[device] = gradients(bench)
    for name, expected in found["cpu"].items():
        error = ((found[DEVICE][name] - expected).norm() / expected.norm()).item()
        print(f"{case} {name}: {error:.1e}")
        assert error < TOLERANCE, f"the gradient of the {name} has the relative error {error:.1e}"


@pytest.mark.parametrize("case", CASES)
def test_deterministic_steps_repeat_bit_by_bit(case):
    trainers.choose_algorithms(deterministic=True, tf32=True)
    weights = []
    for _ in range(2):
        bench = make_bench(case)
        bench.step(3)
        weights.append(bench.weights())
    assert all(map(torch.equal, *weights))


@pytest.mark.skipif(not ON_GPU, reason="a CPU has nothing to wait for")
@pytest.mark.parametrize("case", [case for case in CASES if case not in READS_A_LOSS])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_steps_do_not_wait_for_the_device(case, precision):
    bench = make_bench(case)
    with autocast(precision):
        bench.step()
        set_waiting("error")
        bench.step(3)


@pytest.mark.skipif(not ON_GPU, reason="a CPU has nothing to wait for")
def test_loss_limit_waits_once_a_step():
    bench = make_bench("sagan_loss_limit")
    bench.step()
    set_waiting("warn")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        bench.step(3)
    assert len([each for each in caught if WAITS in str(each.message)]) == 3


@pytest.mark.parametrize("probabilities", [False, True])
def test_loss_of_nan_is_nan_and_leaves_the_device_usable(probabilities):
    logits = torch.full((8,), float("nan"), device=DEVICE, requires_grad=True)
    terms = NonSaturating(probabilities=probabilities).discriminator(logits, logits)
    torch.stack(list(terms.values())).sum().backward()
    assert all(term.isnan() for term in terms.values())
    assert torch.ones(3, device=DEVICE).sum().item() == 3


# Whole runs


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("case", CASES)
def test_run_finishes_with_finite_weights(case, precision, tmp_path):
    ganexp(*CHOICES, *CASES[case], *SHORT, f"trainer.precision={precision}", cwd=tmp_path)
    run = tmp_path / "run"
    assert metadata(run)["status"] == "finished"
    assert metadata(run)["device"] == trainers.device_name(torch.device(DEVICE))
    state = last_checkpoint(run)["state_dict"]
    weights = [value for name, value in state.items() if name.endswith((".weight", ".bias"))]
    assert weights
    assert all(weight.dtype == torch.float32 and weight.isfinite().all() for weight in weights)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("case", ["mlp", "wgan_gp_resnet", "sngan_conditional", "classifier", "ema_and_decay"])
def test_updates_can_be_recorded_as_graphs(case, precision, tmp_path):
    settings = (f"trainer.precision={precision}", "trainer.cuda_graph=true")
    done = ganexp(*CHOICES, *CASES[case], *SHORT, *settings, cwd=tmp_path)
    assert "warning: trainer.cuda_graph" not in done.stdout
    assert metadata(tmp_path / "run")["status"] == "finished"


class NoWaiting(Callback):
    """Raise an error if a step waits for the GPU, except in the first step and in steps whose losses are logged."""

    steps = 0

    def on_train_batch_start(self, trainer, pl_module, *args):
        if pl_module.step and (pl_module.step + 1) % pl_module.log_every:
            set_waiting("error")
            self.steps += 1

    def on_train_batch_end(self, *args):
        set_waiting("default")


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("case", ["dcgan", "wgan_gp_resnet", "ema_and_decay"])
def test_runs_wait_only_where_losses_are_logged(case, precision, tmp_path):
    check = NoWaiting()
    callbacks = [*trainers.required_callbacks(), check]
    length = ("schedule.steps=6", "schedule.evaluate_every=3", "trainer.log_every=3", f"trainer.precision={precision}")
    with mock.patch.object(trainers, "required_callbacks", return_value=callbacks):
        ganexp(*CHOICES, *CASES[case], *SHORT, *length, cwd=tmp_path)
    assert check.steps == 3


@pytest.mark.parametrize("case", ["sngan_conditional", "progressive", "sagan_loss_limit"])
def test_resumed_run_has_the_same_bits(case, tmp_path):
    words = (*CHOICES, *CASES[case], *SHORT, "trainer.deterministic=true", "schedule.ema.decay=0.9")
    ganexp(*words, "hydra.run.dir=whole", cwd=tmp_path)
    ganexp(*words, "trainer.max_time=00:00:00:00", cwd=tmp_path)
    run = tmp_path / "run"
    assert (metadata(run)["status"], last_checkpoint(run)["ganexp"]["step"]) == ("interrupted", 2)
    ganexp("resume", "run", cwd=tmp_path)
    ours, undisturbed = last_checkpoint(run), last_checkpoint(tmp_path / "whole")
    assert ours["ganexp"]["step"] == 4
    for part in ("state_dict", "optimizer_states", "lr_schedulers", "StreamData"):
        assert same_state(ours[part], undisturbed[part]), part
    assert logged_points(run) == logged_points(tmp_path / "whole")
    if ON_GPU:
        assert len(ours["callbacks"]["RandomState"]["cuda"]) == 1  # only the state of the GPU that trained


@pytest.mark.skipif(not ON_GPU, reason="needs two kinds of devices")
@pytest.mark.parametrize("first", ["cpu", "gpu"])
def test_run_resumes_on_another_kind_of_device(first, tmp_path):
    words = (*CHOICES, *CASES["ema_and_decay"], *LENGTH, "trainer.max_time=00:00:00:00")
    hidden = mock.patch.object(torch.cuda, "is_available", return_value=False)
    with hidden if first == "cpu" else contextlib.nullcontext():
        ganexp(*words, cwd=tmp_path)
    with hidden if first == "gpu" else contextlib.nullcontext():
        resumed = ganexp("resume", "run", cwd=tmp_path)
    assert ("the GPU starts with new random numbers" in resumed.stdout) == (first == "cpu")
    assert metadata(tmp_path / "run")["status"] == "finished"
    assert last_checkpoint(tmp_path / "run")["ganexp"]["step"] == 4


@pytest.mark.parametrize("case", ["dcgan", "probabilities"])
def test_diverging_run_is_explained(case, tmp_path):
    rates = ("optimizer.generator.lr=1e30", "optimizer.discriminator.lr=1e30", "trainer.log_every=1")
    done = ganexp(*CHOICES, *CASES[case], *SHORT, *rates, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "The run diverged" in done.stderr
    assert torch.ones(3, device=DEVICE).sum().item() == 3


# Scores and pictures


SCORED = (
    *("data=fake", "data.resolution=16", "data.num_classes=4", "data.source.size=200", *CASES["ema_and_decay"]),
    *("model.conditional=true", "metrics=classifier", "metrics.samples=200", "metrics.batch_size=80"),
    *("metrics.extractor.updates=20", "metrics.extractor.network.width=4", "metrics.extractor.network.max_width=16"),
    "metrics/score=[accuracy,diversity,fid,fid_infinity,fid_interval,intra_fid,is,kid,neighbours,swd]",
)


def test_scores_agree_with_the_cpu(tmp_path):
    images = torch.rand(200, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 1.5 - 1
    values = {}
    for device in ("cpu", DEVICE):
        use_tf32(True)  # TF32 is on, as in a run, but scores must not use TF32
        cfg = config(*SCORED, f"metrics.cache={tmp_path}")  # both devices use the same trained classifier
        shutil.rmtree(tmp_path / "references", ignore_errors=True)  # each device computes its own references
        scores = build_scores(cfg, build.build_image_set(cfg), torch.device(device), num_classes=4)
        scores.reset()
        for part in torch.arange(200).split(80):
            scores.update(images[part].to(device), scores.labels.values[part], part)
        values[device] = scores.compute()
    assert len(values["cpu"]) > 15
    for name, expected in values["cpu"].items():
        print(f"{name}: {expected:.6g} {values[DEVICE][name]:.6g}")
    assert values[DEVICE] == pytest.approx(values["cpu"], rel=1e-3, abs=1e-4)


def test_inception_features_agree_with_the_cpu(random_inception):
    use_tf32(True)
    extractor = InceptionExtractor(str(random_inception))
    images = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    expected, _ = extractor(images)
    with torch.autocast(DEVICE, torch.bfloat16):
        features, _ = extractor.to(DEVICE)(images.to(DEVICE))
    assert features.dtype == torch.float32
    assert_equal_features(features.cpu(), expected, tolerance=1e-3)


def test_run_with_scores_and_pictures_can_be_evaluated(tmp_path):
    words = (*SCORED, *SHORT, "metrics/score=[is,fid,kid]", "callbacks=default")
    ganexp(*words, "trainer.precision=bf16-mixed", cwd=tmp_path)
    run = tmp_path / "run"
    assert metadata(run)["scores"]["last"]["step"] == 4
    assert len(list(run.glob("samples/step-*.png"))) == 3
    assert list(run.glob("samples/interpolation*.png"))
    ganexp("evaluate", "ckpt=run", ACCELERATOR, cwd=tmp_path)
    ganexp("sample", "ckpt=run", ACCELERATOR, cwd=tmp_path)
