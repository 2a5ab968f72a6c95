"""Checkerboard heat bath of the two-dimensional Ising model in numba, to compare with `cargo run --release -p glauber-chain --example
ising_speed`.

Two ways on one core: a spin to a byte (a table of five probabilities, one uniform number a site from numpy's generator in numba),
and 64 chains to a word with the algorithm of `glauber_chain::MultiSpin` (xoshiro256++ written out). Prints millions of site
updates per second, the fastest of many short stretches, and the energy per spin beside it as a check.

    pip install numba
    python benches/numba/ising.py [side]
"""

import math
import sys
import time

import numpy as np
from numba import njit, uint64

CRITICAL = math.log(1 + math.sqrt(2)) / 2
STRETCH, TIME = 1e-3, 2.0  # seconds


@njit
def sweep_bytes(spins, up_probability, sweeps):
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


@njit(inline="always")
def rotate(word, by):
    return (word << uint64(by)) | (word >> uint64(64 - by))


@njit
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


def rate(run, updates):
    """Millions of updates per second of `run`, which does so many."""
    run()
    begin, best = time.perf_counter(), 0.0
    while time.perf_counter() - begin < TIME:
        start, done = time.perf_counter(), 0
        while time.perf_counter() - start < STRETCH:
            run()
            done += updates
        best = max(best, done / (time.perf_counter() - start))
    return best / 1e6


def energy(spins):
    """Energy per spin of an array of 0 and 1, shape [..., y, x]."""
    signs = 2.0 * spins - 1.0
    return -np.mean(signs * (np.roll(signs, 1, axis=-1) + np.roll(signs, 1, axis=-2)))


def main():
    side = int(sys.argv[1]) if len(sys.argv) > 1 else 64
    probability = 1 / (1 + np.exp(-2 * CRITICAL * (2.0 * np.arange(5) - 4)))
    one = np.ones((side, side), dtype=np.uint8)
    million = rate(lambda: sweep_bytes(one, probability, 1), side * side)
    sweep_bytes(one, probability, 200_000_000 // side**2 // 100)
    print(f"a spin to a byte     {million:9.1f}  energy {energy(one):.4f}")

    fractions = [min(int(p * 2.0**64), 2**64 - 1) for p in probability]
    bits = [[2**64 - 1 if fraction >> (63 - digit) & 1 else 0 for fraction in fractions] for digit in range(64)]
    digits = np.array(bits, dtype=np.uint64)
    words = np.full((side, side), 2**64 - 1, dtype=np.uint64)
    state = np.random.default_rng(1).integers(0, 2**64, 4, dtype=np.uint64)
    million = rate(lambda: sweep_words(words, digits, state, 1), 64 * side * side)
    sweep_words(words, digits, state, 500)
    chains = np.stack([(words >> np.uint64(lane)) & np.uint64(1) for lane in range(64)])
    print(f"64 chains to a word  {million:9.1f}  energy {energy(chains):.4f}")


if __name__ == "__main__":
    main()
