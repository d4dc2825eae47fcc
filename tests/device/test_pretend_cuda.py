"""Training and scoring on pretend CUDA tensors: devices, data types and synchronisations, without a GPU.

Values, memory and cuDNN are tested by test_cuda.py, on a GPU.
"""

import contextlib
from collections import Counter
from unittest import mock

import pytest
import torch
from helpers.bench import Bench
from helpers.config import config
from helpers.device_cases import CASES, CHOICES, READS_A_LOSS
from helpers.pretend_cuda import CUDA, pretend_cuda, problem
from helpers.pretend_trainer import pretend_trainer
from helpers.scores import EVERY_SCORE, Pixels, make_reference
from pytorch_lightning import Callback
from pytorch_lightning.strategies import SingleDeviceStrategy

from ganexp import build, sampling
from ganexp.checkpoint import read_checkpoint
from ganexp.metrics.collection import Scores
from ganexp.metrics.labels import SampleLabels
from ganexp.training import trainer as trainers
from ganexp.training.update_values import UpdateValues

pytestmark = pytest.mark.slow

PRECISIONS = ("32-true", "bf16-mixed")
STEPPED = [case for case in CASES if case not in ("dcgan", "class_head", "probabilities", "cramer")]
PENALISED = ("wgan_gp_resnet", "sngan_cnn_r1", "dragan_replay")


@pytest.fixture(autouse=True)
def working_torch():
    """Skip the tests if pretend tensors do not work, for example because a private part of torch has changed."""
    if problem():
        pytest.skip(f"pretend CUDA tensors do not work with torch {torch.__version__}: {problem()}")


def make_bench(case):
    return Bench(*CASES[case], base=CHOICES, model=())


def autocast(precision):
    return torch.autocast("cuda", torch.bfloat16) if precision == "bf16-mixed" else contextlib.nullcontext()


def recorded_step(bench, recorder, precision):
    """Make a step, and return the recorded waits, kernel launches, convolutions and matrix products."""
    recorder.clear()
    with autocast(precision):
        bench.step()
    return recorder.waits, recorder.launches, recorder.products


# Single updates


@pytest.mark.parametrize("case", STEPPED)
def test_steps_stay_on_the_device_without_waiting(case):
    bench = make_bench(case)
    with pretend_cuda() as recorder:
        bench.move("cuda")
        bench.step()  # makes the states of the optimizers
        for precision in PRECISIONS:
            bench.gan.zero_grad()
            waits, launches, _ = recorded_step(bench, recorder, precision)
            assert [kind for kind, _ in waits.elements()] == ["value"] * (case in READS_A_LOSS), precision
            assert launches > 50
            gradients = [each.grad for each in bench.gan.networks.parameters() if each.grad is not None]
            assert {(each.device, each.dtype) for each in gradients} == {(CUDA, torch.float32)}, precision
    assert {each.device for each in bench.gan.state_dict().values() if isinstance(each, torch.Tensor)} == {CUDA}


@pytest.mark.parametrize("case", PENALISED)
def test_penalties_are_computed_in_float32(case):
    bench = make_bench(case)
    with pretend_cuda() as recorder:
        bench.move("cuda")
        *_, penalised = recorded_step(bench, recorder, "bf16-mixed")
        bench.gan.objective.penalties.clear()
        *_, products = recorded_step(bench, recorder, "bf16-mixed")
    penalty = penalised - products
    assert {dtype for _, dtype in products} == {torch.bfloat16}
    assert {dtype for _, dtype in penalty} == {torch.float32}  # this includes the second-order gradient
    assert penalised == products + penalty


def test_conditional_norm_keeps_half_precision():
    bench = make_bench("sngan_conditional")
    types = Counter()
    with pretend_cuda():
        bench.move("cuda")
        for layer in bench.gan.generator.modules():
            if type(layer).__name__ == "ConditionalNorm":
                layer.register_forward_hook(lambda module, inputs, output: types.update([output.dtype]))
        with autocast("bf16-mixed"):
            bench.step()
    assert set(types) == {torch.bfloat16}


# Whole runs


class Watch(Callback):
    """Collect what waits for the device in steps without logged losses, and the devices of the optimizers' states."""

    def __init__(self, recorder):
        self.recorder, self.waits, self.steps, self.devices_of_states = recorder, Counter(), 0, set()

    def on_train_batch_start(self, *args):
        self.recorder.clear()

    def on_train_batch_end(self, trainer, pl_module, *args):
        if pl_module.losses_logged_at != pl_module.step:
            self.waits += self.recorder.waits
            self.steps += 1
        states = [state for optimizer in trainer.optimizers for state in optimizer.state.values()]
        self.devices_of_states |= {value.device for state in states for name, value in state.items() if name != "step"}


def fit_on_pretend_cuda(case, precision, tmp_path, checkpoint=None):
    """Train with Lightning on pretend CUDA tensors; return the GAN and the callback that watched the training."""
    settings = ("schedule.steps=6", "schedule.evaluate_every=3", "trainer.log_every=3", "trainer.cuda_graph=false")
    cfg = config(*CHOICES, *CASES[case], *settings)
    gan, image_set = build.build_gan(cfg), build.build_image_set(cfg)
    content = checkpoint and read_checkpoint(checkpoint)
    loading = mock.patch.object(SingleDeviceStrategy, "load_checkpoint", return_value=content)
    with pretend_cuda() as recorder, pretend_trainer(precision), loading:
        recorder.truth = True  # the check for finite weights reads this value
        gan.connect(build.build_stream(cfg, image_set, CUDA))
        watch = Watch(recorder)
        trainer = trainers.make_trainer(CUDA, tmp_path, precision, [*trainers.required_callbacks(), watch])
        trainers.fit(trainer, gan, build.build_data(cfg, gan), checkpoint)
    return gan, watch


@pytest.mark.parametrize(("case", "precision"), [("wgan_gp_resnet", "bf16-mixed"), ("ema_and_decay", "32-true")])
def test_fit_waits_only_where_losses_are_logged(case, precision, tmp_path):
    gan, watch = fit_on_pretend_cuda(case, precision, tmp_path)
    assert (gan.step, watch.steps) == (6, 4)
    assert not watch.waits


def test_networks_stay_on_the_device_after_an_evaluation():
    cfg = config(*CHOICES, *CASES["ema_and_decay"])
    gan = build.build_gan(cfg)
    with pretend_cuda(), pretend_trainer("32-true"):
        gan.connect(build.build_stream(cfg, build.build_image_set(cfg), CUDA))
        trainers.validate(gan, build.build_data(cfg, gan), CUDA)
        assert {value.device for value in gan.state_dict().values()} == {CUDA}


@pytest.mark.parametrize("case", ["ema_and_decay", "wgan_clipping"])
def test_checkpoint_of_a_cpu_resumes_on_the_device(case, tmp_path):
    cfg = config(*CHOICES, *CASES[case], "schedule.steps=2", "schedule.evaluate_every=2")
    gan = build.build_gan(cfg)
    gan.connect(build.build_stream(cfg, build.build_image_set(cfg), torch.device("cpu")))
    trainer = trainers.make_trainer(torch.device("cpu"), tmp_path, callbacks=trainers.required_callbacks())
    trainers.fit(trainer, gan, build.build_data(cfg, gan), None)
    file = tmp_path / "last.ckpt"
    trainer.save_checkpoint(file)
    gan, watch = fit_on_pretend_cuda(case, "32-true", tmp_path, file)
    assert (gan.step, watch.steps) == (6, 2)  # losses are not logged at steps 4 and 5
    assert not watch.waits
    assert watch.devices_of_states == {CUDA}


def test_values_that_a_checkpoint_was_saved_without_logging_are_logged():
    """Only the generator was updated since the checkpoint, so the other values still come from the checkpoint."""
    values = UpdateValues()
    values.load_state_dict(
        {"last": {"loss/discriminator": 1.0}, "sums": {"discriminator": 3.0}, "counts": {"discriminator": 2}}
    )
    with pretend_cuda(), mock.patch.object(torch, "stack", wraps=torch.stack) as stack:
        values.add_loss("generator", torch.ones((), device=CUDA))
        logged = values.take({}, CUDA)
    assert {value.device for value in stack.call_args.args[0]} == {CUDA}  # a real GPU refuses a mixture of devices
    assert logged.keys() == {"loss/discriminator", "loss/discriminator_mean", "loss/generator_mean"}


# Scores and pictures


@pytest.mark.parametrize("name", EVERY_SCORE)
def test_scores_are_computed_on_the_device(name, tmp_path):
    real = torch.rand(200, 4)
    labels = SampleLabels(torch.arange(90) % 4, list("abcd"))
    with pretend_cuda():
        reference = make_reference(real.to(CUDA))
        scores = Scores(
            Pixels(knows_labels=True), {"train": reference}, 90, CUDA, {name: EVERY_SCORE[name]},
            lambda index: reference, labels, labels.classes, [0.25] * 4, torch.arange(200) % 4,
            lambda split, chosen: torch.zeros(len(chosen), 1, 2, 2, dtype=torch.uint8),
        )  # fmt: skip
        scores.reset()
        for part in torch.arange(90).split(40):
            scores.update(torch.zeros(len(part), 1, 2, 2, device=CUDA), labels.values[part], part)
        assert scores.compute()


def test_images_are_drawn_on_the_device():
    bench, labels = make_bench("sngan_conditional"), torch.arange(8) % 4
    with pretend_cuda():
        bench.move("cuda")
        (images,) = sampling.sample_images(bench.gan, 8, 8, seed=1, labels=labels)
        grids = [sampling.sample_grid(bench.gan, 1, 2, 4), sampling.interpolation_grid(bench.gan, 1, False)]
    assert {each.device for each in (images, *grids)} == {CUDA}
