"""Compare published scores with measured ones: train the cases of an article, and write a table.

    python scripts/reproduce.py ARTICLE [--steps-fraction F] [--seeds N] [--cases A,B] [--collect] [OVERRIDES…]

ARTICLE is a directory of experiments: textbook, dcgan, sagan, … Each case is trained corrected and, where the article
has an overlay, as published, once for each seed, in OUTPUT/CASE/FORM-seed-N. Finished runs are not repeated, stopped
ones are resumed. OVERRIDES apply to all of them, as on ganexp's command line: data.root=DIRECTORY,
metrics=inception_torchvision, …; runs with other overrides need another --output. --collect trains nothing and shows
the runs that are there. The table is printed and written to OUTPUT/table.md; OUTPUT/picture.png has curves and samples.
"""

import argparse
import statistics
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from matplotlib.figure import Figure
from matplotlib.image import imread
from omegaconf import OmegaConf

from ganexp.cli import CONF
from ganexp.config import schema
from ganexp.log_keys import score_key
from ganexp.report.settings import is_setting
from ganexp.runs.run_directory import RunDirectory

PUBLISHED = OmegaConf.to_container(OmegaConf.load(Path(__file__).with_name("published.yaml")))
OWN = ("experiment", "as_published", "seed", "hydra.run.dir")  # overrides that this script chooses itself
EVALUATIONS = 5  # of a run that is cut short


def main() -> None:
    """Train what is missing, then write the table and the picture."""
    arguments = parse(sys.argv[1:])
    cases = sorted(path.stem for path in (CONF / "experiment" / arguments.article).glob("*.yaml"))
    if not cases:
        articles = ", ".join(sorted(path.name for path in (CONF / "experiment").iterdir() if path.is_dir()))
        sys.exit(f"There is no article {arguments.article!r}: use one of {articles}")
    unknown = set(arguments.cases or cases) - set(cases)
    if unknown:
        sys.exit(f"--cases {','.join(sorted(unknown))}: {arguments.article} has {', '.join(cases)}")
    chosen = arguments.cases or cases
    failed = 0
    wanted = {name for case in chosen for name in published(arguments.article, case)}
    if (
        "is_inception_torchvision" in wanted
        and not arguments.collect
        and "metrics=inception_torchvision" not in arguments.overrides
    ):
        print("The published scores need metrics=inception_torchvision: without it, nothing will stand beside them.")
    if not arguments.collect:
        for seed in range(arguments.seeds):
            for case in chosen:
                for form in forms(arguments.article, case):
                    failed += run(arguments, case, form, seed) != 0
    text = table(arguments.article, cases, arguments.output)
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "table.md").write_text(text)
    print(text)
    if picture := draw(arguments.article, cases, arguments.output):
        picture.savefig(arguments.output / "picture.png")
        print(f"curves and samples: {arguments.output / 'picture.png'}")
    if failed:
        sys.exit(f"{failed} runs failed: see above.")


def parse(overrides: list[str]) -> argparse.Namespace:
    """Return the checked arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("article")
    parser.add_argument("--steps-fraction", type=float, default=1.0, metavar="F", help="of the published length")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="0 … N-1")
    parser.add_argument("--cases", type=lambda text: text.split(","), metavar="A,B", help="default: all")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="default: outputs/reproduce/ARTICLE")
    parser.add_argument("--collect", action="store_true", help="run nothing")
    parser.add_argument("overrides", nargs="*")
    arguments = parser.parse_intermixed_args(overrides)
    if not 0 < arguments.steps_fraction <= 1:
        parser.error(f"--steps-fraction {arguments.steps_fraction}: must lie above 0 and not above 1")
    if arguments.seeds < 1:
        parser.error(f"--seeds {arguments.seeds}: at least 1")
    arguments.output = arguments.output or Path("outputs/reproduce") / arguments.article
    if arguments.output.exists() and not arguments.output.is_dir():
        parser.error(f"--output {arguments.output}: is a file")
    for override in arguments.overrides:
        if override.lstrip("+~").split("=")[0] in OWN or override == "metrics=none":
            parser.error(
                f"{override}: this script chooses cases, forms, seeds and directories itself, and needs scores"
            )
    return arguments


def published(article: str, case: str) -> dict[str, dict[str, Any]]:
    """What is published of a case, by score: nothing, for most."""
    return {known["score"]: known for known in PUBLISHED.get(article, {}).get(case, {}).get("scores", [])}


def forms(article: str, case: str) -> list[str]:
    """`corrected`, and `published` where the article's overlay makes another run of it."""
    overlay = (CONF / "as_published" / f"{article}.yaml").exists()
    both = ["corrected", "published"] if overlay else ["corrected"]
    return PUBLISHED.get(article, {}).get(case, {}).get("forms", both)


def run(arguments: argparse.Namespace, case: str, form: str, seed: int) -> int:
    """Trains one case, or goes on with it; the exit code. Finished ones are left alone."""
    run_directory = RunDirectory(directory_of(arguments.output, case, form, seed))
    print(f"\n{arguments.article}/{case}, {form}, seed {seed}", flush=True)
    overrides = [f"experiment={arguments.article}/{case}", f"seed={seed}"]
    if form == "published":
        overrides.append(f"as_published={arguments.article}")
    overrides += [*shortened(arguments, overrides), *arguments.overrides]
    if not run_directory.metadata_file.exists():
        return ganexp(*overrides, f"hydra.run.dir={run_directory.path}")
    if run_directory.config.exists() and (other := differences(run_directory, overrides)):
        print(f"{run_directory.path} is there, but with other settings:", *other, sep="\n  ", file=sys.stderr)
        print("Use the same overrides again, another --output, or ganexp resume RUN schedule.steps=…", file=sys.stderr)
        return 1
    if run_directory.metadata().get("status") == "finished":
        print(f"finished: {run_directory.path}")
        return 0
    return ganexp("resume", str(run_directory.path))


def differences(run_directory: RunDirectory, overrides: list[str]) -> list[str]:
    """Settings of the run in `run_directory` that are others than `overrides` would make, a line each."""
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            asked = schema.resolve(compose("train", overrides))
    except Exception:
        return []  # ganexp itself will say what is wrong with the overrides
    there = OmegaConf.load(run_directory.config)
    return [
        f"{key}: {was}, asked for {value}"
        for key, value in leaves(asked)
        if is_setting(key) and (was := OmegaConf.select(there, key, default=value)) != value
    ]


def leaves(node: Any, at: str = "") -> Iterable[tuple[str, Any]]:
    """Dotted keys and values of a config."""
    for key, value in node.items():
        if OmegaConf.is_dict(value):
            yield from leaves(value, f"{at}{key}.")
        else:
            yield f"{at}{key}", value


def shortened(arguments: argparse.Namespace, overrides: list[str]) -> list[str]:
    """Overrides that cut the case to the asked fraction of its length."""
    if arguments.steps_fraction == 1:
        return []
    schema.register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        schedule = compose("train", overrides[:1]).schedule
    every = max(1, round(arguments.steps_fraction * schedule.steps / EVALUATIONS))
    cut = [f"schedule.steps={EVALUATIONS * every}", f"schedule.evaluate_every={every}"]
    if schedule.max_d_steps:
        cut.append(f"schedule.max_d_steps={round(arguments.steps_fraction * schedule.max_d_steps)}")
    return cut


def ganexp(*overrides: str) -> int:
    """Run a command of ganexp in a process of its own, and return its exit code."""
    with subprocess.Popen([sys.executable, "-m", "ganexp", *overrides]) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:  # which the run has met, too, and saves what it must
            process.wait()
            sys.exit("Stopped. The same command goes on.")


def directory_of(output: Path, case: str, form: str, seed: int) -> Path:
    """Return the run directory of a case."""
    return output / case / f"{form}-seed-{seed}"


def table(article: str, cases: list[str], output: Path) -> str:
    """Markdown: a line a case, form and score; numbers are means over seeds, with their standard deviation."""
    note = PUBLISHED.get(article, {}).get("note", "")
    lines = [f"# {article}", "", *([note, ""] if note else [])]
    lines += [
        "| case | form | score | published | measured best | evaluations | measured last | samples | seeds | steps |"
    ]
    lines += ["| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"]
    sources = set()
    for case in cases:
        known = published(article, case)
        sources |= {f"Published {name}: {one['protocol']}; {one['source']}." for name, one in known.items()}
        for form in forms(article, case):
            runs = finished(output, case, form)
            measured = {name for run in runs for name in run.metadata()["scores"]["last"]} - {"step"}
            names = {name for name in measured if not name.endswith("_std")} | set(known)
            for name in sorted(names) or [""]:
                ours = [run for run in runs if name in run.metadata()["scores"]["last"]]
                scores = [run.metadata()["scores"] for run in ours]
                best, last = (spread([row[which][name] for row in scores]) for which in ("best", "last"))
                evaluations = counts(len(curve(run, name)) for run in ours)
                samples = counts(OmegaConf.load(run.config).metrics.samples for run in ours)
                steps = counts(row["last"]["step"] for row in scores)
                cells = [case, form, name, stated(known.get(name, {})), best, evaluations, last, samples]
                lines.append(f"| {' | '.join([*cells, str(len(ours)), steps])} |")
    lines += ["", *sorted(sources)]
    lines += [
        "Measured: best is the evaluation with the best FID (with metrics=inception_torchvision, the best IS) of all "
        "of them. FID decreases with the number of samples.",
        "",
    ]
    return "\n".join(lines)


def stated(known: dict[str, Any]) -> str:
    """Return published scores as text: 6.53 best, 3.43 last."""
    parts = {"best": " best", "last": " last", "reported": ""}
    return ", ".join(f"{known[key]:g}{text}" for key, text in parts.items() if known.get(key))


def counts(values: Iterable[int]) -> str:
    """Return the distinct values as text."""
    return ", ".join(f"{value:,}" for value in sorted(set(values)))


def finished(output: Path, case: str, form: str) -> list[RunDirectory]:
    """The case's runs that came to their end and were scored, by seed."""
    seeds = {path: path.name.removeprefix(f"{form}-seed-") for path in (output / case).glob(f"{form}-seed-*")}
    runs = [
        RunDirectory(path) for path in sorted(seeds, key=lambda path: seeds[path].zfill(9)) if seeds[path].isdigit()
    ]
    return [run for run in runs if run.metadata().get("status") == "finished" and run.metadata()["scores"]]


def curve(run: RunDirectory, name: str) -> list[tuple[int, float]]:
    """Steps and scores of the evaluations of a trained network."""
    return [(row["step"], row[score_key(name)]) for row in run.points() if row["step"] and score_key(name) in row]


def draw(article: str, cases: list[str], output: Path) -> Figure | None:
    """A row a case: the score by step, a line a seed, then each form's last samples; None without runs."""
    runs = {case: {form: finished(output, case, form) for form in forms(article, case)} for case in cases}
    shown = [case for case in cases if any(runs[case].values())]
    if not shown:
        return None
    figure = Figure(figsize=(13, 4.2 * len(shown)), layout="constrained", dpi=100)
    for case, (curves, *grids) in zip(shown, figure.subplots(len(shown), 3, squeeze=False), strict=True):
        for (form, runs_of_form), colour, panel in zip(
            runs[case].items(), ("tab:blue", "tab:orange"), grids, strict=False
        ):
            for index, run in enumerate(runs_of_form):
                scored = run.metadata()["scores"]["last"]
                names = [*published(article, case), *(name for name in scored if name.startswith("fid_"))]
                name = next(name for name in names if name in scored)
                curves.plot(*zip(*curve(run, name), strict=True), colour, marker=".", label=form if not index else None)
                curves.set_ylabel(name)
            if runs_of_form:
                panel.imshow(imread(sorted(runs_of_form[0].samples.glob("step-*.png"))[-1]))
                panel.set_title(f"{form}, step {runs_of_form[0].metadata()['scores']['last']['step']:,}")
        curves.set(title=f"{article}/{case}", xlabel="step")
        curves.grid(alpha=0.3)
        curves.legend()
        for panel in grids:
            panel.set_axis_off()
    return figure


def spread(values: list[float]) -> str:
    """Mean ± standard deviation over seeds."""
    if not values:
        return "not run"
    mean = f"{statistics.mean(values):.4g}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.2g}"


if __name__ == "__main__":
    main()
