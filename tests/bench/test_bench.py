"""The benchmarks' figures hang together, and a device that is not there is refused before anything is built."""

import json

import pytest
import torch

from trunkzoo.agent.assemble import assemble
from trunkzoo.agent.compiled import compile_acting
from trunkzoo.agent.example import random_batch, random_noise, unit_statistics
from trunkzoo.bench.agent import AgentRow, Latency, bench_agent
from trunkzoo.errors import UsageError
from trunkzoo.registry import open_zoo
from trunkzoo.system.devices import device_of
from trunkzoo_cli.app import main


def test_an_agents_parts_add_up_to_its_prediction() -> None:
    recipe = open_zoo().recipe("imf-resnet18-demo")
    rows = bench_agent([recipe], (1, 2), rounds=3)
    assert [row.batch for row in rows] == [1, 2]
    for row in rows:
        assert row.trunk
        assert row.encoder
        assert row.head
        parts = row.trunk.median + row.encoder.median + row.head.median
        assert row.total.median == pytest.approx(parts, rel=0.5)
        assert row.total.p95 >= row.total.median > 0
        assert row.trunk.median > row.encoder.median > 0


def test_the_heads_share_is_of_the_medians() -> None:
    trunk, encoder, head = Latency(2, 3), Latency(1, 1), Latency(1, 9)
    assert AgentRow("r", 1, trunk, encoder, head, Latency(4, 9)).head_share == 0.25


@pytest.mark.parametrize(
    "arguments", [["agent", "imf-resnet18-demo", "--rounds", "2"], ["trunks", "resnet-18", "--rounds", "1"]]
)
@pytest.mark.parametrize(("device", "message"), [("cuda:99", "torch sees"), ("banana", "unknown"), ("meta", "runs on")])
def test_a_device_that_is_not_there_is_wrong_use(
    arguments: list[str], device: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(["bench", *arguments, "--device", device])
    assert leaving.value.code == 2
    assert message in capsys.readouterr().err


def test_bench_agent_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["bench", "agent", "imf-resnet18-demo", "--rounds", "2", "--batch", "2", "--json"])
    rows = json.loads(capsys.readouterr().out)
    assert [row["batch"] for row in rows] == [1, 2]
    assert all(0 < row["head_share"] < 1 for row in rows)


def test_cpu_is_always_there() -> None:
    assert device_of("cpu").type == "cpu"
    with pytest.raises(UsageError, match="cuda:N"):
        device_of("gpu")


def test_a_trunk_that_cannot_take_the_batch_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:  # batch norm has one value per channel to normalise
        main(["bench", "trunks", "resnet-18,width=16", "--size", "32", "--batch", "1", "--rounds", "1"])
    assert leaving.value.code == 1
    assert "Expected more than 1 value per channel" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the compiler trips over warnings of its own
def test_a_compiled_agent_predicts_the_same() -> None:
    agent = assemble(open_zoo().recipe("tour-resnet")).eval()
    agent.fit_normalizers(unit_statistics(agent.contract))
    batch, noise = random_batch(agent.contract), random_noise(agent.contract)
    eager = agent.predict(batch, noise)
    compiled = compile_acting(agent)
    torch.testing.assert_close(compiled.predict(batch, noise), eager, rtol=1e-5, atol=1e-5)
