"""Paths and names on the command line are kept as typed, or an error shows how to type them."""

import codecs
import json
import shlex

import pytest
from helpers.cli import ganexp
from helpers.images import photo
from helpers.sweeps import QUICK, jobs
from omegaconf import OmegaConf

pytestmark = pytest.mark.slow

SMALL = ("trainer=cpu", "schedule.batch_size=4", "model=mlp", *QUICK)


def composed(*arguments, cwd, command="train"):
    """Return the config that a command line composes."""
    return OmegaConf.create(ganexp(command, "--cfg", "job", *arguments, cwd=cwd).stdout)


@pytest.fixture
def folders(tmp_path):
    """Make image folders whose names Hydra reads as numbers, and folders with these numbers as names."""
    for name, count in (("2024_01_01", 5), ("1e3", 6), ("20240101", 7), ("1000.0", 8)):
        for number in range(count):
            photo(tmp_path / name / f"{number}.png", (8, 8))
    return tmp_path


@pytest.mark.parametrize(("name", "count"), [("2024_01_01", 5), ("1e3", 6)])
def test_folder_whose_name_is_a_number_is_read(folders, name, count):
    arguments = ("data=folder", f"data.path={name}", "data.resolution=8", *SMALL, f"hydra.run.dir=run_{name}")
    done = ganexp(*arguments, cwd=folders)
    assert f"{count} images" in done.stdout
    assert OmegaConf.load(folders / f"run_{name}" / "config.yaml").data.path == str(folders / name)


def test_swept_folders_keep_their_names(folders):
    arguments = ("data=folder", "data.path=2024_01_01,1e3", "data.resolution=8", *SMALL, "hydra.sweep.dir=2025_01_01")
    ganexp("-m", *arguments, cwd=folders)
    swept = folders / "2025_01_01"
    assert list(jobs(swept)) == ["00-data.path-2024_01_01", "01-data.path-1e3"]
    paths = [OmegaConf.load(swept / name / "config.yaml").data.path for name in jobs(swept)]
    assert paths == [str(folders / "2024_01_01"), str(folders / "1e3")]


def test_search_keeps_texts_too(folders):
    """Optuna hands the chosen values to Hydra without their quotes."""
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    search = ("hydra/sweeper=optuna", "hydra.sweeper.n_trials=1", "hydra.sweeper.n_jobs=1", "hydra.sweep.dir=swept")
    scored = ("metrics=inception", "metrics.samples=40")  # the job is refused, because the weights are missing
    images = ("data=folder", "data.path=choice(2024_01_01,2024_01_01)", "data.resolution=8", "name=1e5")
    ganexp("-m", *images, *search, *SMALL, *scored, cwd=folders, check=False)
    (job,) = (folders / "swept").glob("*/.hydra/config.yaml")
    config = OmegaConf.load(job)
    assert (config.data.path, config.name) == ("2024_01_01", "1e5")


@pytest.mark.parametrize(
    ("arguments", "key", "value"),
    [
        (["name=1e5"], "name", "1e5"),
        (["name=TRUE"], "name", "TRUE"),
        (["tags=[1e5,2024_01_01,a]"], "tags", ["1e5", "2024_01_01", "a"]),
        (["data.classes=[007,1_0]"], "data.classes", ["007", "1_0"]),
        (["metrics.cache=1_000"], "metrics.cache", "1_000"),
        (["evaluate", "ckpt=1_000"], "ckpt", "1_000"),
        (["sample", "ckpt=.5", "output=007"], "output", "007"),
        (["evaluate", "images=1e3"], "images", "1e3"),
        (["name=null"], "name", None),
    ],
)
def test_text_is_no_number(tmp_path, arguments, key, value):
    command = arguments.pop(0) if "=" not in arguments[0] else "train"
    assert OmegaConf.select(composed(*arguments, cwd=tmp_path, command=command), key) == value


def test_numbers_stay_numbers(tmp_path):
    config = composed("schedule.steps=1_000", "optimizer.generator.lr=1e-3", "data.flip=true", cwd=tmp_path)
    assert (config.schedule.steps, config.optimizer.generator.lr, config.data.flip) == (1000, 1e-3, True)


@pytest.mark.parametrize(
    "path",
    ["archive (1)", "it's", "Übung", "a=b", "a#b", "[old] cats", "{x}", "a,b", "wow!", 'in "quotes"', "日本", "a$(b)"],
)
def test_text_that_needs_quotes_gets_the_form_to_type(tmp_path, path):
    done = ganexp("data=folder", f"data.path={path}", cwd=tmp_path, check=False)
    assert done.returncode == 1
    form = done.stderr.strip().rpartition("Write: ")[2].rpartition("One string:")[2].strip()
    (argument,) = shlex.split(form)
    assert composed("data=folder", argument, cwd=tmp_path).data.path == path


def test_texts_of_a_list_get_quotes_each(tmp_path):
    done = ganexp("tags=[Übung,a#b]", cwd=tmp_path, check=False)
    assert "Write: \"tags=['Übung','a#b']\"" in done.stderr


def test_home_directory_is_expanded_where_files_are_written(tmp_path, monkeypatch):
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    own = home / "conf" / "experiment" / "own.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("# @package _global_\nhydra: {run: {dir: ~/own-run}, sweep: {dir: ~/own-sweep}}\n")
    ganexp(*SMALL, "hydra.run.dir=~/run", cwd=tmp_path)
    ganexp("-m", "seed=1", *SMALL, "hydra.sweep.dir=~/swept", cwd=tmp_path)
    ganexp("--config-dir=~/conf", "experiment=own", *SMALL, cwd=tmp_path)
    ganexp("-cd", "~/conf", "experiment=own", "-m", "seed=1", *SMALL, cwd=tmp_path)
    ganexp("sweep.resume=~/swept", cwd=tmp_path)
    ganexp("resume", "~/run", cwd=tmp_path)
    ganexp("report", "~/run", "output=~/report", cwd=tmp_path)
    ganexp("report", "--bundle", "~/run", "output=~", cwd=tmp_path)
    ganexp("sample", "ckpt=~/run", "n=4", "output=~/drawn", cwd=tmp_path)
    made = {path.name for path in home.iterdir()}
    assert {"run", "swept", "own-run", "own-sweep", "report", "digits-mlp-wgan_gp-run.zip", "drawn"} <= made
    assert list(jobs(home / "own-sweep")) == ["00-run"]
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_flags_may_stand_anywhere(tmp_path):
    for arguments in (("name=x", "-m", "seed=1,2"), ("seed=1,2", "--multirun", "name=x")):
        described = json.loads(ganexp("describe", *arguments, cwd=tmp_path).stdout)["jobs"]
        assert [job["seed"] for job in described] == [1, 2]


@pytest.mark.parametrize(
    ("arguments", "fix"),
    [
        (["--loss=hinge"], "write loss=hinge\n"),
        (["--schedule.steps", "3", "loss=hinge"], "write schedule.steps=3\n"),
        (["sample", "--ckpt=run", "--n=4"], "write ckpt=run n=4\n"),
        (["--steps", "3"], "write schedule.steps=3\n"),
        (["--batch-size=3", "--nothing"], "write schedule.batch_size=3\n"),
        (["--lr=1"], "write optimizer.generator.lr=1 or optimizer.discriminator.lr=1\n"),
        (["\N{EN DASH}m", "seed=1,2"], "write -m\n"),
    ],
)
def test_flag_that_should_be_an_override_is_answered_with_it(tmp_path, arguments, fix):
    done = ganexp(*arguments, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert fix in done.stderr


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (codecs.BOM_UTF8 + b"# @package _global_\ndefaults: [{override /loss: hinge}]\n", "byte order mark (BOM)"),
        ("# @package _global_\nseed: 3\n".encode("utf-16"), "UTF-16"),
        ("# @package _global_\nseed: 3\n".encode("utf-16-le"), "UTF-16"),
        ("# @package _global_\nname: Übung\n".encode("latin-1"), "not UTF-8"),
    ],
)
def test_config_file_in_another_encoding_is_named(tmp_path, content, encoding):
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    (tmp_path / "mine" / "experiment" / "case.yaml").write_bytes(content)
    done = ganexp("--config-dir", "mine", "experiment=case", *SMALL, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("mine/experiment/case.yaml: the encoding is ")
    assert encoding in done.stderr
    assert len(done.stderr.splitlines()) == 1
