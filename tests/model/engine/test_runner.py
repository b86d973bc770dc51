"""Requests in, replies out: valid, limited, and the same alone as in any company."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import torch

from model.catspeak import LANGUAGES, MOODS, Language, is_catspeak
from model.checkpoint import open_checkpoint
from model.engine.gpt2 import GPT2
from model.engine.network import pick_device
from model.engine.request import Reply, Request, Sampling
from model.engine.runner import Runner, Written
from model.errors import CheckpointUnsupported, NotEnoughMemory, RequestInvalid, WorkerFailed
from model.prompt import Turn
from tests.checkpoints import make_catbot_checkpoint

TEXTS = [
    "ご飯だよ",
    "hello there",
    "",
    "</s><cat>",
    "今日はとてもつらいことがあったんだ、聞いてくれる？" * 5,
    "👍",
    "good night my dear cat",
]


def ask(runner: Runner, requests: Sequence[Request]) -> list[Reply]:
    """All requests as one batch; replies in the order of the requests."""
    batch = runner.start([runner.prepare(request) for request in requests])
    replies = {}
    while len(batch):
        for written in batch.step():
            replies[written.row] = runner.read(written, queue_ms=0.0, total_ms=0.0)
    return [replies[row] for row in range(len(requests))]


def said(*texts: str, **sampling: float | int | None) -> list[Request]:
    """A request for each text; a seed given is counted up from one to the next."""
    seed = sampling.pop("seed", 0)
    return [
        Request((Turn("user", text),), sampling=Sampling(seed=int(seed or 0) + number, **sampling))  # type: ignore[arg-type]
        for number, text in enumerate(texts)
    ]


@pytest.mark.parametrize("temperature", [0.0, 0.7, 5.0])
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reply_is_cat_speak(runner: Runner, language: Language, temperature: float) -> None:
    requests = [replace(r, language=language) for r in said(*TEXTS * 5, temperature=temperature, top_k=999, top_p=1.0)]
    for reply in ask(runner, requests):
        assert reply.language == language
        assert is_catspeak(reply.text, language)
        assert reply.mood in MOODS


def test_only_the_reply_vocabulary(runner: Runner) -> None:
    allowed = set(runner.checkpoint.manifest.reply_token_ids or ())
    columns = set(runner.token_ids.tolist())
    moods = {runner.tokenizer.control_id(f"<mood:{mood}>") for mood in MOODS}
    assert columns == allowed | moods | {runner.tokenizer.eos_id}
    writable = {char for reply in (runner.tokenizer.decode([token]) for token in allowed) for char in reply}
    assert {char for reply in ask(runner, said(*TEXTS * 5, temperature=5.0)) for char in reply.text} <= writable


def test_replies_can_have_several_cries_and_an_action(runner: Runner) -> None:
    requests = said(*["ご飯だよ"] * 100, temperature=5.0, top_k=999, top_p=1.0)
    for language in LANGUAGES:
        replies = ask(runner, [replace(request, language=language) for request in requests])
        assert max(len(reply.cries) for reply in replies) >= 2
        assert any(reply.action for reply in replies)


@pytest.mark.parametrize("limit", [1, 2, 5, 9, 48])
def test_replies_end_in_time(runner: Runner, limit: int) -> None:
    enough = max(limit, runner.automaton.longest_shortest)
    for reply in ask(runner, said(*TEXTS * 3, temperature=5.0, top_p=1.0, max_new_tokens=limit)):
        assert reply.usage.new_tokens <= enough


def test_greedy_in_a_batch_is_greedy_alone(runner: Runner) -> None:
    requests = said(*TEXTS, temperature=0.0)
    assert [r.text for r in ask(runner, requests)] == [ask(runner, [request])[0].text for request in requests]


def test_seeded_replies_do_not_depend_on_the_company(runner: Runner) -> None:
    requests = said(*TEXTS * 3, temperature=1.0, seed=40)
    alone = [ask(runner, [request])[0].text for request in requests]
    assert len(set(alone)) > 5
    rng = Random(0)
    for size in (2, 7, len(requests)):
        chosen = rng.sample(range(len(requests)), size)
        assert [r.text for r in ask(runner, [requests[number] for number in chosen])] == [alone[number] for number in chosen]


def test_dropped_rows_do_not_disturb_the_others(runner: Runner) -> None:
    requests = said(*TEXTS, temperature=1.0, seed=7)
    alone = [ask(runner, [request])[0].text for request in requests]
    for before_first_step in (True, False):
        batch = runner.start([runner.prepare(request) for request in requests])
        finished = [] if before_first_step else batch.step()
        batch.drop([row.row in (0, 3) for row in batch.rows])
        while len(batch):
            finished += batch.step()
        texts = {written.row: runner.read(written, queue_ms=0.0, total_ms=0.0).text for written in finished}
        assert texts == {row: alone[row] for row in range(len(requests)) if row not in (0, 3)}


@pytest.mark.parametrize("seed", [0, -1, 2**64 - 1, 2**200, -(2**90)])
def test_any_integer_is_a_seed(runner: Runner, seed: int) -> None:
    request = Request((Turn("user", "x"),), sampling=Sampling(seed=seed))
    assert ask(runner, [request])[0].text == ask(runner, [request])[0].text


def test_without_a_seed_replies_differ(runner: Runner) -> None:
    request = Request((Turn("user", "ご飯だよ"),), sampling=Sampling(temperature=3.0))
    assert len({reply.text for reply in ask(runner, [request] * 30)}) > 3


def test_mood_is_the_most_likely_one_at_any_temperature(runner: Runner) -> None:
    moods = {reply.mood for reply in ask(runner, said(*["ご飯だよ"] * 20, temperature=5.0))}
    assert len(moods) == 1


def with_manifest(folder: Path, **changes: object) -> Runner:
    manifest = json.loads((folder / "catbot.json").read_text("utf-8")) | changes
    (folder / "catbot.json").write_text(json.dumps(manifest))
    return Runner(open_checkpoint(folder), "cpu")


def test_a_cat_that_is_not_sure_is_curious(tmp_path: Path) -> None:
    folder = make_catbot_checkpoint(tmp_path / "unsure")
    before = ask(with_manifest(folder, mood_floor=0.0), said(*TEXTS))
    spoken = [place for place, text in enumerate(TEXTS) if text]
    assert {before[place].mood for place in spoken} != {"curious"}
    after = ask(with_manifest(folder, mood_floor=1.0), said(*TEXTS))
    assert {after[place].mood for place in spoken} == {"curious"}
    assert [reply.confidence for reply in after] == [reply.confidence for reply in before]
    middle = sorted(before[place].confidence or 0 for place in spoken)[len(spoken) // 2]
    for place, reply in enumerate(ask(with_manifest(folder, mood_floor=middle), said(*TEXTS))):
        if place in spoken:
            assert reply.mood == ("curious" if (reply.confidence or 0) < middle else before[place].mood)


def test_confidence_is_a_probability_that_the_temperature_flattens(tmp_path: Path) -> None:
    folder = make_catbot_checkpoint(tmp_path / "mine")
    sharp = ask(with_manifest(folder, mood_temperature=0.01), said("ご飯だよ"))[0]
    flat = ask(with_manifest(folder, mood_temperature=1e6), said("ご飯だよ"))[0]
    assert sharp.mood == flat.mood
    assert flat.confidence == pytest.approx(1 / len(MOODS), rel=1e-3)
    assert flat.confidence < (sharp.confidence or 0) <= 1


def test_a_cat_left_to_itself_has_moods_of_its_own(tmp_path: Path) -> None:
    runner = with_manifest(make_catbot_checkpoint(tmp_path / "mine"), mood_floor=1.0)
    requests = [Request((), sampling=Sampling(temperature=5.0, top_k=99, top_p=1.0)) for _ in range(30)]
    assert len({reply.mood for reply in ask(runner, requests)}) > 2


def test_usage(runner: Runner) -> None:
    request = said("ご飯だよ")[0]
    batch = runner.start([runner.prepare(request)])
    written: list[Written] = []
    while len(batch):
        written += batch.step()
    reply = runner.read(written[0], queue_ms=1.5, total_ms=2.5)
    assert (reply.usage.queue_ms, reply.usage.total_ms) == (1.5, 2.5)
    assert reply.usage.prompt_tokens == len(runner.prepare(request).ids)
    assert reply.usage.new_tokens == len(written[0].columns)


def test_long_conversation_leaves_room_for_the_reply(runner: Runner) -> None:
    turns = tuple(Turn(role, "あ" * 200) for _ in range(30) for role in ("user", "cat"))
    prepared = runner.prepare(Request(turns, sampling=Sampling(max_new_tokens=48)))
    assert len(prepared.ids) <= runner.network.positions - 48
    with pytest.raises(RequestInvalid, match="no room"):
        runner.prepare(Request(turns, sampling=Sampling(max_new_tokens=10**30)))


def test_auto_language(runner: Runner) -> None:
    assert [reply.language for reply in ask(runner, said("ご飯だよ", "good morning", "", "👍"))] == ["ja", "en", "ja", "ja"]


def test_checkpoint_of_one_language_answers_in_it(tmp_path: Path) -> None:
    folder = make_catbot_checkpoint(tmp_path / "ja")
    manifest = json.loads((folder / "catbot.json").read_text("utf-8")) | {"languages": ["ja"]}
    (folder / "catbot.json").write_text(json.dumps(manifest))
    only_ja = Runner(open_checkpoint(folder), "cpu")
    assert ask(only_ja, [Request((Turn("user", "hello"),), language="en")])[0].language == "ja"


def test_rinna_form_replies_are_canonical(rinna_checkpoint: Path) -> None:
    rinna = Runner(open_checkpoint(rinna_checkpoint), "cpu")
    assert isinstance(rinna.network, GPT2)
    replies = ask(rinna, said(*TEXTS * 4, temperature=3.0, top_k=999, top_p=1.0))
    assert all(is_catspeak(reply.text, "ja") for reply in replies)
    assert any(reply.action for reply in replies)
    assert {reply.mood for reply in replies} == {None}


def test_not_a_number(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    decode = runner.network.decode
    monkeypatch.setattr(runner.network, "decode", lambda *args: decode(*args) * torch.nan)
    batch = runner.start([runner.prepare(request) for request in said("a", "b")])
    batch.step()
    with pytest.raises(FloatingPointError, match="NaN or infinite logits"):
        batch.step()


def test_text_outside_the_grammar_is_a_failure_of_ours(runner: Runner) -> None:
    prepared = runner.prepare(said("a")[0])
    end = len(runner.token_ids) - 1
    with pytest.raises(WorkerFailed, match="the grammar let through ''"):
        runner.read(Written(0, prepared, [end]), queue_ms=0.0, total_ms=0.0)


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto").type == pick_device("cpu").type == "cpu"
    with pytest.raises(CheckpointUnsupported, match="no CUDA device; use 'auto' or 'cpu'"):
        pick_device("cuda")


@pytest.mark.parametrize("name", ["gpu", "", "cuda:x"])
def test_device_that_does_not_exist(name: str) -> None:
    with pytest.raises(CheckpointUnsupported, match="device"):
        pick_device(name)


def test_memory_is_checked_before_loading(catbot_checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Little:
        available = 1 << 10

    monkeypatch.setattr("psutil.virtual_memory", Little)
    with pytest.raises(NotEnoughMemory, match="nothing was changed"):
        Runner(open_checkpoint(catbot_checkpoint), "cpu")
