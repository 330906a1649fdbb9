"""`lerobot-train` with its data in memory: the same batches, bit for bit, without decoding images that nobody reads.

lerobot 0.6.1 decodes the images of every row whose action it looks up: of a chunk of 16, 48 images for three. With images
of 96 pixels on one core that is twice the cost of a training step. Here every row is decoded once, when training begins.

    python benchmarks/lerobot_train.py --policy.type=act …
"""

from __future__ import annotations

from typing import Any

import torch
from lerobot.datasets import dataset_reader
from lerobot.scripts.lerobot_train import main


class Rows:
    """Decoded rows of a dataset, under the three kinds of index that lerobot uses; the rest is the dataset's."""

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        self._rows = [dataset[index] for index in range(len(dataset))]

    def __len__(self) -> int:
        return len(self._rows)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dataset, name)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, str):
            return Column(self._rows, index)
        if isinstance(index, list):
            return {key: [self._rows[row][key] for row in index] for key in self._rows[0]}
        return dict(self._rows[index])


class Column:
    """One feature of all rows."""

    def __init__(self, rows: list[dict[str, Any]], key: str) -> None:
        self._rows, self._key = rows, key

    def __getitem__(self, index: list[int]) -> list[torch.Tensor]:
        return [self._rows[row][self._key] for row in index]


def keep_rows() -> None:
    """Let the readers of datasets that hold images as such keep decoded rows."""
    read = dataset_reader.DatasetReader.get_item

    def get_item(self: Any, index: int) -> Any:
        if not isinstance(self.hf_dataset, Rows):
            self.hf_dataset = Rows(self.hf_dataset)
        return read(self, index)

    dataset_reader.DatasetReader.get_item = get_item


if __name__ == "__main__":
    keep_rows()
    main()
