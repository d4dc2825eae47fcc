"""What is said about the images that are scored, and about their classes."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from ganexp.commands.evaluation.images import _images, _with_classes_of
from ganexp.commands.sample import WRITERS, Classes
from ganexp.data.images import ImageSet
from ganexp.errors import UserError


def images(counts, classes=("cat", "dog", "owl")):
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts)) if counts else None
    number = sum(counts) or 9
    return ImageSet(torch.zeros(number, 1, 2, 2, dtype=torch.uint8), labels, list(classes) if counts else [])


@pytest.mark.parametrize(
    ("given", "real", "printed"),
    [
        ([20, 20, 20], [800, 150, 50], "cat has 33% of the images, but 80% of the dataset"),
        ([90, 5, 5], [100, 100, 100], "cat has 90% of the images, but 33% of the dataset"),
        ([20, 20, 20], [200, 200, 200], ""),
        ([30, 20, 20], [200, 200, 200], ""),
        ([], [800, 150, 50], ""),
        ([20, 20, 20], [], ""),
    ],
)
def test_other_shares_of_classes_are_named(capsys, given, real, printed):
    _with_classes_of(images(given), images(real), "drawn")
    lines = [line for line in capsys.readouterr().out.splitlines() if "the classes have other shares" in line]
    assert [line.rpartition("For example, ")[2] for line in lines] == ([printed] if printed else [])
    _with_classes_of(images(given), images(real), None)  # without a path, the images are a split of the dataset
    assert "shares" not in capsys.readouterr().out


@pytest.mark.parametrize("classes", [Classes([], None, None), Classes(["a", "b"], None, torch.tensor([0, 1]))])
@pytest.mark.parametrize(
    ("form", "fix"), [("png", "Use images={}/images$"), ("zip", "Use images={}/images.zip$"), ("npz", "format=zip or")]
)
def test_directory_of_drawn_samples_is_refused_with_the_fix(tmp_path, monkeypatch, form, fix, classes):
    monkeypatch.chdir(tmp_path)
    WRITERS[form](iter([torch.zeros(2, 1, 8, 8)]), 2, classes, Path())
    for name in ("grid", "traversals"):
        Path(f"{name}.png").touch()
    with pytest.raises(UserError, match=fix.format(tmp_path)):
        _images(SimpleNamespace(real=None, images=str(tmp_path)))
