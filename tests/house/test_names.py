"""Dotted names in docstrings, comments, messages, embedded programs and pages lead to something that exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = [ROOT / folder for folder in ("core", "cli", "plugins")]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "RESULTS.md")]
TEXTS = [
    file for folder in (*SOURCES, ROOT / "docs") for end in ("py", "md", "txt") for file in folder.rglob(f"*.{end}")
]
NO_MODULE = {"trunkzoo.v1", "trunkzoo.v", "trunkzoo.json"}  # the entry-point group, its prefix, a file of datasets
DOTTED = re.compile(r"\btrunkzoo(?:\.\w+)+")
IMPORTED = re.compile(r"^ *from (trunkzoo(?:\.\w+)*) import \(?((?:\w+(?: as \w+)?,?\s*?)+)(?:\)|$)", re.MULTILINE)


def module_of(name: str) -> Path | None:
    """The file of a module, or None."""
    path = ROOT / "core" / Path(*name.split("."))
    return next((file for file in (path / "__init__.py", path.with_suffix(".py")) if file.is_file()), None)


def exists(name: str) -> bool:
    """``name`` is a module, or something that a module mentions; of a class, its attributes are not looked at."""
    above, _, last = name.rpartition(".")
    if module_of(name):
        return True
    file = module_of(above)
    if file is None:
        return bool(above) and exists(above)
    return re.search(rf"\b{last}\b", file.read_text(encoding="utf-8")) is not None


def test_every_dotted_name_leads_somewhere() -> None:
    written = {(file, name) for file in (*TEXTS, *PAGES) for name in DOTTED.findall(file.read_text(encoding="utf-8"))}
    assert len(written) > 200
    lost = [f"{file.relative_to(ROOT)}: {name}" for file, name in written if name not in NO_MODULE and not exists(name)]
    assert sorted(lost) == []


def test_programs_inside_strings_import_what_is_there() -> None:
    """Linters do not look into the text of a subprocess."""
    found = [(file, *match) for file in TEXTS for match in IMPORTED.findall(file.read_text(encoding="utf-8"))]
    names = [
        (file, f"{module}.{name}")
        for file, module, listed in found
        for name in re.findall(r"\w+", re.sub(r" as \w+", "", listed))
    ]
    assert len(names) > 500
    lost = [f"{file.relative_to(ROOT)}: {name}" for file, name in names if not exists(name)]
    assert sorted(lost) == []
