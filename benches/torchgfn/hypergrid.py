"""Trajectory balance on a hypergrid in torchgfn: the other side of `glauber-lab bench grid`.

    python3 -m venv .venv-gfn && .venv-gfn/bin/pip install torch torchgfn
    cargo xtask bench grid --python .venv-gfn/bin/python

runs both sides in turn. A side says who it is, then does a block of training steps for each line on standard input, and answers with
seconds. Both draw paths by their own policy, two layers of 256 on one-hot coordinates with a uniform backward policy, and step Adam.
"""

import argparse
import importlib.metadata
import json
import sys
import time

import torch
from gfn.estimators import DiscretePolicyEstimator
from gfn.gflownet import TBGFlowNet
from gfn.gym import HyperGrid
from gfn.preprocessors import KHotPreprocessor
from gfn.samplers import Sampler
from gfn.utils.modules import MLP, DiscreteUniform


def say(line):
    print(json.dumps(line), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--side", type=int, default=8)
    parser.add_argument("--dimensions", type=int, default=2)
    parser.add_argument("--batch", type=int, default=128, help="paths a step")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=3, help="steps of a block")
    parser.add_argument("--warmup", type=int, default=2, help="steps before the first block")
    flags = parser.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(flags.threads)
    env = HyperGrid(ndim=flags.dimensions, height=flags.side, validate_modes=False)
    preprocessor = KHotPreprocessor(height=env.height, ndim=env.ndim)
    network = MLP(input_dim=preprocessor.output_dim, output_dim=env.n_actions, hidden_dim=256, n_hidden_layers=2)
    forward = DiscretePolicyEstimator(network, env.n_actions, preprocessor)
    uniform = DiscreteUniform(env.n_actions - 1)
    backward = DiscretePolicyEstimator(uniform, env.n_actions, preprocessor, is_backward=True)
    gflownet = TBGFlowNet(pf=forward, pb=backward, init_logZ=0.0)
    rates = [{"params": network.parameters(), "lr": 1e-3}, {"params": [gflownet.logZ], "lr": 0.1}]
    optimiser = torch.optim.Adam(rates)
    sampler = Sampler(forward)

    def run(steps):
        actions = 0
        for _ in range(steps):
            paths = sampler.sample_trajectories(env, n=flags.batch, save_logprobs=True)
            optimiser.zero_grad()
            loss = gflownet.loss(env, paths, recalculate_all_logprobs=False)
            loss.backward()
            optimiser.step()
            actions += int(paths.terminating_idx.sum())
        return actions / (steps * flags.batch)

    run(flags.warmup)
    count = sum(weights.numel() for weights in network.parameters()) + 1
    say({"side": f"torchgfn {importlib.metadata.version('torchgfn')}", "parameters": count})
    for _ in sys.stdin:
        begun = time.perf_counter()
        actions = run(flags.steps)
        say({"steps": flags.steps, "seconds": time.perf_counter() - begun, "actions": actions})


if __name__ == "__main__":
    main()
