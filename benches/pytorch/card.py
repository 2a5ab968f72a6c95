"""Our steps and PyTorch's on one card, block after block in turn: `.ci/gpu run` calls it where there is no cargo.

    python3 benches/pytorch/card.py --program glauber-lab --device cuda train --shape small

Prints a line for each side: milliseconds a step, the ratio to PyTorch eager, the floating-point operations a second that the step's count
makes of it, and the card's memory that the process holds.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("yardstick.py")


class Side:
    """A process that does a block of steps whenever it gets a line."""

    def __init__(self, name, command):
        self.name, self.seconds = name, []
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def reply(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended early ({self.process.wait()})")
        return json.loads(line)

    def ready(self):
        self.about = self.reply()

    def block(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        block = self.reply()
        self.seconds.append(block["seconds"] / block["steps"])

    def memory(self):
        """MiB on the card, as the driver counts them; none where it does not say."""
        query = ["nvidia-smi", "--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits"]
        try:
            rows = subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines()
            return next((int(used) for pid, used in (row.split(",") for row in rows) if int(pid) == self.process.pid), None)
        except (OSError, ValueError, subprocess.CalledProcessError):
            return None

    def end(self):
        self.process.kill()
        self.process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--out", help="a file to which each row is added as a line of JSON")
    parser.add_argument("what", choices=["train", "sample"])
    parser.add_argument("--shape", required=True)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10)
    flags = parser.parse_args()
    shape = ["--shape", flags.shape, "--device", flags.device]
    shape += ["--batch", str(flags.batch)] if flags.batch else []
    shape += ["--bf16"] if flags.bf16 else []
    setup = subprocess.run([flags.program, "bench", "setup", *shape], capture_output=True, text=True, check=True).stdout.strip()
    blocks = ["--steps", str(flags.steps), "--warmup", str(flags.steps), "--paced"]
    theirs = [sys.executable, str(SCRIPT), flags.what, "--setup", setup, "--threads", "8", "--device", flags.device, *blocks]
    sides = [
        Side("glauber", [flags.program, "bench", flags.what, *shape, *blocks]),
        Side("PyTorch eager", theirs),
        Side("PyTorch compiled", [*theirs, "--compile"]),
    ]
    able = []
    for side in sides:
        try:
            side.ready()
            able.append(side)
        except (RuntimeError, ValueError) as error:
            print(error, flush=True)
    for _ in range(flags.rounds):
        for side in able:
            side.block()
    flops = json.loads(setup)["flops"]
    operations = flops["network"] + flops["optimiser"] if flags.what == "train" else flops["sample"]
    eager = next((statistics.median(side.seconds) for side in able if side.name == "PyTorch eager"), None)
    for side in able:
        seconds = statistics.median(side.seconds)
        row = {
            "what": flags.what,
            "shape": flags.shape,
            "bf16": flags.bf16,
            "batch": json.loads(setup)["batch"],
            "side": side.name,
            "about": side.about["side"],
            "milliseconds": round(1e3 * seconds, 3),
            "least": round(1e3 * min(side.seconds), 3),
            "most": round(1e3 * max(side.seconds), 3),
            "as fast as eager": round(eager / seconds, 2) if eager else None,
            "teraflops": round(operations / seconds / 1e12, 2),
            "MiB": side.memory(),
        }
        print(json.dumps(row), flush=True)
        if flags.out:
            with open(flags.out, "a") as file:
                file.write(json.dumps(row) + "\n")
    for side in sides:
        side.end()


if __name__ == "__main__":
    main()
