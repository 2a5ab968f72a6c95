"""Heat bath of two-dimensional Ising and Potts models in numba, one thread: the other side of `glauber-lab bench chain`.

    python3 -m venv .venv-numba && .venv-numba/bin/pip install numba
    cargo xtask bench chain --python .venv-numba/bin/python

runs both sides in turn. A side says who it is, then does a block of sweeps for each line on standard input, and answers with seconds
and the energy a site. Spins take a byte each and numpy's generator within numba; or, with `--order words`, 64 chains share a word by
the algorithm of `glauber_chain::MultiSpin`, with xoshiro256++ written out.
"""

import argparse
import json
import math
import sys
import time

import numba
import numpy as np
from numba import njit, uint64

COLOURS = {"ising": 2, "potts3": 3, "potts8": 8}


@njit(fastmath=True)
def seed(number):
    np.random.seed(number)


@njit(fastmath=True)
def ising_sites(spins, up_probability, sweeps):
    height, width = spins.shape
    for _ in range(sweeps):
        for y in range(height):
            above, below = spins[y - 1 if y > 0 else height - 1], spins[y + 1 if y + 1 < height else 0]
            row = spins[y]
            for x in range(width):
                left = row[x - 1 if x > 0 else width - 1]
                right = row[x + 1 if x + 1 < width else 0]
                up = above[x] + below[x] + left + right
                row[x] = 1 if np.random.random() < up_probability[up] else 0


@njit(fastmath=True)
def ising_classes(spins, up_probability, sweeps):
    height, width = spins.shape
    for _ in range(sweeps):
        for colour in range(2):
            for y in range(height):
                above, below = spins[y - 1 if y > 0 else height - 1], spins[y + 1 if y + 1 < height else 0]
                row = spins[y]
                for x in range((y + colour) & 1, width, 2):
                    left = row[x - 1 if x > 0 else width - 1]
                    right = row[x + 1 if x + 1 < width else 0]
                    up = above[x] + below[x] + left + right
                    row[x] = 1 if np.random.random() < up_probability[up] else 0


@njit(fastmath=True)
def anneal(height, width, coupling, particles, sweeps):
    """The mean of log w, a site, of annealed importance sampling from uniform spins along linear levels, a level a colour. An increment
    is summed over the spins about to be redrawn: the sum of ln cosh(b' c h) / cosh(b c h) over their local fields h, for coupling c."""
    sites, mean = height * width, 0.0
    spins = np.empty((height, width), dtype=np.uint8)
    up_probability, gain = np.empty(5), np.empty(5)
    for _ in range(particles):
        for y in range(height):
            for x in range(width):
                spins[y, x] = 1 if np.random.random() < 0.5 else 0
        log = 0.0
        for step in range(2 * sweeps):
            below_level, level = step / (2 * sweeps), (step + 1) / (2 * sweeps)
            for up in range(5):
                local = coupling * (2.0 * up - 4)
                up_probability[up] = 1 / (1 + np.exp(-2 * level * local))
                gain[up] = np.log(np.cosh(level * local) / np.cosh(below_level * local))
            # The uniform start weighs ln 2 a site, which the sums over a colour's spins and the level's share of the start cancel.
            log += sites * np.log(2.0) * (level - below_level)
            for y in range(height):
                above, below = spins[y - 1 if y > 0 else height - 1], spins[y + 1 if y + 1 < height else 0]
                row = spins[y]
                for x in range((y + step) & 1, width, 2):
                    left = row[x - 1 if x > 0 else width - 1]
                    right = row[x + 1 if x + 1 < width else 0]
                    up = above[x] + below[x] + left + right
                    log += gain[up]
                    row[x] = 1 if np.random.random() < up_probability[up] else 0
        mean += log / sites / particles
    return mean


@njit(fastmath=True)
def potts_colour(a, b, c, d, colours, gains):
    """A colour's weight is 1 and, with each neighbour of it, a gain more: a uniform number falls on the ones or on a neighbour's gain."""
    gain_a = gains[0]
    gain_b = gains[int(b == a)]
    gain_c = gains[int(c == a) + int(c == b)]
    gain_d = gains[int(d == a) + int(d == b) + int(d == c)]
    left = np.random.random() * (colours + gain_a + gain_b + gain_c + gain_d) - colours
    if left < 0:
        return int(left + colours)
    if left < gain_a:
        return a
    if left < gain_a + gain_b:
        return b
    return c if left < gain_a + gain_b + gain_c else d


@njit(fastmath=True)
def potts_sites(spins, colours, gains, sweeps):
    height, width = spins.shape
    for _ in range(sweeps):
        for y in range(height):
            above, below = spins[y - 1 if y > 0 else height - 1], spins[y + 1 if y + 1 < height else 0]
            row = spins[y]
            for x in range(width):
                left = row[x - 1 if x > 0 else width - 1]
                right = row[x + 1 if x + 1 < width else 0]
                row[x] = potts_colour(above[x], below[x], left, right, colours, gains)


@njit(fastmath=True)
def potts_classes(spins, colours, gains, sweeps):
    height, width = spins.shape
    for _ in range(sweeps):
        for colour in range(2):
            for y in range(height):
                above, below = spins[y - 1 if y > 0 else height - 1], spins[y + 1 if y + 1 < height else 0]
                row = spins[y]
                for x in range((y + colour) & 1, width, 2):
                    left = row[x - 1 if x > 0 else width - 1]
                    right = row[x + 1 if x + 1 < width else 0]
                    row[x] = potts_colour(above[x], below[x], left, right, colours, gains)


@njit(inline="always")
def rotate(word, by):
    return (word << uint64(by)) | (word >> uint64(64 - by))


@njit(fastmath=True)
def sweep_words(spins, digits, state, sweeps):
    height, width = spins.shape
    a, b, c, d = state[0], state[1], state[2], state[3]
    for _ in range(sweeps):
        for colour in range(2):
            for y in range(height):
                above, below = spins[y - 1 if y > 0 else height - 1], spins[y + 1 if y + 1 < height else 0]
                row = spins[y]
                for x in range((y + colour) & 1, width, 2):
                    n0, n1 = above[x], below[x]
                    n2 = row[x - 1 if x > 0 else width - 1]
                    n3 = row[x + 1 if x + 1 < width else 0]
                    odd0, odd1, both0, both1 = n0 ^ n1, n2 ^ n3, n0 & n1, n2 & n3
                    ones, fours = odd0 ^ odd1, both0 & both1
                    twos = (both0 ^ both1) | (odd0 & odd1)
                    c0, c1, c2, c3 = ~(ones | twos | fours), ones & ~twos, twos & ~ones, ones & twos
                    new, undecided = uint64(0), ~uint64(0)
                    for digit in range(64):
                        random = rotate(a + d, 23) + a
                        shifted = b << uint64(17)
                        c ^= a
                        d ^= b
                        b ^= c
                        a ^= d
                        c ^= shifted
                        d = rotate(d, 45)
                        wanted = (
                            (c0 & digits[digit, 0])
                            | (c1 & digits[digit, 1])
                            | (c2 & digits[digit, 2])
                            | (c3 & digits[digit, 3])
                            | (fours & digits[digit, 4])
                        )
                        decided = (random ^ wanted) & undecided
                        new |= decided & wanted
                        undecided ^= decided
                        if undecided == uint64(0):
                            break
                    row[x] = new
    state[0], state[1], state[2], state[3] = a, b, c, d


def agreement(spins):
    """Share of bonds between equal spins, of arrays [..., y, x]."""
    return sum(np.mean(spins == np.roll(spins, 1, axis=axis)) for axis in (-1, -2)) / 2


class Chain:
    """One chain, a spin to a byte, or 64 Ising chains to a word."""

    def __init__(self, model, order, side, coupling):
        self.model, self.words = model, order == "words"
        colours = COLOURS[model]
        critical = math.log(1 + math.sqrt(colours)) / (2 if model == "ising" else 1)
        coupling *= critical
        self.updates = side * side * (64 if self.words or order == "annealed" else 1)
        self.log_weight = None
        probability = 1 / (1 + np.exp(-2 * coupling * (2.0 * np.arange(5) - 4)))
        self.spins = np.ones((side, side), dtype=np.uint8)
        if self.words:
            assert model == "ising", "`--order words` needs `--model ising`"
            fractions = [min(int(p * 2.0**64), 2**64 - 1) for p in probability]
            bits = [[2**64 - 1 if fraction >> (63 - digit) & 1 else 0 for fraction in fractions] for digit in range(64)]
            digits = np.array(bits, dtype=np.uint64)
            self.spins = np.full((side, side), 2**64 - 1, dtype=np.uint64)
            state = np.random.default_rng(1).integers(0, 2**64, 4, dtype=np.uint64)
            self.run = lambda sweeps: sweep_words(self.spins, digits, state, sweeps)
        elif order == "annealed":
            assert model == "ising", "`--order annealed` needs `--model ising`"

            def one(sweeps):
                self.log_weight = anneal(side, side, coupling, 64, sweeps)

            self.run = one
        elif model == "ising":
            sweep = ising_sites if order == "sites" else ising_classes
            self.run = lambda sweeps: sweep(self.spins, probability, sweeps)
        else:
            gains = np.diff(np.exp(coupling * np.arange(5)))
            sweep = potts_sites if order == "sites" else potts_classes
            self.run = lambda sweeps: sweep(self.spins, colours, gains, sweeps)

    def energy(self):
        """Energy a site, a bond of equal spins being -1 and, in the Ising model, one of unlike spins +1."""
        if self.log_weight is not None:
            return self.log_weight  # the mean of log w, a site
        spins = self.spins
        if self.words:
            spins = np.stack([(spins >> np.uint64(lane)) & np.uint64(1) for lane in range(64)])
        equal = agreement(spins)
        return -2 * equal if self.model != "ising" else -2 * (2 * equal - 1)


def say(line):
    print(json.dumps(line), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=COLOURS, required=True)
    parser.add_argument("--order", choices=["sites", "classes", "words", "annealed"], default="sites")
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--coupling", type=float, default=1.0, help="over the critical one")
    parser.add_argument("--steps", type=int, default=3, help="sweeps of a block")
    parser.add_argument("--warmup", type=int, default=2, help="sweeps before the first block")
    flags = parser.parse_args()
    seed(1)
    chain = Chain(flags.model, flags.order, flags.side, flags.coupling)
    chain.run(flags.warmup)
    say({"side": f"numba {numba.__version__}", "parameters": chain.updates})
    for _ in sys.stdin:
        begun = time.perf_counter()
        chain.run(flags.steps)
        seconds = time.perf_counter() - begun
        say({"steps": flags.steps, "seconds": seconds, "energy": chain.energy()})


if __name__ == "__main__":
    main()
