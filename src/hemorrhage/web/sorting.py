"""Files of any kind into studies and series, and of each study the one series that the network may read.

Every series that is left out has its reason, in words for a person who reads CT and no DICOM.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hemorrhage.web.facts import Facts
from hemorrhage.web.kinds import Kind, find_kind
from hemorrhage.web.limits import Limits

_TRAINED_MM = (2.5, 8.0)
"""How far apart the slices of the competition's series lie; thinner ones are noisier than those."""

_SHARP = re.compile(r"bone|bony|knochen|edge|lung|sharp|detail|petrous|inner ear", re.IGNORECASE)
_SHARP_NUMBERS = {"H": 50, "J": 50, "U": 60, "B": 60, "FC": 30}
"""From which number on a maker's kernels (Siemens H, J, U, B; Toshiba and Canon FC) are sharp."""


@dataclass(frozen=True)
class Group:
    """Files of one series, of one kind and one acquisition, by their names, in order of z from below."""

    study: str
    series: str
    names: tuple[str, ...]
    facts: tuple[Facts, ...]
    kind: Kind
    part: str = ""

    @property
    def z_mm(self) -> list[float]:
        """The z of each slice that has one."""
        return [z for facts in self.facts if (z := facts.z_mm) is not None]

    @property
    def step_mm(self) -> float | None:
        """The median distance of neighbors in z, None where there are not two slices."""
        steps = np.diff(sorted(set(self.z_mm)))
        return float(np.median(steps)) if len(steps) else None

    @property
    def is_sharp(self) -> bool:
        """Whether kernel or description say that it was made for bone."""
        first = self.facts[0]
        kernel = first.text("kernel").partition("\\")[0]
        numbered = re.fullmatch(r"([A-Za-z]{1,2}?)r?(\d+).*", kernel)
        if numbered and numbered[1].upper() in _SHARP_NUMBERS:
            return int(numbered[2]) >= _SHARP_NUMBERS[numbered[1].upper()]
        return bool(_SHARP.search(f"{kernel} {first.text('series_description')}"))


@dataclass(frozen=True)
class Choice:
    """A group, whether it is the one that is read, and why."""

    group: Group
    chosen: bool
    why: str


def sort_files(files: Mapping[str, Facts], limits: Limits) -> dict[str, list[Choice]]:
    """Returns for each study its series as choices, at most one of them chosen, in the order of their numbers.

    `files` are facts by name; the names' order breaks ties. A file without a study is in one with all such files.
    """
    groups = group_files(files, limits)
    studies = dict.fromkeys(group.study for group in groups)
    return {study: choose([group for group in groups if group.study == study]) for study in studies}


def group_files(files: Mapping[str, Facts], limits: Limits) -> list[Group]:
    """Returns the groups that the files make: by series, kind of image, orientation and size."""
    found: dict[tuple[str, str, Kind, tuple[float, ...]], list[str]] = {}
    for name in sorted(files):
        facts = files[name]
        kind = find_kind(facts, limits)
        key = (facts.ids.get("study", ""), facts.ids.get("series", ""), kind, (*facts.shape, *_orientation(facts)))
        found.setdefault(key, []).append(name)
    groups = [
        part
        for (study, series, kind, _), names in found.items()
        for part in _split(Group(study, series, tuple(names), tuple(files[name] for name in names), kind))
    ]
    return sorted(groups, key=_place)


def _place(group: Group) -> tuple[float, int, str]:
    return group.facts[0].number("series_number") or 0.0, int(group.part or 0), group.names[0]


def choose(groups: Sequence[Group]) -> list[Choice]:
    """Returns the groups of one study with the one that is read marked, and reasons in words."""
    fit = [group for group in groups if not group.kind.why_not]
    if not fit:
        return [Choice(group, False, group.kind.why_not) for group in groups]
    best = min(fit, key=_rank)
    return [_judge(group, best) for group in groups]


def refuse(group: Group, why_not: str) -> Group:
    """Returns the group as one that is not read."""
    return replace(group, kind=Kind(why_not))


def _judge(group: Group, best: Group) -> Choice:
    if group is best:
        return Choice(group, True, describe(group))
    return Choice(group, False, group.kind.why_not or _compare(group, best))


def describe(group: Group) -> str:
    """Returns what a chosen series is, such as `axial head CT, 34 slices 5 mm apart`."""
    count = len(group.names)
    apart = f" {group.step_mm:.3g} mm apart" if group.step_mm else ""
    note = "; its kernel is one for bone, which networks have not learned from" if group.is_sharp else ""
    return f"axial head CT, {count} slice{'s' if count > 1 else ''}{apart}{note}"


def _rank(group: Group) -> tuple[bool, ...] | tuple[float, ...]:
    """What comes first is read: without contrast, soft, as far apart as in training, reaching far, with many slices."""
    step = group.step_mm
    is_as_trained = step is None or _TRAINED_MM[0] <= step <= _TRAINED_MM[1]
    reach_mm = max(group.z_mm) - min(group.z_mm) if group.z_mm else 0.0
    return (
        float(len(group.names) < 3),
        float(bool(group.facts[0].text("contrast"))),
        float(group.is_sharp),
        float(not is_as_trained),
        -reach_mm,
        -float(len(group.names)),
    )


def _compare(group: Group, best: Group) -> str:
    """Why `best` is read and `group`, which could be as well, is not."""
    if len(group.names) < 3 <= len(best.names):
        return f"too few slices ({len(group.names)}); another series of this study is whole"
    if group.facts[0].text("contrast") and not best.facts[0].text("contrast"):
        return "made with a contrast agent, which is bright as blood is; the series without one was read"
    if group.is_sharp and not best.is_sharp:
        return "made with a sharp kernel, for bone; the series with a soft one was read"
    if group.step_mm and best.step_mm and group.step_mm < _TRAINED_MM[0] <= best.step_mm:
        return f"thin slices, {group.step_mm:.3g} mm apart; one of some 5 mm, as networks learn from, was read"
    if group.part or (group.series == best.series):
        return "a second pass over the same places; the first was read"
    return "another axial head series of this study reaches as far or farther, and was read"


def _orientation(facts: Facts) -> tuple[float, ...]:
    return tuple(round(number, 2) + 0.0 for number in facts.numbers("orientation"))


def _split(group: Group) -> list[Group]:
    """The passes over the same places that a series holds, by acquisition number where it tells them apart."""
    if len(set(group.z_mm)) == len(group.z_mm):
        return [_in_order(group)]
    numbers = [facts.text("acquisition") for facts in group.facts]
    keys = numbers if len(set(numbers)) > 1 else _count_passes(group)
    # The shorter number is the smaller one.
    wanted = sorted(set(keys), key=lambda key: (len(key), key))
    return [
        _in_order(_take(group, [place for place, key in enumerate(keys) if key == one], part=str(number)))
        for number, one in enumerate(wanted, 1)
    ]


def _count_passes(group: Group) -> list[str]:
    """For each file how many of its series before it lie at the same z, as text."""
    seen: dict[float | None, int] = {}
    order = sorted(range(len(group.names)), key=lambda place: (group.facts[place].number("instance") or 0, place))
    count = dict.fromkeys(order, 0)
    for place in order:
        z_mm = group.facts[place].z_mm
        # Slices without a z are at no place, and so in no pass but the first.
        count[place] = seen.get(z_mm, 0) if z_mm is not None else 0
        seen[z_mm] = count[place] + 1
    return [str(count[place]) for place in range(len(group.names))]


def _take(group: Group, places: Sequence[int], part: str = "") -> Group:
    names, facts = tuple(group.names[place] for place in places), tuple(group.facts[place] for place in places)
    return replace(group, names=names, facts=facts, part=part or group.part)


def _in_order(group: Group) -> Group:
    def key(place: int) -> tuple[float, float, str]:
        facts = group.facts[place]
        z_mm = facts.z_mm
        return (z_mm if z_mm is not None else 0.0, facts.number("instance") or 0.0, group.names[place])

    return _take(group, sorted(range(len(group.names)), key=key))
