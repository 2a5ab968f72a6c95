"""The hollow and the masked-query network of `crates/glauber-model` in PyTorch: the same layers with the same names, in plain eager style.

Only what the yardstick's shapes use is here: sites on a line, no classes; the hollow network conditioned on signal levels with a read-out of its own,
the masked-query one on the step with a tied read-out.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

TIME_FREQUENCIES, HIGHEST_OF_TIME = 64, 1000.0
LEVEL_FREQUENCIES, HIGHEST_OF_LEVEL, LEVEL_HIDDEN = 16, 60.0, 64
MOST_LOG_SNR = 8.0
ROTARY_BASE = 10_000.0


def geometric(count, highest):
    exponents = torch.arange(count, dtype=torch.float64) / (count - 1)
    return (highest**exponents).float()


def modulations(layer, condition, count):
    """`count` vectors for each row, `[batch, 1, width]`."""
    return layer(condition).unsqueeze(1).chunk(count, dim=2)


def modulated_norm(x, shift, scale):
    return F.layer_norm(x, x.shape[-1:]) * (1 + scale) + shift


class Rotary:
    """Cosines and signed sines, `[site, 1, head width]`."""

    def __init__(self, cos, sin):
        self.cos, self.sin = cos, sin

    @classmethod
    def table(cls, length, head_width):
        half = head_width // 2
        frequencies = ROTARY_BASE ** (-torch.arange(half, dtype=torch.float64) / half)
        angles = torch.arange(length, dtype=torch.float64)[:, None] * frequencies
        cos, sin = angles.cos(), angles.sin()
        return cls(torch.cat([cos, cos], 1).float()[:, None], torch.cat([-sin, sin], 1).float()[:, None])

    def at(self, sites):
        return self if sites is None else Rotary(self.cos[sites], self.sin[sites])

    def __call__(self, x):
        """Rotates `[batch, site, head, head width]`."""
        low, high = x.chunk(2, dim=-1)
        return torch.addcmul(x * self.cos, torch.cat([high, low], -1), self.sin)


def attend(queries, keys, values, mask):
    """Each `[batch, site, head, head width]`, to `[batch, query, width]`."""
    queries, keys, values = (x.transpose(1, 2) for x in (queries, keys, values))
    attended = F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
    return attended.transpose(1, 2).flatten(2)


class SelfAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.project = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.heads = heads

    def forward(self, x, rotary, mask):
        projected = self.project(x).unflatten(2, (3 * self.heads, -1))
        # Queries and keys lie side by side, so that one rotation serves both.
        rotated = rotary(projected[:, :, : 2 * self.heads])
        queries, keys = rotated.chunk(2, dim=2)
        return self.out(attend(queries, keys, projected[:, :, 2 * self.heads :], mask))


class MergingAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.query = nn.Linear(width, width, bias=False)
        self.forward_keys = nn.Linear(width, 2 * width, bias=False)
        self.backward_keys = nn.Linear(width, 2 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.heads = heads

    def forward(self, queries, streams, query_rotary, key_rotary, mask):
        queries = query_rotary(self.query(queries).unflatten(2, (self.heads, -1)))
        keys, values = [], []
        for project, stream in zip((self.forward_keys, self.backward_keys), streams):
            key, value = project(stream).unflatten(2, (2 * self.heads, -1)).chunk(2, dim=2)
            keys.append(key_rotary(key))
            values.append(value)
        return self.out(attend(queries, torch.cat(keys, 1), torch.cat(values, 1), mask))


class FeedForward(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def forward(self, x):
        return self.down(F.relu(self.up(x)))


class Block(nn.Module):
    """A block of a stream, or with a merging attention one of the read-out."""

    def __init__(self, attention, width, condition_width):
        super().__init__()
        self.attention = attention
        self.feed_forward = FeedForward(width)
        self.modulation = nn.Linear(condition_width, 6 * width)

    def forward(self, x, condition, *around):
        shift_1, scale_1, gate_1, shift_2, scale_2, gate_2 = modulations(self.modulation, condition, 6)
        attended = self.attention(modulated_norm(x, shift_1, scale_1), *around)
        x = torch.addcmul(x, attended, gate_1)
        return torch.addcmul(x, self.feed_forward(modulated_norm(x, shift_2, scale_2)), gate_2)


class Vocabulary(nn.Module):
    """The embedding table, with `extra` rows after those of the vocabulary, and the read-out, which may be tied to it."""

    def __init__(self, vocab, extra, width, condition_width, tied):
        super().__init__()
        self.table = nn.Embedding(vocab + extra, width)
        self.modulation = nn.Linear(condition_width, 2 * width)
        self.head = None if tied else nn.Linear(width, vocab)
        self.tied_bias = nn.Parameter(torch.zeros(vocab)) if tied else None

    def logits(self, states, condition):
        shift, scale = modulations(self.modulation, condition, 2)
        states = modulated_norm(states, shift, scale)
        if self.head is not None:
            return self.head(states)
        vocab, width = len(self.tied_bias), states.shape[-1]
        return F.linear(states / math.sqrt(width), self.table.weight[:vocab], self.tied_bias)


class RowCondition(nn.Module):
    """The vector that conditions every block, made of the time."""

    def __init__(self, condition_width):
        super().__init__()
        self.first = nn.Linear(2 * TIME_FREQUENCIES, condition_width)
        self.second = nn.Linear(condition_width, condition_width)
        self.register_buffer("frequencies", geometric(TIME_FREQUENCIES, HIGHEST_OF_TIME), persistent=False)

    def forward(self, time):
        angles = time[:, None] * self.frequencies
        return F.silu(self.second(F.silu(self.first(torch.cat([angles.sin(), angles.cos()], 1)))))


class LevelEmbedding(nn.Module):
    """What a site's signal level says: scale and shift of its embedding, shift of its query."""

    def __init__(self, width):
        super().__init__()
        self.first = nn.Linear(2 * LEVEL_FREQUENCIES + 2, LEVEL_HIDDEN)
        self.modulation = nn.Linear(LEVEL_HIDDEN, 3 * width)
        self.register_buffer("frequencies", geometric(LEVEL_FREQUENCIES, HIGHEST_OF_LEVEL), persistent=False)

    def forward(self, levels):
        clean = (levels >= 1).float().unsqueeze(2)
        log_snr = levels.log() - (1 - levels).clamp_min(1e-9).log()
        position = (log_snr.clamp(-MOST_LOG_SNR, MOST_LOG_SNR) / MOST_LOG_SNR).unsqueeze(2)
        angles = position * self.frequencies
        features = torch.cat([angles.sin(), angles.cos(), position, clean], 2)
        return self.modulation(F.silu(self.first(features))).chunk(3, dim=2)


def expect(model, **known):
    """Refuses sizes that no network here has."""
    for key, value in known.items():
        if model[key] != value:
            raise ValueError(f"`{key}` is {model[key]!r}, expected {value!r}: this script has no other network")


@torch.no_grad()
def draw_weights(network):
    """Modulations, read-out and biases start at zero; other matrices are uniform."""
    for name, weight in network.named_parameters():
        if weight.dim() < 2 or "modulation" in name or "head" in name:
            weight.zero_()
            continue
        embedding = "table" in name or "ends" in name
        deviation = 0.02 if embedding else math.sqrt(1 / (3 * weight.shape[1]))
        weight.uniform_(-math.sqrt(3) * deviation, math.sqrt(3) * deviation)


class Transformer(nn.Module):
    """A bidirectional transformer that sees every token as it stands."""

    def __init__(self, model, vocab, extra, length):
        super().__init__()
        width, heads, condition_width = model["width"], model["heads"], model["condition_width"]
        self.vocabulary = Vocabulary(vocab, extra, width, condition_width, model["tied"])
        self.condition = RowCondition(condition_width)
        blocks = (Block(SelfAttention(width, heads), width, condition_width) for _ in range(model["layers"]))
        self.blocks = nn.ModuleList(blocks)
        self.rotary = Rotary.table(length, width // heads)

    def forward(self, tokens, time, sites):
        """Logits of one site of each row, `[batch, 1, token]`."""
        condition = self.condition(time)
        x = self.vocabulary.table(tokens)
        for block in self.blocks:
            x = block(x, condition, self.rotary, None)
        asked = x.gather(1, sites[:, None, None].expand(-1, 1, x.shape[2]))
        return self.vocabulary.logits(asked, condition)


class MaskedQuery(nn.Module):
    """The site asked for is replaced by a query token, the first after the vocabulary; a pass answers for one site of each row."""

    one_site_a_row = True

    def __init__(self, model, vocab, length):
        super().__init__()
        expect(model, network="masked-query", positions="line", conditioning="step", classes=0, tied=True)
        self.transformer, self.query = Transformer(model, vocab, 1, length), vocab
        draw_weights(self)

    def forward(self, tokens, time, levels, sites=None):
        """Logits `[batch, asked site, token]` of every site, of the `sites` of a list, or of one site of each row, `[batch]`."""
        if isinstance(sites, torch.Tensor):
            hidden = torch.arange(tokens.shape[1], device=tokens.device) == sites[:, None]
            return self.transformer(tokens.masked_fill(hidden, self.query), time, sites)
        sites = range(tokens.shape[1]) if sites is None else sites
        passes = (self(tokens, time, levels, torch.full((len(tokens),), site)) for site in sites)
        return torch.cat(list(passes), 1)


class Hollow(nn.Module):
    """All leave-one-out logits in one pass: a stream from the left, a stream from the right, and blocks that merge them."""

    one_site_a_row = False

    def __init__(self, model, vocab, length):
        super().__init__()
        expect(model, network="hollow", positions="line", conditioning="signal-level", classes=0, tied=False)
        width, heads, condition_width = model["width"], model["heads"], model["condition_width"]

        def stream():
            blocks = (Block(SelfAttention(width, heads), width, condition_width) for _ in range(model["layers"]))
            return nn.ModuleList(blocks)

        self.vocabulary = Vocabulary(vocab, 0, width, condition_width, tied=False)
        self.condition = RowCondition(condition_width)
        self.levels = LevelEmbedding(width)
        self.ends = nn.Parameter(torch.zeros(2, width))
        self.forward_stream, self.backward_stream = stream(), stream()
        self.join = nn.Linear(2 * width, width)
        merge = (Block(MergingAttention(width, heads), width, condition_width) for _ in range(model["merge_layers"]))
        self.merge = nn.ModuleList(merge)
        self.rotary = Rotary.table(length, width // heads)
        causal = torch.ones(length, length, dtype=torch.bool).tril()
        self.masks = causal, causal.T.contiguous()
        draw_weights(self)

    def forward(self, tokens, time, levels, sites=None):
        """Logits `[batch, asked site, token]` of every site, or of the `sites` given."""
        condition = self.condition(time)
        scale, shift, query = self.levels(levels)
        embedded = self.vocabulary.table(tokens) * (1 + scale) + shift
        before, after = self.ends.unsqueeze(1).expand(-1, len(tokens), -1).unsqueeze(2)
        streams = torch.cat([before, embedded[:, :-1]], 1), torch.cat([embedded[:, 1:], after], 1)
        causal, anticausal = self.masks
        states = []
        for x, blocks, mask in zip(streams, (self.forward_stream, self.backward_stream), self.masks):
            for block in blocks:
                x = block(x, condition, self.rotary, mask)
            states.append(x)
        joined = torch.cat(states, 2)
        mask = torch.cat([causal, anticausal], 1)
        if sites is not None:
            joined, query, mask = joined[:, sites], query[:, sites], mask[sites]
        queries = self.join(joined) + query
        for block in self.merge:
            queries = block(queries, condition, states, self.rotary.at(sites), self.rotary, mask)
        return self.vocabulary.logits(queries, condition)


def build(setup):
    """The network of a setup."""
    kinds = {"hollow": Hollow, "masked-query": MaskedQuery}
    return kinds[setup["model"]["network"]](setup["model"], setup["vocab"], setup["length"])
