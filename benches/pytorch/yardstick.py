"""The other side of `cargo xtask bench train` and `bench sample`: the same steps in PyTorch on the CPU or an NVIDIA card, eager or not.

`glauber-lab bench train|sample|matmul` prints the setup that this script takes. Both print one JSON line when they are ready and one a
block of steps; with `--paced` each block waits for a line on standard input. A side that cannot run says why, as `failed` in its line.
"""

import argparse
import json
import sys
import time

import torch

from network import build
from training import Trainer


class Chain:
    """The forward chain: sites in turn, a signal level for each number of touches, uniform noise."""

    def __init__(self, setup):
        self.length, self.vocab = setup["length"], setup["vocab"]
        self.levels = torch.tensor(setup["levels"])
        self.horizon = (len(setup["levels"]) - 1) * self.length

    def levels_before(self, steps):
        """Signal level of every site before each step: `[step, site]`."""
        site = torch.arange(self.length)
        return self.levels[steps[:, None] // self.length + (site < steps[:, None] % self.length)]

    def examples(self, rows):
        """Noisy sequences of uniform tokens, a step for each row, stratified over the horizon."""
        clean = torch.randint(self.vocab, (rows, self.length))
        steps = ((torch.arange(rows) + torch.rand(rows)) / rows * self.horizon).long().clamp_max(self.horizon - 1)
        levels = self.levels_before(steps)
        kept = torch.rand(rows, self.length) < levels
        noisy = torch.where(kept, clean, torch.randint(self.vocab, (rows, self.length)))
        return noisy, steps / self.horizon, levels, clean


def training(setup, network):
    trainer, chain, rows = Trainer(network, setup["train"]), Chain(setup), setup["batch"]
    sites = lambda: torch.randint(chain.length, (rows,)) if network.one_site_a_row else None
    return lambda: trainer.train_step(*chain.examples(rows), sites())


def sampling(setup, network):
    """Heat bath from the end of the chain down: each step redraws one site of each row."""
    chain, rows = Chain(setup), setup["batch"]
    mixed = setup["train"]["precision"] == "bf16"
    # A tensor, because a graph would be compiled again for every other list.
    asked = lambda site: torch.full((rows if network.one_site_a_row else 1,), site)
    state = {"step": chain.horizon, "tokens": torch.randint(chain.vocab, (rows, chain.length))}

    @torch.inference_mode()
    def step():
        at = state["step"] = (state["step"] or chain.horizon) - 1
        site = at % chain.length
        levels = chain.levels_before(torch.tensor([at]))
        level = levels[0, site]
        time = torch.full((rows,), at / chain.horizon)
        with torch.autocast(time.device.type, torch.bfloat16, enabled=mixed):
            logits = network(state["tokens"], time, levels.expand(rows, -1), asked(site))
        weights = level * logits[:, 0].float().softmax(1) + (1 - level) / chain.vocab
        mass = weights.cumsum(1)
        goal = torch.rand(rows, 1) * mass[:, -1:]
        state["tokens"][:, site] = (mass <= goal).sum(1).clamp_max(chain.vocab - 1)

    return step


def product(setup):
    """The largest matrix product of a training step: up in a feed-forward layer."""
    rows, width = setup["batch"] * setup["length"], setup["model"]["width"]
    a, b = torch.rand(rows, width), torch.rand(width, 4 * width)
    return lambda: a @ b


def say(line):
    print(json.dumps(line), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["train", "sample", "matmul"])
    parser.add_argument("--setup", required=True, help="sizes, as JSON")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:INDEX")
    parser.add_argument("--steps", type=int, default=3, help="steps of a block")
    parser.add_argument("--blocks", type=int, default=3, help="blocks, unless paced")
    parser.add_argument("--warmup", type=int, default=2, help="steps before the first block")
    parser.add_argument("--paced", action="store_true", help="wait for a line before each block")
    parser.add_argument("--autocast", action="store_true", help="run the network in bfloat16 (`torch.autocast`), as `precision` of the setup does")
    parser.add_argument("--compile", action="store_true", help="compile the network (`torch.compile`)")
    flags = parser.parse_args()
    torch.set_num_threads(flags.threads)
    torch.manual_seed(0)
    torch.set_default_device(flags.device)
    on_card = flags.device != "cpu"
    finish = torch.cuda.synchronize if on_card else lambda: None
    setup = json.loads(flags.setup)
    if flags.autocast:
        setup["train"]["precision"] = "bf16"
    network = build(setup)
    if flags.compile:
        network.compile()
    step = product(setup) if flags.what == "matmul" else {"train": training, "sample": sampling}[flags.what](setup, network)
    try:
        for _ in range(flags.warmup):
            step()
        finish()
    except Exception as error:
        say({"failed": f"{type(error).__name__}: {error}".splitlines()[0]})
        raise
    parameters = sum(weight.numel() for weight in network.parameters())
    side = f"PyTorch {torch.__version__}" + (f" on {torch.cuda.get_device_name()}" if on_card else "")
    say({"side": side, "parameters": parameters})
    for _ in sys.stdin if flags.paced else range(flags.blocks):
        begin = time.perf_counter()
        for _ in range(flags.steps):
            step()
        finish()
        say({"steps": flags.steps, "seconds": time.perf_counter() - begin})


if __name__ == "__main__":
    main()
