"""The tags under which TensorBoard shows logged values and pictures.

TensorBoard sorts tags by their characters and groups them by the part before the first slash; no setting of a run
changes this order. Some tags therefore begin with a number, so that the most important values and pictures come first.
Other loggers use the log keys, which have no such numbers.
"""

from collections.abc import Mapping
from typing import Any

from ganexp import log_keys

PREFIXES = {  # in the order in which TensorBoard shows the groups; unlisted groups come before the last group
    log_keys.SCORE: "1 score/",
    log_keys.EVALUATED: "2 evaluated/",
    "final/": "2 final/",
    log_keys.LOSS: "3 loss/",
    log_keys.ACCURACY: "4 discriminator/accuracy_",
    log_keys.LOGIT: "4 discriminator/mean_logit_",
    log_keys.PROBABILITY: "4 discriminator/probability_",
    log_keys.GRADIENT_NORM: "5 gradient_norm/",
    log_keys.LEARNING_RATE: "6 learning_rate/",
    log_keys.SPEED: "7 speed/",
    log_keys.MEMORY: "8 memory/",
    log_keys.OBJECTIVE: "9 objective/",
    log_keys.GUARD: "9 guard/",
    log_keys.AXIS: "z axis/",
}
PICTURES = "2 pictures/"
FIRST_PICTURES = {"samples": "1 samples", "real_images": "2 real images"}  # shown before other pictures

# TensorBoard lists all columns of hyperparameters, but its table shows only five of them. These are the first five, in
# the order of their names, among the columns whose values differ between runs.
FIRST_SETTINGS = (
    "seed",
    "schedule.steps",
    "schedule.batch_size",
    "optimizer.generator.lr",
    "optimizer.discriminator.lr",
)
HIDDEN_SETTINGS = ("metrics.", "debug.", "sweep.")  # these do not change the training


def value_tag(key: str) -> str:
    """Return the tag of a logged value: "1 score/fid_classifier" for score/fid_classifier; other keys do not change."""
    for prefix, shown in PREFIXES.items():
        if key.startswith(prefix):
            return shown + key.removeprefix(prefix)
    return key


def picture_tag(key: str) -> str:
    """Return the tag of a picture, such as "2 pictures/1 samples" for the key samples."""
    return PICTURES + FIRST_PICTURES.get(key, key)


def setting_columns(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of the table of hyperparameters: the settings of the training with their values.

    The names of FIRST_SETTINGS begin with a number, such as "1 seed", so that TensorBoard shows these columns first.
    """
    shown = {key: value for key, value in settings.items() if not key.startswith(HIDDEN_SETTINGS)}
    return {f"1 {key}" if key in FIRST_SETTINGS else key: value for key, value in shown.items()}
