"""The commands of ``zoo``. A command's module is imported only when that command runs, or for ``zoo --help``."""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

import trunkzoo
from trunkzoo_cli.output import fail, note

# command → "module:function" below trunkzoo_cli.commands, in the order of `zoo --help`; the function's signature is the
# command line and its docstring the help. The function may also be a typer.Typer that groups subcommands.
COMMANDS = {
    "list": "list_records:list_records",
    "plugins": "plugins:plugins",
    "show": "show:show",
    "doctor": "doctor:doctor",
    "check": "check:check",
    "new-plugin": "new_plugin:new_plugin",
    "build": "build:build",
    "smoke": "smoke:smoke",
    "bench": "bench:bench",
    "collect": "collect:collect",
    "data": "data:data",
    "train": "train:train",
    "inspect": "inspect:inspect",
    "export": "export:export",
    "eval": "eval:evaluate",
    "compare": "compare:compare",
    "serve": "serve:serve",
    "push": "push:push",
    "pull": "pull:pull",
    "push-data": "push:push_data",
    "runs": "runs:runs",
    "plot": "plot:plot",
    "clean": "clean:clean",
    "suite": "suite:suite",
}


class LazyGroup(TyperGroup):
    """A command group that imports a subcommand when it is asked for."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = {name: TyperCommand(name) for name in COMMANDS}  # placeholders; Typer takes their names only

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import and build the subcommand, or None when there is no such name."""
        return _load(cmd_name) if cmd_name in COMMANDS else None


app = typer.Typer(
    name="zoo",
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"trunkzoo {trunkzoo.__version__}")
        raise typer.Exit


@app.callback()
def zoo(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", is_eager=True, callback=_print_version)
    ] = False,
    registry: Annotated[
        Path | None, typer.Option(help="A registry.toml of your own, laid over trunkzoo's.", envvar="TRUNKZOO_REGISTRY")
    ] = None,
) -> None:
    """Swap the vision backbone of a robot policy, keep everything else fixed, and learn whether it helped.

    Start with `zoo list`, then `zoo build RECIPE --trunk TRUNK` and `zoo smoke RECIPE`.
    """
    if registry is not None:
        if not registry.is_file():
            from trunkzoo.errors import UsageError

            raise UsageError(
                f"cannot read the registry {registry}: no such file; name another, or leave --registry out"
            )
        os.environ["TRUNKZOO_REGISTRY"] = str(registry)  # worker processes must read the same file


def run(given: Sequence[str]) -> int:
    """Run the command that ``given`` names; returns its exit code, with a line said about a wrong command line.

    Raises:
        ZooError: the command's own fault.
        KeyboardInterrupt: Ctrl-C.
    """
    warnings.showwarning = _show_warning
    try:
        code = typer.main.get_command(app).main(_registry_first(list(given)), prog_name="zoo", standalone_mode=False)
    except typer.TyperException as error:
        # empty for `zoo` alone, which has printed its help
        message = error.format_message().replace(": Value error, ", ": ", 1)
        return fail(message + _help_hint(error), error.exit_code) if message else error.exit_code
    except typer.Abort:
        raise KeyboardInterrupt from None
    return code if isinstance(code, int) else 0


def _help_hint(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    return f"\nTry '{context.command_path} --help'." if context is not None else ""


def _load(name: str) -> Any:
    module, _, attribute = COMMANDS[name].partition(":")
    target = getattr(importlib.import_module(f"trunkzoo_cli.commands.{module}"), attribute)
    command: Any
    if isinstance(target, typer.Typer):
        command = typer.main.get_group(target)
    else:
        single = typer.Typer(add_completion=False, context_settings={"help_option_names": ["-h", "--help"]})
        single.command(name)(target)
        command = typer.main.get_command(single)
    command.name = name
    return command


def _registry_first(arguments: list[str]) -> list[str]:
    """Move ``--registry FILE`` to the front, so that it may stand behind the subcommand too."""
    for i, argument in enumerate(arguments):
        if argument == "--":
            break
        if argument == "--registry" and i + 1 < len(arguments):
            return [*arguments[i : i + 2], *arguments[:i], *arguments[i + 2 :]]
        if argument.startswith("--registry="):
            return [argument, *arguments[:i], *arguments[i + 1 :]]
    return arguments


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    note(str(message))
