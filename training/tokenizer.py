"""Trains the bundled checkpoint's tokenizer: sentencepiece unigram, identity normalisation, byte fallback, short pieces.

Owns its settings and the export of the same tokenizer as `tokenizer.json`, so that plain transformers gives the same ids.
Pieces are short: long ones learn whole utterances by heart (LOG.md).
"""

import io
import json
from collections.abc import Iterable
from pathlib import Path

import sentencepiece

from model.catspeak import LANGUAGES, Language
from model.prompt import CatbotPrompt

from .corpus.reader import Corpus
from .corpus.templates import parts


def train_tokenizer(corpus: Corpus, path: Path, *, vocab_size: int, piece_chars: int) -> None:
    """Train on the corpus and write `path` (spiece.model). Every character of a reply becomes a piece of its own."""
    replies = [line.text for line in corpus.replies]
    texts = _texts(corpus)
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*texts, *replies, *replies]),
        model_writer=model,
        model_type="unigram",
        vocab_size=vocab_size,
        max_sentencepiece_length=piece_chars,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        add_dummy_prefix=False,
        split_by_whitespace=True,
        byte_fallback=True,
        character_coverage=0.9995,
        required_chars="".join(sorted({char for reply in replies for char in reply} - {" "})),
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=3,
        pad_piece="<pad>",
        control_symbols=list(CatbotPrompt.CONTROL_TOKENS),
        num_threads=1,  # more threads change the result from run to run
        hard_vocab_limit=False,
        minloglevel=2,
    )
    path.write_bytes(model.getvalue())


def _texts(corpus: Corpus) -> list[str]:
    """All that people say in the corpus, as the model will read it."""
    said: list[tuple[str, Language]] = [(line.text, line.language) for line in corpus.utterances]
    said += [(text, dialogue.language) for dialogue in corpus.dialogues for wordings in dialogue.wordings for text in wordings]
    said += [(text, line.language) for line in corpus.templates for text in parts(line.text)]
    said += [(word, code) for code in LANGUAGES for words in corpus.words.get(code, {}).values() for word in words]
    return [CatbotPrompt.read(text, language) for text, language in said if text]


def export_for_transformers(spiece: Path, folder: Path, *, max_length: int) -> list[str]:
    """Write tokenizer.json and tokenizer_config.json next to spiece.model; returns their names."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers

    sp = sentencepiece.SentencePieceProcessor(model_file=str(spiece))
    pieces = [(sp.id_to_piece(token), sp.get_score(token)) for token in range(sp.get_piece_size())]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=sp.unk_id(), byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    special = ["<unk>", "<s>", "</s>", "<pad>", *CatbotPrompt.CONTROL_TOKENS]
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in special])
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": "<unk>",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "pad_token": "<pad>",
        "extra_special_tokens": list(CatbotPrompt.CONTROL_TOKENS),
        "model_max_length": max_length,
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return ["tokenizer.json", "tokenizer_config.json"]


def reply_token_ids(encode: "Iterable[list[int]]") -> tuple[int, ...]:
    """The ids that occur in the encoded replies, sorted."""
    return tuple(sorted({token for ids in encode for token in ids}))
