# ruff: noqa: E501, PLR0913, PLR0917  attacks are written as an attacker would write them
"""Grades, evidence and notebooks to render: a rich one, a failing one, one that was not graded, and an attacker's."""

import base64
import io
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import nbformat
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from grader.facts.language import english
from grader.grading.best_attempt import summary
from grader.schema.base import Assurance, Pointer
from grader.schema.evidence import AccuracyFact, Evidence, FitFact, LayerFact, ModelFact
from grader.schema.grade import (
    AccuracyGrade,
    AttemptGrade,
    CauseGrade,
    CriterionGrade,
    DiagnosticGrade,
    ErrorGrade,
    ExecutionGrade,
    Grade,
    LayerGrade,
    ModelGrade,
    ReferenceGrade,
    RubricStamp,
    SubmissionStamp,
)
from grader.schema.message import say
from grader.schema.submission import Run

SPOOF = "\u202e0.001 = erocs\u202c"
"""Text that reverses the text after it."""
ZALGO = "a" + "\u0336\u0322\u0334\u0315\u0340" * 60


def digits(count: int = 2_000, seed: int = 3) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Draw images of digits, shape (count, 28, 28), with their labels."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 10, count).astype(np.uint8)
    drawn = [Image.new("L", (28, 28)) for _ in range(10)]
    for digit, image in enumerate(drawn):
        ImageDraw.Draw(image).text((8, 2), str(digit), fill=255, font_size=22)
    stack = np.stack([np.asarray(image) for image in drawn])
    noise = random.integers(0, 30, (count, 28, 28))
    return np.clip(stack[labels].astype(int) + noise, 0, 255).astype(np.uint8), labels


def guesses(labels: npt.NDArray[np.uint8], wrong: int, seed: int = 5) -> tuple[int, ...]:
    """Predictions of which exactly `wrong` are mistaken, some pairs more often than others."""
    random = np.random.default_rng(seed)
    out = labels.astype(int).copy()
    for at in random.choice(len(labels), wrong, replace=False):
        usual = {4: 9, 9: 4, 3: 5, 7: 2}.get(int(labels[at]))
        out[at] = (
            usual if usual is not None and random.random() < 0.7 else (int(labels[at]) + random.integers(1, 10)) % 10
        )
    return tuple(int(number) for number in out)


def png(width: int = 320, height: int = 200) -> str:
    """A small plot as base64 of a PNG."""
    image = Image.new("RGB", (width, height), "white")
    ImageDraw.Draw(image).line([(10, height - 20), (80, 60), (160, 40), (width - 10, 30)], fill=(30, 90, 170), width=3)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def bomb(side: int = 60_000) -> str:
    """A PNG of a few bytes whose header claims `side` by `side` pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    data = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1_000))
        + chunk(b"IEND", b"")
    )
    return base64.b64encode(data).decode()


def layers(*, small: bool = False) -> tuple[LayerFact, ...]:
    """Layers of a usual network for MNIST, or of one with a single convolution."""

    def conv(name: str, filters: int, shape: tuple[int, ...], parameters: int) -> LayerFact:
        config = {
            "filters": filters,
            "kernel_size": [3, 3],
            "strides": [1, 1],
            "padding": "valid",
            "activation": "relu",
        }
        return LayerFact(
            name=name, cls="Conv2D", output_shape=shape, parameters=parameters, trainable=True, config=config
        )

    def plain(cls: str, shape: tuple[int, ...], parameters: int = 0, **config: Any) -> LayerFact:
        name = cls.lower()
        return LayerFact(name=name, cls=cls, output_shape=shape, parameters=parameters, trainable=True, config=config)

    if small:
        return (
            conv("conv2d", 32, (26, 26, 32), 320),
            plain("MaxPooling2D", (13, 13, 32), pool_size=[2, 2], strides=[2, 2]),
            plain("Flatten", (5408,)),
            plain("Dense", (10,), 54_090, units=10, activation="softmax"),
        )
    return (
        conv("conv2d", 32, (26, 26, 32), 320),
        plain("BatchNormalization", (26, 26, 32), 128),
        conv("conv2d_1", 64, (24, 24, 64), 18_496),
        plain("MaxPooling2D", (12, 12, 64), pool_size=[2, 2], strides=[2, 2]),
        plain("Dropout", (12, 12, 64), rate=0.2),
        plain("Flatten", (9216,)),
        plain("Dense", (100,), 921_700, units=100, activation={"class_name": "function", "config": "relu"}),
        plain("Dense", (10,), 1_010, units=10, activation="softmax"),
    )


def graded_layers(found: Sequence[LayerFact]) -> tuple[LayerGrade, ...]:
    """The same layers as a grade shows them."""
    return tuple(
        LayerGrade.model_validate(
            {
                "name": layer.name,
                "class": layer.cls,
                "output_shape": layer.output_shape,
                "parameters": layer.parameters,
                "trainable": layer.trainable,
                "config": layer.config,
            }
        )
        for layer in found
    )


def history(epochs: int, best: float, gap: float = 0.006, floor: float = 0.02) -> dict[str, tuple[float, ...]]:
    """The history of a training that goes well."""
    steps = np.arange(epochs)
    accuracy = best + gap - 0.09 * np.exp(-steps / 1.7)
    held = best - 0.03 * np.exp(-steps / 2) + 0.001 * np.sin(steps * 2)
    loss = floor + 0.32 * np.exp(-steps / 1.8)
    return {
        "accuracy": tuple(accuracy.tolist()),
        "loss": tuple(loss.tolist()),
        "val_accuracy": tuple(held.tolist()),
        "val_loss": tuple((loss + 0.015 + 0.0012 * steps).tolist()),
    }


def run(cells: int = 8, **changes: Any) -> Run:
    """The result of one execution."""
    given: dict[str, Any] = {
        "status": "completed",
        "seconds": 84.2,
        "cells_run": cells,
        "cells_total": cells,
        "isolation": "bubblewrap",
        "seed": 7,
        "dialect": "keras3",
    }
    return Run.model_validate(given | changes)


def evidence(
    predicted: tuple[int, ...],
    correct: int,
    *,
    small: bool = False,
    epochs: int = 12,
    stopped: bool = False,
    best: float = 0.991,
) -> Evidence:
    """Evidence of one trained network `m1`."""
    found = layers(small=small)
    parameters = sum(layer.parameters for layer in found)
    total = max(len(predicted), 1)
    fit = FitFact(
        event=20,
        cell=4,
        model="m1",
        status="stopped_by_budget" if stopped else "completed",
        epochs_asked=300 if stopped else epochs,
        epochs_done=epochs,
        seconds=61.4,
        history=history(epochs, best, floor=1.0 - best),
    )
    accuracy = AccuracyFact(
        model="m1",
        dataset="mnist",
        split="test",
        correct=correct,
        total=total,
        value=correct / total,
        low=max(correct / total - 0.006, 0),
        high=min(correct / total + 0.005, 1),
        assurance=Assurance.VERIFIED,
        how="keras",
        preprocessing="pixels divided by 255",
        predicted=predicted,
    )
    model = ModelFact(
        id="m1",
        name="model",
        cls="Sequential",
        cell=3,
        dialect="keras3",
        input_shape=(28, 28, 1),
        output_shape=(10,),
        parameters=parameters,
        trainable_parameters=parameters,
        layers=found,
    )
    return Evidence(run=run(), models=(model,), fits=(fit,), accuracies=(accuracy,))


def criterion(
    number: int, title: str, got: float, most: float, status: str, message: str, **more: Any
) -> CriterionGrade:
    """One line of a grade."""
    given = {
        "id": f"criterion-{number}",
        "title": title,
        "points": got,
        "max_points": most,
        "status": status,
        "message": message,
    }
    return CriterionGrade.model_validate(given | more)


def execution(**changes: Any) -> ExecutionGrade:
    """Facts of an execution."""
    given: dict[str, Any] = {
        "status": "completed",
        "seconds": 84.2,
        "cells_run": 8,
        "cells_total": 8,
        "errors": (),
        "peak_memory_mib": 1412.6,
        "device": "cpu",
        "seed": 7,
        "versions": {"python": "3.11.2", "tensorflow": "2.21.0", "keras": "3.15.1", "numpy": "2.2.6"},
        "isolation": "bubblewrap",
        "dialect": "keras3",
        "emulations": ("`!pip install tensorflow` was not carried out: TensorFlow is installed already.",),
    }
    return ExecutionGrade.model_validate(given | changes)


def accuracy(correct: int, total: int) -> AccuracyGrade:
    """A verified accuracy."""
    part = correct / total
    return AccuracyGrade(
        value=part,
        low=max(part - 0.006, 0),
        high=min(part + 0.005, 1),
        assurance=Assurance.VERIFIED,
        correct=correct,
        total=total,
    )


def model_grade(correct: int, total: int, *, small: bool = False) -> ModelGrade:
    """The graded network."""
    found = layers(small=small)
    return ModelGrade(
        id="m1",
        name="model",
        roles=("cnn",),
        input_shape=(28, 28, 1),
        output_shape=(10,),
        parameters=sum(layer.parameters for layer in found),
        layers=graded_layers(found),
        accuracy={"mnist/test": accuracy(correct, total)},
        assurance=Assurance.VERIFIED,
    )


REFERENCE = ReferenceGrade(
    accuracy={"mnist/test": accuracy(1_986, 2_000)},
    parameters=941_654,
    epochs=8,
    comparison={},
)


def rich_grade(comparison: Mapping[str, Any] | None = None) -> Grade:
    """A good submission: most points, one partial, one waiting, a hidden one, notes in the margin."""
    criteria = (
        criterion(1, "The notebook runs from top to bottom", 5, 5, "passed", "All 8 code cells ran without an error.",
                  assurance="recorded", measured={"cells_run": 8, "cells_total": 8}),
        criterion(2, "The network takes 28 \u00d7 28 \u00d7 1 images", 10, 10, "passed", "`model` takes 28 \u00d7 28 \u00d7 1.",
                  assurance="verified", measured={"input_shape": [28, 28, 1]}, evidence=(Pointer(cell=3, event=12),)),
        criterion(3, "99 % on the MNIST test set", 34.5, 40, "partial",
                  "`model` recognises 1,977 of 2,000 test images: 98.85 %, between 97 % and 99 %.",
                  advice="A second convolution and dropout before the dense layer usually bring the last half per cent.",
                  assurance="verified",
                  measured={"accuracy": 0.9885, "low": 0.9825, "high": 0.9935, "correct": 1977, "total": 2000, "at_least": 0.99},
                  evidence=(Pointer(cell=4, event=20), Pointer(cell=5, event=30))),
        criterion(4, "Dropout lies between the convolutions and the output", 5, 5, "passed", "Dropout 0.2 after pooling.",
                  assurance="verified", measured={"rate": 0.2}, evidence=(Pointer(cell=3),)),
        criterion(5, "The learning curves are plotted", 6, 10, "partial",
                  "The plotted line is the recorded accuracy, but the horizontal axis has no label.",
                  advice="Call `plt.xlabel('epoch')` before `plt.show()`.", assurance="recorded", evidence=(Pointer(cell=5),)),
        criterion(6, "The architecture is explained", 0, 20, "pending", "A person reads the text in cell 7.",
                  assurance="stated", evidence=(Pointer(cell=6),)),
        criterion(7, "The test set was left alone", 10, 10, "passed", "No test image was trained on.", hidden=True,
                  assurance="recorded", measured={"test_rows": 0}),
        criterion(8, "CIFAR-10 is prepared", 0, 0, "skipped", "There is no second data set in this notebook."),
    )  # fmt: skip
    notes = (
        DiagnosticGrade(id="softmax-from-logits", title="Softmax twice", cell=3, model="m1",
                   message="The last layer of `model` applies softmax, and the loss applies it again (`from_logits=True`).",
                   advice="Leave `activation='softmax'` out of the last layer, or say `from_logits=False`."),
        DiagnosticGrade(id="figure-without-labels", title="A figure without axis labels", cell=5,
                   message="Whoever reads the plot has to guess what is on the axes.", advice="Add `plt.xlabel` and `plt.ylabel`."),
    )  # fmt: skip
    return Grade(
        submission=SubmissionStamp(id="ada-lovelace", student="Ada Lovelace", files=("mnist.ipynb",), sha256="ab" * 32),
        rubric=RubricStamp(id="mnist-cnn", sha256="cd" * 32, title="A convolutional model for MNIST"),
        status="graded",
        score=70.5,
        max_score=100,
        pending=20,
        criteria=criteria,
        models=(model_grade(1_977, 2_000, small=True),),
        diagnostics=notes,
        execution=execution(),
        reference=REFERENCE.model_copy(update={"comparison": dict(comparison or {})}),
    )


def several_grade(comparison: Mapping[str, Any] | None = None) -> Grade:
    """The good submission as the best of four attempts, one lost to the grader; its accuracy misses 99 % by a hair."""

    def attempt(number: int, score: float, correct: int) -> AttemptGrade:
        return AttemptGrade(
            number=number, seed=6 + number, status="graded", execution="completed", score=score, pending=20,
            accuracy={"cnn": {"mnist/test": accuracy(correct, 2_000)}}, seconds=80.0 + number,
        )  # fmt: skip

    lost = AttemptGrade(number=3, seed=9, status="not_graded", reason="the kernel did not start")
    tried = (attempt(1, 69.75, 1_975), attempt(2, 70.5, 1_977), lost, attempt(4, 61, 1_956))
    base = rich_grade(comparison)
    criteria = tuple(c.model_copy(update={"borderline": c.id == "criterion-3"}) for c in base.criteria)
    return base.model_copy(update={"criteria": criteria, "attempts": summary(tried, asked=4, take="best")})


def failing_grade() -> Grade:
    """A submission whose network never trained."""
    says = say("{cell:Cell} raised {error:code}.", cell=3, error="NameError")
    cause = CauseGrade(kind="error", cell=3, line=1, code="modle.fit(x)", message=english(says), says=says)
    criteria = (
        criterion(1, "The notebook runs from top to bottom", 0, 30, "failed", "Cell 4 raised `NameError`.",
                  advice="Restart the kernel and run all cells before you submit.", assurance="recorded",
                  evidence=(Pointer(cell=3),), cause=cause),
        criterion(2, "99 % on the MNIST test set", 0, 70, "failed", "No network was trained in this notebook.", cause=cause),
    )  # fmt: skip
    error = ErrorGrade(cell=3, name="NameError", message="name 'modle' is not defined", advice="Is it `model`?")
    return Grade(
        submission=SubmissionStamp(id="b-short", student="Basil Short", files=("hw1.ipynb",), sha256="12" * 32),
        rubric=RubricStamp(id="mnist-cnn", sha256="cd" * 32, title="A convolutional model for MNIST"),
        status="graded",
        score=0,
        max_score=100,
        pending=0,
        criteria=criteria,
        execution=execution(status="cell_error", errors=(error,), emulations=()),
        reference=REFERENCE,
    )


def ungraded() -> Grade:
    """A submission that the grader failed on."""
    return Grade(
        submission=SubmissionStamp(id="c-late", student="Cleo Late", files=("late.ipynb",), sha256="34" * 32),
        rubric=RubricStamp(id="mnist-cnn", sha256="cd" * 32, title="A convolutional model for MNIST"),
        status="not_graded",
        reason="the sandbox did not start: no space left on device",
        score=None,
        max_score=100,
        pending=0,
    )


def code(source: str, *outputs: Any, count: int | None = 1) -> Any:
    """A code cell."""
    return nbformat.v4.new_code_cell(source, outputs=list(outputs), execution_count=count)


def shown(**data: str) -> Any:
    """A display output; `text_html` stands for `text/html`."""
    return nbformat.v4.new_output("display_data", {name.replace("_", "/", 1): item for name, item in data.items()})


def printed(text: str, name: str = "stdout") -> Any:
    """A stream output."""
    return nbformat.v4.new_output("stream", name=name, text=text)


def raised(name: str, message: str, *trace: str) -> Any:
    """An error output."""
    return nbformat.v4.new_output("error", ename=name, evalue=message, traceback=list(trace))


PANDAS = """<div><style scoped>.dataframe tbody tr th { vertical-align: top; }</style>
<table border="1" class="dataframe"><thead><tr style="text-align: right;"><th></th><th>loss</th><th>accuracy</th>
<th>val_loss</th><th>val_accuracy</th><th>learning_rate</th></tr></thead><tbody><tr><th>0</th><td>0.3120</td><td>0.9071</td>
<td>0.1023</td><td>0.9688</td><td>0.001</td></tr><tr><th>1</th><td>0.0910</td><td>0.9724</td><td>0.0651</td><td>0.9799</td>
<td>0.001</td></tr></tbody></table></div>"""


def notebook(*cells: Any) -> Any:
    """A notebook of nbformat 4."""
    return nbformat.v4.new_notebook(cells=list(cells))


def rich_notebook() -> Any:
    """The executed notebook of a diligent student."""
    picture = nbformat.v4.new_markdown_cell("A sketch:\n\n![the network](attachment:sketch.png)")
    picture["attachments"] = {"sketch.png": {"image/png": png()}}
    progress = (
        "".join(f"\r{step}/469 [=====>....] - loss: 0.3" for step in range(1, 469)) + "\r469/469 - 4s - loss: 0.31\n"
    )
    return notebook(
        nbformat.v4.new_markdown_cell("# MNIST with a CNN\n\nWe train a **convolutional network**; see [Keras](https://keras.io)."),
        code("%matplotlib inline\nimport numpy as np\nimport tensorflow as tf\nfrom tensorflow import keras\n\n# the usual data"),
        code("(x, y), (xt, yt) = keras.datasets.mnist.load_data()\nx = x[..., None] / 255\nprint(x.shape)", printed("(60000, 28, 28, 1)\n")),
        code(
            "model = keras.Sequential([\n    keras.layers.Input((28, 28, 1)),\n    keras.layers.Conv2D(32, 3, activation='relu'),"
            "  # a comment that goes on and on, far beyond the width of any phone and most desktops too, honestly\n"
            "    keras.layers.MaxPooling2D(),\n    keras.layers.Flatten(),\n    keras.layers.Dense(10, activation='softmax'),\n])\n"
            "model.compile('adam', keras.losses.SparseCategoricalCrossentropy(from_logits=True), ['accuracy'])"
        ),
        code("h = model.fit(x, y, epochs=300, validation_split=0.2)", printed(progress * 2), printed("\x1b[31mslow\x1b[0m\n", "stderr")),
        code("import pandas as pd\npd.DataFrame(h.history)", shown(text_html=PANDAS, text_plain="loss accuracy"),
             shown(image_png=png(560, 340), text_plain="<Figure size 640x480 with 1 Axes>")),
        nbformat.v4.new_markdown_cell(
            "## Why it works\n\n1. The convolution finds *edges*.\n2. Pooling halves the picture.\n\n"
            "| layer | purpose |\n|:--|--:|\n| `Conv2D` | features |\n| `Dense` | decision |\n\n> It overfits after ten epochs.\n\n"
            "```python\nmodel.summary()\n```\n\n<b>Done</b> \u202eyltneuqesnoc\u202c"
        ),
        picture,
        code("for i in range(90):\n    print('line', i)", printed("\n".join(f"line {i}" for i in range(90)))),
        code("modle.evaluate(xt, yt)", raised("NameError", "name 'modle' is not defined", "\x1b[0;31mNameError\x1b[0m  Traceback", "----> 1 modle")),
        code("", count=None),
    )  # fmt: skip


ATTACKS: tuple[str, ...] = (
    "<script>window.__ran = 1; alert(1)</script>",
    "<img src=x onerror='window.__ran=1;alert(2)'>",
    "<svg onload='window.__ran=1;alert(3)'><script>window.__ran=1</script></svg>",
    "<svg><style><img src=x onerror=alert(31)></style></svg>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(32)&gt;'>",
    "<a href='javascript:window.__ran=1;alert(4)'>click</a>",
    "<a href='&#106;avascript:alert(41)'>entity</a><a href=' data:text/html,<script>alert(42)</script>'>data</a>",
    "<iframe src='https://evil.example/frame' srcdoc='<script>parent.__ran=1</script>'></iframe>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/refresh'>",
    "<style>@import url(https://evil.example/css); body{display:none} main{visibility:hidden}</style>",
    "<link rel=stylesheet href='https://evil.example/sheet.css'>",
    "<base href='https://evil.example/'>",
    "<div style='position:fixed;inset:0;z-index:99999;background:#fff' class='criterion passed' id='criterion-1'>100 of 100</div>",
    "<h1 id=criteria>Full marks</h1><h2>Criteria</h2>",
    "<img src='https://evil.example/pixel.png'><img src='//evil.example/p2.png' srcset='https://evil.example/p3.png 2x'>",
    "<form action='https://evil.example/'><input autofocus onfocus=alert(5)><button>send</button></form>",
    "<video src='https://evil.example/v' autoplay onerror=alert(6)></video><audio src=x onerror=alert(7)></audio>",
    "<object data='https://evil.example/o'></object><embed src='https://evil.example/e'>",
    "<details open ontoggle='window.__ran=1;alert(8)'><summary>x</summary></details>",
    "<table background='https://evil.example/bg'><tr><td colspan=9999 rowspan=65000>wide</td></tr></table>",
    "</div></section></main></body><script>alert(9)</script><template><script>alert(10)</script></template>",
    "<noscript><p title='</noscript><img src=x onerror=alert(11)>'>",
    "<img src='data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSkgeG1sbnM9Imh0dHA6Ly93d3cudzMub3JnLzIwMDAvc3ZnIi8+'>",
    "<a href='#criterion-1' target=_blank>in the page</a><a href='/etc/passwd'>relative</a>",
    "<p>" + "x" * 5_000 + "</p>",
    f"<p>{SPOOF} {ZALGO}</p>",
)


def attack_notebook() -> Any:
    """Every attack as Markdown, as an HTML output, as printed text, as code and as an error."""
    everything = "\n\n".join(ATTACKS)
    linked = "[a](javascript:alert(12)) ![b](https://evil.example/md.png) [c](data:text/html;base64,PHNjcmlwdD4=) <javascript:alert(13)>"
    attached = nbformat.v4.new_markdown_cell(
        "![x](attachment:bomb.png) ![y](attachment:svg.png) ![z](attachment:none.png)"
    )
    attached["attachments"] = {
        "bomb.png": {"image/png": bomb()},
        "svg.png": {
            "image/png": base64.b64encode(b"<svg onload=alert(14) xmlns='http://www.w3.org/2000/svg'/>").decode()
        },
    }
    return notebook(
        *(nbformat.v4.new_markdown_cell(attack) for attack in ATTACKS),
        nbformat.v4.new_markdown_cell(linked),
        attached,
        code(everything, shown(text_html=everything), printed(everything), raised("<script>alert(15)</script>", everything, everything)),
        *(code("1", shown(text_html=attack)) for attack in ATTACKS),
        code("2", shown(image_png=bomb()), shown(image_png="!!!not base64"), shown(image_png=base64.b64encode(b"GIF89a").decode()),
             shown(**{"image_svg+xml": "<svg onload=alert(16)/>"}), shown(application_javascript="alert(17)"),
             shown(text_markdown=everything), shown(text_latex="$x$")),
        code("x = '" + "y" * 9_000 + "'", printed("\x1b]8;;https://evil.example\x07link\x1b]8;;\x07 \x1b[2J" + "z" * 9_000 + SPOOF)),
        nbformat.v4.new_raw_cell(everything),
    )  # fmt: skip


def attack_grade() -> Grade:
    """A grade whose every text comes from an attacker."""
    hostile = (
        "</title></style></p><script>window.__ran=1;alert(20)</script><img src=x onerror=alert(21)>" + SPOOF + ZALGO
    )
    long = "W" * 3_000
    base = rich_grade()
    criteria = tuple(
        c.model_copy(update={"title": hostile, "message": f"`{hostile}` {long}", "advice": hostile,
                             "measured": {hostile: hostile, "shape": [1, hostile], "long": long}})
        for c in base.criteria
    )  # fmt: skip
    notes = tuple(n.model_copy(update={"title": hostile, "message": hostile, "advice": long}) for n in base.diagnostics)
    layer = (
        base.models[0].layers[0].model_copy(update={"cls": hostile, "name": hostile, "config": {"activation": hostile}})
    )
    model = base.models[0].model_copy(update={"name": hostile, "layers": (layer, *base.models[0].layers)})
    errors = (ErrorGrade(cell=1, name=hostile, message=long, advice=hostile),)
    ran = execution(
        status="cell_error", reason=hostile, errors=errors, device=long, emulations=(hostile,), versions={hostile: long}
    )
    return base.model_copy(update={
        "submission": SubmissionStamp(id=hostile[:100].replace("/", "_"), student=hostile, files=(hostile, long), sha256=hostile),
        "rubric": RubricStamp(id="mnist-cnn", sha256="cd" * 32, title=hostile),
        "criteria": criteria,
        "diagnostics": notes,
        "models": (model, model),
        "execution": ran,
        "reference": REFERENCE.model_copy(update={"comparison": {"message": hostile, "models": {"reference": {"id": hostile}}, "accuracy": {"mnist/test": {"mcnemar": {"p_value": hostile}}}}}),
    })  # fmt: skip
