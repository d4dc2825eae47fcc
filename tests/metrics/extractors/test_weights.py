"""Where the weights of Inception networks are looked for, and what is accepted as such."""

from pathlib import Path

import pytest
import torch

from ganexp import offline
from ganexp.errors import UserError
from ganexp.metrics.extractors.weights import find_weights

URL = "https://example.com/files/weights-inception.pth"


class Payload:
    def __reduce__(self):
        return (print, ("code ran",))


@pytest.mark.parametrize("content", [b"not a file of torch", {"fc.weight": Payload()}, {"a": torch.ones(1)}, [1.0]])
def test_files_without_weights_are_refused(tmp_path, content, capsys):
    path = tmp_path / "weights.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(UserError, match="does not hold Inception weights"):
        find_weights(str(path), URL)
    assert "code ran" not in capsys.readouterr().out


def test_named_file_and_hub_cache_are_found(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    cached = Path(torch.hub.get_dir()) / "checkpoints" / "weights-inception.pth"
    cached.parent.mkdir(parents=True)
    for path in (cached, tmp_path / "mine.pth"):
        torch.save({"fc.weight": torch.ones(1)}, path)
    assert find_weights(None, URL) == cached
    assert find_weights("~/mine.pth", URL) == tmp_path / "mine.pth"


def test_missing_file_is_refused_with_advice(tmp_path):
    with pytest.raises(UserError, match=rf"no such file(.|\n)*{URL}(.|\n)*metrics.weights=FILE(.|\n)*metrics=none"):
        find_weights(str(tmp_path / "none.pth"), URL)


def test_failed_download_is_reported_with_advice():
    with pytest.raises(UserError, match=r"downloading them failed(.|\n)*metrics.weights=FILE(.|\n)*metrics=none"):
        find_weights(None, URL)


def test_nothing_is_downloaded_offline(monkeypatch):
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *args, **options: pytest.fail("downloads"))
    with offline.offline(), pytest.raises(offline.NotHere, match=URL):
        find_weights(None, URL)
