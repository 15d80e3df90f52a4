"""Short English-like reviews with a sentiment, made by a seeded grammar: data for machines without a network.

They are generated and every record says so; accuracy on them says that a model learns, not that it understands
reviews. A review is a few neutral sentences and one to three opinions that agree with its label; an opinion may be
said by negating its opposite ("was hardly boring"), so single words do not decide. The words are in reviews.toml.
"""

import tomllib
from importlib import resources
from random import Random

import numpy as np

from isoform.data.dataset import RawData, Subset

GENERATOR_VERSION = 1
SEED = 2026
TRAIN_SAMPLES = 4_500
TEST_SAMPLES = 1_000


def read() -> RawData:
    """Return the reviews, always the same ones: half of them positive (label 1), no text twice."""
    grammar = Grammar()
    rng = Random(SEED)
    labels = [index % 2 for index in range(TRAIN_SAMPLES + TEST_SAMPLES)]
    rng.shuffle(labels)
    texts: dict[str, int] = {}
    while len(texts) < len(labels):
        label = labels[len(texts)]
        texts.setdefault(grammar.review(rng, is_positive=bool(label)), label)
    samples, targets = tuple(texts), np.array(labels, np.int64)
    return RawData(
        "reviews",
        Subset(samples[:TRAIN_SAMPLES], targets[:TRAIN_SAMPLES]),
        Subset(samples[TRAIN_SAMPLES:], targets[TRAIN_SAMPLES:]),
        f"Generated: English-like reviews from a seeded grammar, version {GENERATOR_VERSION}.",
        is_generated=True,
    )


class Grammar:
    """The patterns and words of reviews.toml."""

    def __init__(self) -> None:
        tables = tomllib.loads(resources.files("isoform.data").joinpath("reviews.toml").read_text(encoding="utf-8"))
        self.words: dict[str, list[str]] = {
            slot: text.split("|") if "|" in text else text.split() for slot, text in tables["words"].items()
        }
        self.patterns: dict[str, list[str]] = {
            kind: [pattern for line in text.strip().splitlines() for pattern in line.split("|")]
            for kind, text in tables["patterns"].items()
        }

    def review(self, rng: Random, *, is_positive: bool) -> str:
        """Return one review: perhaps a neutral sentence, then one to three opinions."""
        opinion = "good" if is_positive else "bad"
        kinds = ["neutral"] * rng.randint(0, 1) + [opinion] * rng.randint(1, 3)
        return " ".join(self.sentence(rng, kind) for kind in kinds)

    def sentence(self, rng: Random, kind: str) -> str:
        """Return one sentence of a kind, each slot of its pattern filled anew."""
        text = rng.choice(self.patterns[kind])
        while "{" in text:
            before, _, rest = text.partition("{")
            slot, _, after = rest.partition("}")
            text = before + self._filler(rng, slot) + after
        return text

    def _filler(self, rng: Random, slot: str) -> str:
        if slot == "number":
            return str(rng.randint(2, 60))
        if slot == "year":
            return str(rng.randint(1950, 2025))
        return rng.choice(self.words[slot])
