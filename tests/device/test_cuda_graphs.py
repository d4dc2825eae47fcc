"""Updates that are replayed as CUDA graphs make the same steps as updates whose operations are launched one by one.

The tests of single updates also run without a GPU. There, a fake graph calls the recorded function at each replay.
"""

import contextlib
import json
from unittest import mock

import pytest
import torch
from helpers.bench import Bench
from helpers.cli import ganexp
from helpers.device_cases import CASES, CHOICES, NOT_RECORDED
from helpers.states import last_checkpoint, logged_points, same_state
from pytorch_lightning import Callback

from ganexp.training import compiled, cuda_graphs
from ganexp.training import trainer as trainers
from ganexp.training.compiled import CompiledUpdates
from ganexp.training.gan import GAN

pytestmark = pytest.mark.slow

NEEDS_GPU = (
    pytest.mark.slow,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU"),
)
ON_GPU = pytest.param("cuda", marks=NEEDS_GPU)
RECORDED = [case for case in CASES if case not in NOT_RECORDED]
CASES_ON_DEVICES = [(case, "cpu") for case in ("mlp", "sngan_conditional", "classifier", "sagan_loss_limit")]
CASES_ON_DEVICES += [pytest.param(case, "cuda", marks=NEEDS_GPU) for case in RECORDED]
SHORT = ("schedule.steps=4", "schedule.evaluate_every=2", "trainer.log_every=2", "callbacks=none", "trainer=gpu")
# The allowed error of the weights' change: the norm of the error, divided by the norm of the change.
TOLERANCES = {"32-true": 1e-3, "bf16-mixed": 5e-2}
WARNING = "warning: trainer.cuda_graph"


@pytest.fixture(autouse=True)
def deterministic_algorithms():
    """Let runs with and without graphs use the same algorithms."""
    trainers.choose_algorithms(deterministic=True, tf32=False)
    yield
    trainers.choose_algorithms(deterministic=False, tf32=True)


class PretendGraph:
    """Carry out the recorded function at each replay, and write the new results to the tensors of the recording."""

    recording = False

    def replay(self):
        with self.at_work():
            new = self.compute(self.owner.inputs)
        for gradient, parameter in zip(self.owner.gradients, self.owner.parameters, strict=True):
            if gradient is not None:
                gradient.copy_(parameter.grad)
        for old, value in zip(tensors(self.owner.results), tensors(new), strict=True):
            old.copy_(value)

    @classmethod
    @contextlib.contextmanager
    def at_work(cls):
        cls.recording = True
        try:
            yield
        finally:
            cls.recording = False


def tensors(results):
    return [results.loss, *results.terms.values(), *results.accuracies.values()]


def record_pretended(graph, compute):
    with PretendGraph.at_work():
        graph.results = compute(graph.inputs)
    graph.graph.compute, graph.graph.owner = compute, graph


@pytest.fixture
def graphs(request):
    """Pretend that torch has CUDA graphs if the test's device is the CPU."""
    if request.getfixturevalue("device") == "cuda":
        yield
        return
    with (
        mock.patch.object(torch.cuda, "CUDAGraph", PretendGraph),
        mock.patch.object(cuda_graphs._Graph, "record", record_pretended),
    ):
        yield


def is_recording(device):
    return torch.cuda.is_current_stream_capturing() if device == "cuda" else PretendGraph.recording


def steps(case, device, precision="32-true", compute=None):
    """Make three steps of gradient descent; if `compute` is given, record the function `compute(gan)` as graphs.

    Returns:
        The GAN, and the change of the GAN's weights as one vector.
    """
    bench = Bench(*CASES[case], base=CHOICES, model=(), device=device)
    gan = bench.gan
    bench.optimizers = [torch.optim.SGD(network.parameters(), lr=1e-3) for network in gan.networks.values()]
    gan.lr_schedulers = lambda: []
    if compute is not None:
        gan.gradient_function = cuda_graphs.GraphedUpdates(compute(gan), gan.networks)
    before = flat_weights(gan)
    torch.manual_seed(1)
    half = precision == "bf16-mixed"
    with torch.autocast(device, torch.bfloat16) if half else contextlib.nullcontext():
        bench.step(3)
    return gan, flat_weights(gan) - before


def flat_weights(gan):
    return torch.cat([value.detach().flatten().cpu().double() for value in gan.networks.parameters()])


def unchanged(gan):
    return gan.compute_gradients


def error_of(change, expected):
    error = ((change - expected).norm() / expected.norm()).item()
    print(f"the change of the weights has the relative error {error:.1e}")
    return error


# Single updates


@pytest.mark.parametrize("precision", TOLERANCES)
@pytest.mark.parametrize(("case", "device"), CASES_ON_DEVICES)
def test_steps_with_graphs_equal_those_without(case, precision, device, graphs, capsys):
    plain, expected = steps(case, device, precision)
    gan, change = steps(case, device, precision, unchanged)
    tolerance = TOLERANCES[precision]
    assert error_of(change, expected) < tolerance
    torch.testing.assert_close(dict(gan.named_buffers()), dict(plain.named_buffers()), rtol=tolerance, atol=tolerance)
    assert set(gan.gradient_function._graphs) == set(gan.networks)
    assert WARNING not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("case", "device"),
    [
        ("mlp", "cpu"),
        *(pytest.param(case, "cuda", marks=NEEDS_GPU) for case in ("wgan_gp_resnet", "sngan_conditional")),
    ],
)
def test_graphs_of_compiled_updates_take_the_same_steps(case, device, graphs, monkeypatch, capsys):
    if device == "cpu":
        monkeypatch.setattr(compiled, "BACKEND", "aot_eager")

    def compiled_updates(gan):
        return CompiledUpdates(gan.compute_gradients, gan.evaluate, gan.networks)

    _, expected = steps(case, device)
    _, change = steps(case, device, compute=compiled_updates)
    torch.compiler.reset()
    assert error_of(change, expected) < TOLERANCES["32-true"]
    assert "warning" not in capsys.readouterr().out


@pytest.mark.parametrize("device", ["cpu", ON_GPU])
def test_further_updates_compute_nothing_outside_graphs(device, graphs):
    calls = []

    def counted(gan):
        return lambda phase, real: calls.append(is_recording(device)) or gan.compute_gradients(phase, real)

    steps("sngan_conditional", device, compute=counted)
    not_recorded = [recording for recording in calls if not recording]
    warm_ups = cuda_graphs.WARM_UPS if device == "cuda" else 0
    assert len(not_recorded) == 2 * (warm_ups + 2)  # for each network: warm-ups, and two updates of the self-test


@pytest.mark.parametrize("device", ["cpu", ON_GPU])
def test_steps_after_gradients_were_removed_equal_those_before(device, graphs):
    """Lightning removes the gradients before each validation."""
    _, expected = steps("mlp", device)

    def removing(gan):
        original = gan.training_step

        def step(*args):
            for parameter in gan.parameters():
                parameter.grad = None
            original(*args)

        gan.training_step = step
        return gan.compute_gradients

    _, change = steps("mlp", device, "32-true", removing)
    assert error_of(change, expected) < TOLERANCES["32-true"]


@pytest.mark.parametrize("device", ["cpu", ON_GPU])
def test_graph_with_other_gradients_is_not_used(device, graphs, capsys):
    def wrong_if_recorded(gan):
        def compute(phase, real):
            results = gan.compute_gradients(phase, real)
            if is_recording(device):
                for parameter in gan.networks[phase.network].parameters():
                    parameter.grad.mul_(1.1)
            return results

        return compute

    _, expected = steps("dcgan", device)
    _, change = steps("dcgan", device, compute=wrong_if_recorded)
    assert error_of(change, expected) < TOLERANCES["32-true"]
    printed = capsys.readouterr().out
    assert printed.count(WARNING) == 1
    assert "the gradients of the discriminator differ by 1.0e-01 of their norm" in printed


@pytest.mark.parametrize("device", ["cpu", ON_GPU])
def test_update_that_reads_a_value_runs_without_graphs(device, graphs, capsys):
    def reading(gan):
        def compute(phase, real):
            results = gan.compute_gradients(phase, real)
            if device == "cpu" and is_recording(device):
                raise RuntimeError("operation not permitted when stream is capturing")
            results.loss.item()
            return results

        return compute

    _, expected = steps("ema_and_decay", device)
    _, change = steps("ema_and_decay", device, compute=reading)
    assert error_of(change, expected) < TOLERANCES["32-true"]
    printed = capsys.readouterr().out
    assert printed.count(WARNING) == 1
    assert "cannot be recorded" in printed


@pytest.mark.parametrize("case", [*NOT_RECORDED, "mlp"])
def test_updates_that_change_objects_are_not_recorded(case):
    gan = Bench(*CASES[case], "trainer.cuda_graph=true", base=CHOICES, model=()).gan
    gan._trainer = mock.Mock(optimizers=[])
    with mock.patch.object(GAN, "device", torch.device("cuda")):
        gan.on_train_start()
    assert gan._is_graphed is (case == "mlp")


# Whole runs


class WatchGraphs(Callback):
    """Collect which networks have graphs, and raise an error if certain steps wait for the GPU.

    After the first step, a step whose losses are not logged must not wait.
    """

    def __init__(self):
        self.recorded, self.in_use = set(), []

    def on_train_batch_start(self, trainer, pl_module, *args):
        if pl_module.step % 2 == 0 and self.in_use:
            torch.cuda.set_sync_debug_mode("error")

    def on_train_batch_end(self, trainer, pl_module, *args):
        torch.cuda.set_sync_debug_mode("default")
        self.in_use.append(pl_module._is_graphed and not pl_module.gradient_function._failed)
        self.recorded |= set(pl_module.gradient_function._graphs)


def watched_run(*words, cwd):
    watch = WatchGraphs()
    callbacks = [*trainers.required_callbacks(), watch]
    with mock.patch.object(trainers, "required_callbacks", return_value=callbacks):
        done = ganexp(*words, cwd=cwd)
    assert WARNING not in done.stdout
    return watch


@pytest.mark.parametrize("precision", TOLERANCES)
@pytest.mark.parametrize("case", [pytest.param(c, marks=NEEDS_GPU) for c in ("sngan_conditional", "classifier", "mlp")])
def test_resumed_run_with_graphs_has_the_same_bits(case, precision, tmp_path):
    settings = ("trainer.deterministic=true", "trainer.cuda_graph=true", f"trainer.precision={precision}")
    words = (*CHOICES, *CASES[case], *SHORT, *settings, "schedule.ema.decay=0.9")
    watches = [
        watched_run(*words, "hydra.run.dir=whole", cwd=tmp_path),
        watched_run(*words, "hydra.run.dir=run", "trainer.max_time=00:00:00:00", cwd=tmp_path),
        watched_run("resume", "run", cwd=tmp_path),
    ]
    assert [watch.in_use for watch in watches] == [[True] * 4, [True] * 2, [True] * 2]
    expected = {"generator", "discriminator"} | ({"classifier"} if case == "classifier" else set())
    assert [watch.recorded for watch in watches] == [expected] * 3
    resumed, undisturbed = last_checkpoint(tmp_path / "run"), last_checkpoint(tmp_path / "whole")
    for part in ("state_dict", "optimizer_states", "StreamData"):
        assert same_state(resumed[part], undisturbed[part]), part
    assert logged_points(tmp_path / "run") == logged_points(tmp_path / "whole")


@pytest.mark.parametrize("case", [pytest.param(c, marks=NEEDS_GPU) for c in ("wgan_gp_resnet", "ema_and_decay")])
def test_logged_values_with_graphs_equal_those_without(case, tmp_path):
    logged = []
    for graph in ("true", "false"):
        settings = ("trainer.deterministic=true", f"trainer.cuda_graph={graph}", f"hydra.run.dir={graph}")
        ganexp(*CHOICES, *CASES[case], *SHORT, *settings, cwd=tmp_path)
        logged.append(logged_points(tmp_path / graph))
    assert len(logged[0]) >= 2
    for with_graph, without in zip(*logged, strict=True):
        assert with_graph == pytest.approx(without, rel=1e-2, abs=1e-3)


@pytest.mark.parametrize("case", [pytest.param("mlp", marks=NEEDS_GPU)])
def test_jobs_of_a_sweep_release_their_graphs(case, tmp_path):
    allocated, start = [], GAN.on_fit_start

    def watched(gan):
        allocated.append(torch.cuda.memory_allocated())
        start(gan)

    sweep = ("-m", "seed=1,2,3", "hydra.sweep.dir=sweep", "trainer.cuda_graph=true")
    with mock.patch.object(GAN, "on_fit_start", watched):
        ganexp(*sweep, *CHOICES, *CASES[case], *SHORT, cwd=tmp_path)
    assert len(allocated) == 3
    assert allocated[2] - allocated[0] < 2**20  # earlier tests may still hold memory during the first job
    statuses = [json.loads(file.read_text())["status"] for file in (tmp_path / "sweep").glob("*/run.json")]
    assert statuses == ["finished"] * 3
