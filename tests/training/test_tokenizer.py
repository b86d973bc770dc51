"""Our own tokenizer: identity normalisation, byte fallback, short pieces, control tokens that no text can spell."""

from pathlib import Path

import pytest
import sentencepiece

from model.prompt import CatbotPrompt
from model.tokenizer import SPIECE, load_tokenizer
from training.corpus.reader import Corpus
from training.recipe import Recipe
from training.tokenizer import reply_token_ids, train_tokenizer

from .conftest import Trained


@pytest.fixture(scope="module")
def processor(trained: Trained) -> sentencepiece.SentencePieceProcessor:
    return sentencepiece.SentencePieceProcessor(model_file=str(trained.folder / SPIECE))


def test_first_ids(processor: sentencepiece.SentencePieceProcessor) -> None:
    expected = ["<unk>", "<s>", "</s>", "<pad>", *CatbotPrompt.CONTROL_TOKENS]
    assert [processor.id_to_piece(token) for token in range(len(expected))] == expected
    assert all(processor.is_control(token) for token in range(1, len(expected)))


def test_pieces_are_short(processor: sentencepiece.SentencePieceProcessor, recipe: Recipe) -> None:
    ordinary = [t for t in range(processor.get_piece_size()) if not (processor.is_control(t) or processor.is_byte(t))]
    assert (
        max(len(processor.id_to_piece(token)) for token in ordinary if not processor.is_unknown(token))
        <= recipe.tokenizer.piece_chars
    )


def test_every_text_comes_back(trained: Trained) -> None:
    tokenizer = load_tokenizer(trained.folder)
    for text in ("ﾆｬｰ！", "ニャー!", " a  b ", "鬱龘", "👩‍👧", "\t\n", "▁"):
        assert tokenizer.decode(tokenizer.encode(text)).replace("▁", " ") == text.replace("▁", " ")


def test_every_character_of_a_reply_is_a_piece(trained: Trained, small_corpus: Corpus) -> None:
    processor = sentencepiece.SentencePieceProcessor(model_file=str(trained.folder / SPIECE))
    for line in small_corpus.replies:
        assert not any(processor.is_byte(token) for token in processor.encode(line.text))
        assert all(processor.piece_to_id(char) != processor.unk_id() for char in line.text.replace(" ", ""))


def test_training_is_deterministic(trained: Trained, small_corpus: Corpus, recipe: Recipe, tmp_path: Path) -> None:
    train_tokenizer(small_corpus, tmp_path / SPIECE, **recipe.tokenizer.model_dump())
    assert (tmp_path / SPIECE).read_bytes() == (trained.folder / SPIECE).read_bytes()


def test_reply_token_ids_are_sorted_and_unique() -> None:
    assert reply_token_ids([[5, 3], [3, 9], []]) == (3, 5, 9)
