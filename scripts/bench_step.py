"""Time a training step of published networks, with and without the settings that make a step faster."""

import json
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from bench_cases import CASES, build_case, compose_case, machine
from torch.profiler import ProfilerActivity, profile

from ganexp.commands.estimation.device_rate import best_rate
from ganexp.commands.estimation.flops import FlopCounter
from ganexp.commands.estimation.timing import clock
from ganexp.data.datamodule import StreamData
from ganexp.training import trainer as trainers

WARM_UP = 8  # steps before the first round
PLAIN = ("trainer.channels_last=false", "schedule.joint_batch=false", "trainer.tf32=false")
EAGER, GRAPH = ("trainer.cuda_graph=false",), ("trainer.cuda_graph=true",)
BF16, COMPILE = ("trainer.precision=bf16-mixed",), ("trainer.compile=true",)
SWITCHES: dict[str, tuple[str, ...]] = {
    "plain": (*EAGER, *PLAIN),
    "channels_last": (*EAGER, *PLAIN[1:]),
    "joint_batch": (*EAGER, PLAIN[0], PLAIN[2]),
    "both": (*EAGER, PLAIN[2]),
    "tf32": EAGER,
    "tf32 graph": GRAPH,
    "bf16": (*BF16, *EAGER),
    "bf16 graph": (*BF16, *GRAPH),
    "tf32 compile": (*COMPILE, *EAGER),
    "tf32 compile graph": (*COMPILE, *GRAPH),
    "bf16 compile graph": (*BF16, *COMPILE, *GRAPH),
    "tf32 graph nchw": (*GRAPH, PLAIN[0]),
    "bf16 graph nchw": (*BF16, *GRAPH, PLAIN[0]),
}
ON_A_CPU = ("plain", "channels_last", "joint_batch", "both")


class Rounds(pl.Callback):
    """Time rounds of at least `seconds` seconds each, after some steps to warm up, and then stop the training."""

    def __init__(self, device: torch.device, rounds: int, seconds: float) -> None:
        self.device, self.rounds, self.seconds = device, rounds, seconds
        self.times: list[float] = []  # seconds per step in each round
        self._steps, self._next_check = -WARM_UP, 1
        self._started = 0.0

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any) -> None:
        """Count the step, and end the round if it has lasted long enough."""
        self._steps += 1
        if self._steps == 0:
            self._started = clock(self.device)
        elif self._steps == self._next_check:
            self._end_of_round(trainer)

    def _end_of_round(self, trainer: pl.Trainer) -> None:
        elapsed = clock(self.device) - self._started
        if elapsed < self.seconds:  # check again only when the round is probably over: a check waits for the device
            self._next_check = max(self._steps + 1, int(self._steps * self.seconds / elapsed) + 1)
            return
        self.times.append(elapsed / self._steps)
        self._steps, self._next_check = 0, self._steps
        self._started = clock(self.device)
        trainer.should_stop = len(self.times) == self.rounds


class Launches(pl.Callback):
    """Count how many kernels and CUDA graphs the CPU launches in step number `step`."""

    def __init__(self, step: int) -> None:
        self.step, self.count = step, 0
        self.profile = profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA], acc_events=True)

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any) -> None:
        """Start to count the launches if this is step number `step`."""
        if trainer.global_step == self.step:
            self.profile.__enter__()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any) -> None:
        """At the end of step number `step`, store how many launches it had."""
        if trainer.global_step == self.step + 1:
            torch.cuda.synchronize()
            self.profile.__exit__(None, None, None)
            self.count = sum(event.count for event in self.profile.key_averages() if "Launch" in event.key)


def step(
    device: torch.device,
    rounds: int,
    seconds: float,
    cases: Sequence[str],
    switches: Sequence[str],
    output: str | None,
) -> None:
    """Print the speed of each case with each combination of settings, and write all results to `output` as JSON.

    Args:
        device: the device to train on.
        rounds: number of rounds of each measurement.
        seconds: shortest time of a round.
        cases: names of cases in CASES, or the overrides of a single case; if empty, all cases in CASES.
        switches: names of combinations of settings in SWITCHES; if empty, all combinations that suit the device.
        output: file for the results; None if no file is wanted.
    """
    print(machine(device))
    trainers.choose_algorithms(False, True)
    torch.backends.cudnn.benchmark = True
    rates = {dtype: best_rate(device, dtype, torch.get_num_threads()) for dtype in (torch.float32, torch.bfloat16)}
    for dtype, rate in rates.items():
        print(f"best measured rate, {str(dtype)[6:]}: {rate / 1e12:.3g} TFLOP/s")
    own = [case for case in cases if "=" in case]
    chosen = {"case": tuple(own)} if own else {name: CASES[name] for name in cases or CASES}
    names = list(switches) or (list(SWITCHES) if device.type == "cuda" else list(ON_A_CPU))
    results = []
    for name, overrides in chosen.items():
        for result in _case(device, rounds, seconds, (name, overrides), names, rates):
            results.append(result)
            if output:
                Path(output).write_text(json.dumps({"machine": machine(device), "results": results}, indent=1))


def _case(
    device: torch.device,
    rounds: int,
    seconds: float,
    case: tuple[str, Sequence[str]],
    switches: Sequence[str],
    rates: dict[Any, float],
) -> Iterator[dict[str, Any]]:
    name, overrides = case
    print(f"\n{name}: {' '.join(overrides)}")
    flops = _flops(overrides, device)
    for switch in switches:
        result = measure(device, rounds, seconds, [*overrides, *SWITCHES[switch]])
        dtype = torch.bfloat16 if "bf16" in switch else torch.float32
        result |= {"case": name, "switch": switch, "share": flops / result["seconds"] / rates[dtype]}
        print(
            f"  {switch:14} {1e3 * result['seconds']:9.3f} ms a step ({1e3 * result['fastest']:.3f} to "
            f"{1e3 * result['slowest']:.3f}), {result['images_per_second']:,.0f} images/s, "
            f"{100 * result['share']:.0f} % of the best rate"
            + (f", {result['launches']:,} launches, {result['gib']:.2f} GiB" if device.type == "cuda" else ""),
            flush=True,
        )
        yield result


def measure(device: torch.device, rounds: int, seconds: float, overrides: Sequence[str]) -> dict[str, Any]:
    """Train a case with Lightning, and return the median time of a step and further measurements."""
    cfg = compose_case([*overrides, "schedule.steps=100000000", "schedule.evaluate_every=100000000"])
    trainers.choose_algorithms(False, cfg.trainer.tf32)
    gan, stream = build_case(cfg, device)
    timed, launches = Rounds(device, rounds, seconds), Launches(step=WARM_UP - 2)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    with tempfile.TemporaryDirectory() as scratch:
        callbacks = [*trainers.required_callbacks(), timed, *([launches] if device.type == "cuda" else [])]
        trainer = trainers.make_trainer(device, Path(scratch), cfg.trainer.precision, callbacks)
        trainers.fit(trainer, gan, StreamData(stream), None)
    median = statistics.median(timed.times)
    images = cfg.schedule.batch_size * (gan.d_steps / gan.step)
    facts: dict[str, Any] = {"launches": 0, "gib": 0.0}
    if device.type == "cuda":
        facts = {"gib": torch.cuda.max_memory_allocated() / 2**30, "launches": launches.count}
    times = {"seconds": median, "fastest": min(timed.times), "slowest": max(timed.times)}
    return times | {"images_per_second": images / median, "overrides": list(overrides)} | facts


def _flops(overrides: Sequence[str], device: torch.device) -> int:
    """Return the number of floating-point operations in a training step with `overrides` and the settings PLAIN."""
    gan, _ = build_case(compose_case([*overrides, *PLAIN]), device)
    gan.to(device)
    optimizers, _ = gan.configure_optimizers()
    without_trainer = {
        "optimizers": lambda use_pl_optimizer=True: optimizers,
        "lr_schedulers": lambda: [],
        "manual_backward": lambda loss, inputs: loss.backward(inputs=inputs),
    }
    vars(gan).update(without_trainer)
    with FlopCounter() as counted:
        gan.make_step()
    return counted.flops
