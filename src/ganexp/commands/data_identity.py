"""Record the images that a run is trained on, and detect later whether they have changed."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ganexp.callbacks.rollback import GOOD, GOOD_BEST
from ganexp.checkpoint import forget_scores
from ganexp.console import count, say, short_path
from ganexp.data.images import ImageSet
from ganexp.errors import UserError
from ganexp.runs import atomic
from ganexp.runs.run_directory import EVENTS, RunDirectory

Content = dict[str, dict[str, Any]]  # for each split, the values that `describe_content` returns


def describe_content(image_sets: Mapping[str, ImageSet]) -> Content:
    """Return for each split the number of images, their hash and the size of each class, in the format of run.json."""
    return {
        split: {
            "images": len(image_set),
            "sha256": image_set.fingerprint(),
            "classes": dict(zip(image_set.classes, image_set.class_counts, strict=True)),
        }
        for split, image_set in image_sets.items()
    }


def changes(before: Content | None, after: Content) -> list[str]:
    """Return a line for each split that has changed, or that is only in `before` or only in `after`.

    Args:
        before: the content of each split when the run was trained; None if run.json does not record it.
        after: the current content of each split.
    """
    if before is None:
        return []
    lines = []
    for split in sorted(before.keys() | after.keys()):
        old, new = before.get(split), after.get(split)
        if old is None or new is None:
            lines.append(f"{split} split: {'did not exist' if old is None else 'does not exist any more'}")
        elif old["sha256"] != new["sha256"]:
            same_number = old["images"] == new["images"]
            how = (
                f"still {count(new['images'], 'image')}, but others or in another order"
                if same_number
                else f"{count(old['images'], 'image')}, now {new['images']:,}"
            )
            lines.append(f"{split} split: {how}{_class_changes(old['classes'], new['classes'])}")
    return lines


def _class_changes(before: Mapping[str, int], after: Mapping[str, int]) -> str:
    """Return the old and new sizes of the classes whose sizes have changed, for at most three classes."""
    differing = [name for name in {**before, **after} if before.get(name, 0) != after.get(name, 0)]
    shown = ", ".join(f"{name} {before.get(name, 0):,} → {after.get(name, 0):,}" for name in differing[:3])
    return f" ({shown}{', …' if len(differing) > 3 else ''})" if differing else ""


def refuse_changes(lines: Sequence[str], command: str) -> None:
    """Refuse to resume a run whose images have changed, as `lines` describe; `command` is the command to resume it.

    Raises:
        UserError: always.
    """
    raise UserError(
        "The images have changed since this run was trained:\n  "
        + "\n  ".join(lines)
        + f"\nResume with the old images, for example {command} data.path=…\n"
        f"or accept the new ones: {command} data.changed=accept   (the scores then start anew)"
    )


def accept_changes(
    run: RunDirectory, step: int, lines: Sequence[str], content: Content, protocol: Mapping[str, Any]
) -> None:
    """Prepare a run to be resumed from `step` with other images or with scores that are measured in another way.

    The scores before `step` are not comparable with later ones. Therefore they are moved to the directory
    until-step-`step` in the run directory, together with TensorBoard's files and the best checkpoint. metrics.jsonl
    keeps the losses. Callbacks that compare scores, such as early stopping, start without earlier scores. run.json
    records the change, together with the final scores from before the change.

    Args:
        run: the run directory.
        step: the step of the checkpoint from which the run continues.
        lines: a line for each change.
        content: the content of the images, see `describe_content`, which is recorded in run.json.
        protocol: the protocol of the later scores, which is recorded, too.
    """
    say(f"data.changed=accept: {'; '.join(lines)}")
    earlier = run.path / f"until-step-{step}"
    earlier.mkdir(exist_ok=True)
    # an existing copy was made by an earlier attempt that was killed
    if run.metrics.exists() and not (earlier / run.metrics.name).exists():
        atomic.write_text(earlier / run.metrics.name, run.metrics.read_text(encoding="utf-8"))
    run.drop_scores()
    good, good_best = run.last.with_name(GOOD), run.last.with_name(GOOD_BEST)
    for file in [*run.path.glob(EVENTS), run.best, good_best]:
        if file.exists():
            os.replace(file, earlier / file.name)
    for checkpoint in (run.last, good):
        if checkpoint.exists():
            forget_scores(checkpoint)
    metadata = run.metadata()
    kept = {key: metadata.get(key) for key in ("data", "protocol", "scores")}
    change = {"step": step, "changes": list(lines), **kept}
    run.update_metadata(data_changes=[*metadata.get("data_changes", []), change], data=content, protocol=protocol)
    say(f"scores until step {step:,} are kept in {short_path(earlier)}; the best checkpoint will be chosen again")
