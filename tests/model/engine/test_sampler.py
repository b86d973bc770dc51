"""Drawing: the order of top-k and top-p, the grammar, greedy rows, and the random numbers."""

import numpy as np
import pytest
import torch

from model.automaton import compile_automaton
from model.engine.sampler import Draw, TokenMask, sample, uniforms


def drawing(rows: int, *, temperature: float = 1.0, top_k: int = 10_000, top_p: float = 1.0, greedy: bool = False) -> Draw:
    return Draw(
        torch.full((rows,), temperature), torch.full((rows,), top_k), torch.full((rows,), top_p), torch.full((rows,), greedy)
    )


def reference(logits: np.ndarray, allowed: np.ndarray, temperature: float, top_k: int, top_p: float, uniform: float) -> int:
    """The same draw for one row, written plainly."""
    candidates = sorted((column for column in range(len(logits)) if allowed[column]), key=lambda column: -logits[column])[:top_k]
    weights = np.exp((logits[candidates] - logits[candidates].max()) / temperature)
    odds = weights / weights.sum()
    before = np.cumsum(odds) - odds
    nucleus = [column for column, mass in zip(candidates, before, strict=True) if mass < top_p]
    odds = odds[: len(nucleus)] / odds[: len(nucleus)].sum()
    return nucleus[int(np.searchsorted(np.cumsum(odds), uniform, side="right").clip(max=len(nucleus) - 1))]


def test_same_as_the_plain_reference() -> None:
    rng = np.random.default_rng(3)
    rows, columns = 400, 30
    logits = rng.normal(0, 3, (rows, columns)).astype(np.float32)
    allowed = rng.random((rows, columns)) < 0.6
    allowed[np.arange(rows), rng.integers(columns, size=rows)] = True
    temperature, top_p = rng.uniform(0.2, 2, rows), rng.uniform(0.05, 1, rows)
    top_k, uniform = rng.integers(1, columns + 5, rows), rng.random(rows)
    draw = Draw(
        torch.tensor(temperature, dtype=torch.float32),
        torch.tensor(top_k),
        torch.tensor(top_p, dtype=torch.float32),
        torch.zeros(rows, dtype=torch.bool),
    )
    drawn = sample(torch.tensor(logits), torch.tensor(allowed), draw, torch.tensor(uniform, dtype=torch.float32)).tolist()
    expected = [
        reference(logits[r].astype(float), allowed[r], temperature[r], int(top_k[r]), top_p[r], uniform[r]) for r in range(rows)
    ]
    # float32 against float64: a uniform may fall on the other side of a boundary, very rarely.
    assert sum(a != b for a, b in zip(drawn, expected, strict=True)) <= 1


def test_top_k_comes_before_top_p() -> None:
    # Probabilities 0.4 0.3 0.2 0.1. After top-k 2 they are 0.57 0.43, so top-p 0.5 keeps one; the other way round, two.
    logits = torch.tensor([[0.4, 0.3, 0.2, 0.1]]).log().expand(50, -1)
    uniform = torch.linspace(0, 0.999, 50)
    drawn = sample(logits, torch.ones(50, 4, dtype=torch.bool), drawing(50, top_k=2, top_p=0.5), uniform)
    assert set(drawn.tolist()) == {0}


@pytest.mark.parametrize(
    ("settings", "possible"), [({"top_k": 2}, {0, 1}), ({"top_p": 0.6}, {0, 1}), ({"top_k": 1}, {0}), ({}, {0, 1, 2, 3})]
)
def test_limits(settings: dict[str, float], possible: set[int]) -> None:
    logits = torch.tensor([[0.4, 0.3, 0.2, 0.1]]).log().expand(100, -1)
    uniform = torch.linspace(0, 0.999, 100)
    drawn = sample(logits, torch.ones(100, 4, dtype=torch.bool), drawing(100, **settings), uniform)  # type: ignore[arg-type]
    assert set(drawn.tolist()) == possible


def test_greedy_takes_the_most_likely_allowed() -> None:
    logits = torch.tensor([[9.0, 1.0, 2.0, 0.0]] * 3)
    allowed = torch.tensor([[True] * 4, [False, True, True, True], [False, False, False, True]])
    drawn = sample(logits, allowed, drawing(3, greedy=True), torch.tensor([0.99, 0.99, 0.99]))
    assert drawn.tolist() == [0, 2, 3]


def test_greedy_and_random_rows_side_by_side() -> None:
    logits = torch.zeros(2, 4)
    logits[:, 1] = 0.1
    draw = drawing(2)
    draw.greedy = torch.tensor([True, False])
    assert sample(logits, torch.ones(2, 4, dtype=torch.bool), draw, torch.tensor([0.99, 0.99])).tolist()[0] == 1
    assert sample(logits, torch.ones(2, 4, dtype=torch.bool), draw, torch.tensor([0.99, 0.99])).tolist()[1] != 1


@pytest.mark.parametrize("temperature", [0.001, 0.7, 5.0])
@pytest.mark.parametrize("uniform", [0.0, 0.5, 1 - 2**-24])
def test_never_a_forbidden_token(temperature: float, uniform: float) -> None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(200, 50, generator=generator) * 20
    allowed = torch.rand(200, 50, generator=generator) < 0.1
    allowed[:, 7] |= ~allowed.any(dim=1)
    logits[~allowed] += 100
    drawn = sample(logits, allowed, drawing(200, temperature=temperature), torch.full((200,), uniform))
    assert allowed[torch.arange(200), drawn].all()


def test_distribution() -> None:
    odds, number = torch.tensor([0.5, 0.25, 0.15, 0.1]), 20_000
    numbers = torch.from_numpy(uniforms(np.arange(number, dtype=np.uint64), 3))
    drawn = sample(odds.log().expand(number, -1), torch.ones(number, 4, dtype=torch.bool), drawing(number), numbers)
    assert torch.allclose(torch.bincount(drawn, minlength=4) / number, odds, atol=0.015)


def test_temperature_sharpens_and_flattens() -> None:
    odds, number = torch.tensor([0.7, 0.3]), 4000
    numbers = torch.from_numpy(uniforms(np.arange(number, dtype=np.uint64), 0))
    logits, allowed = odds.log().expand(number, -1), torch.ones(number, 2, dtype=torch.bool)
    cold, warm, hot = (
        float((sample(logits, allowed, drawing(number, temperature=t), numbers) == 0).float().mean()) for t in (0.3, 1.0, 5.0)
    )
    assert cold > 0.9 > warm > 0.65 > hot > 0.5


def test_drawing_keeps_rows() -> None:
    draw = Draw(
        torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1, 2, 3]), torch.tensor([0.1, 0.2, 0.3]), torch.tensor([True, False, True])
    )
    draw.keep(torch.tensor([2, 0]))
    assert (draw.temperature.tolist(), draw.top_k.tolist(), draw.greedy.tolist()) == ([3.0, 1.0], [3, 1], [True, True])
    assert draw.top_p.tolist() == pytest.approx([0.3, 0.1])


# --- random numbers -----------------------------------------------------------------------------------------------


def test_uniforms_are_in_range_and_even() -> None:
    seeds = np.array([0, 1, 2**63, 2**64 - 1, *range(50_000)], dtype=np.uint64)
    for step in (0, 1, 47, 10_000):
        numbers = uniforms(seeds, step)
        assert numbers.dtype == np.float32
        assert numbers.min() >= 0
        assert numbers.max() < 1
        assert np.allclose(np.histogram(numbers, 10, (0, 1))[0] / len(numbers), 0.1, atol=0.01)


def test_uniforms_differ_by_seed_and_step_and_repeat() -> None:
    seeds = np.arange(100, dtype=np.uint64)
    numbers = np.stack([uniforms(seeds, step) for step in range(50)])
    assert len(np.unique(numbers)) > 0.99 * numbers.size
    assert np.array_equal(numbers[7], uniforms(seeds, 7))
    assert abs(np.corrcoef(numbers[0], numbers[1])[0, 1]) < 0.35


def test_uniforms_do_not_depend_on_the_company() -> None:
    assert uniforms(np.array([5, 9], dtype=np.uint64), 3)[1] == uniforms(np.array([9], dtype=np.uint64), 3)[0]


# --- grammar ------------------------------------------------------------------------------------------------------


def test_mask_allows_what_can_still_be_finished() -> None:
    automaton = compile_automaton({"x": "a(bc)?"}, {0: b"a", 1: b"b", 2: b"c"}, 9)
    mask = TokenMask(automaton, torch.device("cpu"))
    start = torch.tensor([automaton.starts["x"]] * 3)
    assert mask.allowed(start, torch.tensor([1, 2, 4])).tolist() == [
        [False] * 4,
        [True, False, False, False],
        [True, False, False, False],
    ]
    after_a = mask.next_state[start[:1], 0].long()
    assert mask.allowed(after_a.expand(3), torch.tensor([1, 2, 3])).tolist() == [
        [False, False, False, True],
        [False, False, False, True],
        [False, True, False, True],
    ]


def test_nothing_follows_the_end() -> None:
    automaton = compile_automaton({"x": "a"}, {0: b"a"}, 9)
    mask = TokenMask(automaton, torch.device("cpu"))
    assert not mask.allowed(torch.tensor([automaton.end]), torch.tensor([100])).any()
