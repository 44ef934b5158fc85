from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "sharded_fit.py"


@pytest.mark.slow
def test_each_process_holds_a_part_and_the_losses_are_those_of_whole_weights(tmp_path):
    def run(strategy: str) -> dict[str, dict[str, float]]:
        out = tmp_path / strategy / "found.json"
        out.parent.mkdir()
        done = subprocess.run(
            [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node",
             "2", SCRIPT, strategy, out],
            check=False, capture_output=True, text=True, timeout=240,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(out.read_text())

    whole, sharded = run("ddp"), run("fsdp")
    for network in ("cnn", "rnn"):
        assert whole[network]["share"] == 1
        assert sharded[network]["share"] == pytest.approx(0.5, abs=0.05), network
        assert sharded[network]["same"], "the network that was handed in has the result"
        for value in ("losses", "sum"):
            assert sharded[network][value] == pytest.approx(whole[network][value], rel=1e-4), value
    assert whole["rnn"]["losses"][2] < whole["rnn"]["losses"][0]
