"""Check whether optional trackers are installed, and read the values that were sent to them."""

import json
import struct
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from helpers.sweeps import wait_until

needs_wandb = pytest.mark.skipif(find_spec("wandb") is None, reason="needs pip install 'ganexp[wandb]'")
needs_mlflow = pytest.mark.skipif(find_spec("mlflow") is None, reason="needs pip install 'ganexp[mlflow]'")

BLOCK = 2**15  # bytes of a block; a record that does not fit continues in the next block
HEADER = struct.Struct("<IHB")  # a part's checksum, length and kind; a record has one or more parts
WHOLE, LAST = 1, 4  # kinds of parts that end a record


def wandb_records(run_directory: Path) -> list[Any]:
    """Return the records that W&B has written offline for a finished run; records from before a resume come first."""
    files = sorted(run_directory.glob("wandb/offline-run-*/run-*.wandb"))
    wait_until(lambda: all(any(record.HasField("exit") for record in _parse(file)) for file in files), seconds=30)
    return [record for file in files for record in _parse(file)]


def _parse(file: Path) -> list[Any]:
    from wandb.proto.wandb_internal_pb2 import Record

    return [Record.FromString(record) for record in _read_records(file.read_bytes())]


def _read_records(content: bytes) -> list[bytes]:
    records, pending, position = [], b"", HEADER.size  # the file begins with a header of the same size
    while position + HEADER.size <= len(content):
        if BLOCK - position % BLOCK < HEADER.size:
            position += BLOCK - position % BLOCK
            continue
        _checksum, length, kind = HEADER.unpack_from(content, position)
        position += HEADER.size
        pending += content[position : position + length]
        position += length
        if kind in (WHOLE, LAST):
            records.append(pending)
            pending = b""
    return records


def wandb_history(run_directory: Path) -> dict[str, list[tuple[int, Any]]]:
    """Return the values that were sent to W&B: for each key, pairs of the step and the value."""
    history = defaultdict(list)
    for record in wandb_records(run_directory):
        if record.HasField("history"):
            row = {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
            for key, value in row.items():
                history[key].append((row["step"], value))
    return dict(history)


def mlflow_client(database: Path) -> Any:
    """Return an MLflow client for an existing database."""
    from mlflow import MlflowClient

    assert database.is_file()
    return MlflowClient(f"sqlite:///{database}")


def mlflow_runs(database: Path) -> list[Any]:
    """Return the runs of all experiments in a database of MLflow, oldest first."""
    client = mlflow_client(database)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return client.search_runs(experiments, order_by=["attributes.start_time ASC"])
