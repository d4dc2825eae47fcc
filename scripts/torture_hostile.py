"""Try strangers' files that attempt to run code, or to read, write or delete files outside of their directory.

The files come from tests/hostile and from three further test modules. The first of these modules tests which classes a
config may name. The second tests which overrides ganexp adds to a sweep, and which overrides it stores in sweep.json.
The third tests whether ganexp refuses links that lead out of a run directory.
"""

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TESTS = (
    "tests/hostile",
    "tests/config/test_trust.py",
    "tests/commands/sweeps/test_overrides.py",
    "tests/runs/test_links.py",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add no arguments, because every file is tried each time."""


def main(arguments: argparse.Namespace) -> int:
    """Run the tests, and return their exit code."""
    return subprocess.run([sys.executable, "-m", "pytest", "-q", *TESTS], cwd=ROOT).returncode
