"""The command line, read from the commands themselves."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import typer

from tables import code, table
from trunkzoo_cli.group import COMMANDS, app


def write() -> str:
    """Every command with its usage, help, arguments and options."""
    root: Any = typer.main.get_command(app)
    found = [(name, command) for top in COMMANDS for name, command in _commands(top, root.get_command(None, top))]
    listed = table(("command", "what"), [(f"[`zoo {name}`](#{_anchor(name)})", _first(c)) for name, c in found])
    head = (
        "# The command line\n\n`zoo COMMAND --help` says the same in a terminal. Every command that reports prints JSON with `--json`; "
        "a command leaves with 0 when all is well, 1 when a check or run failed and 2 when it was asked for something wrong.\n\n"
    )
    return head + listed + "".join(_section(name, command) for name, command in found)


def _commands(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """The command, or the commands of a group."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield name, command
    for part, sub in (inner or {}).items():
        yield f"{name} {part}", sub


def _anchor(name: str) -> str:
    return "zoo-" + name.replace(" ", "-")


def _first(command: Any) -> str:
    return inspect.cleandoc(command.help).partition("\n")[0]


def _section(name: str, command: Any) -> str:
    given = [p for p in command.params if not p.opts[0].startswith("-")]
    options = [p for p in command.params if p.opts[0].startswith("-") and "--help" not in p.opts]
    words = " ".join([*(_place(p) for p in given), *(["[OPTIONS]"] if options else [])])
    parts = [f"## zoo {name}\n\n```console\n$ zoo {name} {words}\n```\n\n{_help(command)}\n\n"]
    if given or options:
        rows = [(code(_named(p)), _text(p)) for p in (*given, *options)]
        parts.append(table(("argument or option", "meaning"), rows))
    return "".join(parts)


def _help(command: Any) -> str:
    """The docstring; its examples as a block."""
    text = inspect.cleandoc(command.help)
    before, mark, examples = text.partition("Examples:" if "Examples:" in text else "Example:")
    if not mark:
        return text
    lines = [part.strip() for line in examples.splitlines() for part in line.split(" · ")]
    commands = [line for line in lines if line.startswith("zoo ")]
    return (
        before.rstrip() + "\n\n```console\n" + "".join(f"$ {line}\n" for line in commands) + "```" if commands else text
    )


def _place(parameter: Any) -> str:
    name = parameter.metavar or parameter.name.upper()
    name += "…" if parameter.nargs == -1 else ""
    return name if parameter.required else f"[{name}]"


def _named(parameter: Any) -> str:
    if not parameter.opts[0].startswith("-"):
        return _place(parameter)
    flag = getattr(parameter, "is_flag", False) or parameter.type_descriptor.annotation is bool
    value = "" if flag else f" {parameter.metavar or _type(parameter)}"
    return ", ".join(parameter.opts) + value


def _type(parameter: Any) -> str:
    annotation = parameter.type_descriptor.annotation
    choices = getattr(annotation, "__members__", None)
    return "|".join(choices) if choices else getattr(annotation, "__name__", str(annotation)).upper()


def _text(parameter: Any) -> str:
    default = parameter.default
    shown = (
        default is not None
        and default is not False
        and not callable(default)
        and "default" not in (parameter.help or "")
    )
    value = getattr(default, "value", default)
    return (parameter.help or "") + (f" (default: {value})" if shown and default != () else "")
