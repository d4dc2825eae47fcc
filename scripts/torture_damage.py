"""Write damaged files: run directories, sweeps, config files and datasets."""

import io
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from PIL import Image
from torture_trials import RUN, SHORT, Trial, copy_run

TRAIN = (
    "schedule.steps=4",
    "schedule.evaluate_every=2",
    "schedule.batch_size=8",
    "trainer.log_every=1",
    "trainer=cpu",
    "metrics.samples=60",
    "metrics.extractor.updates=2",
    "callbacks=[progress,sample_grids]",
)
SWEEP = (
    "-m",
    "seed=1,2",
    "metrics=none",
    "callbacks=progress",
    *SHORT,
    "hydra.sweep.dir=sweep",
)
FILES = ("run.json", "config.yaml", "metrics.jsonl", "checkpoints/last.ckpt", "checkpoints/best.ckpt")
COMMANDS = (
    ("resume", RUN, "schedule.steps=5"),
    ("evaluate", f"ckpt={RUN}", "samples=40", "accelerator=cpu"),
    ("sample", f"ckpt={RUN}", "n=4", "accelerator=cpu"),
    ("report", "."),
    ("report", "--bundle", RUN),
)
CONTENTS = {
    "empty": b"",
    "list": b"[1, 2]\n",
    "number": b"3\n",
    "binary": bytes(range(256)),
    "other_types": b'{"step": NaN, "scores": [], "status": 3, "score_info": 7, "protocol": "x", "data": []}',
    "deep": b"[" * 100_000,
    "not_ours": b'{"a": 1}\n',
}
CONFIG_FILES = {
    "binary": bytes(range(256)),
    "empty": b"",
    "tab": b"loss:\n\tn_critic: 3\n",
    "latin_1": "name: Käse\n".encode("latin-1"),
    "utf_16": "name: x\n".encode("utf-16"),
    "list": b"[1, 2]\n",
    "number": b"3\n",
    "cyclic": b"&a [*a]\n",
    "cyclic_mapping": b"adversarial: &a {x: *a}\n",
    "unclosed": b"adversarial: {x: 1\n",
    "unknown_key": b"nope: 3\n",
    "twice": b"n_critic: 1\nn_critic: 2\n",
    "billion_laughs": b"a: &a [x,x,x,x,x,x,x,x,x]\n"
    + b"".join(b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(8)),
    "deep": b"[" * 20_000,
    "python": b"adversarial: !!python/object/apply:os.system ['touch hacked']\n",
}


def damaged_runs(run: Path) -> Iterator[Trial]:
    """Yield a trial for each combination of a file of a run, a kind of damage to this file, and a command."""
    for name in FILES:
        for how in ("truncated", "half_line", "latin_1", "missing", "directory", "fifo", *CONTENTS):
            for command in COMMANDS:
                yield Trial(command, (Path(name).name, RUN), prepare=partial(_damage_run, run, name, how))


def damaged_sweeps(sweep: Path) -> Iterator[Trial]:
    """Yield trials for each kind of damage to sweep.json, and to the run.json of a job."""
    for how in ("truncated", "latin_1", "directory", "fifo", *CONTENTS):
        for command in (("resume", "sweep"), ("report", "."), SWEEP):
            yield Trial(command, ("sweep.json",), prepare=partial(_damage_sweep, sweep, "sweep.json", how))
        for command in (("resume", "sweep"), ("report", ".")):
            yield Trial(command, ("run.json",), prepare=partial(_damage_sweep, sweep, "*/run.json", how))


def damaged_caches(cache: Path) -> Iterator[Trial]:
    """Yield a trial for each combination of a file in the cache of scores and a kind of damage to this file."""
    for file in sorted(path.relative_to(cache) for path in cache.rglob("*") if path.is_file()):
        for how in ("truncated", "directory", "fifo", *CONTENTS):
            yield Trial(TRAIN, (file.name,), prepare=partial(_damage_cache, cache, file, how))


def damaged_configs() -> Iterator[Trial]:
    """Yield a trial for each kind of damage to a user's config file."""
    for how, content in CONFIG_FILES.items():
        yield Trial(
            ("--config-dir=own", "loss=mine", *SHORT, "metrics=none", "callbacks=progress"),
            ("mine", "loss."),
            must_fail=how != "empty",
            prepare=partial(_write, "own/loss/mine.yaml", content),
        )


def damaged_data() -> Iterator[Trial]:
    """Yield trials for each kind of damage to a dataset."""
    options = ("data=folder", "data.resolution=8", "data.workers=0", "metrics=none", "callbacks=progress", *SHORT)
    for path, write in DATASETS.values():
        for memory in ("true", "false"):
            yield Trial((*options, f"data.path={path}", f"data.in_memory={memory}"), (path, "png"), prepare=write)
        scores = ("metrics=classifier", "data=digits", "data.resolution=8", "metrics.extractor.updates=1")
        yield Trial(("evaluate", f"images={path}", *scores), (path, "images", "png"), prepare=write)


def damage(file: Path, how: str) -> None:
    """Damage `file` in the way that `how` names."""
    content = file.read_bytes() if file.is_file() else b""
    file.unlink(missing_ok=True)
    if how == "directory":
        file.mkdir()
    elif how == "fifo":
        os.mkfifo(file)
    elif how != "missing":
        changed = {
            "truncated": content[: len(content) // 2],
            "half_line": content + b'{"step": 9, "loss',
            "latin_1": b"\xff\xfe\xe4" + content,
        }
        file.write_bytes((CONTENTS | changed)[how])


def _damage_run(run: Path, name: str, how: str, directory: Path) -> None:
    copy_run(run, directory)
    damage(directory / RUN / name, how)


def _damage_sweep(sweep: Path, pattern: str, how: str, directory: Path) -> None:
    shutil.copytree(sweep, directory / "sweep")
    damage(min((directory / "sweep").glob(pattern)), how)


def _damage_cache(cache: Path, file: Path, how: str, directory: Path) -> None:
    shutil.copytree(cache, directory / "cache")
    damage(directory / "cache" / file, how)


def _write(name: str, content: bytes, directory: Path) -> None:
    (directory / name).parent.mkdir(parents=True, exist_ok=True)
    (directory / name).write_bytes(content)


def _png(color: int = 0) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), (color, color, color)).save(stream, "png")
    return stream.getvalue()


def _folder(broken: bytes | None, directory: Path) -> None:
    for number in range(8):
        _write(f"folder/{number}.png", _png(number), directory)
    if broken is not None:
        _write("folder/broken.png", broken, directory)


def _zip(change: Callable[[bytes], bytes], directory: Path, compression: int = zipfile.ZIP_STORED) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for number in range(8):
            archive.writestr(f"{number}.png", _png(number))
    (directory / "zip.zip").write_bytes(change(stream.getvalue()))


def _set_flag(content: bytes) -> bytes:
    """Return a zip file whose entries are marked as encrypted."""
    changed = bytearray(content)
    for mark, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        start = content.find(mark)
        while start >= 0:
            changed[start + offset] |= 1
            start = content.find(mark, start + 4)
    return bytes(changed)


def _set_compression(content: bytes) -> bytes:
    """Return a zip file whose entries name an unknown compression method."""
    changed = bytearray(content)
    for mark, offset in ((b"PK\x01\x02", 10), (b"PK\x03\x04", 8)):
        start = content.find(mark)
        while start >= 0:
            changed[start + offset] = 77
            start = content.find(mark, start + 4)
    return bytes(changed)


def _bomb(directory: Path) -> None:
    """Write a zip file whose only large member consists of 1 GB of zeros."""
    with zipfile.ZipFile(directory / "zip.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number in range(8):
            archive.writestr(f"{number}.png", _png(number))
        with archive.open("bomb.png", "w") as member:
            for _ in range(1024):
                member.write(bytes(1 << 20))


def _sparse(directory: Path) -> None:
    """Write image files; one of them consists of 20 GB of zeros, which take no space on the disk."""
    _folder(None, directory)
    with open(directory / "folder" / "sparse.png", "wb") as file:
        file.truncate(20 << 30)


def _fifo(directory: Path) -> None:
    _folder(None, directory)
    os.mkfifo(directory / "folder" / "pipe.png")


def _loop(directory: Path) -> None:
    _folder(None, directory)
    (directory / "folder" / "loop").symlink_to("..")


DATASETS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "broken image": ("folder", partial(_folder, b"not an image")),
    "half an image": ("folder", partial(_folder, _png()[:60])),
    "no image": ("folder", partial(_write, "folder/notes.txt", b"no image")),
    "sparse image": ("folder", _sparse),
    "named pipe": ("folder", _fifo),
    "circular link": ("folder", _loop),
    "bad checksum": ("zip.zip", partial(_zip, lambda content: content.replace(b"IDAT", b"IDAX", 1))),
    "encrypted zip": ("zip.zip", partial(_zip, _set_flag)),
    "unknown compression": ("zip.zip", partial(_zip, _set_compression)),
    "truncated zip": ("zip.zip", partial(_zip, lambda content: content[:-100])),
    "empty zip": ("zip.zip", partial(_zip, lambda content: b"")),
    "zip bomb": ("zip.zip", _bomb),
}
