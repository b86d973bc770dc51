"""Tiny random-weights checkpoints of every kind that is served, made in under a second each.

They are real folders: a trained sentencepiece or BPE tokenizer, a config and safetensors. What they say is nonsense.
"""

import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from model.catspeak import MOODS, Language
from model.checkpoint import CONFIG, WEIGHTS, Manifest, write_manifest
from model.tokenizer import SPIECE, SentencePieceTokenizer

REPLIES: dict[Language, tuple[str, ...]] = {
    "ja": ("ﾆｬｰ！", "ﾆｬﾝ？（首をかしげる）", "ﾐｬｰｵ...（足にすり寄る）", "ｺﾞﾛｺﾞﾛ（目を細める）", "ﾌｰｯ！！（背を丸める）", "ｼｬｰ！"),
    "en": ("Meow!", "Mrrp? (tilts its head)", "Prrr... (leans on your leg)", "Hiss! Grrr!", "meow~ (rolls over)", "Mew"),
}
UTTERANCES: dict[Language, tuple[str, ...]] = {
    "ja": ("ご飯だよ", "おはよう、元気？", "ただいま", "尻尾を触るよ", "今日はつらかった", "猫じゃらしで遊ぼう", "おやすみ"),
    "en": ("dinner time!", "good morning, how are you?", "i am home", "can i touch your tail", "i had a bad day", "good night"),
}
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def make_catbot_checkpoint(folder: Path, *, name: str = "catbot-test", seed: int = 0, **shape: Any) -> Path:
    """A checkpoint in the project's own format, tokenizer and manifest included; `shape` overrides GPT2Config's."""
    from training.corpus.reader import Corpus, Line
    from training.tokenizer import export_for_transformers, reply_token_ids, train_tokenizer

    folder.mkdir(parents=True, exist_ok=True)
    languages: tuple[Language, ...] = ("ja", "en")
    corpus = Corpus(
        utterances=[Line(text, MOODS[0], language, "", "") for language in languages for text in UTTERANCES[language]],
        replies=[Line(text, MOODS[0], language, "", "") for language in languages for text in REPLIES[language]],
    )
    train_tokenizer(corpus, folder / SPIECE, vocab_size=500, piece_chars=3)
    tokenizer = SentencePieceTokenizer(folder / SPIECE, {})
    save_gpt2(folder, tokenizer.size, seed=seed, **({"n_positions": 256} | shape))
    names = export_for_transformers(folder / SPIECE, folder, max_length=256)
    replies = reply_token_ids(tokenizer.encode(line.text) for line in corpus.replies)
    manifest = Manifest(name=name, prompt_format="catbot", reply_token_ids=replies)
    write_manifest(folder, manifest, [CONFIG, WEIGHTS, SPIECE, *names])
    return folder


def make_rinna_checkpoint(folder: Path, *, lower: bool = True, markers: str = "user_defined_symbols") -> Path:
    """A folder of the form of rinna/japanese-gpt2-*: no manifest, NFKC sentencepiece, T5Tokenizer; served as persona.

    `markers` says of which kind the pieces [PAD], [CLS], [SEP] and [MASK] are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = ["[PAD]", "[CLS]", "[SEP]", "[MASK]"]
    texts = [*UTTERANCES["ja"], *REPLIES["ja"], *UTTERANCES["en"], "人間: 猫: ", "!?.()~…、。あいうえおかきくけこ", _letters()]
    train_sentencepiece(folder / SPIECE, texts, options={"normalization_rule_name": "nmt_nfkc", markers: names})
    config = {
        "tokenizer_class": "T5Tokenizer",
        "unk_token": "<unk>",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "pad_token": "[PAD]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
        "do_lower_case": lower,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config), "utf-8")
    save_gpt2(folder, SentencePieceTokenizer(folder / SPIECE, config).size, n_positions=1024)
    return folder


def make_chat_checkpoint(folder: Path, architecture: str = "llama") -> Path:
    """A llama, qwen2 or gpt_neox with a byte-level BPE tokenizer and a ChatML template; no manifest, served as chat."""
    folder.mkdir(parents=True, exist_ok=True)
    save_causal_lm(folder, architecture, save_chat_tokenizer(folder))
    return folder


def train_sentencepiece(path: Path, texts: Iterable[str], options: Mapping[str, Any]) -> None:
    """A unigram model with the ids of rinna's: unk 0, bos 1, eos 2."""
    import sentencepiece

    model = io.BytesIO()
    settings: dict[str, Any] = {"unk_id": 0, "bos_id": 1, "eos_id": 2, "pad_id": -1, "vocab_size": 400}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(list(texts) * 3),
        model_writer=model,
        hard_vocab_limit=False,
        character_coverage=1.0,
        minloglevel=2,
        **(settings | dict(options)),
    )
    path.write_bytes(model.getvalue())


def save_chat_tokenizer(folder: Path) -> int:
    """Write a byte-level BPE tokenizer with a ChatML template; returns its number of tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=360, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator([*UTTERANCES["ja"], *REPLIES["ja"], *REPLIES["en"]] * 3, trainer)
    fast: Any = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        bos_token="<|endoftext|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=["<|im_start|>"],
    )
    fast.chat_template = CHAT_TEMPLATE
    fast.save_pretrained(folder)
    return tokenizer.get_vocab_size()


def save_gpt2(folder: Path, vocab_size: int, *, seed: int = 0, **shape: Any) -> Any:
    """Write config.json and model.safetensors of a random GPT-2; returns the transformers model."""
    from transformers import GPT2Config, GPT2LMHeadModel

    sizes = {"n_layer": 2, "n_head": 2, "n_embd": 32, "initializer_range": 0.3} | shape
    config = GPT2Config(vocab_size=vocab_size, bos_token_id=1, eos_token_id=2, **sizes)
    return _save(lambda: GPT2LMHeadModel(config), folder, seed)


def save_causal_lm(folder: Path, architecture: str, vocab_size: int, *, seed: int = 0) -> Any:
    """Write a random model of another architecture (llama, qwen2, gpt_neox); returns the transformers model."""
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(
        architecture,
        vocab_size=vocab_size,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4 if architecture == "gpt_neox" else 2,
        max_position_embeddings=768,
        initializer_range=0.3,
    )
    return _save(lambda: AutoModelForCausalLM.from_config(config), folder, seed)  # type: ignore[no-untyped-call]


def _save(make: Any, folder: Path, seed: int) -> Any:
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = make().eval().float()
    model.save_pretrained(folder)
    return model


def _letters() -> str:
    return " ".join("abcdefghijklmnopqrstuvwxyz0123456789アイニャミンゴロフッシーウオ")
