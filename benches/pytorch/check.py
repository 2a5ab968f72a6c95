"""Proves that `network.py` and `training.py` are our network and our training step.

    glauber-lab bench record --shape tiny --out FOLDER && python check.py FOLDER [--compile]

From weights and optimiser state of our checkpoint: the logits of recorded sequences within 1e-4 of ours, those of single sites asked
for within as much of the same, the losses of a few training steps on recorded examples, and the weights and averages after them. Exits with 1
when they differ, with 3 when the network cannot be compiled.
"""

import json
import struct
import sys
from pathlib import Path

import torch

from network import build
from training import Trainer

LOGITS = 1e-4  # greatest difference, nats
LOSSES = 1e-4  # greatest difference, nats a site
CHANGES = 1e-2  # difference over what the steps changed, both as Euclidean norms


def read(path):
    """The tensors of a safetensors file."""
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + size]).items():
        if name == "__metadata__":
            continue
        assert entry["dtype"] == "F32", f"{path}: {name} is {entry['dtype']}, expected F32"
        begin, end = entry["data_offsets"]
        values = torch.frombuffer(bytearray(data[8 + size + begin : 8 + size + end]), dtype=torch.float32)
        tensors[name] = values.reshape(entry["shape"])
    return tensors


def ours(network, path):
    """The tensors of a file as this network has them: linear layers are transposed here. Every tensor must find its place."""
    tensors = read(path)
    linear = {f"{name}.weight" for name, layer in network.named_modules() if isinstance(layer, torch.nn.Linear)}
    tensors = {name: tensor.T.contiguous() if name in linear else tensor for name, tensor in tensors.items()}
    theirs = {name: weight.shape for name, weight in network.named_parameters()}
    found = {name: tensor.shape for name, tensor in tensors.items()}
    assert found == theirs, f"{path}: other weights: {sorted(set(found.items()) ^ set(theirs.items()))}"
    return [tensors[name] for name in theirs]


def condition(recorded):
    tokens, time, levels = (torch.tensor(recorded[key]) for key in ("tokens", "times", "levels"))
    return tokens, time, levels


@torch.no_grad()
def resume(network, setup, step, checkpoint):
    """A trainer that stands where the checkpoint does."""
    for weight, value in zip(network.parameters(), ours(network, checkpoint / "weights.safetensors")):
        weight.copy_(value)
    trainer = Trainer(network, setup["train"], step)
    trainer.averages = ours(network, checkpoint / "average.safetensors")
    first, second = (ours(network, checkpoint / f"moment-{n}.safetensors") for n in (1, 2))
    for weight, mean, square in zip(trainer.weights, first, second):
        if weight in trainer.momenta:
            trainer.momenta[weight] = mean
        else:
            trainer.adam.state[weight] = {"step": torch.tensor(float(step)), "exp_avg": mean, "exp_avg_sq": square}
    return trainer


def change(after, expected, before):
    """How far two lists of tensors are apart, over how far the expected one is from where it began."""
    norm = lambda a, b: sum((x - y).double().square().sum() for x, y in zip(a, b)).sqrt().item()
    return norm(after, expected) / norm(expected, before)


def main():
    folder = Path(sys.argv[1])
    recorded = json.loads((folder / "recorded.json").read_text())
    setup = recorded["setup"]
    before, after = folder / recorded["before"], folder / recorded["after"]
    network = build(setup)
    if "--compile" in sys.argv:
        network.compile()
        try:
            with torch.no_grad():
                network(*condition(recorded["asked"]))
        except Exception as error:
            print(f"not compiled: {error}".splitlines()[0], file=sys.stderr)
            sys.exit(3)
    trainer = resume(network, setup, recorded["step"], before)
    begun = [weight.detach().clone() for weight in trainer.weights]
    averages = [average.clone() for average in trainer.averages]
    failures = []

    def report(what, found, most):
        print(f"{what:44} {found:.1e}, at most {most:.0e}")
        if not found <= most:
            failures.append(what)

    with torch.no_grad():
        inputs = condition(recorded["asked"])
        logits = network(*inputs)
        expected = torch.tensor(recorded["asked"]["logits"]).reshape(logits.shape)
        asked = [0, setup["length"] // 2, setup["length"] - 1]
        some = network(*inputs, asked)
    spread = (expected - expected.mean()).abs().max().item()
    assert spread > 0.1, f"the logits recorded spread by {spread}: they would prove nothing"
    report(f"logits, which spread by {spread:.2f}", (logits - expected).abs().max().item(), LOGITS)
    report("logits of single sites", (some - expected[:, asked]).abs().max().item(), LOGITS)
    losses = []
    for step in recorded["steps"]:
        sites = torch.tensor(step["sites"]) if step["sites"] else None
        loss = trainer.train_step(*condition(step), torch.tensor(step["clean"]), sites)
        losses.append(abs(loss - step["loss"]))
    report(f"losses of {len(losses)} training steps", max(losses), LOSSES)
    weights = ours(network, after / "weights.safetensors")
    report("weights after them, over their change", change(trainer.weights, weights, begun), CHANGES)
    expected = ours(network, after / "average.safetensors")
    report("averages after them, over their change", change(trainer.averages, expected, averages), CHANGES)
    if failures:
        sys.exit(f"not the same network or step: {', '.join(failures)}")


if __name__ == "__main__":
    main()
