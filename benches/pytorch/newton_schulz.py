"""How far Muon's iterations in f32 are from f64, by how many of them are taken on one square. Prints a row of a table for each way."""

import torch

from training import factor_of

ROWS, COLUMNS = 256, 1024
WAYS = {"iteration by iteration": [1] * 5, "five on one square": [5], "two, then three": [2, 3], "three, then two": [3, 2]}


def iterate(x, counts):
    for count in counts:
        x = factor_of(x @ x.T, count) @ x
    return x


def main():
    torch.manual_seed(0)
    normal = lambda *shape: torch.randn(*shape, dtype=torch.float64)
    orthonormal = lambda *shape: torch.linalg.qr(normal(*shape))[0]
    matrices = {
        "random": normal(ROWS, COLUMNS),
        "12 decades of singular values": orthonormal(ROWS, ROWS) * torch.logspace(0, -12, ROWS) @ orthonormal(COLUMNS, ROWS).T,
        "rank 1": normal(ROWS, 1) @ normal(1, COLUMNS),
        "rank 8": normal(ROWS, 8) @ normal(8, COLUMNS),
        "equal rows": normal(1, COLUMNS).repeat(ROWS, 1),
    }
    print("| |", " | ".join(matrices), "|")
    for way, counts in WAYS.items():
        errors = []
        for matrix in matrices.values():
            x = (matrix / matrix.norm()).float()
            expected = iterate(x.double(), [1] * 5)
            errors.append(((iterate(x, counts) - expected).norm() / expected.norm()).item())
        print(f"| {way} |", " | ".join(f"{error:.1e}" for error in errors), "|")


if __name__ == "__main__":
    main()
