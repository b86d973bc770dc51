"""The structure: which package may import which, and no file whose name says nothing."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("bot", "model", "training", "demo")
FORBIDDEN = {
    "bot": {"torch", "transformers", "training", "demo"},
    "model": {"discord", "bot", "training", "demo"},
    "training": {"bot", "discord", "demo"},
    "demo": {"bot", "training", "discord"},
}
TORCH_MODULES = {"causal_lm", "gpt2", "network", "runner", "sampler", "worker"}
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "manager", "common", "misc"}


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(path: Path) -> set[str]:
    """The first parts of all absolute imports of a file, wherever they stand, and of relative ones that leave the package."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            if node.level == 0:
                found.add((node.module or "").partition(".")[0])
            else:
                depth = len(path.relative_to(ROOT).parts) - 1
                assert node.level <= depth, f"{path}: a relative import leaves the package"
    return found


@pytest.mark.parametrize(
    "path", [path for package in PACKAGES for path in modules(package)], ids=lambda p: str(p.relative_to(ROOT))
)
def test_import_directions(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    assert imports(path) & FORBIDDEN[package] == set()


@pytest.mark.parametrize("path", modules("model"), ids=lambda p: str(p.relative_to(ROOT)))
def test_torch_is_only_where_it_computes(path: Path) -> None:
    if "torch" in imports(path):
        assert path.parent.name == "engine"
        assert path.stem in TORCH_MODULES


def test_the_test_sees_something() -> None:
    assert {"bot", "model", "training"} <= {package for package in PACKAGES if modules(package)}
    assert "torch" in imports(ROOT / "model/engine/gpt2.py")
    assert "model" in imports(ROOT / "training/train.py")


@pytest.mark.parametrize("package", [*PACKAGES, "tests", "bench"])
def test_names_say_something(package: str) -> None:
    assert [str(path) for path in modules(package) if path.stem in EMPTY_NAMES or path.parent.name in EMPTY_NAMES] == []


@pytest.mark.parametrize("package", [*PACKAGES, "tests", "bench"])
def test_modules_say_what_they_own(package: str) -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in modules(package)
        if path.read_text("utf-8").strip() and not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert silent == []
