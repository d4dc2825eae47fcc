"""`ganexp train` and `ganexp resume`: from a config to a run folder."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table

from ganexp import build, measure
from ganexp.callbacks.curves import Curves
from ganexp.callbacks.discriminator_logits import LogitWatch
from ganexp.callbacks.evaluation import Evaluation, draw_interpolations, measured
from ganexp.callbacks.model_checkpoint import ModelCheckpoint
from ganexp.callbacks.progress import ProgressLine
from ganexp.callbacks.pruning import Pruning
from ganexp.callbacks.random_state import RandomState, StopWhenNotFinite
from ganexp.config import trust
from ganexp.data.datamodule import StreamData
from ganexp.errors import UserError
from ganexp.loggers.record import Record
from ganexp.metrics.scores import Scores
from ganexp.runs.run_directory import RunFolder, environment, newest_below, now
from ganexp.training.gan import GAN

EVALUATION_SEED = 10_000  # of the latents by which checkpoints are chosen and pictures drawn


def train(cfg: DictConfig, path: str, groups: dict[str, Any], overrides: list[str]) -> float | None:
    """Trains what the resolved `cfg` says, in a folder of its own at `path`.

    `groups` are the options chosen, `overrides` the words that chose them; both are kept for those who compare runs.

    Returns the best checkpoint's FID, for sweeps; None without scores.
    """
    run = _prepare(cfg)
    folder = RunFolder.claim(path)
    with folder.locked():
        folder.save_config(cfg)
        facts = {"name": cfg.name, "status": "running", "groups": groups, "overrides": overrides}
        folder.describe(**facts, started=now(), **environment())
        return _fit(cfg, folder, *run)


def resume(path: str, steps: int | None = None) -> None:
    """Goes on with the run in `path` from its last checkpoint, or from the start if it had none yet.

    With `steps`, up to there, past the end that the run was meant to have or at which its sweep has stopped it.

    Raises:
        UserError: no run there, one that another process is busy with, a config that is not trusted, or one that cannot
            be made longer.
    """
    folder = RunFolder(path)
    if not folder.config.exists() or not folder.run.exists():
        raise UserError(f"{path} is no run folder: it has no config.yaml and run.json.{newest_below(path)}")
    with folder.locked():
        facts = folder.facts()
        if facts.get("status") == "finished" and steps is None:
            print(f"{path} is finished: nothing to do. To train longer: ganexp resume {path} schedule.steps=…")
            return
        if facts.get("status") == "pruned" and steps is None:
            print(f"{path} was pruned: nothing to do. To train it all the same: ganexp resume {path} schedule.steps=…")
            return
        cfg = trust.load(folder.config)
        if steps is not None:
            _lengthen(cfg, steps)
        print(f"going on from step {_step_of(folder.last):,}", flush=True)
        run = _prepare(cfg)
        folder.describe(status="running", resumed=[*facts.get("resumed", []), now()])
        if steps is not None:
            folder.save_config(cfg)
        _fit(cfg, folder, *run)


def _lengthen(cfg: DictConfig, steps: int) -> None:
    schedule = cfg.schedule
    if schedule.max_d_steps is not None:
        raise UserError(
            f"schedule.steps: this run ends after schedule.max_d_steps={schedule.max_d_steps} discriminator updates, "
            "which cannot be moved. Train anew with more of them."
        )
    if schedule.lr_decay is not None:
        raise UserError("schedule.steps: this run's learning rate decays towards its end, which cannot be moved.")
    if steps < schedule.steps or steps % schedule.evaluate_every:
        longer = (max(steps, schedule.steps) // schedule.evaluate_every + 1) * schedule.evaluate_every
        raise UserError(
            f"schedule.steps={steps}: this run has {schedule.steps}; give more, a multiple of "
            f"schedule.evaluate_every={schedule.evaluate_every}: schedule.steps={longer}, say"
        )
    schedule.steps = steps
    cfg.sweep.prune = False  # it is wanted, whatever its rank


def _prepare(cfg: DictConfig) -> tuple[GAN, Any, LogitWatch, Scores | None]:
    """Everything that can be refused, before a folder is made."""
    pl.seed_everything(cfg.seed, verbose=False)
    gan = build.build_gan(cfg)
    device = build.choose_device(cfg.trainer.accelerator)
    image_set = build.build_image_set(cfg)
    stream = build.build_stream(cfg, image_set, device)
    watch = measure.build_watch(cfg, image_set)
    return gan, stream, watch, measure.build_scores(cfg, image_set, device, labelled=gan.num_classes > 0)


def _fit(
    cfg: DictConfig, folder: RunFolder, gan: GAN, stream: Any, watch: LogitWatch, scores: Scores | None
) -> float | None:
    print(f"run folder: {_short(folder.path)}", flush=True)
    if scores:
        for fact, value in scores.extractor.facts.items():
            print(f"{fact.replace('_', ' ')}: {value:.2%}" if isinstance(value, float) else f"{fact}: {value}")
        print(f"{scores.extractor.name} sees an image {scores.extractor.input}")
        protocol = scores.protocol() | measured(gan) | {"seed": EVALUATION_SEED}
        folder.describe(extractor=scores.extractor.facts, protocol=protocol)
    folder.describe(device=build.device_name(stream.device), precision=cfg.trainer.precision)
    gan.stream = stream
    extractor = scores.extractor.name if scores else None
    best = {"monitor": f"{cfg.metrics.best_by}_{extractor}", "mode": "max" if cfg.metrics.best_by == "is" else "min"}
    pruning = Pruning(folder, **best) if cfg.sweep.prune else None
    record = Record(folder, after=_step_of(folder.last))
    where = {"dirpath": folder.last.parent, "enable_version_counter": False, "save_on_train_epoch_end": True}
    trainer = pl.Trainer(
        accelerator="cpu" if stream.device.type == "cpu" else "gpu",
        devices=1,
        precision=cfg.trainer.precision,
        max_epochs=cfg.schedule.steps // cfg.schedule.evaluate_every,
        logger=record,
        log_every_n_steps=0,
        benchmark=True,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[
            RandomState(),
            StopWhenNotFinite(),
            Evaluation(folder, scores, cfg.metrics.samples, cfg.metrics.batch_size, EVALUATION_SEED, watch),
            Curves(folder, cfg.name or folder.path.name),
            ProgressLine(),
            *([pruning] if pruning else []),
            *([ModelCheckpoint(filename="best", **best, **where)] if scores else []),
            ModelCheckpoint(filename="last", **where),
        ],
    )
    checkpoint = folder.last if folder.last.exists() else None
    with _status(folder), warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pytorch_lightning")
        trainer.fit(
            gan,
            datamodule=StreamData(stream, cfg.schedule.evaluate_every),
            ckpt_path=checkpoint,
            weights_only=True,
        )
    draw_interpolations(gan, folder, record, EVALUATION_SEED)
    return _finish(cfg, folder, record, extractor, "pruned" if pruning and pruning.stopped else "finished")


@contextmanager
def _status(folder: RunFolder) -> Iterator[None]:
    """Writes into run.json how a run that does not reach its end came to stop."""
    try:
        yield
    except UserError as error:
        folder.describe(status="failed", ended=now(), error=str(error))
        raise
    except (KeyboardInterrupt, SystemExit):
        folder.describe(status="interrupted", ended=now())
        print(f"\nStopped. Go on with: ganexp resume {_short(folder.path)}")
        raise
    except BaseException as error:
        folder.describe(status="failed", ended=now(), error=f"{type(error).__name__}: {error}")
        raise


def _finish(cfg: DictConfig, folder: RunFolder, record: Record, extractor: str | None, status: str) -> float | None:
    """Final scores into run.json and TensorBoard, and a short table for the reader."""
    rows = folder.rows()
    chosen_by = f"score/{cfg.metrics.best_by}_{extractor}"
    scored = [row for row in rows if chosen_by in row]
    result = {}
    if scored:
        trained = [row for row in scored if row["step"] > 0]
        result = {
            "best": (max if cfg.metrics.best_by == "is" else min)(trained, key=lambda row: row[chosen_by]),
            "last": scored[-1],
            "untrained": scored[0],
        }
        result = {
            which: {
                key.removeprefix("score/"): value for key, value in row.items() if key.startswith(("step", "score/"))
            }
            for which, row in result.items()
        }
        finals = {
            f"{which}/{key}": result[which][key]
            for which in ("best", "last")
            for key in result[which]
            if key != "step" and not key.endswith("_std")
        }
    else:
        finals = {key: value for key, value in rows[-1].items() if key.startswith("loss/")} if rows else {}
    record.log_result(_settings(cfg, folder.facts()), finals, rows[-1]["step"] if rows else cfg.schedule.steps)
    objective = result["best"].get(f"fid_{extractor}") if result else None
    folder.describe(status=status, ended=now(), scores=result, objective=objective)
    _print_table(folder, result)
    return objective


def _settings(cfg: DictConfig, facts: dict[str, Any]) -> dict[str, Any]:
    """What tells this run from others, as one flat row: seed, options chosen, and settings given as words."""
    given = {word.lstrip("+").split("=")[0] for word in facts.get("overrides", []) if not word.startswith("~")}
    values = {key: OmegaConf.select(cfg, key) for key in sorted(given) if "." in key and not key.startswith("hydra.")}
    plain = {key: value if isinstance(value, (bool, int, float)) else str(value) for key, value in values.items()}
    options = {group: option for group, option in facts.get("groups", {}).items() if option}
    return {"seed": cfg.seed} | options | plain


def _print_table(folder: RunFolder, result: dict[str, dict[str, float]]) -> None:
    console = Console()
    if result:
        names = [name for name in result["last"] if name != "step" and not name.endswith("_std")]
        table = Table("", "step", *names)
        for which in ("untrained", "best", "last"):
            row = result[which]
            table.add_row(which, f"{row['step']:,}", *(f"{row[name]:.4g}" if name in row else "" for name in names))
        console.print(table)
    newest = max(folder.samples.glob("step-*.png"))
    files = {"samples": newest, "curves": folder.curves, "checkpoints": folder.last.parent}
    for name, path in files.items():
        console.print(f"{name:12} {_short(path)}", soft_wrap=True, highlight=False)
    print(f"{'curves live':12} tensorboard --logdir {_short(folder.path)}")


def _step_of(checkpoint: Path) -> int:
    """The step of a checkpoint; 0 if there is none."""
    if not checkpoint.exists():
        return 0
    return build.read_checkpoint(checkpoint)["ganexp"]["step"]


def _short(path: Path) -> str:
    """Relative to where the user stands, if it lies below."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
