"""Act with an exported agent, by onnxruntime and numpy alone: python act_with_onnx.py exports/resnet"""

import json
import sys
from collections import deque
from pathlib import Path

import numpy as np
import onnxruntime

folder = Path(sys.argv[1])
export = json.loads((folder / "export.json").read_text())
contract = export["contract"]
session = onnxruntime.InferenceSession(folder / export["file"], providers=["CPUExecutionProvider"])
rng = np.random.default_rng(0)


def observe():  # put your cameras and joints here: RGB images (3, H, W) uint8, the state in the units of the data
    images = {f"observation.images.{c}": np.zeros((3, *contract["image_size"]), np.uint8) for c in contract["cameras"]}
    return images | {"observation.state": np.zeros(contract["state_dim"], np.float32)}


seen = deque([observe()] * contract["obs_horizon"], maxlen=contract["obs_horizon"])  # the first one is repeated
for _ in range(2):  # chunks
    feed = {key: np.stack([frame[key] for frame in seen])[None] for key in seen[0]}  # (1, obs_horizon, …)
    feed["noise"] = rng.standard_normal((1, contract["pred_horizon"], contract["action_dim"]), np.float32)
    (chunk,) = session.run(["action"], {port["name"]: feed[port["name"]] for port in export["inputs"]})
    for action in chunk[0, : contract["num_action_steps"]]:
        print(*action)  # send it to the robot
        seen.append(observe())
