"""Check that this working tree and an older commit train to bitwise identical weights.

    python scripts/same_bits.py OLD_COMMIT [--only NAME,NAME] [--keep DIRECTORY]

The script checks the old commit out into a temporary worktree, and trains the configurations in CASES with both trees,
one process after the other, with the Python interpreter of this script. The weights of every network must be bitwise
identical, and every score that the old tree logs must agree to 1e-6. The exit code is 0 if both trees agree on every
configuration that is not listed in INTENDED_CHANGES.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]
TOLERANCE = 1e-6  # largest allowed difference of a score, absolute or relative, whichever allows more

COMMON = (
    "trainer=cpu",
    "trainer.log_every=10",
    "schedule.steps=60",
    "schedule.evaluate_every=30",
    "schedule.batch_size=32",
    "metrics.samples=200",
    "metrics.extractor.updates=30",
    "seed=3",
)
CASES = {
    "digits": (),
    "conditional": ("model.conditional=true", "schedule.ema.decay=0.9", "schedule/lr_decay=linear", "data.flip=true"),
    "loss_limit": ("loss=hinge", "schedule/updates=loss_limit", "schedule.updates.limit=1.0"),
    "classifier": (
        "model=dcgan",
        "data.resolution=16",
        "model.generator.width=8",
        "model.discriminator.width=8",
        "loss/auxiliary=classifier",
    ),
    "cramer": ("loss=cramer",),
    "dropout": ("model=dcgan_mnist", "data.resolution=16", "loss=non_saturating", "metrics/score=[is,fid,kid]"),
}

# Overrides that make this tree behave like an older tree, which may lack these keys. In this order, they mean:
# all classes have the same number of scored samples; real and generated images go through D in two batches, each with
# its own power iteration; the values of each channel of an image are stored together.
OLD_BEHAVIOUR = ("metrics.labels=uniform", "schedule.joint_batch=false", "trainer.channels_last=false")

# Keys that were renamed: old -> new. Overrides in CASES use the new names.
RENAMED_KEYS = {
    "published": "as_published",
    "schedule.updates.rearm": "schedule.updates.repeat_burst",
    "metrics.scores": "metrics/score",
    "model.classifier": "model.auxiliary.classifier",
    "loss.auxiliary": "loss.auxiliary.classifier",
    "model.generator.norm_last": "model.generator.spectral_norm_output",
    "model.discriminator.norm_last": "model.discriminator.spectral_norm_output",
    "model.generator.first_norm": "model.generator.norm_after_linear",
}
# Weights that were renamed: beginning of the old name -> beginning of the new one.
RENAMED_WEIGHTS = {
    "generator.": "networks.generator.",
    "discriminator.": "networks.discriminator.",
    "classifier.": "networks.classifier.",
    "ema.": "averaged_generator.network.",
}
# Configurations with intended changes of the results: name -> reason.
INTENDED_CHANGES: dict[str, str] = {}


def main() -> None:
    """Compare the configurations that are named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old_commit")
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(CASES), metavar="NAME,NAME")
    parser.add_argument("--keep", type=Path, metavar="DIRECTORY", help="directory in which to keep the runs")
    arguments = parser.parse_args()
    if unknown := set(arguments.only) - set(CASES):
        parser.error(f"--only {','.join(sorted(unknown))} is not in CASES: use some of {', '.join(CASES)}")
    with tempfile.TemporaryDirectory(prefix="same-bits-") as scratch, worktree(arguments.old_commit) as old:
        runs = (arguments.keep or Path(scratch)).absolute()
        results = [compare_case(name, old, runs) for name in arguments.only]
    sys.exit(0 if all(results) else 1)


@contextmanager
def worktree(commit: str) -> Iterator[Path]:
    """Check out `commit` into a temporary worktree, and remove the worktree afterwards."""
    with tempfile.TemporaryDirectory(prefix="same-bits-tree-") as directory:
        path = Path(directory) / "tree"
        subprocess.run(["git", "-C", ROOT, "worktree", "add", "--quiet", "--detach", path, commit], check=True)
        try:
            yield path
        finally:
            subprocess.run(["git", "-C", ROOT, "worktree", "remove", "--force", path], check=True)


def compare_case(name: str, old: Path, runs: Path) -> bool:
    """Train one configuration with both trees, print the result, and return whether all differences are intended."""
    overrides = (*COMMON, *CASES[name])
    train(ROOT, (*overrides, *OLD_BEHAVIOUR), runs / "new" / name)
    known = [override for override in OLD_BEHAVIOUR if mentions(old, override.partition("=")[0])]
    train(old, [*(old_override(override, old) for override in overrides), *known], runs / "old" / name)
    problems = list(differences(runs / "old" / name, runs / "new" / name))
    if problems and name in INTENDED_CHANGES:
        print(f"{name:12} differs as intended: {INTENDED_CHANGES[name]}", flush=True)
        return True
    print(f"{name:12} {'same' if not problems else 'DIFFERS: ' + '; '.join(problems[:4])}", flush=True)
    return not problems


def old_override(override: str, old: Path) -> str:
    """Return `override` with the old tree's key, if the key was renamed after the old commit."""
    for before, after in RENAMED_KEYS.items():
        if override.startswith(f"{after}=") and not mentions(old, after.rsplit(".", 1)[-1]):
            return f"{before}={override.split('=', 1)[1]}"
    return override


def mentions(tree: Path, word: str) -> bool:
    """Return whether a config file or the code of `tree` contains `word`."""
    return subprocess.run(["git", "-C", tree, "grep", "-qw", word, "--", "conf", "src"]).returncode == 0


def train(tree: Path, overrides: list[str] | tuple[str, ...], run: Path) -> None:
    """Train with the code of `tree` in the run directory `run`. If the run fails, exit with the run's output."""
    environment = os.environ | {
        "PYTHONPATH": str(tree / "src"),
        "OMP_NUM_THREADS": "1",
        "GANEXP_CACHE": str(run.parent / "cache"),
    }
    command = [sys.executable, "-m", "ganexp", *overrides, f"hydra.run.dir={run}"]
    done = subprocess.run(
        command, env=environment, cwd=tree, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode:
        sys.exit(f"{tree} failed on {' '.join(overrides)}:\n{done.stdout[-3000:]}")


def differences(old: Path, new: Path) -> Iterator[str]:
    """Yield a line for each difference between the weights, and between the logged scores.

    A weight that only one run has is a difference; so is a score that only `old` has.
    """
    before = {renamed(name): value for name, value in weights(old).items()}
    after = weights(new)
    for name in sorted(before.keys() ^ after.keys()):
        yield f"only one tree has the weight {name}"
    for name in sorted(before.keys() & after.keys()):
        if not torch.equal(before[name], after[name]):
            yield f"weight {name} differs by {(before[name] - after[name]).abs().max():.2g}"
    old_scores, new_scores = scores(old), scores(new)
    for key in sorted(old_scores.keys() - new_scores.keys()):
        yield f"step {key[0]}: {key[1]} is missing"
    for key in sorted(old_scores.keys() & new_scores.keys()):
        if abs(old_scores[key] - new_scores[key]) > TOLERANCE * max(1.0, abs(old_scores[key])):
            yield f"step {key[0]}: {key[1]} was {old_scores[key]:.9g} and is {new_scores[key]:.9g}"


def weights(run: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of the networks in a run's last checkpoint; the keys are the names of the tensors."""
    return torch.load(run / "checkpoints" / "last.ckpt", map_location="cpu", weights_only=True)["state_dict"]


def renamed(name: str) -> str:
    """Return the new name of a weight of the old tree."""
    for before, after in RENAMED_WEIGHTS.items():
        if name.startswith(before):
            return after + name.removeprefix(before)
    return name


def scores(run: Path) -> dict[tuple[int, str], float]:
    """Return the logged scores of a run; the keys are (step, name)."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return {(row["step"], key): row[key] for row in rows for key in row if key.startswith("score/")}


if __name__ == "__main__":
    main()
