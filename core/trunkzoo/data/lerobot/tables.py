"""The parquet tables of a LeRobot dataset: frames, episodes and tasks."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from trunkzoo.data.lerobot.layout import Feature

IMAGE_TYPE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def data_schema(features: Mapping[str, Feature]) -> pa.Schema:
    """Columns of the frame table; video features have none."""
    columns = [(key, _column_type(feature)) for key, feature in features.items() if feature.dtype != "video"]
    return pa.schema(columns)


def _column_type(feature: Feature) -> pa.DataType:
    if feature.dtype == "image":
        return IMAGE_TYPE
    scalar = pa.type_for_alias(feature.dtype)
    return scalar if feature.shape == (1,) else pa.list_(scalar, feature.shape[0])


def data_table(rows: Mapping[str, NDArray[Any]], features: Mapping[str, Feature], schema: pa.Schema) -> pa.Table:
    """One episode's frames as a table; images become PNG."""
    columns = [_column(rows[name], features[name], schema.field(name).type) for name in schema.names]
    return pa.Table.from_arrays(columns, schema=schema)


def _column(values: NDArray[Any], feature: Feature, kind: pa.DataType) -> pa.Array:
    if feature.dtype == "image":
        names = [f"frame-{i:06d}.png" for i in range(len(values))]
        png = pa.array([encode_png(frame) for frame in values], pa.binary())
        return pa.StructArray.from_arrays([png, pa.array(names, pa.string())], fields=list(kind))
    flat = pa.array(np.ascontiguousarray(values, dtype=feature.dtype).reshape(-1))
    return flat if feature.shape == (1,) else pa.FixedSizeListArray.from_arrays(flat, type=kind)


def encode_png(frame: NDArray[np.uint8]) -> bytes:
    """PNG bytes of an RGB image (H, W, 3); lossless, compressed for speed."""
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


def write_episodes(path: Path, episodes: Sequence[Mapping[str, Any]]) -> None:
    """Write one row per episode."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(episodes)), path, compression="snappy")


def write_tasks(path: Path, tasks: Sequence[str]) -> None:
    """Write the tasks as pandas stores a frame indexed by the task's text, which is how lerobot reads them."""
    text = {"field_name": "task", "name": "task", "pandas_type": "unicode", "numpy_type": "object", "metadata": None}
    number = {"field_name": "task_index", "name": "task_index", "pandas_type": "int64", "numpy_type": "int64"}
    layout = {"index_columns": ["task"], "column_indexes": [], "columns": [{**number, "metadata": None}, text]}
    table = pa.table({"task_index": pa.array(range(len(tasks)), pa.int64()), "task": pa.array(tasks, pa.string())})
    pq.write_table(table.replace_schema_metadata({"pandas": json.dumps(layout)}), path)
