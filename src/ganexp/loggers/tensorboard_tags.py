"""The tags under which TensorBoard shows logged values and pictures.

TensorBoard sorts tags by their characters and groups them by the part before the first slash; no setting of a run
changes that. The numbers in the tags put first what people look at first. Other loggers keep the keys.
"""

from ganexp import log_keys

PREFIXES = {  # in the order of TensorBoard's groups, except for values of your own, which come before the axes
    log_keys.SCORE: "1 score/",
    log_keys.EVALUATED: "2 evaluated/",
    "final/": "2 final/",
    log_keys.LOSS: "3 loss/",
    log_keys.ACCURACY: "4 discriminator/accuracy_",
    log_keys.LOGIT: "4 discriminator/mean_logit_",
    log_keys.GRADIENT_NORM: "5 gradient_norm/",
    log_keys.LEARNING_RATE: "6 learning_rate/",
    log_keys.SPEED: "7 speed/",
    log_keys.MEMORY: "8 memory/",
    log_keys.OBJECTIVE: "9 objective/",
    log_keys.GUARD: "9 guard/",
    log_keys.AXIS: "z axis/",
}
PICTURES = "1 pictures/"


def value_tag(key: str) -> str:
    """Return the tag of a logged value: 1 score/fid_classifier for score/fid_classifier; unknown keys are unchanged."""
    for prefix, shown in PREFIXES.items():
        if key.startswith(prefix):
            return shown + key.removeprefix(prefix)
    return key


def picture_tag(key: str) -> str:
    """Return the tag of a picture: 1 pictures/samples for samples."""
    return PICTURES + key
