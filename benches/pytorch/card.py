"""What `.ci/gpu run` measures on a card, where there is no cargo. Each call adds a line to a file, from which `summary.py` makes tables.

    python3 benches/pytorch/card.py --program glauber-lab --device cuda --out rows.jsonl train --shape small

Training and sampling steps are ours beside PyTorch eager and compiled, block after block in turn. Interrupted, it keeps what it has.
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

from side import Side, measure

SCRIPT = Path(__file__).with_name("yardstick.py")
ROOT = Path(__file__).parents[2]

# Operations a second of dense products on tensor cores, by the data sheets: factors in TF32 (single precision) and in bfloat16.
PEAKS = {
    "NVIDIA H200": (494.5e12, 989e12),
    "NVIDIA H100 80GB HBM3": (494.5e12, 989e12),
    "NVIDIA H100 PCIe": (378e12, 756e12),
    "NVIDIA A100-SXM4-80GB": (156e12, 312e12),
    "NVIDIA A100-SXM4-40GB": (156e12, 312e12),
}

# Of `glauber-lab experiment letters`: the model that is trained, and the seconds beside the training, for n-grams, bound and samples.
LETTERS, BESIDE_TRAINING = "one-sweep", 75


def processor():
    """The CPU by its own name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = "a CPU without a name"
    return f"{name}, {os.cpu_count()} cores"


def card_of(device, name):
    """What computes, by its own name."""
    return processor() if device == "cpu" else name or "a card without a name"


def device_of_pytorch(device):
    """The same card. PyTorch knows no Vulkan: beside software Vulkan it has the same CPU."""
    if device != "wgpu":
        return device
    has_card = shutil.which("nvidia-smi") and subprocess.run(["nvidia-smi", "-L"], capture_output=True).returncode == 0
    return "cuda" if has_card else "cpu"


def compare(flags):
    """A device beside the CPU device: `glauber-lab device`."""
    done = subprocess.run([flags.program, "device", "--device", flags.device, "--json"], stdout=subprocess.PIPE, text=True)
    if not done.stdout:
        sys.exit(done.returncode or 1)
    row = json.loads(done.stdout)
    return {"card": card_of(flags.device, row["calls_itself"]), **row}


def sides_of(flags, what, shape, setup, steps):
    blocks = ["--steps", str(steps), "--warmup", str(min(steps, 3)), "--paced"]
    threads = ["--threads", str(os.cpu_count()), "--device", device_of_pytorch(flags.device)]
    theirs = [sys.executable, str(SCRIPT), what, "--setup", json.dumps(setup), *threads, *blocks]
    compiled = [Side("compiled", [*theirs, "--compile"])] if what != "matmul" else []
    return [Side("glauber", [flags.program, "bench", what, *shape, *blocks]), Side("eager", theirs), *compiled]


def rate(flags, shape, setup, card):
    """Operations a second that the card can do, and where the number is from."""
    if card in PEAKS:
        return PEAKS[card][flags.bf16], "data sheet"
    sides = sides_of(flags, "matmul", shape, setup, 10)
    try:
        measure(sides, 3, flags.patience)
    finally:
        for side in sides:
            side.end()
    seconds = [statistics.median(side.seconds) for side in sides if side.seconds]
    return (setup["flops"]["matmul"] / min(seconds), "largest product, f32, measured") if seconds else (None, None)


def step(flags):
    """A step of ours beside PyTorch's."""
    shape = ["--shape", flags.shape, "--device", flags.device]
    shape += ["--batch", str(flags.batch)] if flags.batch else []
    shape += ["--bf16"] if flags.bf16 else []
    setup = json.loads(subprocess.run([flags.program, "bench", "setup", *shape], stdout=subprocess.PIPE, check=True).stdout)
    flops, sweeps = setup["flops"], len(setup["levels"]) - 1
    sides = sides_of(flags, flags.what, shape, setup, flags.steps)
    card = lambda: card_of(flags.device, next((side.about for side in sides if side.about), "").partition(" on ")[2])
    peak = None, None
    try:
        measure(sides, flags.rounds, flags.patience)
        for side in sides:
            side.end()
        peak = rate(flags, shape, setup, card())
    except KeyboardInterrupt:
        for side in sides:
            side.failed = side.failed or "no time was left"
    finally:
        for side in sides:
            side.end()
    is_training = flags.what == "train"
    return {
        "card": card(),
        "device": flags.device,
        "shape": flags.shape,
        "precision": "bf16" if flags.bf16 else "f32",
        "batch": setup["batch"],
        "length": setup["length"],
        "parameters": setup["parameters"],
        # Sequences that a step finishes; a sampling step redraws one of their sites.
        "sequences": setup["batch"] / (1 if is_training else sweeps * setup["length"]),
        "flops": flops["network"] + flops["optimiser"] if is_training else flops["sample"],
        "flops_a_second": peak[0],
        "flops_a_second_of": peak[1],
        "sides": {side.name: figures(side) for side in sides},
    }


def figures(side):
    if not side.seconds:
        return {"about": side.about, "failed": side.failed}
    milliseconds = [1e3 * seconds for seconds in side.seconds]
    return {
        "about": side.about,
        "milliseconds": statistics.median(milliseconds),
        "least": min(milliseconds),
        "most": max(milliseconds),
        "blocks": len(milliseconds),
        "MiB": side.memory[0],
        "MiB_of": side.memory[1],
    }


def letters(flags):
    """A real run: letters of six novels for some minutes, and its bound."""
    minutes = min(flags.minutes, (flags.seconds - BESIDE_TRAINING) / 60)
    if minutes < flags.minutes / 4:
        sys.exit(f"{flags.seconds} s are left, which is too little")
    folder = Path(flags.folder)
    command = [flags.program, "experiment", "letters", "--device", flags.device, "--out", str(folder), "--only", LETTERS]
    command += ["--data", str(ROOT / "crates/glauber-cli/corpus/austen.txt.zst"), "--minutes", f"{minutes:.2f}"]
    command += ["--windows", str(flags.windows), "--infills", "0", "--set", "train.micro_batches=1"]
    begun, process = time.monotonic(), subprocess.Popen(command)
    try:
        process.wait()
    except KeyboardInterrupt:
        # The signal has reached the program too, which writes a checkpoint.
        process.wait(8)
    row = {"card": card_of(flags.device, card_name(flags)), "device": flags.device, "minutes_asked": minutes}
    row["seconds_in_all"] = time.monotonic() - begun
    finished, progress = folder / f"rows/{LETTERS}-0.json", folder / f"{LETTERS}-0/progress.json"
    if finished.exists():
        of_run = json.loads(finished.read_text())["rows"][0]
        bits = of_run["bound"]["windows"]
        row["bound"] = statistics.mean(bits), statistics.stdev(bits) / len(bits) ** 0.5
        return row | {key: of_run[key] for key in ("steps", "minutes", "parameters")}
    if not progress.exists():
        sys.exit("it was stopped before its first step")
    last = json.loads(progress.read_text())
    minutes = last["step"] / last["rate"] / 60 if last["rate"] else 0
    return row | {"steps": last["step"], "minutes": minutes, "loss": last["loss"], "bound": None}


def card_name(flags):
    """The device by its own name, as our program knows it."""
    shape = ["--shape", "tiny", "--batch", "1", "--device", flags.device]
    said = subprocess.run([flags.program, "bench", "matmul", *shape, "--blocks", "0"], capture_output=True, text=True).stdout
    return json.loads(said)["side"].partition(" on ")[2] if said else ""


def interrupt(*_):
    """The first signal is the end of measuring; others that come with it are passed over."""
    for one in signal.SIGINT, signal.SIGTERM:
        signal.signal(one, signal.SIG_IGN)
    raise KeyboardInterrupt


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True, help="the program `glauber-lab`")
    parser.add_argument("--device", default="cuda", help="cpu, wgpu, cuda or cuda:INDEX")
    parser.add_argument("--out", required=True, help="the file that the row is added to")
    what = parser.add_subparsers(dest="what", required=True)
    what.add_parser("compare", help="the device beside the CPU device")
    for name in "train", "sample":
        flags = what.add_parser(name, help="a step of ours beside PyTorch's")
        flags.add_argument("--shape", required=True)
        flags.add_argument("--batch", type=int)
        flags.add_argument("--bf16", action="store_true")
        flags.add_argument("--rounds", type=int, default=5, help="blocks of each side")
        flags.add_argument("--steps", type=int, default=10, help="steps of a block")
        flags.add_argument("--patience", type=float, default=60, help="seconds that a side may take until it answers")
    flags = what.add_parser("letters", help="a run, and its bound")
    flags.add_argument("--folder", required=True, help="a new folder for the run")
    flags.add_argument("--seconds", type=int, required=True, help="seconds that are left for all of it")
    flags.add_argument("--minutes", type=float, default=3, help="minutes of training, at most")
    flags.add_argument("--windows", type=int, default=256, help="held-out windows of the bound")
    flags = parser.parse_args()
    for one in signal.SIGINT, signal.SIGTERM:
        signal.signal(one, interrupt)
    try:
        row = {"what": flags.what, **{"compare": compare, "letters": letters}.get(flags.what, step)(flags)}
    except KeyboardInterrupt:
        sys.exit("no time was left before there were figures")
    print(json.dumps(row), flush=True)
    with open(flags.out, "a") as file:
        file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
