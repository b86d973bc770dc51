"""The command line `catbot-train`. Thin: each command imports what it needs when it runs."""

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Train, check and evaluate checkpoints for catbot.", no_args_is_help=True, rich_markup_mode=None, add_completion=False
)
corpus_app = typer.Typer(help="Look at the corpus.", no_args_is_help=True)
app.add_typer(corpus_app, name="corpus")


@app.command()
def run(
    preset: Annotated[str, typer.Argument(help="A preset name (bundled, tiny) or a .toml file.")],
    output: Annotated[Path, typer.Option(help="Folder for the checkpoint.")] = Path("checkpoints/new"),
) -> None:
    """Train a checkpoint. Example: catbot-train run bundled --output checkpoints/mine"""
    from .recipe import read_recipe

    try:
        recipe = read_recipe(preset)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    from model.checkpoint import write_manifest

    from .corpus.reader import read_corpus
    from .evaluate import evaluate, scores
    from .train import train

    manifest = train(recipe, read_corpus(), output, command=shlex.join(["catbot-train", "run", preset]))
    measured = {"development": scores(evaluate(output))}
    write_manifest(output, manifest.model_copy(update={"scores": measured}), manifest.sha256)
    print(json.dumps(measured, ensure_ascii=False))
    print(f"wrote {output}; try it with: .venv/bin/catbot chat --checkpoint {output}")


@app.command("evaluate")
def evaluate_command(
    checkpoint: Annotated[str, typer.Argument(help="A folder, or a hub id@revision.")],
    misses: Annotated[bool, typer.Option(help="Print what did not fit.")] = False,
) -> None:
    """Score a checkpoint on the development set. Example: catbot-train evaluate checkpoints/mine --misses"""
    from model.errors import CatError

    from .evaluate import evaluate, scores

    try:
        answers = evaluate(checkpoint)
    except CatError as error:
        sys.exit(f"catbot-train: {error}")
    for answer in answers if misses else ():
        if not answer.fits:
            print(f"{answer.item.mood:10} {answer.mood or '-':10} {answer.item.text}  ->  {answer.reply}")
    print(json.dumps(scores(answers), ensure_ascii=False, indent=1))


@corpus_app.command("check")
def check_corpus() -> None:
    """Count the corpus and find what is wrong with it. Example: catbot-train corpus check"""
    from .corpus.check import counts, problems
    from .corpus.reader import read_corpus

    corpus = read_corpus()
    for what, language, name, number in counts(corpus):
        print(f"{what:12} {language}  {name:10} {number:6}")
    found = problems(corpus)
    for problem in found:
        print(problem)
    sizes = f"{len(corpus.utterances)} utterances, {len(corpus.replies)} replies, {len(corpus.dialogues)} dialogues"
    print(f"{sizes}: {len(found)} problems")
    sys.exit(1 if found else 0)


@corpus_app.command("show")
def show_corpus(
    mood: Annotated[str, typer.Option(help="Only this mood.")] = "",
    number: Annotated[int, typer.Option("-n", "--number", help="How many.")] = 20,
    seed: Annotated[int, typer.Option(help="Seed of the stream.")] = 0,
) -> None:
    """Print conversations as the model is fed them. Example: catbot-train corpus show --mood food -n 20"""
    from itertools import islice

    from .corpus.builder import Builder
    from .corpus.reader import read_corpus

    stream = Builder(read_corpus(), seed).stream()
    for conversation in islice((c for c in stream if mood in ("", c.mood)), number):
        said = " / ".join(f"{'人' if turn.role == 'user' else '猫'} {turn.text}" for turn in conversation.turns)
        print(f"[{conversation.language} {conversation.mood}] {said} => {conversation.reply}")


def main() -> None:
    """Entry point of the console script."""
    app()


if __name__ == "__main__":
    main()
