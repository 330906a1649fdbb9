"""``zoo serve``: an agent behind a websocket."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trunkzoo_cli.completion import complete_run
from trunkzoo_cli.options import MAX_PROCESSES, MAX_SEED
from trunkzoo_cli.output import note, say


def serve(
    checkpoint: Annotated[
        Path,
        typer.Argument(
            metavar="RUN|CKPT", help="A run, a checkpoint or a model.safetensors.", autocompletion=complete_run
        ),
    ],
    host: Annotated[
        str, typer.Option(help="Address to listen on; whoever reaches it may ask, so keep it inside.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8000,
    device: Annotated[str, typer.Option(help="Where the agent runs, e.g. cpu or cuda.")] = "cpu",
    threads: Annotated[
        int | None, typer.Option(min=1, max=MAX_PROCESSES, help="CPU threads of torch. (default: torch's choice)")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Base of the head's noise.")] = 0,
    compile_: Annotated[
        bool, typer.Option("--compile", help="Run it through torch.compile: faster, after minutes at the start.")
    ] = False,
) -> None:
    """Serve chunks of actions over a websocket, as openpi's policy server does, until Ctrl-C.

    A client sends one observation as MessagePack and gets `actions` (pred_horizon, action_dim) back; the first message it
    receives has the contract. docs/act-on-a-robot.md has the form of both, and a client.

    Example: zoo serve runs/resnet --port 8000
    """
    import importlib.util

    from trunkzoo.checkpoint.layout import why_this_one
    from trunkzoo.errors import UsageError

    absent = [name for name in ("websockets", "msgpack") if importlib.util.find_spec(name) is None]
    if absent:
        raise UsageError(f"zoo serve needs {' and '.join(absent)}, not installed here; pip install 'trunkzoo[serve]'")
    import torch

    from trunkzoo.agent.compiled import compile_acting
    from trunkzoo.agent.example import random_batch
    from trunkzoo.checkpoint import load_agent
    from trunkzoo.registry import open_zoo
    from trunkzoo.serving.server import running
    from trunkzoo.system.devices import device_of

    if threads is not None:
        torch.set_num_threads(threads)
    if why := why_this_one(checkpoint):
        note(why)
    where = device_of(device)
    agent = load_agent(checkpoint, open_zoo().catalogue).to(where).eval()
    if compile_:
        note("compiling: a first prediction")
        compile_acting(agent).predict({key: x.to(where) for key, x in random_batch(agent.contract, 1).items()})
    try:
        with running(agent, host, port, seed) as server:
            bound = server.socket.getsockname()[1]
            say(
                f"{agent.recipe.name} listens on ws://{host}:{bound}; {agent.contract.sum_line()}; Ctrl-C ends it",
                aside=True,
            )
            server.serve_forever()
    except OSError as error:
        raise UsageError(f"cannot listen on {host}:{port}: {error.strerror or error}; give --host or --port") from None
