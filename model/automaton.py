"""Token automata: which tokens may come next so that the reply stays cat speak.

Owns the step from a regular expression (`model.catspeak`) and a reply vocabulary to one dense table. The expression is
compiled by outlines-core; what is added here is the cut to the reply vocabulary, the removal of every path that cannot
be finished with it, and the distance to the end that lets a sampler always finish in time. numpy only: no torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from outlines_core import Index, Vocabulary

from .errors import CheckpointUnsupported

#: In `next_state`: the token cannot follow.
DEAD = -1

#: The byte that ends an expression while it is compiled; no reply contains it.
_END = 0


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
    """Collects the rows of several expressions under one numbering; state 0 is the common end."""

    def __init__(self, columns: Mapping[int, int], eos_id: int) -> None:
        self.columns = columns
        self.eos_id = eos_id
        self.rows = [self._empty_row()]
        self.starts: dict[str, int] = {}

    def _empty_row(self) -> NDArray[np.int32]:
        return np.full(len(self.columns), DEAD, dtype=np.int32)

    def add_expression(self, expression: str, tokens: Mapping[int, bytes]) -> int:
        """Rows for every state that whole tokens reach; returns the number of the first."""
        table, start = byte_automaton(expression)
        usable = _usable(table, tokens)
        places = np.array([self.columns[token] for token in usable], dtype=np.int64)
        spelled = _spelled([tokens[token] for token in usable])
        numbers = {start: len(self.rows)}
        self.rows.append(self._empty_row())
        waiting = [start]
        while waiting:
            state = waiting.pop()
            targets = _read(table, state, spelled)
            for target in _members(targets, len(table)):
                if target not in numbers:
                    numbers[target] = len(self.rows)
                    self.rows.append(self._empty_row())
                    waiting.append(target)
            number_of = np.full(len(table) + 1, DEAD, dtype=np.int32)  # the extra last entry is what DEAD (-1) points at
            number_of[list(numbers)] = list(numbers.values())
            self.rows[numbers[state]][places] = number_of[targets]
            if table[state, _END] != DEAD:
                self.rows[numbers[state]][self.columns[self.eos_id]] = 0
        return numbers[start]

    def add_opening(self, first: int, tokens: Sequence[int]) -> int:
        row = self._empty_row()
        row[[self.columns[token] for token in tokens]] = first
        self.rows.append(row)
        return len(self.rows) - 1

    def finish(self) -> Automaton:
        table = np.stack(self.rows)
        distance = _distance_to_end(table)
        for name, state in self.starts.items():
            if distance[state] > len(self.rows):
                raise CheckpointUnsupported(f"the checkpoint's reply vocabulary cannot write any {name!r} reply")
        dead = np.append(distance > len(self.rows), True)  # the extra last entry is what DEAD (-1) points at
        table[dead[table]] = DEAD
        return _renumber(table, distance, self.starts, np.array(list(self.columns), dtype=np.int64))


@lru_cache(maxsize=16)
def byte_automaton(expression: str) -> tuple[NDArray[np.int32], int]:
    """The smallest automaton over bytes for an expression: [states, 256] int32 next states, and the first state.

    It depends on no checkpoint and takes a quarter of a second, so it is kept, and can be made while torch is imported.
    """
    table, start = _minimal(*_compiled(expression))
    table.setflags(write=False)
    return table, start


def _compiled(expression: str) -> tuple[NDArray[np.int32], int]:
    """[states, 256] int32 next states over bytes, and the first state. `_END` leads away from where a reply may end.

    outlines-core forgets ways that go on from where a match could end: "ab|abc" loses "abc", and "a(bb)?" byte by byte
    loses "abb" (seen with 0.2.14). So the expression is compiled with an end byte that nothing goes on from.
    """
    index = Index(f"(?:{expression})\\x{_END:02x}", Vocabulary(256, {bytes([byte]): [byte] for byte in range(256)}))
    transitions = index.get_transitions()
    numbers = {state: number for number, state in enumerate(transitions)}
    table = np.full((len(numbers), 256), DEAD, dtype=np.int32)
    for state, row in transitions.items():
        for byte, target in row.items():
            if byte < 256:
                table[numbers[state], byte] = numbers[target]
    return table, numbers[index.get_initial_state()]


def _minimal(table: NDArray[np.int32], start: int) -> tuple[NDArray[np.int32], int]:
    """The smallest automaton of the same language, by partition refinement (Moore 1956)."""
    used = np.flatnonzero((table != DEAD).any(axis=0))
    narrow = table[:, used]
    classes, number = np.zeros(len(table) + 1, dtype=np.int32), 1
    classes[-1] = DEAD
    while True:
        signature = np.ascontiguousarray(np.column_stack([classes[:-1], classes[narrow]]))
        rows = signature.view(np.dtype((np.void, signature.itemsize * signature.shape[1]))).ravel()
        _, first, classes[:-1] = np.unique(rows, return_index=True, return_inverse=True)
        if len(first) == number:
            break
        number = len(first)
    smallest = np.full((number, 256), DEAD, dtype=np.int32)
    smallest[:, used] = classes[narrow[first]]
    return smallest, int(classes[start])


def _usable(table: NDArray[np.int32], tokens: Mapping[int, bytes]) -> list[int]:
    """The tokens whose every byte occurs in the language."""
    alphabet = set(np.flatnonzero((table != DEAD).any(axis=0)).tolist()) - {_END}
    return [token for token, written in tokens.items() if written and alphabet.issuperset(written)]


def _spelled(texts: Sequence[bytes]) -> NDArray[np.int64]:
    """[tokens, longest] int64: the bytes of each text, filled up with -1."""
    spelled = np.full((len(texts), max(map(len, texts), default=0)), -1, dtype=np.int64)
    for row, text in enumerate(texts):
        spelled[row, : len(text)] = list(text)
    return spelled


def _read(table: NDArray[np.int32], state: int, spelled: NDArray[np.int64]) -> NDArray[np.int32]:
    """[tokens] int32: where each token leads from a state, or DEAD."""
    targets = np.full(len(spelled), state, dtype=np.int32)
    for byte in spelled.T:
        goes_on = np.flatnonzero((byte >= 0) & (targets != DEAD))
        targets[goes_on] = table[targets[goes_on], byte[goes_on]]
    return targets


def _members(states: NDArray[np.int32], number: int) -> list[int]:
    """The distinct states in an array, without DEAD."""
    present = np.zeros(number + 1, dtype=bool)
    present[states] = True
    return [int(state) for state in np.flatnonzero(present[:-1])]


def _distance_to_end(table: NDArray[np.int32]) -> NDArray[np.int32]:
    """Fewest tokens from each state to state 0, breadth first; states that never get there are beyond their number."""
    sources: list[list[int]] = [[] for _ in table]
    for state, row in enumerate(table):
        for target in _members(row, len(table)):
            sources[target].append(state)
    distance = np.full(len(table), len(table) + 1, dtype=np.int32)
    distance[0], frontier = 0, [0]
    while frontier:
        steps = distance[frontier[0]] + 1
        frontier = [source for target in frontier for source in sources[target] if distance[source] > steps]
        distance[frontier] = steps
    return distance


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
