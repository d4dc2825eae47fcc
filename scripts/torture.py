"""Try wrong input, hostile files, kills and full disks on ganexp, and list every fault that is found.

    python scripts/torture.py bad-input --n 1000      # wrong values, wrong syntax, damaged files
    python scripts/torture.py hostile                 # strangers' files that try to run code or to reach other files
    python scripts/torture.py kills --n 200           # kill training at random moments, and resume it
    python scripts/torture.py disk-full               # let the disk run full at each file that a run writes

The exit code is 0 if no fault was found. docs/reliability.md lists the promises that are tested, and the results.
"""

import argparse
import sys
from importlib import import_module

TOPICS = {
    "bad-input": "torture_bad_input",
    "hostile": "torture_hostile",
    "kills": "torture_kills",
    "disk-full": "torture_disk_full",
}


def main() -> int:
    """Import the module of the chosen topic, run it, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("topic", choices=TOPICS)
    topic = parser.parse_args(sys.argv[1:2]).topic
    module = import_module(TOPICS[topic])
    of_topic = argparse.ArgumentParser(prog=f"torture.py {topic}", description=module.__doc__)
    module.add_arguments(of_topic)
    return module.main(of_topic.parse_args(sys.argv[2:]))


if __name__ == "__main__":
    sys.exit(main())
