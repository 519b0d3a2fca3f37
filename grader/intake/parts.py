"""Decide whether the subfolders of a folder are parts of one submission or belong to several students.

Folders without a notebook next to a folder with notebooks are parts of one submission. Two things show that they are
not: several folders have notebooks and are not named like parts, or a folder without a notebook looks like a
student's. Where both readings are possible, the result says so.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["Reading", "Subfolder", "is_material_name", "is_part_name", "is_series", "is_work_name", "read_subfolders"]

_MATERIAL_WORDS = """
    data dataset datasets daten donnees données datos dati input inputs raw processed interim external
    src source sources code codes lib libs library libraries util utils utilities helper helpers tool tools modules
    module package packages scripts script python py bin include common shared
    notebook notebooks nb nbs ipynb jupyter colab
    image images img imgs bilder bild imagenes picture pictures pics photo photos figure figures fig figs abbildungen
    plot plots graph graphs chart charts media asset assets static resource resources
    model models modelle modelos weight weights checkpoint checkpoints ckpt ckpts saved savedmodel savedmodels h5 keras
    doc docs documentation dokumentation report reports bericht paper papers slides
    output outputs out result results ergebnisse resultados log logs logdir tensorboard runs mlruns wandb artifacts
    artefacts predictions submission_files
    test tests testing train training val valid validation eval
    config configs conf settings env venv virtualenv environment environments requirements
    cache caches tmp temp build dist target archive archives old backup backups bak
    starter startercode skeleton handout
    example examples sample samples template templates demo demos misc extra extras other others
    csv json npy npz macosx
"""
_MATERIAL = frozenset(_MATERIAL_WORDS.split())
"""Words that name a part of a submission, and never a student."""
_WORK_WORDS = """
    hw work homework homeworks assignment assignments assign exercise exercises ex task tasks part parts lab labs week
    project projects problem problems problemset ps question questions chapter unit module final main solution
    uebung übung blatt aufgabe aufgaben hausaufgabe abgabe projekt tarea devoir tp td
    cnn mnist cifar cifar10 fashion keras tensorflow tf dl ml ai deep learning machine neural network networks convnet
"""
_WORK = frozenset(_WORK_WORDS.split())
"""Words that name the work itself: such a folder is a student's own, or one of several exercises."""
_STEPS_WORDS = """
    eda explore exploration exploratory scratch draft drafts notes playground sandbox try trial experiment experiments
    prepare preparation preprocess preprocessing load loading clean cleaning fit tune tuning evaluate evaluation
    predict prediction analyse analyze analysis visualise visualize visualisation visualization submission work
    baseline debug load classify classifier cnns gan autoencoder augment augmentation transfer
"""
_STEPS = frozenset(_STEPS_WORDS.split())
"""Further words in the names of notebooks."""
_GLUE = frozenset({"my", "the", "and", "of", "for", "und", "de", "et", "y", "a", "i", "ii", "v", "new", "v1", "v2"})


@dataclass(frozen=True, slots=True)
class Subfolder:
    """Facts about a subfolder."""

    name: str
    notebooks: int = 0
    empty: bool = False
    repository: bool = False
    """Whether it is a clone of a repository."""
    alike: bool = False
    """Whether another subfolder, apart from copies, has a notebook of the same name."""
    parts: bool = False
    """Whether it has notebooks and, below it, folders for data or code."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How the subfolders of a folder are read."""

    one: bool
    """Whether the folder is one submission."""
    students: tuple[str, ...] = ()
    """Otherwise the subfolders that belong to a student each."""
    nobodys: tuple[str, ...] = ()
    """The subfolders that belong to no student."""
    unsure: bool = False
    """Whether another reading is possible."""


def is_material_name(name: str) -> bool:
    """Return whether a folder's name is a usual one for data, code or results, and not a student's."""
    return _consists_of(_words(name), _MATERIAL)


def is_part_name(name: str) -> bool:
    """Return whether a folder's name is a usual one for a part of a submission or for the work itself."""
    return _consists_of(_words(name), _MATERIAL | _WORK)


def _words(name: str) -> list[str]:
    """Split a name into words without digits: `my_data2` → my, data; `trainData` → train, data."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    whole = [word for word in re.split(r"[\W_]+", spaced.casefold()) if word]
    return [w for word in whole if (w := word if word in _MATERIAL or word in _WORK else word.strip("0123456789"))]


def is_work_name(stem: str) -> bool:
    """Return whether a notebook's name names only the work, so that it cannot tell students apart."""
    return _consists_of(_words(stem), _MATERIAL | _WORK | _STEPS)


def _consists_of(words: Sequence[str], kind: frozenset[str]) -> bool:
    """Return whether words are of a kind or glue; glue alone is no name of a part, but may be a student's letter."""
    return not kind.isdisjoint(words) and all(word in kind or word in _GLUE for word in words)


def read_subfolders(
    subfolders: Sequence[Subfolder], *, loose: int = 0, mentioned: Callable[[str], bool] = lambda _name: False
) -> Reading:
    """Decide how the subfolders of a folder are read.

    Args:
        subfolders: The subfolders; a platform's folders are not among them.
        loose: Number of notebooks directly in the folder.
        mentioned: Whether the notebooks in this folder use a subfolder by its name.

    Returns:
        The reading. With loose notebooks, `one` means that the subfolders are parts of theirs.
    """
    with_notebooks = [folder for folder in subfolders if folder.notebooks]
    without = [folder for folder in subfolders if not folder.notebooks]
    others = [folder for folder in with_notebooks if not is_part_name(folder.name)]
    series = is_series([folder.name for folder in with_notebooks])
    if loose:
        return _next_to_loose(loose, with_notebooks, without)
    if len(others) > 1 or (series and not others) or (others and len(subfolders) == 1):
        return _class(with_notebooks, without, mentioned, unsure=not others)
    if not with_notebooks:
        parts = bool(without) and all(is_part_name(folder.name) and not folder.repository for folder in without)
        return Reading(one=parts, students=() if parts else tuple(folder.name for folder in without))
    peers = [folder for folder in with_notebooks if folder.alike]
    if len(peers) > 1 or any(_is_alike(folder, others) for folder in with_notebooks if folder not in others):
        return _class(with_notebooks, without, mentioned, unsure=True)
    strangers = [folder for folder in without if not is_part_name(folder.name) and not mentioned(folder.name)]
    if any(_is_students(folder, others) for folder in strangers) or any(folder.parts for folder in others):
        return _class(with_notebooks, without, mentioned, unsure=True)
    proven = all(mentioned(folder.name) for folder in without)
    return Reading(one=True, unsure=bool(strangers) or (bool(others) and not proven))


def _next_to_loose(loose: int, with_notebooks: Sequence[Subfolder], without: Sequence[Subfolder]) -> Reading:
    """Read subfolders next to loose notebooks: one notebook may have parts, several are a class."""
    materials = [folder for folder in with_notebooks if is_material_name(folder.name)]
    students = tuple(folder.name for folder in with_notebooks if folder not in materials)
    if loose == 1 and not students:
        return Reading(one=True, unsure=bool(materials))
    nobodys = tuple(folder.name for folder in (*materials, *without))
    return Reading(one=False, students=students, nobodys=nobodys)


def _class(
    with_notebooks: Sequence[Subfolder],
    without: Sequence[Subfolder],
    mentioned: Callable[[str], bool],
    *,
    unsure: bool,
) -> Reading:
    """Read a class: a folder without a notebook is a student's, unless its name or the notebooks say otherwise."""
    # Notebooks count more than a name, unless the name is clear.
    materials = [f for f in with_notebooks if is_material_name(f.name) and f.name.isalpha()]
    if len(with_notebooks) - len(materials) < 2 and any(folder.alike for folder in materials):  # noqa: PLR2004 - a class
        materials = []
    nobodys = [
        folder
        for folder in without
        if not folder.repository and (is_material_name(folder.name) or mentioned(folder.name))
    ]
    students = [folder for folder in (*with_notebooks, *without) if folder not in materials and folder not in nobodys]
    named = tuple(sorted(folder.name for folder in (*materials, *nobodys)))
    return Reading(one=False, students=tuple(sorted(f.name for f in students)), nobodys=named, unsure=unsure)


def is_series(names: Sequence[str]) -> bool:
    """Return whether at least two names differ only in a number, as `hw1` and `hw2`."""
    stems = {re.sub(r"\d+", "#", name.casefold()) for name in names}
    return len(names) > 1 and len(stems) == 1 and "#" in next(iter(stems))


def _is_students(folder: Subfolder, students: Sequence[Subfolder]) -> bool:
    """Return whether a folder without a notebook looks like that of a student, who did not submit one."""
    return folder.empty or folder.repository or _is_alike(folder, students)


def _is_alike(folder: Subfolder, others: Sequence[Subfolder]) -> bool:
    """Return whether a name is built like another one, as `s123` and `s456`."""
    return any(_shape(folder.name) == _shape(other.name) != "" for other in others)


def _shape(name: str) -> str:
    """Describe how a name is built, if that is distinctive: `Ann Lee` → `Aa Aa`, `s123456` → `a9`; else empty."""
    shape = re.sub(r"\d+", "9", re.sub(r"[^\W\d_]+", lambda word: "Aa" if word[0].istitle() else "a", name))
    return shape if shape not in {"a", "Aa", "9"} or shape == "9" else ""
