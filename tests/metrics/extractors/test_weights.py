"""Where the weights of Inception networks are looked for, and which files are accepted."""

import hashlib
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
    advice = r"(.|\n)*metrics.weights=FILE(.|\n)*metrics=imagenet(.|\n)*metrics=none"
    with pytest.raises(UserError, match=rf"downloading them failed{advice}"):
        find_weights(None, URL)


@pytest.fixture
def published(tmp_path, monkeypatch):
    """Return a function that saves weights in a file whose name contains a hash, and returns the file's address."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))

    def publish(digest=None):
        file = tmp_path / "weights.pth"
        torch.save({"fc.weight": torch.ones(1)}, file)
        digest = digest or hashlib.sha256(file.read_bytes()).hexdigest()[:8]
        return file.rename(tmp_path / f"weights-2015-12-05-{digest}.pth").as_uri()

    return publish


def cache_file(url):
    return Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[1]


def test_downloaded_file_with_right_hash_is_cached(published):
    url = published()
    assert find_weights(None, url) == cache_file(url)
    assert find_weights(None, url) == cache_file(url)  # from the cache this time


def test_downloaded_file_with_wrong_hash_is_refused(published):
    url = published("0123abcd")
    pattern = rf"(?s){url} is not the published file.*0123abcd.*metrics.weights=FILE"
    with pytest.raises(UserError, match=pattern):
        find_weights(None, url)
    assert not cache_file(url).exists()


def test_cached_file_with_wrong_hash_is_refused(published):
    url = published()
    cache_file(url).parent.mkdir(parents=True)
    torch.save({"fc.weight": torch.zeros(1)}, cache_file(url))
    with pytest.raises(UserError, match=rf"(?s){cache_file(url)} is not the published file.*Delete it.*FILE"):
        find_weights(None, url)


def test_file_named_by_the_user_needs_no_hash(tmp_path):
    file = tmp_path / "weights-0123abcd.pth"
    torch.save({"fc.weight": torch.ones(1)}, file)
    assert find_weights(str(file), URL) == file


def test_nothing_is_downloaded_offline(monkeypatch):
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *args, **options: pytest.fail("downloads"))
    with offline.offline(), pytest.raises(offline.NotHere, match=URL):
        find_weights(None, URL)
