"""Trains a checkpoint from scratch: tokenizer, GPT-2, transformers.Trainer, export.

Owns the loss (weighted by `model.prompt`'s mask), the order of the steps and the files of the result. The folder appears
under its name only when it is whole.
"""

import hashlib
import json
import platform
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

from model.checkpoint import CONFIG, MANIFEST_FORMAT, WEIGHTS, Manifest, write_manifest
from model.tokenizer import SPIECE, SentencePieceTokenizer

from .corpus.reader import Corpus
from .dataset import ConversationDataset, collate
from .recipe import Recipe
from .tokenizer import export_for_transformers, reply_token_ids, train_tokenizer


class WeightedTrainer(Trainer):
    """transformers.Trainer with a loss weight for each token."""

    def compute_loss(
        self, model: Any, inputs: dict[str, torch.Tensor], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Mean cross-entropy of the next token, weighted; `weights` [rows, width] belong to the token that is predicted.

        Logits are computed only where there is a loss: the vocabulary is most of the arithmetic of a model this small.
        """
        weights = inputs.pop("weights")[:, 1:]
        counted = weights > 0
        hidden = model.transformer(**inputs)[0][:, :-1][counted]
        losses = torch.nn.functional.cross_entropy(
            model.lm_head(hidden).float(), inputs["input_ids"][:, 1:][counted], reduction="none"
        )
        loss = (losses * weights[counted]).sum() / weights.sum()
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


def _new_model(recipe: Recipe, folder: Path) -> GPT2LMHeadModel:
    tokenizer = SentencePieceTokenizer(folder / SPIECE, {})
    settings: dict[str, Any] = recipe.model.model_dump(exclude={"dropout"})
    settings |= dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), recipe.model.dropout)
    settings |= {"bos_token_id": tokenizer.bos_id, "eos_token_id": tokenizer.eos_id, "pad_token_id": 3}
    return GPT2LMHeadModel(GPT2Config(vocab_size=tokenizer.size, **settings))


def _fit(recipe: Recipe, corpus: Corpus, model: GPT2LMHeadModel, folder: Path, work: Path) -> list[dict[str, float]]:
    plan = recipe.training
    dataset = ConversationDataset(corpus, folder / SPIECE, plan, recipe.seed)
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
        bf16=True,
        logging_steps=max(1, plan.steps // 40),
        save_strategy="no",
        report_to=[],
        seed=recipe.seed,
        remove_unused_columns=False,
        dataloader_num_workers=0,
        dataloader_pin_memory=torch.cuda.is_available(),
    )
    trainer = WeightedTrainer(model=model, args=arguments, train_dataset=dataset, data_collator=collate)
    trainer.train()
    return [{"step": row["step"], "loss": round(row["loss"], 4)} for row in trainer.state.log_history if "loss" in row]


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
    records = [[line.language, line.mood, line.text] for line in [*corpus.utterances, *corpus.replies]]
    records += [[dialogue.language, *dialogue.moods, *dialogue.texts] for dialogue in corpus.dialogues]
    return hashlib.sha256(json.dumps(records, ensure_ascii=False).encode()).hexdigest()
