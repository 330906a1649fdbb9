"""One word, one thing: a name is one class in all of core, and core speaks of settings, never of the command line's options."""

import ast
import re
import tokenize
from collections import defaultdict
from io import StringIO
from pathlib import Path

from trunkzoo_cli.output import OPTIONS

ROOT = Path(__file__).parents[2]
CORE = ROOT / "core" / "trunkzoo"
FILES = sorted(CORE.rglob("*.py"))
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
# words of the glossary that are classes, and the class; the other words name what is no class
CLASSES = {
    "trunk": "VisionTrunk",
    "head": "Head",
    "task": "Task",
    "expert": "Expert",
    "policy": "Policy",
    "agent": "Agent",
    "contract": "Contract",
    "catalogue": "Catalogue",
    "registry": "Registry",
    "recipe": "Recipe",
    "suite": "SuiteConfig",
    "arm": "ArmConfig",
    "cell": "Cell",
    "episode": "EpisodeResult",
    "demonstration": "Demonstration",
    "draws": "Draws",
    "conformance check": "Check",
    "smoke test": "SmokeResult",
}
SHARED: dict[str, str] = {}
"""Class name → why two classes may have it."""
OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z-]+|-o\b)")
FOREIGN = {
    "--porcelain",
    "--no-install-recommends",
    "--no-deps",
    "--upgrade",
    "--repo-id",
    "--root",
    "--push-to-hub",
    "--cpus-per-task",
    "--noheader",
    "--states",
    "--jobs",
    "--array",
    "--format",
    "--name",
    "--repo-type",
    "--revision",
    "--include",
}
"""Options of git, apt-get, pip, SLURM, `hf download` and of lerobot's converter, in lines that are to be run."""


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def room_of(path: Path) -> str:
    return path.relative_to(CORE).parts[0].removesuffix(".py")


def homes() -> dict[str, set[Path]]:
    """Class or alias of a type → the files that define it; variables of types, which are local, left out."""
    found: dict[str, set[Path]] = defaultdict(set)
    for path in FILES:
        for node in tree(path).body:
            if isinstance(node, ast.ClassDef):
                found[node.name].add(path)
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                name, value = node.targets[0].id, ast.unparse(node.value)
                if re.fullmatch(r"[A-Z][a-z]\w*", name) and not value.startswith("TypeVar("):
                    found[name].add(path)
    return found


def test_a_word_of_the_glossary_is_one_class() -> None:
    section = PAGE.partition("\n## Words\n")[2]
    words = [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("|")][2:]
    assert sorted(CLASSES.keys() - set(words)) == []
    found = homes()
    assert {word: len(found[name]) for word, name in CLASSES.items() if len(found[name]) != 1} == {}


def test_no_two_classes_of_core_share_a_name() -> None:
    classes: dict[str, list[Path]] = defaultdict(list)
    for path in FILES:
        for node in tree(path).body:
            if isinstance(node, ast.ClassDef):
                classes[node.name].append(path)
    assert len(classes) > 100
    assert {name: paths for name, paths in classes.items() if len(paths) > 1 and name not in SHARED} == {}


def test_no_two_rooms_call_different_types_alike() -> None:
    rooms = {name: {room_of(path) for path in paths} for name, paths in homes().items()}
    assert {name: found for name, found in rooms.items() if len(found) > 1} == {}


def texts(path: Path) -> list[tuple[int, str]]:
    """Every text of a file, docstrings too, pieces of f-strings joined as they are written, and every comment."""
    found = []
    for token in tokenize.generate_tokens(StringIO(path.read_text(encoding="utf-8")).readline):
        if token.type in (tokenize.STRING, tokenize.COMMENT):
            found.append((token.start[0], token.string))
    return found


def test_core_names_no_option_of_the_command_line() -> None:
    spoken = [
        f"{path.relative_to(ROOT)}:{line}: {option}"
        for path in FILES
        for line, text in texts(path)
        for option in OPTION.findall(text)
        if option not in FOREIGN
    ]
    assert spoken == []


def test_options_of_errors_are_those_of_commands() -> None:
    """What the CLI adds to an error is an option that some command has."""
    commands = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "cli").rglob("*.py"))
    elsewhere = re.sub(r"^OPTIONS = \{.*?^\}", "", commands, flags=re.DOTALL | re.MULTILINE)
    written = set(re.findall(r'"(-[\w-]+)"', elsewhere))
    named = {f"--{name.replace('_', '-')}" for name in re.findall(r"^ +(\w+): Annotated\[", elsewhere, re.MULTILINE)}
    assert sorted(set(OPTIONS.values()) - written - named) == []


def test_errors_name_settings_that_the_command_line_knows() -> None:
    """Every setting that core attaches to an error is one that Python callers write."""
    named = re.compile(
        r"""(?:Error|kind)\((?:[^()]|\([^()]*\))*?, (?:\[((?:"[\w.]+"(?:, )?)+)\])\s*,?\s*\)""", re.DOTALL
    )
    found = {
        name
        for path in FILES
        for listed in named.findall(path.read_text(encoding="utf-8"))
        for name in re.findall(r'"([\w.]+)"', listed)
    }
    assert len(found) >= 10
    assert sorted(found - OPTIONS.keys()) == []
