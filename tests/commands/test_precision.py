"""The precision that `trainer.precision=auto` chooses."""

from unittest import mock

import pytest
import torch
from helpers.bench import Bench

from ganexp.commands import precision
from ganexp.commands.precision import FLOPS, choose_precision

BATCH = 8


@pytest.mark.parametrize(
    ("words", "device", "capability", "flops", "chosen"),
    [
        ((), "cuda", 9, FLOPS, "bf16-mixed"),
        ((), "cuda", 8, FLOPS, "bf16-mixed"),
        ((), "cuda", 7, FLOPS, "32-true"),
        ((), "cuda", 9, FLOPS - BATCH, "32-true"),
        ((), "cuda", 9, float("inf"), "32-true"),  # networks whose operations cannot be counted
        (("trainer.cuda_graph=false",), "cuda", 9, FLOPS, "32-true"),
        (("schedule.accumulate=2",), "cuda", 9, FLOPS, "32-true"),
        (("trainer.detect_anomaly=true",), "cuda", 9, FLOPS, "32-true"),
        (("schedule.updates.fakes=shared",), "cuda", 9, FLOPS, "32-true"),  # such updates are not recorded as graphs
        (("augment=ada", "loss=non_saturating"), "cuda", 9, FLOPS, "32-true"),
        (("augment=instance_noise",), "cuda", 9, FLOPS, "32-true"),
        ((), "cpu", 9, FLOPS, "32-true"),
        (("trainer.precision=bf16-mixed",), "cpu", 9, FLOPS, "bf16-mixed"),
    ],
)
def test_auto_is_half_only_where_it_is_faster(words, device, capability, flops, chosen):
    bench = Bench("trainer.precision=auto", "trainer.cuda_graph=auto", *words)
    assert bench.cfg.schedule.batch_size == BATCH
    with (
        mock.patch.object(torch.cuda, "get_device_capability", return_value=(capability, 0)),
        mock.patch.object(precision, "count_flops", return_value=flops / BATCH),
    ):
        was_chosen = choose_precision(bench.cfg, bench.gan, torch.device(device))
    assert (bench.cfg.trainer.precision, was_chosen) == (chosen, "trainer.precision=bf16-mixed" not in words)
