"""Who is at the page, by a cookie alone, and the folder that goes when they go."""

import fcntl
import hashlib
import secrets
import shutil
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TypeVar

import numpy as np

from hemorrhage.web.limits import Limits, RefusedError, in_words
from hemorrhage.web.records import SeriesRecord, StudyRecord, UploadRecord, make_id

_PREFIX = "hemorrhage-serve-"
_LOCK = "lock"
_Record = TypeVar("_Record")


@dataclass
class Session:
    """One visitor's uploads and studies, and the folder with their files; `is_erased` tells work under way to end."""

    folder: Path
    began: float
    seen: float
    owner: str = field(default_factory=make_id)
    uploads: dict[str, UploadRecord] = field(default_factory=dict)
    studies: dict[str, StudyRecord] = field(default_factory=dict)
    pacs_ids: dict[str, str] = field(default_factory=dict)
    maps: dict[str, np.ndarray] = field(default_factory=dict)
    stored_bytes: int = 0
    is_erased: bool = False

    def upload(self, upload_id: str) -> UploadRecord:
        """Returns an upload of this session; raises RefusedError where there is none of that name."""
        return _require(self.uploads.get(upload_id), "upload")

    def study(self, study_id: str) -> StudyRecord:
        """Returns a study of this session; raises RefusedError where there is none of that name."""
        return _require(self.studies.get(study_id), "study")

    def series(self, series_id: str) -> SeriesRecord:
        """Returns a series of this session; raises RefusedError where there is none of that name."""
        every = (series for study in list(self.studies.values()) for series in study.series)
        return _require(next((series for series in every if series.id == series_id), None), "series")

    def name_pacs_study(self, uid: str) -> str:
        """Returns this session's name for a study of the PACS."""
        for name, known in self.pacs_ids.items():
            if known == uid:
                return name
        name = make_id()
        self.pacs_ids[name] = uid
        return name

    def pacs_uid(self, study_id: str) -> str:
        """Returns which study of the PACS a name stands for; raises RefusedError where it stands for none."""
        return _require(self.pacs_ids.get(study_id), "study")


def _require(found: _Record | None, what: str) -> _Record:
    if found is None:
        raise RefusedError(
            f"There is no such {what} in this session; it may have been erased. Load the files again.", 404
        )
    return found


class Sessions:
    """All sessions, in one folder that only this user may enter; `close` erases it."""

    def __init__(self, limits: Limits, parent: Path | None = None) -> None:
        remove_abandoned(parent or Path(tempfile.gettempdir()))
        self._limits = limits
        self._turn = threading.Lock()
        self._by_key: dict[str, Session] = {}
        # mkdtemp makes it 0700.
        self.folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        self._lock: IO[bytes] = (self.folder / _LOCK).open("wb")
        # Held while this process lives, however it ends: the next server removes what is not held.
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def find(self, token: str | None) -> Session | None:
        """Returns the session that a cookie stands for, and notes that it was seen; None where it stands for none."""
        if not token:
            return None
        with self._turn:
            session = self._by_key.get(_key(token))
            if session is not None:
                session.seen = time.monotonic()
            return session

    def open(self) -> str:
        """Returns the token of a new session; raises RefusedError where there are too many."""
        self.sweep()
        token, now = secrets.token_urlsafe(32), time.monotonic()
        with self._turn:
            if len(self._by_key) >= self._limits.sessions:
                raise RefusedError("Too many people are at this page now; try again later.", 503)
            session = Session(self.folder / make_id(), now, now)
            session.folder.mkdir(mode=0o700)
            self._by_key[_key(token)] = session
        return token

    def erase(self, token: str | None) -> None:
        """Removes a session and its files; a token of none is no error."""
        if token:
            with self._turn:
                session = self._by_key.pop(_key(token), None)
            if session is not None:
                _erase(session)

    def sweep(self) -> None:
        """Erases the sessions that nobody has looked at for long, or that are too old."""
        now = time.monotonic()
        with self._turn:
            old = [
                key
                for key, session in self._by_key.items()
                if now - session.seen > self._limits.idle_seconds or now - session.began > self._limits.session_seconds
            ]
            gone = [self._by_key.pop(key) for key in old]
        for session in gone:
            _erase(session)

    def spend(self, session: Session, count: int) -> None:
        """Counts `count` more bytes on the disk, or fewer; raises RefusedError where there is no room for more."""
        with self._turn:
            session.stored_bytes += count
            stored = sum(one.stored_bytes for one in self._by_key.values())
        if count > 0 and session.stored_bytes > self._limits.session_bytes:
            most = in_words(self._limits.session_bytes)
            raise RefusedError(f"This session holds {most} already. Erase what is here first.", 413)
        if count > 0 and stored > self._limits.stored_bytes:
            raise RefusedError("The server has no more room; others' studies fill it. Try again later.", 503)

    def close(self) -> None:
        """Erases every session and the folder."""
        with self._turn:
            gone = list(self._by_key.values())
            self._by_key.clear()
        for session in gone:
            session.is_erased = True
        shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.close()


def remove_abandoned(parent: Path) -> None:
    """Removes what servers of this user left in `parent` when they were killed."""
    for folder in parent.glob(f"{_PREFIX}*"):
        try:
            with (folder / _LOCK).open("rb+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            # Of another user, or of a server that runs.
            continue


def _erase(session: Session) -> None:
    session.is_erased = True
    shutil.rmtree(session.folder, ignore_errors=True)
    session.uploads.clear()
    session.studies.clear()
    session.pacs_ids.clear()
    session.maps.clear()


def _key(token: str) -> str:
    # Looked up by a hash, so that how long it takes says nothing of the token.
    return hashlib.sha256(token.encode()).hexdigest()
