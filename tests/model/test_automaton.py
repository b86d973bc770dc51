"""Token automata: only the given tokens, no way into a dead end, and always an end in time."""

import re
from itertools import product
from random import Random

import numpy as np
import pytest

from model.automaton import DEAD, Automaton, compile_automaton
from model.catspeak import is_catspeak, pattern
from model.errors import CheckpointUnsupported

EOS = 99


def automaton(expression: str, vocabulary: dict[int, str | bytes], **options: dict[str, list[int]]) -> Automaton:
    written = {token: text.encode() if isinstance(text, str) else text for token, text in vocabulary.items()}
    return compile_automaton({"x": expression}, written, EOS, **options)


def strings(made: Automaton, name: str = "x") -> set[tuple[int, ...]]:
    """Every token sequence that a small automaton accepts, end of text included."""
    found: set[tuple[int, ...]] = set()
    open_ends: list[tuple[int, tuple[int, ...]]] = [(made.starts[name], ())]
    while open_ends:
        state, tokens = open_ends.pop()
        if state == made.end:
            found.add(tokens)
            continue
        for column, following in enumerate(made.next_state[state].tolist()):
            if following != DEAD:
                open_ends.append((following, (*tokens, int(made.token_ids[column]))))
    return found


def walk(made: Automaton, name: str, budget: int, rng: Random) -> list[int]:
    """A random walk with the rule of the sampler: only tokens after which the rest fits into the budget."""
    state, tokens = made.starts[name], []
    while state != made.end:
        row = made.next_state[state].tolist()
        allowed = [c for c, following in enumerate(row) if following != DEAD and made.distance[following] < budget]
        assert allowed, "nowhere to go"
        column = rng.choice(allowed)
        state, budget = row[column], budget - 1
        tokens.append(int(made.token_ids[column]))
    return tokens


def test_accepts_every_segmentation_and_nothing_else() -> None:
    made = automaton("abc|ab", {0: "a", 1: "b", 2: "ab", 3: "c", 4: "bc", 5: "x"})
    assert strings(made) == {(0, 1, EOS), (2, EOS), (0, 1, 3, EOS), (2, 3, EOS), (0, 4, EOS)}


@pytest.mark.parametrize("expression", ["ab|abc", "abc|ab", "ab(?:c)?", "ab(?:ca)?", "a(?:bca)?", "a(?:b|bc)(?:ca)?"])
def test_goes_on_from_where_it_could_end(expression: str) -> None:
    found = {
        "".join("abc"[token] for token in tokens[:-1]) for tokens in strings(automaton(expression, {0: "a", 1: "b", 2: "c"}))
    }
    texts = ["".join(chars) for length in range(6) for chars in product("abc", repeat=length)]
    assert found == {text for text in texts if re.fullmatch(expression, text)}


def test_a_byte_that_ends_the_expression_cannot_be_written() -> None:
    assert strings(automaton("a", {0: "a", 1: "\0", 2: "a\0"})) == {(0, EOS)}


def test_dead_ends_are_removed() -> None:
    # "x" could begin "xyz", but no token writes "z".
    made = automaton("abc|xyz", {0: "a", 1: "b", 2: "c", 3: "x", 4: "y"})
    start = made.next_state[made.starts["x"]]
    assert start[list(made.token_ids).index(3)] == DEAD
    assert strings(made) == {(0, 1, 2, EOS)}


def test_only_given_tokens_can_be_written() -> None:
    made = automaton("[a-z]+", {7: "b"})
    assert made.token_ids.tolist() == [7, EOS]
    assert {token for tokens in (walk(made, "x", 9, Random(0)),) for token in tokens} == {7, EOS}


def test_end_of_text_is_the_last_column_even_if_the_vocabulary_writes_it() -> None:
    made = compile_automaton({"x": "a"}, {0: b"a", EOS: b"</s>"}, EOS)
    assert made.token_ids.tolist() == [0, EOS]
    assert strings(made) == {(0, EOS)}


def test_empty_tokens_are_never_allowed() -> None:
    assert strings(automaton("a", {0: "a", 1: ""})) == {(0, EOS)}


def test_tokens_with_the_same_bytes_all_count() -> None:
    assert strings(automaton("a", {0: "a", 1: "a"})) == {(0, EOS), (1, EOS)}


def test_characters_can_be_written_byte_by_byte() -> None:
    halves = {number: bytes([byte]) for number, byte in enumerate("猫".encode())}
    made = automaton("猫", {**halves, 10: "猫"})
    assert strings(made) == {(0, 1, 2, EOS), (10, EOS)}


def test_tokens_can_cross_characters() -> None:
    written = "猫犬".encode()
    made = automaton("猫犬", {0: written[:4], 1: written[4:], 2: written[:2]})
    assert strings(made) == {(0, 1, EOS)}


def test_distance_counts_the_end_of_text() -> None:
    made = automaton("abc|ab", {0: "a", 1: "b", 2: "c", 3: "bc"})
    assert made.distance[made.end] == 0
    assert made.distance[made.starts["x"]] == 3 == made.longest_shortest
    reached = made.next_state[made.next_state != DEAD]
    assert (made.distance[reached] <= len(made.distance)).all()


def test_openings_come_first_exactly_once() -> None:
    made = automaton("a+", {0: "a"}, openings={"x": [50, 51]})
    assert made.token_ids.tolist() == [0, 50, 51, EOS]
    allowed = np.flatnonzero(made.next_state[made.starts["x"]] != DEAD)
    assert made.token_ids[allowed].tolist() == [50, 51]
    for seed in range(20):
        first, *rest = walk(made, "x", 8, Random(seed))
        assert first in (50, 51)
        assert set(rest) == {0, EOS}


def test_expressions_share_columns_but_not_states() -> None:
    made = compile_automaton({"ja": "a", "en": "b"}, {0: b"a", 1: b"b"}, EOS, openings={"ja": [50]})
    assert strings(made, "ja") == {(50, 0, EOS)}
    assert strings(made, "en") == {(1, EOS)}


def test_only_reachable_states_are_kept() -> None:
    made = automaton("abc|xyz", {0: "a", 1: "b", 2: "c", 3: "x", 4: "y"})
    reachable = {made.end, *made.starts.values()} | set(made.next_state[made.next_state != DEAD].tolist())
    assert reachable == set(range(len(made.next_state)))


@pytest.mark.parametrize("vocabulary", [{}, {0: "b"}, {0: ""}, {0: "ab"}])
def test_vocabulary_that_can_write_nothing(vocabulary: dict[int, str | bytes]) -> None:
    with pytest.raises(CheckpointUnsupported, match="cannot write any 'x' reply"):
        automaton("a", vocabulary)


@pytest.mark.parametrize("spelling", [False, True])
@pytest.mark.parametrize("name", ["ja", "en"])
def test_walks_end_within_any_budget(name: str, spelling: bool) -> None:
    rng = Random(1)
    texts = [
        "ﾆｬ",
        "ﾝ",
        "ｰ",
        "ニャ",
        "ー",
        "ン",
        "！",
        "？",
        "!",
        "?",
        "...",
        "（",
        "）",
        "(",
        ")",
        " (",
        "猫",
        "が",
        " ",
        "Mr",
        "r",
    ]
    texts += list("meowpraitls")
    vocabulary = {number: text.encode() for number, text in enumerate(texts)}
    vocabulary |= {100 + byte: bytes([byte]) for byte in range(256)}  # byte fallback
    expression = pattern("ja" if name == "ja" else "en", tokenizer_spelling=spelling)
    made = compile_automaton({name: expression}, vocabulary, 999)
    for budget in range(made.longest_shortest, made.longest_shortest + 40):
        tokens = walk(made, name, budget, rng)
        text = b"".join(vocabulary[token] for token in tokens[:-1]).decode()
        assert len(tokens) <= budget
        assert re.fullmatch(expression, text)
        assert spelling or is_catspeak(text)
