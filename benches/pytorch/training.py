"""A training step as `crates/glauber-train` takes it: denoising loss, clipped gradients, Muon and AdamW, a moving average."""

import math

import torch
import torch.nn.functional as F

MUON_MOMENTUM, MUON_ITERATIONS, MUON_UPDATE_SIZE = 0.95, 5, 0.2
# Iterations taken on the square of a matrix before the next square, `crates/glauber-fused/src/kernels/newton_schulz.rs`.
MUON_ON_ONE_SQUARE = 3
QUINTIC = 3.4445, -4.7750, 2.0315


def is_orthogonal(name, weight):
    """The hidden matrices, which Muon moves."""
    return weight.dim() == 2 and ("attention" in name or "feed_forward" in name)


def is_decayed(name, weight):
    """Linear layers: the matrices that are not looked up."""
    return weight.dim() == 2 and "table" not in name and name != "ends"


def factor_of(square, iterations):
    """What so many iterations multiply a matrix by whose square is given: all factors are polynomials of the square, so they commute."""
    a, b, c = QUINTIC
    product = None
    for left in reversed(range(iterations)):
        factor = torch.addmm(square, square, square, beta=b, alpha=c)
        factor.diagonal().add_(a)
        product = factor if product is None else factor @ product
        if left:
            square = square @ factor @ factor
    return product


def orthogonal(matrix):
    """A matrix with singular values near 1 and the singular vectors of the one given."""
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / x.norm().clamp_min(1e-12)
    # The form that takes fewer operations, as ours does on the CPU.
    several = x.device.type == "cpu" and 2 * x.shape[1] >= 3 * x.shape[0]
    left = MUON_ITERATIONS
    while left:
        count = min(left, MUON_ON_ONE_SQUARE if several else 1)
        x = factor_of(x @ x.T, count) @ x
        left -= count
    return x.T if tall else x


class Trainer:
    """A network, its optimiser and its average, standing before `step`."""

    def __init__(self, network, config, step=0):
        self.network, self.config, self.step = network, config, step
        named = list(network.named_parameters())
        self.weights = [weight for _, weight in named]
        self.averages = [weight.detach().clone() for weight in self.weights]
        self.orthogonal = [weight for name, weight in named if is_orthogonal(name, weight)]
        self.momenta = {weight: torch.zeros_like(weight) for weight in self.orthogonal}
        rest = [(is_decayed(name, weight), weight) for name, weight in named if not is_orthogonal(name, weight)]
        groups = [
            {"params": [weight for decayed, weight in rest if decayed], "weight_decay": config["weight_decay"]},
            {"params": [weight for decayed, weight in rest if not decayed], "weight_decay": 0.0},
        ]
        betas = config["beta_1"], config["beta_2"]
        # The fused one is PyTorch's fastest.
        self.adam = torch.optim.AdamW(groups, betas=betas, eps=1e-8, fused=True)

    def learning_rate(self):
        """Linear warm-up, then half a cosine."""
        config, step = self.config, self.step
        peak, warmup = config["learning_rate"], config["warmup_steps"]
        if step < warmup:
            return peak * (step + 1) / warmup
        progress = min((step - warmup) / max(config["steps"] - warmup, 1), 1)
        cosine = 0.5 * (1 + math.cos(math.pi * progress))
        return peak * (config["minimum_rate"] + (1 - config["minimum_rate"]) * cosine)

    @torch.no_grad()
    def muon(self, rate):
        for weight in self.orthogonal:
            momentum = self.momenta[weight].mul_(MUON_MOMENTUM).add_(weight.grad)
            update = orthogonal(torch.add(weight.grad, momentum, alpha=MUON_MOMENTUM))
            weight.mul_(1 - rate * self.config["weight_decay"])
            weight.add_(update, alpha=-rate * MUON_UPDATE_SIZE * math.sqrt(max(weight.shape)))

    def train_step(self, tokens, time, levels, clean, sites=None):
        """One step on noisy `tokens`, whose labels are the `clean` ones, both `[batch, site]`; of all sites, or of one site of each row. The loss
        before it, in nats a site asked for."""
        self.network.zero_grad()
        mixed = self.config["precision"] == "bf16"
        with torch.autocast(tokens.device.type, torch.bfloat16, enabled=mixed):
            logits = self.network(tokens, time, levels, sites)
        clean = clean if sites is None else clean.gather(1, sites[:, None])
        loss = F.cross_entropy(logits.flatten(0, 1).float(), clean.flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.weights, self.config["clip_norm"])
        rate = self.learning_rate()
        for group in self.adam.param_groups:
            group["lr"] = rate
        self.adam.step()
        self.muon(rate)
        decay = min(self.config["average_decay"], (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(self.averages, self.weights, 1 - decay)
        self.step += 1
        return loss.item()
