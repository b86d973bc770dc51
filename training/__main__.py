"""The command line `catbot-train`. Thin: each command imports what it needs when it runs."""

import json
import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    help="Train, check and evaluate checkpoints for catbot.", no_args_is_help=True, rich_markup_mode=None, add_completion=False
)
corpus_app = typer.Typer(help="Look at the corpus.", no_args_is_help=True)
app.add_typer(corpus_app, name="corpus")


class Sets(StrEnum):
    """The evaluation sets that there are."""

    heldout = "heldout"
    development = "development"


@app.command()
def run(
    preset: Annotated[str, typer.Argument(help="A preset name (bundled, tiny) or a .toml file.")],
    output: Annotated[Path, typer.Option(help="Folder for the checkpoint.")] = Path("checkpoints/new"),
) -> None:
    """Train, calibrate and evaluate a checkpoint. Example: catbot-train run bundled --output checkpoints/mine"""
    from .recipe import read_recipe

    try:
        recipe = read_recipe(preset)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    from .corpus.reader import read_corpus
    from .evaluation.report import table
    from .train import finish, train

    corpus = read_corpus()
    train(recipe, corpus, output, command=shlex.join(["catbot-train", "run", preset]))
    print(table(finish(output, corpus)))
    print(f"wrote {output}; try it with: .venv/bin/catbot chat --checkpoint {output}")


@app.command("evaluate")
def evaluate_command(
    checkpoint: Annotated[str, typer.Argument(help="A folder, or a hub id@revision.")],
    compare: Annotated[str, typer.Option(help="A second checkpoint to set beside it.", metavar="CHECKPOINT")] = "",
    sets: Annotated[Sets, typer.Option(help="Which sets; look at single answers of the development sets only.")] = Sets.heldout,
    misses: Annotated[bool, typer.Option(help="Print what did not fit (development sets only).")] = False,
    output: Annotated[Path | None, typer.Option(help="Folder for evaluation.json and evaluation.png.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the replies.")] = 0,
) -> None:
    """Score a checkpoint on held-out messages. Example: catbot-train evaluate checkpoints/mine --output scores"""
    if misses and sets is not Sets.development:
        raise typer.BadParameter("--misses needs --sets development: held-out answers stay unseen")
    from model.errors import CatError

    from .corpus.reader import read_corpus
    from .evaluation.items import DEVELOPMENT, HELDOUT
    from .evaluation.report import comparison, evaluate, table

    folder, corpus = {Sets.heldout: HELDOUT, Sets.development: DEVELOPMENT}[sets], read_corpus()
    try:
        record, answers = evaluate(checkpoint, corpus, folder, seed=seed)
        other = evaluate(compare, corpus, folder, seed=seed) if compare else None
    except (CatError, ValueError) as error:
        sys.exit(f"catbot-train: {error}")
    for answer in answers if misses else ():
        if not answer.fits:
            item, said = answer.item, " / ".join(answer.item.texts)
            mark = "JARS" if answer.jars else ""
            print(f"{mark:5}{item.name:13}{item.mood:10}{answer.mood:10}{said}  ->  {answer.reply}")
    print(table(record))
    if other:
        print(table(other[0]))
        print(comparison(answers, other[1], (record["checkpoint"], other[0]["checkpoint"])))
    if output:
        _write_evaluation(output, record, other[0] if other else None)


def _write_evaluation(folder: Path, record: dict[str, Any], other: dict[str, Any] | None) -> None:
    from .plots import draw_evaluation

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "evaluation.json").write_text(
        json.dumps([record, other] if other else record, ensure_ascii=False, indent=1) + "\n", "utf-8"
    )
    draw_evaluation(record, folder / "evaluation.png")
    if other:
        draw_evaluation(other, folder / "evaluation-compared.png")
    print(f"wrote {folder}")


@corpus_app.command("check")
def check_corpus() -> None:
    """Count the corpus and find what is wrong with it. Example: catbot-train corpus check"""
    from .corpus.check import MAX_NEAR_DUPLICATES, counts, near_duplicates, near_share, problems
    from .corpus.reader import read_corpus

    corpus = read_corpus()
    for what, language, mood, kinds in counts(corpus):
        parts = "  ".join(f"{kind} {number}" for kind, number in kinds.items()) if len(kinds) > 1 else ""
        print(f"{what:11}{language}  {mood:10}{sum(kinds.values()):6}  {parts}".rstrip())
    found = problems(corpus)
    near = near_duplicates(corpus.utterances)
    share = near_share(near, corpus.utterances)
    print(f"near-duplicates: {share:.1%} of the utterances (at most {MAX_NEAR_DUPLICATES:.0%})")
    if share > MAX_NEAR_DUPLICATES:
        found += [f"{one.line.where}: {one.line.text} is nearly {one.earlier.text} ({one.earlier.where})" for one in near]
    for problem in found:
        print(problem)
    sizes = f"{len(corpus.utterances)} utterances, {len(corpus.replies)} replies, {len(corpus.dialogues)} dialogues"
    print(f"{sizes}: {len(found)} problems")
    sys.exit(1 if found else 0)


@corpus_app.command("show")
def show_corpus(
    mood: Annotated[str, typer.Option(help="Only this mood.")] = "",
    number: Annotated[int, typer.Option("-n", "--number", help="How many.", min=1)] = 20,
    seed: Annotated[int, typer.Option(help="Seed of the stream.")] = 0,
    checkpoint: Annotated[str, typer.Option(help="Whose tokenizer to show it in.", metavar="FOLDER")] = "",
    preset: Annotated[str, typer.Option(help="Whose weights to show.")] = "bundled",
) -> None:
    """Print what the model is fed, piece by piece, with its mask. Example: catbot-train corpus show --mood food -n 20

    Each piece is followed by the weight of its loss; pieces without one are only read.
    """
    from model.catspeak import MOODS

    from .recipe import read_recipe

    if mood not in ("", *MOODS):
        raise typer.BadParameter(f"there is no mood {mood!r}; the moods are {', '.join(MOODS)}")
    from model.checkpoint import BUNDLED

    from .corpus.reader import read_corpus
    from .dataset import shown

    folder = Path(checkpoint) if checkpoint else BUNDLED
    for line in shown(read_corpus(), folder, read_recipe(preset).training, seed=seed, mood=mood, number=number):
        print(line)


def main() -> None:
    """Entry point of the console script."""
    app()


if __name__ == "__main__":
    main()
