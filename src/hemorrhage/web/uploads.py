"""What becomes of an upload: unpacked, described, sorted, decoded, predicted; each step says how far it is."""

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hemorrhage.web.facts import Facts
from hemorrhage.web.heads import Measures, explain_not_head, measure_slice
from hemorrhage.web.limits import Limits, RefusedError
from hemorrhage.web.network import Answer, Network, Series, read_hu, tabulate
from hemorrhage.web.reader import ReaderProcess
from hemorrhage.web.records import LeftOut, SeriesRecord, SliceRecord, StudyRecord, UploadRecord, make_id
from hemorrhage.web.sessions import Session
from hemorrhage.web.sorting import Choice, Group, choose, refuse, sort_files

_HU_BYTES = 2


@dataclass(frozen=True)
class Received:
    """A file of an upload: its sender's name for it, and where it lies under one of ours."""

    name: str
    path: Path


class ErasedError(Exception):
    """The session went while its work was under way."""


@dataclass(frozen=True)
class Work:
    """One upload's way; `session` gets the studies, `upload` says how far it is."""

    session: Session
    upload: UploadRecord
    reader: ReaderProcess
    network: Network
    limits: Limits
    spend: Callable[[Session, UploadRecord, int], None]

    def run(self, received: Sequence[Received]) -> None:
        """Reads the files and has the studies predicted; what goes wrong is said in the upload."""
        try:
            self.upload.state = "reading"
            files = self._describe(self._unpack(received))
            self._read_studies(files)
            self.upload.state, self.upload.message = "done", self._conclude()
        except RefusedError as error:
            self._fail(str(error))
        except (ErasedError, OSError) as error:
            # The folder is removed with the session, under the feet of what is at work in it.
            if not self.session.is_erased:
                self._fail("The server could not write or read its own files; its disk may be full.")
                raise error
        except Exception:
            self._fail("The server failed at this; its terminal says where.")
            raise
        finally:
            if self.session.is_erased:
                shutil.rmtree(self.session.folder, ignore_errors=True)

    def _fail(self, why: str) -> None:
        self.upload.state, self.upload.error, self.upload.message = "failed", why, "failed"
        for study in [self.session.studies.get(study_id) for study_id in self.upload.studies]:
            if study is not None and study.state in ("reading", "predicting"):
                study.state, study.error = "failed", why

    def _conclude(self) -> str:
        if not self.upload.studies:
            return "nothing could be read"
        return f"{len(self.upload.studies)} read" if len(self.upload.studies) > 1 else "read"

    def _step(self, message: str, done: int, total: int) -> None:
        if self.session.is_erased:
            raise ErasedError
        self.upload.message, self.upload.done, self.upload.total = message, done, total

    def _leave_out(self, name: str, why: str) -> None:
        self.upload.left_out.append(LeftOut(name, why))

    def _unpack(self, received: Sequence[Received]) -> list[Received]:
        """The files, with those of zips in the place of these."""
        files: list[Received] = []
        for number, one in enumerate(received):
            self._step(f"unpacking {number + 1} of {len(received)} files", number, len(received))
            folder = self.upload.folder / make_id()
            folder.mkdir()
            members = self.reader.ask(
                "unpack",
                one.path,
                self.limits.unpack_seconds,
                out=str(folder),
                files_left=max(0, self.limits.files - len(files) - (len(received) - number - 1)),
            )
            if members is None:
                files.append(one)
                folder.rmdir()
                continue
            packed = one.path.stat().st_size
            one.path.unlink()
            unpacked = sum(Path(each["path"]).stat().st_size for each in members if each["path"])
            self.spend(self.session, self.upload, unpacked - packed)
            files += [Received(each["name"], Path(each["path"])) for each in members if each["path"]]
            for each in members:
                if not each["path"]:
                    self._leave_out(each["name"], each["why"])
        return files

    def _describe(self, files: Sequence[Received]) -> dict[str, tuple[Received, Facts]]:
        """The facts of each file that is DICOM, by a name of ours that keeps the order of the senders' names."""
        described = {}
        for number, one in enumerate(sorted(files, key=lambda one: one.name)):
            self._step(f"looking at {number + 1} of {len(files)} files", number, len(files))
            if is_of_the_system(one.name):
                self._leave_out(one.name, "a file of the operating system, not an image.")
                continue
            try:
                found = self.reader.ask("describe", one.path)
            except RefusedError as error:
                self._leave_out(one.name, str(error))
                continue
            facts = Facts(found["texts"], found["ids"])
            if facts.text("modality") or facts.ids.get("study"):
                described[f"{number:06d}"] = (one, facts)
            else:
                self._leave_out(one.name, "of no study: the index of a medium (DICOMDIR) perhaps.")
        return described

    def _read_studies(self, files: dict[str, tuple[Received, Facts]]) -> None:
        seen: set[str] = set()
        facts = {}
        for name, (one, found) in files.items():
            image = found.ids.get("image", name)
            if image in seen:
                self._leave_out(one.name, "the same image as another of these files (equal SOP Instance UID).")
            else:
                facts[name] = found
            seen.add(image)
        sorted_studies = sort_files(facts, self.limits)
        waiting = [self._read_study(choices, files) for choices in sorted_studies.values()]
        for study in waiting:
            self._predict(study)

    def _read_study(self, choices: Sequence[Choice], files: dict[str, tuple[Received, Facts]]) -> StudyRecord:
        first = choices[0].group.facts[0]
        study = StudyRecord(f"Study {len(self.session.studies) + 1}", first.text("study_description"), [])
        self._step(self.upload.message, self.upload.done, self.upload.total)
        self.session.studies[study.id] = study
        self.upload.studies.append(study.id)
        while True:
            study.series = [build_series(choice) for choice in choices]
            chosen = next((choice.group for choice in choices if choice.chosen), None)
            if chosen is None:
                study.state, study.error = "failed", "There is no axial head CT in it; each series says why not."
                return study
            slices, why_not = self._decode(chosen, files)
            if not why_not:
                self._keep(study, slices)
                return study
            # Its pixels say what its header did not; another series may still be one of a head.
            choices = choose([refuse(one.group, why_not) if one.group is chosen else one.group for one in choices])

    def _keep(self, study: StudyRecord, slices: list[SliceRecord]) -> None:
        assert study.chosen is not None
        study.chosen.slices = slices
        study.left_out = sum(bool(one.error) for one in slices)
        for one in slices:
            if one.error:
                self._leave_out(one.name, one.error)
        if study.left_out == len(slices):
            study.state, study.error = "failed", f"None of its slices could be read; the first {slices[0].error}"
        else:
            study.state, study.total = "predicting", len(slices)

    def _decode(self, group: Group, files: dict[str, tuple[Received, Facts]]) -> tuple[list[SliceRecord], str]:
        """The slices of a series as HU on the disk, and why they are not of a head, where they are not."""
        records: list[SliceRecord] = []
        measures: list[Measures] = []
        for number, (name, facts) in enumerate(zip(group.names, group.facts, strict=True)):
            self._step(f"reading {number + 1} of {len(group.names)} slices", number, len(group.names))
            one = files[name][0]
            record = SliceRecord(one.name, one.path, facts)
            records.append(record)
            self._decode_one(record)
            measured = measure_slice(read_hu(record.hu_path), facts.pixel_spacing_mm) if record.hu_path else None
            if measured is not None:
                measures.append(measured)
        return records, explain_not_head(measures)

    def _decode_one(self, record: SliceRecord) -> None:
        out = self.upload.folder / f"{make_id()}.npy"
        try:
            rows, columns = self.reader.ask("decode", record.source, out=str(out))["shape"]
        except RefusedError as error:
            record.error = str(error)
            # A process that was killed may have left a part of it.
            out.unlink(missing_ok=True)
            return
        self.spend(self.session, self.upload, _HU_BYTES * rows * columns)
        record.hu_path, record.shape = out, (rows, columns)

    def _predict(self, study: StudyRecord) -> None:
        chosen = study.chosen
        if study.state != "predicting" or chosen is None:
            return
        self.upload.state = "predicting"

        def advance(done: int, total: int) -> None:
            study.done, study.total = done, total
            self._step(f"predicting {done} of {total} slices", done, total)

        advance(0, len(chosen.slices))
        try:
            answer = self.network.predict(self.session.owner, build_table(chosen), advance).result()
        except CancelledError as error:
            raise ErasedError from error
        take_answer(study, answer)


def is_of_the_system(name: str) -> bool:
    """Returns whether a file's name is one that systems put beside a person's files."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return last.startswith(".") or "__MACOSX" in name or last.lower() in ("thumbs.db", "desktop.ini", "autorun.inf")


def build_series(choice: Choice) -> SeriesRecord:
    """Returns the record of a series, without slices."""
    facts = choice.group.facts[0]
    number, description = facts.text("series_number"), facts.text("series_description")
    title = " ".join(part for part in ("Series", number) if part)
    named = f"{title}: {description}" if description else title
    shown = f"{named} (part {choice.group.part})" if choice.group.part else named
    return SeriesRecord(shown, choice.why, choice.chosen, len(choice.group.names), facts)


def build_table(series: SeriesRecord) -> Series:
    """Returns what the network is given: every slice, with its HU or the reason why it has none."""
    rows = [
        {
            "image_id": f"{place:06d}",
            "patient_id": one.facts.ids.get("patient"),
            "series_id": one.facts.ids.get("series"),
            "z_mm": one.facts.z_mm,
            "error": None,
        }
        for place, one in enumerate(series.slices)
    ]
    found = {f"{place:06d}": one.hu_path or one.error for place, one in enumerate(series.slices)}
    return Series(tabulate(rows), found)


def take_answer(study: StudyRecord, answer: Answer) -> None:
    """Writes the network's answer into the study and its slices."""
    assert study.chosen is not None
    for place, one in enumerate(study.chosen.slices):
        if not np.isnan(answer.predicted[place]).any():
            one.predicted = answer.predicted[place]
            one.calibrated = None if answer.calibrated is None else answer.calibrated[place]
    study.answer, study.answer_kind, study.is_calibrated = answer.whole, answer.kind, answer.is_calibrated
    study.state, study.done = "done", study.total
