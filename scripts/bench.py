"""Measure speed, mostly as ratios of times that are measured in one run of this script.

    python scripts/bench.py overhead [--rounds 5] [--steps 6] [OVERRIDES…]    a step, compared with a bare PyTorch loop
    python scripts/bench.py step [--seconds 1] [CASES… | OVERRIDES…]          a step, with and without faster settings
    python scripts/bench.py peers [--package DIRECTORY] [OVERRIDES…]          a step, compared with torch-mimicry's
    python scripts/bench.py scores [--images 256] [--batch-size 32]           IS, FID and KID, compared with libraries
    python scripts/bench.py evaluation [--images 256] [--batch-size 32]       the time to generate and score images
    python scripts/bench.py stream [--seconds 1] [OVERRIDES…]                 real images, compared with a DataLoader
    python scripts/bench.py scaling [--steps 200] [OVERRIDES…]                a step on two devices, and on one device
    python scripts/bench.py sweep [--rounds 3] [--steps 600] [OVERRIDES…]     a sweep with two workers, and a serial one
    python scripts/bench.py memory [--steps 20000] [OVERRIDES…]               memory, files and threads of a long run
    python scripts/bench.py startup                                           the time until the first step of a run

Add `--device cuda` to measure on a GPU. In `overhead`, `peers` and `stream`, both sides of the comparison take turns in
one process; the first round, in which both sides warm up, is not counted. OVERRIDES are overrides of ganexp's command
line, and CASES are names in bench_cases.CASES.
"""

import argparse

import torch

CHOICES = ["overhead", "step", "peers", "scores", "evaluation", "stream", "scaling", "sweep", "memory", "startup"]
SWITCHES = "names of switches in bench_step.py, joined by commas; default: all switches that suit the device"


def main() -> None:
    """Run the benchmark that is named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=CHOICES)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float, default=1.0, help="shortest round in seconds (step, peers, stream)")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--package", help="directory that contains torch_mimicry; default: install it for this run")
    parser.add_argument("--switches", type=lambda text: text.split(","), default=[], help=SWITCHES)
    parser.add_argument("--output", help="file to which `step` writes its results as JSON")
    parser.add_argument("overrides", nargs="*")
    arguments = parser.parse_intermixed_args()
    device, rounds, overrides = torch.device(arguments.device), arguments.rounds, arguments.overrides
    if arguments.what == "overhead":
        from bench_overhead import overhead

        overhead(device, rounds or 5, arguments.steps or 6, overrides)
    elif arguments.what == "step":
        from bench_step import step

        step(device, rounds or 5, arguments.seconds, overrides, arguments.switches, arguments.output)
    elif arguments.what == "peers":
        from bench_peers import peers

        peers(device, rounds or 7, arguments.seconds, arguments.package, overrides)
    elif arguments.what == "scores":
        from bench_scores import scores

        scores(device, rounds or 5, arguments.images, arguments.batch_size)
    elif arguments.what == "evaluation":
        from bench_evaluation import evaluation

        evaluation(device, rounds or 3, arguments.images, arguments.batch_size)
    elif arguments.what == "stream":
        from bench_stream import stream

        stream(device, rounds or 5, arguments.seconds, overrides)
    elif arguments.what == "scaling":
        from bench_processes import scaling

        scaling(device, rounds or 3, arguments.steps or 200, overrides)
    elif arguments.what == "sweep":
        from bench_processes import sweep

        sweep(rounds or 3, arguments.steps or 600, overrides)
    elif arguments.what == "memory":
        from bench_memory import memory

        memory(arguments.steps or 20_000, overrides)
    else:
        from bench_processes import startup

        startup(rounds or 3)


if __name__ == "__main__":
    main()
