"""Watch a run for the known failures of GANs, and warn, stop, or return to an earlier checkpoint."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pytorch_lightning import Callback, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint

from ganexp import log_keys
from ganexp.callbacks.guard_rules import best_of, is_worse, risen_to
from ganexp.callbacks.rollback import GUARD, has_good, keep_as_good
from ganexp.callbacks.sample_diversity import SampleDiversity
from ganexp.console import count, say
from ganexp.data.images import ImageSet
from ganexp.runs.run_directory import RunDirectory
from ganexp.training.gan import GAN
from ganexp.types import PositiveFloat, PositiveInt, UnitInterval

# The median of the last 3 logged points is compared with the median of the 20 points before them.
RECENT, BEFORE = 3, 20
TERMS = ("real", "fake")  # the terms of D's loss whose sum is compared with the floor
AT_FLOOR = (
    "D's loss is {loss:.2g}, and cannot be below {floor:.2g}: D separates all images, so that G gets hardly any "
    "gradient. Try fewer D updates, a penalty such as loss/penalty=r1, or spectral norm"
)
RISEN = "D's loss has suddenly risen from {before:.3g} to {after:.3g}: a collapse often follows"
ALIKE = (
    "the samples are nearly the same: the distance between two of them is {diversity:.1%} of the distance between two "
    "real images"
)
WORSE = "{name} is {value:.4g}, and was {best:.4g} at step {step:,}: the run has become worse. Sample from best.ckpt"


class Guard(Callback):
    """Look for failures at the evaluations of a run, and warn, end the run, or continue from an earlier checkpoint.

    Four failures are found (D is the discriminator, and G is the generator):

    - floor: D's loss is at the minimum that its loss class declares, so that G gets hardly any gradient.
    - rise: D's loss has risen suddenly. The author of the SAGAN article observes this before a collapse.
    - diversity: the samples are nearly the same.
    - score: the score that chooses the best checkpoint stays worse than its best value.

    A loss or weight that is NaN or infinite always ends a run, see `stop_when_not_finite.py`.

    The default limits come from this project's runs on MNIST and on photos. With these limits, the guard finds no
    failure in runs that train well.

    Args:
        run_directory: directory of the run; the warnings are stored in its run.json.
        image_sets: real images; the diversity of the samples is compared with the diversity of `train`.
        action: what to do. `warn` only reports the failure. `stop` also ends the run. `rollback` continues from the
            last checkpoint before the failure, with other random numbers. `off` does nothing.
        patience: number of evaluations in a row with the failure `floor` or `diversity`, before the action.
        floor_margin: D's loss counts as being at the floor if its distance from the floor is less than this. In runs in
            which G had a saturating loss and D separated all images, D's loss was below 0.001. In runs that trained
            well, it was above 0.15.
        rise: limit on a sudden rise of D's loss, in robust standard deviations of the loss before the rise. The largest
            rise in a run that trained well was 8.5, in the textbook GAN.
        lowest_diversity: lower limit on the mean distance between two samples, as a share of the mean distance between
            two real images. The share was 0 for a generator that ignores its latent, and 0.34 or more in the runs that
            trained well.
        score_patience: number of evaluations in a row with a worse score, before the action. In a run of 20 epochs, the
            FID of DCGAN on MNIST went from 3.2 to 4.1, 4.2 and 5.3; it was then too early to call the run failed.
        score_margin: a score counts as worse if it is worse than its best value by more than this share of the best
            value. A single evaluation can be worse by more than this share in a run that improves afterwards, such as a
            run with the FIDs 28.0, 37.6 and 29.1.
        max_rollbacks: maximum number of rollbacks in a run; the next failure ends the run.
    """

    def __init__(
        self,
        run_directory: RunDirectory,
        image_sets: Mapping[str, ImageSet],
        action: Literal["warn", "stop", "rollback", "off"] = "warn",
        patience: PositiveInt = 3,
        floor_margin: PositiveFloat = 0.01,
        rise: PositiveFloat = 20.0,
        lowest_diversity: UnitInterval = 0.1,
        score_patience: PositiveInt = 5,
        score_margin: PositiveFloat = 0.25,
        max_rollbacks: PositiveInt = 3,
    ) -> None:
        self.run_directory, self.action, self.max_rollbacks = run_directory, action, max_rollbacks
        self.floor_margin, self.rise, self.lowest_diversity = floor_margin, rise, lowest_diversity
        self.score_margin = score_margin
        self.patience = {"floor": patience, "rise": 1, "diversity": patience, "score": score_patience}
        self.must_roll_back, self._rollbacks = False, 0
        self._diversity = SampleDiversity(image_sets["train"]) if action != "off" and "train" in image_sets else None
        self._points: list[float] = []  # D's mean losses at the last logged points
        self._terms: list[float] = []  # sum of D's terms at each logged point since the last evaluation
        self._rise: tuple[float, float] | None = None  # D's loss before and after a rise since the last evaluation
        self._best: list[float] = []  # the best score, and its step
        self._streaks: dict[str, int] = {}  # for each failure, the number of evaluations in a row with it

    def on_train_epoch_start(self, trainer: Trainer, pl_module: GAN) -> None:
        """Keep last.ckpt as the checkpoint to return to, if the last evaluation has shown no failure."""
        if self.action == "rollback" and not self._streaks and self.run_directory.last.exists():
            keep_as_good(self.run_directory)

    def on_train_batch_end(self, trainer: Trainer, pl_module: GAN, *args: Any) -> None:
        """Keep D's losses if this step was logged."""
        if self.action == "off" or pl_module.losses_logged_at != pl_module.step:
            return
        logged = pl_module.logged
        keys = [log_keys.loss_key("discriminator", term) for term in TERMS]
        if logged.keys() >= set(keys):
            self._terms.append(sum(logged[key] for key in keys))
        mean = logged.get(log_keys.mean_key("discriminator"))
        if mean is not None:
            self._points = [*self._points, mean][-(RECENT + BEFORE) :]
            self._rise = risen_to(self._points, RECENT, BEFORE, self.rise) or self._rise

    def on_train_epoch_end(self, trainer: Trainer, pl_module: GAN) -> None:
        """Look for failures after an evaluation, and act on those that have lasted."""
        if self.action == "off":
            return
        found = dict(self._failures(trainer, pl_module))
        self._terms, self._rise = [], None
        self._streaks = {kind: self._streaks.get(kind, 0) + 1 for kind in found}
        lasting = [kind for kind in found if self._streaks[kind] >= self.patience[kind]]
        for kind in lasting:
            if self._streaks[kind] == self.patience[kind]:
                self._warn(pl_module, kind, found[kind])
        if lasting and self.action != "warn" and not pl_module.is_done:
            self._end(trainer, pl_module, lasting)

    def _failures(self, trainer: Trainer, gan: GAN) -> Iterator[tuple[str, str]]:
        """Yield the name and the description of each failure that this evaluation shows."""
        floor = getattr(gan.objective.adversarial, "discriminator_floor", None)
        loss = sum(self._terms) / len(self._terms) if self._terms else math.inf
        if floor is not None and loss < floor + self.floor_margin:
            yield "floor", AT_FLOOR.format(loss=loss, floor=floor)
        if self._rise is not None:
            before, after = self._rise
            yield "rise", RISEN.format(before=before, after=after)
        diversity = self._diversity.relative(gan) if self._diversity else 1.0
        if diversity < self.lowest_diversity:
            yield "diversity", ALIKE.format(diversity=diversity)
        checkpoints = [each for each in trainer.checkpoint_callbacks if isinstance(each, ModelCheckpoint)]
        for name, mode in [(each.monitor, each.mode) for each in checkpoints if each.monitor in gan.score_values]:
            value = gan.score_values[str(name)]
            self._best = best_of(self._best, [value, gan.step], mode)
            if self._best and is_worse(value, self._best[0], self.score_margin, mode):
                yield "score", WORSE.format(name=name, value=value, best=self._best[0], step=self._best[1])

    def _warn(self, gan: GAN, kind: str, text: str) -> None:
        """Print a failure, store it in run.json, and log it."""
        lasted = f", at {self.patience[kind]} evaluations in a row" if self.patience[kind] > 1 else ""
        say(f"guard: {text} (step {gan.step:,}{lasted})")
        gan.log_values({log_keys.guard_key(kind): 1.0})
        entry = {"step": gan.step, "kind": kind, "message": text}
        known = self.run_directory.metadata().get("guard") or []
        self.run_directory.update_metadata(guard=[each for each in known if each != entry] + [entry])

    def _end(self, trainer: Trainer, gan: GAN, kinds: list[str]) -> None:
        trainer.should_stop = True
        reason = ""
        if self.action == "rollback":
            can_return = has_good(self.run_directory)
            self.must_roll_back = can_return and self._rollbacks < self.max_rollbacks
            reason = (
                f" after {count(self._rollbacks, 'rollback')}"
                if can_return
                else ", because there is no checkpoint from before the failure"
            )
        if not self.must_roll_back:
            gan.stop(f"by callbacks.guard.action={self.action}{reason}. Failures: {', '.join(kinds)}")

    @property
    def state_key(self) -> str:
        """Return the key of the guard's state in checkpoints; `rollback.py` reads this state."""
        return GUARD

    def state_dict(self) -> dict[str, Any]:
        """Return what the guard has observed, for a checkpoint."""
        return {
            "points": list(self._points),
            "terms": list(self._terms),
            "rise": self._rise,
            "streaks": dict(self._streaks),
            "scores": list(self._best),
            "must_roll_back": self.must_roll_back,
            "rollbacks": self._rollbacks,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what the guard has observed; if `state` has no scores, the count of worse scores starts anew."""
        self._points, self._terms = list(state["points"]), list(state["terms"])
        self._rise, self._best, self._streaks = state["rise"], list(state.get("scores", [])), dict(state["streaks"])
        if not self._best:
            self._streaks.pop("score", None)
        self._rollbacks = state["rollbacks"]
