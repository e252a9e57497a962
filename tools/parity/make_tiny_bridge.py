# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Writes the RLDS data set that ``test/episodes/exchange/test_rlds.py`` reads, with TFDS itself.

Needs an environment of its own: ``pip install tensorflow-cpu tensorflow-datasets`` (2.21.0 and
4.9.10 wrote the files that are committed).

Usage: python tools/parity/make_tiny_bridge.py OUT
"""

import sys
from typing import ClassVar

import numpy as np
import tensorflow_datasets as tfds

features = tfds.features


def steps_of(episode):
    """4 + e steps; every value says which episode and step it is of."""
    count = 4 + episode
    words = np.zeros(64, np.int32)
    sentence = f"push block {episode}".encode()
    words[: len(sentence)] = list(sentence)
    for step in range(count):
        ramps = np.linspace(0, 1, 7)[:6] * step
        yield {
            "observation": {
                "image_0": np.full((32, 32, 3), 20 * episode + 10 * step, np.uint8),
                "image_1": np.full((32, 32, 3), [episode, step, 7], np.uint8),
                "depth": np.full((32, 32, 1), 1000 + step, np.uint16),
                "state": np.arange(7, dtype=np.float32) + episode + step / 10,
                "packed": np.full((2, 3), episode + step / 10, np.float32),
                "words": words,
            },
            "action": np.append(ramps, step % 2).astype(np.float32),
            "discount": 1.0,
            "reward": np.float32(step == count - 1),
            "is_first": step == 0,
            "is_last": step == count - 1,
            "is_terminal": step == count - 1,
            "language_instruction": f"put the pot on plate {episode}",
        }


class TinyBridge(tfds.core.GeneratorBasedBuilder):
    """Three episodes to learn from and one to validate by."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "first"}

    def _info(self):
        scalar, tensor, image = features.Scalar, features.Tensor, features.Image
        observation = {
            "image_0": image(shape=(32, 32, 3), dtype=np.uint8, encoding_format="jpeg"),
            "image_1": image(shape=(32, 32, 3), dtype=np.uint8, encoding_format="png"),
            "depth": image(shape=(32, 32, 1), dtype=np.uint16, encoding_format="png"),
            "state": tensor(shape=(7,), dtype=np.float32),
            "packed": tensor(shape=(2, 3), dtype=np.float32, encoding="zlib"),
            "words": tensor(shape=(64,), dtype=np.int32),
        }
        step = {
            "observation": features.FeaturesDict(observation),
            "action": tensor(shape=(7,), dtype=np.float32),
            "discount": scalar(dtype=np.float64),
            "reward": scalar(dtype=np.float32),
            "is_first": scalar(dtype=np.bool_),
            "is_last": scalar(dtype=np.bool_),
            "is_terminal": scalar(dtype=np.bool_),
            "language_instruction": features.Text(),
        }
        about = {
            "file_path": features.Text(),
            "episode_id": scalar(dtype=np.int32),
            "has_image_0": scalar(dtype=np.bool_),
        }
        top = {"steps": features.Dataset(step), "episode_metadata": features.FeaturesDict(about)}
        return tfds.core.DatasetInfo(builder=self, features=features.FeaturesDict(top))

    def _split_generators(self, manager):
        del manager
        return {"train": self._generate_examples(0, 3), "val": self._generate_examples(3, 1)}

    def _generate_examples(self, first, count):
        for episode in range(first, first + count):
            about = {
                "file_path": f"/data/{episode}.npy",
                "episode_id": episode,
                "has_image_0": True,
            }
            yield str(episode), {"steps": list(steps_of(episode)), "episode_metadata": about}


if __name__ == "__main__":
    TinyBridge(data_dir=sys.argv[1]).download_and_prepare()
