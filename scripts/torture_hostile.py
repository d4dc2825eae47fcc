"""Try strangers' files that attempt to run code, or to read, write or delete files outside of their directory.

The files come from tests/hostile and from three further tests: of the classes that a config may name, of the overrides
of sweeps, and of links.
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
