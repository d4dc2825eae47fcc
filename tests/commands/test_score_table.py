"""What is printed with the scores of one evaluation."""

from types import SimpleNamespace

import pytest

from ganexp.commands.score_table import warn_of_few_images
from ganexp.metrics.fid import FID
from ganexp.metrics.intra_fid import IntraFID
from ganexp.metrics.kid import KID


@pytest.mark.parametrize(
    ("metrics", "samples", "real_images", "beginning"),
    [
        ([FID], 400, 5_000, "warning: 400 samples are few: "),
        ([KID, IntraFID], 10_000, 1_438, "warning: 1,438 real images are few: "),
        ([FID], 5_000, 5_000, ""),
        ([KID], 400, 300, ""),
    ],
)
def test_few_images_are_named_if_they_bias_a_score(capsys, metrics, samples, real_images, beginning):
    references = {"train": SimpleNamespace(count=60_000), "test": SimpleNamespace(count=real_images)}
    scores = {metric.__name__: metric for metric in metrics}
    warn_of_few_images(SimpleNamespace(references=references, samples=samples, scores=scores))
    printed = capsys.readouterr().out
    assert (printed.startswith(beginning) and printed.count("\n") == 1) if beginning else not printed
