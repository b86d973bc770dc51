"""Token automata: which tokens may come next so that the reply stays cat speak.

Owns the step from a regular expression (`model.catspeak`) and a reply vocabulary to one dense table. The expression is
compiled by outlines-core; what is added here is the cut to the reply vocabulary, the removal of every path that cannot
be finished with it, and the distance to the end that lets a sampler always finish in time. numpy only: no torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from outlines_core import Index, Vocabulary

from .errors import CheckpointUnsupported

#: In `next_state`: the token cannot follow.
DEAD = -1


@dataclass(frozen=True, slots=True)
class Automaton:
    """A deterministic automaton over columns of the reply vocabulary.

    token_ids   [columns] int64: the checkpoint's id of each column; the last column is the end-of-text token.
    next_state  [states, columns] int32: the state after that token, or DEAD.
    distance    [states] int32: fewest tokens, end of text included, that finish a reply from there; 0 for `end`.
    starts      first state for each name ("ja", "en").
    end         the state after end of text; nothing follows it.
    """

    token_ids: NDArray[np.int64]
    next_state: NDArray[np.int32]
    distance: NDArray[np.int32]
    starts: Mapping[str, int]
    end: int

    @property
    def longest_shortest(self) -> int:
        """Tokens that are enough to finish a reply from any start: the least useful `max_new_tokens`."""
        return int(max(self.distance[state] for state in self.starts.values()))


def compile_automaton(
    patterns: Mapping[str, str],
    vocabulary: Mapping[int, bytes],
    eos_id: int,
    *,
    openings: Mapping[str, Sequence[int]] | None = None,
) -> Automaton:
    """One automaton for several expressions over the same vocabulary.

    `patterns` maps a name to its expression; `vocabulary` maps token ids to the bytes they write; `openings` names the
    tokens of which exactly one must be generated first (the unspoken mood), before the expression starts.
    Raises CheckpointUnsupported when the vocabulary cannot write a single string of an expression.
    """
    ids = sorted(vocabulary.keys() - {eos_id})
    openings = openings or {}
    extra = sorted({token for tokens in openings.values() for token in tokens} - set(ids))
    columns = {token: column for column, token in enumerate([*ids, *extra, eos_id])}
    builder = _Builder(columns, eos_id)
    for name, expression in patterns.items():
        first = builder.add_expression(expression, {token: vocabulary[token] for token in ids})
        builder.starts[name] = builder.add_opening(first, openings[name]) if openings.get(name) else first
    return builder.finish()


class _Builder:
    """Collects the transitions of several expressions under one numbering; state 0 is the common end."""

    def __init__(self, columns: Mapping[int, int], eos_id: int) -> None:
        self.columns = columns
        self.eos_id = eos_id
        self.rows: list[dict[int, int]] = [{}]
        self.starts: dict[str, int] = {}

    def add_expression(self, expression: str, tokens: Mapping[int, bytes]) -> int:
        index, real = _index(expression, tokens, self.eos_id)
        numbers: dict[int, int] = {}
        finals = index.get_final_states()
        transitions = index.get_transitions()
        for state in {*transitions, *finals}:
            numbers[state] = len(self.rows)
            self.rows.append({})
        for state, number in numbers.items():
            row = self.rows[number]
            for token, target in transitions.get(state, {}).items():
                if token in real:
                    row[self.columns[real[token]]] = numbers[target]
            if state in finals:
                row[self.columns[self.eos_id]] = 0
        return numbers[index.get_initial_state()]

    def add_opening(self, first: int, tokens: Sequence[int]) -> int:
        self.rows.append({self.columns[token]: first for token in tokens})
        return len(self.rows) - 1

    def finish(self) -> Automaton:
        table = np.full((len(self.rows), len(self.columns)), DEAD, dtype=np.int32)
        for state, row in enumerate(self.rows):
            table[state, list(row)] = list(row.values())
        distance = _distance_to_end(table, len(self.rows))
        for name, state in self.starts.items():
            if distance[state] > len(self.rows):
                raise CheckpointUnsupported(f"the checkpoint's reply vocabulary cannot write any {name!r} reply")
        table = np.where((table != DEAD) & (distance[table] <= len(self.rows)), table, DEAD)
        return _renumber(table, distance, self.starts, np.array(list(self.columns), dtype=np.int64))


def _index(expression: str, tokens: Mapping[int, bytes], eos_id: int) -> tuple[Index, dict[int, int]]:
    """outlines-core's index, and its token numbers mapped to ours.

    outlines-core refuses a vocabulary that can enter a state and not leave it. A reply vocabulary does that all the
    time, so every single byte is added under a number of its own, and its transitions are dropped afterwards.
    """
    entries: dict[bytes, list[int]] = {bytes([byte]): [byte] for byte in range(256)}
    real = {}
    for number, (token, written) in enumerate(tokens.items(), start=256):
        if written:
            entries.setdefault(written, []).append(number)
            real[number] = token
    return Index(expression, Vocabulary(256 + len(tokens), entries)), real


def _distance_to_end(table: NDArray[np.int32], far: int) -> NDArray[np.int32]:
    """Fewest tokens from each state to state 0, by relaxation; states that never get there are beyond `far`."""
    distance = np.full(len(table) + 1, far + 1, dtype=np.int32)  # the extra last entry is what DEAD (-1) points at
    distance[0] = 0
    while True:
        shorter = np.minimum(distance[:-1], distance[table].min(axis=1) + 1)
        shorter[0] = 0
        if np.array_equal(shorter, distance[:-1]):
            return distance
        distance[:-1] = shorter


def _renumber(
    table: NDArray[np.int32], distance: NDArray[np.int32], starts: Mapping[str, int], token_ids: NDArray[np.int64]
) -> Automaton:
    """Keep only what can be reached from a start, so that the table stays small."""
    reached = {0, *starts.values()}
    frontier = list(starts.values())
    while frontier:
        targets = set(np.unique(table[frontier]).tolist()) - reached - {DEAD}
        reached |= targets
        frontier = list(targets)
    kept = np.array(sorted(reached))
    number = np.full(len(table) + 1, DEAD, dtype=np.int32)
    number[kept] = np.arange(len(kept), dtype=np.int32)
    new_starts = {name: int(number[state]) for name, state in starts.items()}
    return Automaton(token_ids, number[table[kept]], distance[kept], new_starts, end=0)
