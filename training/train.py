"""Trains a checkpoint from scratch: tokenizer, GPT-2, transformers.Trainer, export.

Owns the loss (weighted by `model.prompt`'s mask), the order of the steps and the files of the result. The folder appears
under its name only when it is whole.
"""

import hashlib
import json
import platform
import shutil
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

from model.checkpoint import CONFIG, MANIFEST_FORMAT, WEIGHTS, Checkpoint, Manifest, open_checkpoint, write_manifest
from model.engine.runner import Runner
from model.prompt import CatbotPrompt
from model.tokenizer import SPIECE, SentencePieceTokenizer

from .calibrate import Calibration, calibrate
from .card import MODEL_CARD, write_model_card
from .corpus.reader import Corpus, by_mood
from .dataset import ConversationDataset, collate
from .evaluation.items import DEVELOPMENT, read_items
from .evaluation.likelihood import measure
from .evaluation.report import evaluate
from .recipe import Recipe, TrainingRecipe
from .teacher import Opinions, ask_teacher
from .tokenizer import export_for_transformers, reply_token_ids, train_tokenizer


class BagReader(torch.nn.Module):
    """Reads the mood off the mean of a message's token embeddings, as fastText does (Joulin et al. 2016).

    Its loss makes the embeddings carry the mood from the first steps on; a transformer alone takes several times as many
    to find that out (LOG.md). It is thrown away after training.
    """

    def __init__(self, width: int, moods: int) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(width, moods)
        self.scale = width**0.5

    def loss(self, embedded: torch.Tensor, said: torch.Tensor, moods: torch.Tensor) -> torch.Tensor:
        """embedded [rows, width, channels], said [rows, width] 1 where the message stands, moods [rows] from 0."""
        length = said.sum(dim=1)
        spoken = length > 0
        mean = (embedded * said[:, :, None]).sum(dim=1)[spoken] / length[spoken, None]
        return torch.nn.functional.cross_entropy(self.linear(mean.float() * self.scale), moods[spoken])


class MoodTrainer(Trainer):
    """transformers.Trainer with a loss weight for each token, and two losses more for the mood: of a `BagReader`, and of
    the distance to a second opinion (`training.teacher`)."""

    def __init__(self, *, plan: TrainingRecipe, mood_ids: Sequence[int], **rest: Any) -> None:
        super().__init__(**rest)
        self.plan = plan
        self.mood_ids = torch.tensor(mood_ids, device=self.args.device)

    def compute_loss(
        self, model: Any, inputs: dict[str, torch.Tensor], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Mean cross-entropy of the next token, weighted; `weights` [rows, width] belong to the token that is predicted.

        Logits are computed only where there is a loss: the vocabulary is most of the arithmetic of a model this small.
        """
        ids = inputs["input_ids"]
        hidden = model.transformer(input_ids=ids, attention_mask=inputs["attention_mask"])[0]
        weights = inputs["weights"][:, 1:]
        counted = weights > 0
        losses = torch.nn.functional.cross_entropy(
            model.lm_head(hidden[:, :-1][counted]).float(), ids[:, 1:][counted], reduction="none"
        )
        loss = (losses * weights[counted]).sum() / weights.sum()
        rows, places = torch.arange(len(ids), device=ids.device), inputs["mood_places"]
        if self.plan.bag_weight:
            moods = (ids[rows, places, None] == self.mood_ids).int().argmax(dim=1)
            loss = loss + self.plan.bag_weight * model.bag_reader.loss(model.transformer.wte(ids), inputs["said"], moods)
        if self.plan.teacher_weight:
            logits = model.lm_head(hidden[rows, places - 1])[:, self.mood_ids].float()
            loss = loss + self.plan.teacher_weight * torch.nn.functional.cross_entropy(logits, inputs["odds"])
        return (loss, {}) if return_outputs else loss


def train(recipe: Recipe, corpus: Corpus, output: Path, *, command: str) -> Manifest:
    """Train and write a checkpoint to `output`, replacing one that is there; returns its manifest without scores."""
    transformers.set_seed(recipe.seed)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{output.name}-", dir=output.parent) as temporary:
        folder = Path(temporary) / output.name
        folder.mkdir()
        train_tokenizer(corpus, folder / SPIECE, vocab_size=recipe.tokenizer.vocab_size, piece_chars=recipe.tokenizer.piece_chars)
        model = _new_model(recipe, folder)
        history = _fit(recipe, corpus, model, folder, Path(temporary) / "trainer")
        manifest = _export(recipe, corpus, model, folder, command, history)
        if output.exists():
            shutil.rmtree(output)
        folder.rename(output)
    return manifest


def finish(folder: Path, corpus: Corpus) -> dict[str, Any]:
    """Calibrate a trained checkpoint on the development sets, score it on the held-out ones, write both into its manifest
    and its model card; returns the scores."""
    opened = open_checkpoint(folder)
    found = _calibrated(opened, corpus)
    manifest = opened.manifest.model_copy(update={"mood_temperature": found.temperature, "mood_floor": found.floor})
    write_manifest(folder, manifest, manifest.sha256)
    record, _ = evaluate(folder, corpus)
    write_model_card(folder / MODEL_CARD, manifest, record)
    write_manifest(folder, manifest.model_copy(update={"scores": record}), manifest.sha256)
    return record


def _calibrated(opened: Checkpoint, corpus: Corpus) -> Calibration:
    items, replies = read_items(DEVELOPMENT), by_mood(corpus.replies)
    likelihood = measure(opened, Runner(opened), [(item.turns(replies), item.language) for item in items])
    return calibrate(likelihood, items) if likelihood else Calibration(1.0, 0.0)


def _new_model(recipe: Recipe, folder: Path) -> GPT2LMHeadModel:
    tokenizer = SentencePieceTokenizer(folder / SPIECE, {})
    settings: dict[str, Any] = recipe.model.model_dump(exclude={"dropout"})
    settings |= dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), recipe.model.dropout)
    settings |= {"bos_token_id": tokenizer.bos_id, "eos_token_id": tokenizer.eos_id, "pad_token_id": 3}
    return GPT2LMHeadModel(GPT2Config(vocab_size=tokenizer.size, **settings))


def _fit(recipe: Recipe, corpus: Corpus, model: GPT2LMHeadModel, folder: Path, work: Path) -> list[dict[str, float]]:
    plan = recipe.training
    opinions = ask_teacher(corpus, crossings=plan.crossings, seed=recipe.seed) if plan.teacher_weight else Opinions()
    dataset = ConversationDataset(corpus, folder / SPIECE, plan, recipe.seed, opinions)
    history = _run(plan, dataset, model, folder, work, recipe.seed)
    if plan.polish_steps:
        history += polish(recipe, corpus, model, folder, work)
    return history


def polish(recipe: Recipe, corpus: Corpus, model: GPT2LMHeadModel, folder: Path, work: Path) -> list[dict[str, float]]:
    """The last steps, on other examples and each with its reply; see `TrainingRecipe.polish`."""
    plan, seed = recipe.training.polish, recipe.seed + 1
    return _run(plan, ConversationDataset(corpus, folder / SPIECE, plan, seed), model, folder, work, seed)


def _run(
    plan: TrainingRecipe, dataset: ConversationDataset, model: Any, folder: Path, work: Path, seed: int
) -> list[dict[str, float]]:
    mood_ids = CatbotPrompt(SentencePieceTokenizer(folder / SPIECE, {})).mood_ids
    arguments = TrainingArguments(
        output_dir=str(work),
        max_steps=plan.steps,
        per_device_train_batch_size=plan.batch_size,
        learning_rate=plan.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=plan.warmup_steps,
        weight_decay=plan.weight_decay,
        adam_beta2=0.98,
        max_grad_norm=1.0,
        use_cpu=not torch.cuda.is_available(),
        bf16=_computes_bf16(),
        logging_steps=max(1, plan.steps // 40),
        save_strategy="no",
        report_to=[],
        seed=seed,
        remove_unused_columns=False,
        dataloader_num_workers=0,
        dataloader_pin_memory=torch.cuda.is_available(),
    )
    model.bag_reader = BagReader(model.config.n_embd, len(mood_ids))
    trainer = MoodTrainer(plan=plan, mood_ids=mood_ids, model=model, args=arguments, train_dataset=dataset, data_collator=collate)
    trainer.train()
    del model.bag_reader
    return [{"step": row["step"], "loss": round(row["loss"], 4)} for row in trainer.state.log_history if "loss" in row]


def _computes_bf16() -> bool:
    """Whether bf16 is fast here. A processor without instructions for it does it a hundred times slower than fp32."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    found = torch.cpu.get_capabilities()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))


def _export(
    recipe: Recipe, corpus: Corpus, model: GPT2LMHeadModel, folder: Path, command: str, history: list[dict[str, float]]
) -> Manifest:
    half: Any = model
    half.to(torch.bfloat16).save_pretrained(folder)
    names = export_for_transformers(folder / SPIECE, folder, max_length=recipe.model.n_positions)
    tokenizer = SentencePieceTokenizer(folder / SPIECE, {})
    manifest = Manifest(
        format=MANIFEST_FORMAT,
        name=recipe.name,
        prompt_format="catbot",
        reply_token_ids=reply_token_ids(tokenizer.encode(line.text) for line in corpus.replies),
        training={
            "command": command,
            "recipe": recipe.model_dump(),
            "corpus_sha256": corpus_sha256(corpus),
            "utterances": len(corpus.utterances),
            "replies": len(corpus.replies),
            "dialogues": len(corpus.dialogues),
            "templates": len(corpus.templates),
            "parameters": model.num_parameters(),
            "loss": history[:: max(1, len(history) // 10)] + history[-1:],
            "python": platform.python_version(),
            "torch": torch.__version__.partition("+")[0],
            "transformers": version("transformers"),
            "sentencepiece": version("sentencepiece"),
        },
    )
    return write_manifest(folder, manifest, [CONFIG, WEIGHTS, SPIECE, *names])


def corpus_sha256(corpus: Corpus) -> str:
    """A hash of everything that the builder reads."""
    records: list[list[Any]] = [[line.language, line.mood, line.text] for line in [*corpus.utterances, *corpus.replies]]
    records += [[dialogue.language, *dialogue.moods, *dialogue.wordings] for dialogue in corpus.dialogues]
    records += [[line.language, line.mood, line.text] for line in corpus.templates]
    records += [[code, name, *words] for code, lists in corpus.words.items() for name, words in lists.items()]
    return hashlib.sha256(json.dumps(records, ensure_ascii=False).encode()).hexdigest()
