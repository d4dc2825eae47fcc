"""Arguments of Lightning's Trainer that a config cannot set, each with the reason and the setting to use instead.

`sections.Trainer` declares the arguments that a config can set. A test checks that each argument of `pl.Trainer` is in
one of the two places. This module must not import torch.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ganexp.config.annotations import show

_OWN_STRATEGY = "ganexp has a strategy of its own: trainer=ddp trainer.devices=2 trains on two devices"
_DEBUG_LIMIT = "to take fewer steps and samples, use debug=limit"
_LENGTH = "the length of a run is schedule.steps, in generator updates"
_EVALUATION = "a run is evaluated every schedule.evaluate_every steps, and at its end"
_CLIPPING = (
    "Lightning cannot clip gradients with manual optimization: use schedule.clip_gradients.generator=… and "
    "schedule.clip_gradients.discriminator=…, the maximum norm of a network's gradient"
)

# For each argument, why a config cannot set it, or what to use instead.
REASONS = {
    "accumulate_grad_batches": "use schedule.accumulate=…, the number of parts into which each batch is divided",
    "barebones": "use callbacks=none logger=none for a run with little overhead",
    "callbacks": "use callbacks=[…]; callbacks/NAME.yaml in a --config-dir adds your own callback",
    "check_val_every_n_epoch": _EVALUATION,
    "default_root_dir": "the directory of a run is hydra.run.dir=…",
    "enable_autolog_hparams": "all settings of a run are in its config.yaml, and its results in run.json",
    "enable_checkpointing": "last.ckpt is saved at every evaluation, since a run could not be resumed without it",
    "enable_progress_bar": "leave progress out of callbacks=[…]",
    "fast_dev_run": "use debug=fast_dev_run",
    "gradient_clip_algorithm": _CLIPPING,
    "gradient_clip_val": _CLIPPING,
    "inference_mode": "evaluations use torch.no_grad, under which a callback can enable gradients again",
    "limit_predict_batches": "ganexp sample ckpt=… n=… draws as many images as you want",
    "limit_test_batches": "ganexp evaluate ckpt=… samples=… scores as many samples as you want",
    "limit_train_batches": _DEBUG_LIMIT,
    "limit_val_batches": f"metrics.samples is the number of samples in an evaluation; {_DEBUG_LIMIT}",
    "log_every_n_steps": "use trainer.log_every=…",
    "logger": "use logger=[…]; logger/NAME.yaml in a --config-dir adds your own logger",
    "max_epochs": _LENGTH,
    "max_steps": _LENGTH,
    "min_epochs": _LENGTH,
    "min_steps": _LENGTH,
    "model_registry": "a logger can store checkpoints elsewhere: use logger=[…]",
    "num_sanity_val_steps": (
        "every run evaluates the untrained networks in full before its first step; to test an evaluation, use "
        "debug=fast_dev_run"
    ),
    "overfit_batches": "to train on the same batch of real images in every update, use debug=overfit",
    "plugins": "ganexp needs its own checkpoint plugin; precision is trainer.precision=…",
    "reload_dataloaders_every_n_epochs": "real images come from an endless stream, which is never reloaded",
    "strategy": _OWN_STRATEGY,
    "use_distributed_sampler": "the stream of real images gives each device its share",
    "val_check_interval": _EVALUATION,
}
# For arguments with some refused values: a function that returns whether a value is refused, and the reason.
VALUE_REASONS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "devices": (
        lambda value: not isinstance(value, int) or value < 1,
        "give the number of devices: trainer=ddp trainer.devices=2 trains on two devices",
    ),
    "precision": (
        lambda value: str(value).startswith("16"),
        "the loss scaling of float16 would leave out the discriminator's optimizer: use trainer.precision=bf16-mixed",
    ),
}


def reason_against(key: str) -> str | None:
    """Return why a config cannot have `key`, such as trainer.max_steps, and what to use instead; None if it can."""
    group, _, argument = key.partition(".")
    return REASONS.get(argument) if group == "trainer" else None


def reasons_against_values(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each value of `trainer` that VALUE_REASONS refuses; the line gives the reason.

    The schema checks the allowed range of every value.
    """
    for argument, (is_refused, reason) in VALUE_REASONS.items():
        if argument in values and is_refused(values[argument]):
            yield f"trainer.{argument}={show(values[argument])}: {reason}"
