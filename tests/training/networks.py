"""Folders with isoform.toml whose networks are the same function in both frameworks, small enough for a test."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from isoform.core.model import Model, load_manifest
from isoform.isolation import Pool
from isoform.stages import train
from isoform.stages.train import TrainRecord

Listener = Callable[[Pool, dict[str, Any]], None]

MANIFEST = """
[model]
name = "net"
[[inputs]]
name = "image"
dtype = "float32"
shape = ["batch", 64]
[[outputs]]
name = "probabilities"
dtype = "float32"
shape = ["batch", 10]
[data]
source = "digits"
[train]
epochs = 2
batch_size = 100
learning_rate = 0.01
seed = 5
[torch]
factory = "torch_model:build"
checkpoint = "weights.safetensors"
[keras]
factory = "keras_model:build"
checkpoint = "weights.keras"
"""

SOFTMAX = {
    "torch": """
from torch import nn

def build():
    linear = nn.Linear(64, 10)
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    return nn.Sequential(linear, nn.Softmax(dim=-1))
""",
    "keras": """
import keras

def build():
    image = keras.Input((64,), name="image")
    output = keras.layers.Dense(10, activation="softmax", kernel_initializer="zeros", name="probabilities")(image)
    return keras.Model(image, output)
""",
}
"""Softmax regression that begins with zeros: `training.oracle` trains it in numpy."""

HIDDEN = {
    "torch": """
from torch import nn

def build():
    return nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10), nn.Softmax(dim=-1))
""",
    "keras": """
import keras
from keras import layers

def build():
    image = keras.Input((64,), name="image")
    hidden = layers.Dense(32, activation="tanh", name="hidden")(image)
    return keras.Model(image, layers.Dense(10, activation="softmax", name="probabilities")(hidden))
""",
}
"""One hidden layer, so that something can be computed in less than float32: the last layer never is."""

DEEP = {
    "torch": """
from torch import nn

def build():
    layers = []
    for _ in range(9):
        layers += [nn.Linear(64, 64, bias=False), nn.BatchNorm1d(64), nn.Tanh(), nn.Dropout(0.1)]
    return nn.Sequential(*layers, nn.Linear(64, 10), nn.Softmax(dim=-1))
""",
    "keras": """
import keras
from keras import layers

def build():
    values = image = keras.Input((64,), name="image")
    for index in range(9):
        values = layers.Dense(64, use_bias=False, name=f"dense{index}")(values)
        values = layers.BatchNormalization(momentum=0.9, name=f"norm{index}")(values)
        values = layers.Activation("tanh", name=f"tanh{index}")(values)
        values = layers.Dropout(0.1, name=f"dropout{index}")(values)
    return keras.Model(image, layers.Dense(10, activation="softmax", name="probabilities")(values))
""",
}
"""Nine blocks of dense layer, batch normalisation, tanh and dropout: whatever may go wrong when it is computed again.

No bias before the normalisation: its gradient would be nothing but rounding.
"""

NORMALISED = {
    "torch": """
from torch import nn

def build():
    blocks = [nn.Linear(64, 64, bias=False), nn.BatchNorm1d(64), nn.Tanh()]
    blocks += [nn.Linear(64, 64, bias=False), nn.BatchNorm1d(64), nn.Tanh()]
    return nn.Sequential(*blocks, nn.Linear(64, 10), nn.Softmax(dim=-1))
""",
    "keras": """
import keras
from keras import layers

def build():
    values = image = keras.Input((64,), name="image")
    for index in range(2):
        values = layers.Dense(64, use_bias=False, name=f"dense{index}")(values)
        values = layers.BatchNormalization(momentum=0.9, name=f"norm{index}")(values)
        values = layers.Activation("tanh", name=f"tanh{index}")(values)
    return keras.Model(image, layers.Dense(10, activation="softmax", name="probabilities")(values))
""",
}
"""Two blocks with batch normalisation, whose statistics have to be those of all workers."""

FLAT = {
    "torch": """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.output = nn.Linear(64, 10)

    def forward(self, image):
        return self.output(image).softmax(dim=-1)

build = Net
""",
    "keras": """
import keras

def build():
    image = keras.Input((64,), name="image")
    return keras.Model(image, keras.layers.Dense(10, activation="softmax")(image), name="net")
""",
}
"""One layer and nothing in a chain."""


def write(folder: Path, network: dict[str, str]) -> Model:
    """Write ``network``'s source of both frameworks and a manifest, and return what that says."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "isoform.toml").write_text(MANIFEST)
    for framework, source in network.items():
        (folder / f"{framework}_model.py").write_text(source)
    return load_manifest(folder)


def trained(
    folder: Path, network: dict[str, str], framework: str, listener: Listener | None = None, **options: Any
) -> TrainRecord:
    """Return what training ``network`` with ``options`` in a child came to; all files are below ``folder``."""
    request = train.TrainRequest((write(folder / "net", network),), folder / "exports", (framework,), options=options)
    (task,) = train.plan(request)
    with Pool(folder / "logs") as pool:
        return train.run(task, pool, (lambda _, event: listener(pool, event)) if listener else None)


def learnt(record: Any) -> list[dict[str, Any]]:
    """Return the epochs of a training without what was measured: all that has to be the same bits the second time."""
    measured = {"seconds", "finished_at", "step_ms", "samples_per_s", "peak_rss_bytes"}
    return [{key: value for key, value in epoch.items() if key not in measured} for epoch in record["epochs"]]
