"""What stands behind the routes: sessions, processes that open files, the network, and perhaps a PACS."""

import queue
import secrets
import shutil
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from hemorrhage.web.fairness import FairWorkers
from hemorrhage.web.faults import say_fault
from hemorrhage.web.intake import PartWriter
from hemorrhage.web.limits import Limits, RefusedError
from hemorrhage.web.network import Network
from hemorrhage.web.pacs import Pacs
from hemorrhage.web.reader import ReaderProcess
from hemorrhage.web.records import UploadRecord, make_id
from hemorrhage.web.sessions import Session, Sessions
from hemorrhage.web.uploads import Received, Work

_READERS = 2
_SWEEP_SECONDS = 30.0


class Service:
    """One server's state; `close` ends its processes and erases all that was uploaded."""

    def __init__(self, network: Network, limits: Limits, pacs: Pacs | None = None, parent: Path | None = None) -> None:
        self.network = network
        self.pacs = pacs
        self.limits = limits
        self.sessions = Sessions(limits, parent)
        secret = secrets.token_bytes(32)
        self._readers: queue.SimpleQueue[ReaderProcess] = queue.SimpleQueue()
        self._every_reader = [ReaderProcess(limits, secret) for _ in range(_READERS)]
        for reader in self._every_reader:
            self._readers.put(reader)
        self._reading = FairWorkers("reading", _READERS)
        self._exporter = ReaderProcess(limits)
        self._is_closed = threading.Event()
        threading.Thread(target=self._sweep, name="sweep", daemon=True).start()

    def start(self) -> None:
        """Starts what the first visitor should not wait for."""
        for reader in self._every_reader:
            reader.start()
        self.network.warm_up()

    def open_upload(self, session: Session) -> UploadRecord:
        """Returns a new upload of a session; raises RefusedError where it has too many under way."""
        waiting = [one for one in session.uploads.values() if one.state not in ("done", "failed")]
        if len(waiting) >= self.limits.waiting_uploads:
            raise RefusedError(f"{len(waiting)} uploads are being read already; wait for them.", 429)
        upload = UploadRecord(session.folder)
        upload.folder = session.folder / upload.id
        upload.folder.mkdir(mode=0o700)
        session.uploads[upload.id] = upload
        return upload

    def spend(self, session: Session, upload: UploadRecord, count: int) -> None:
        """Counts bytes that an upload puts on the disk; raises RefusedError where there is no room for them."""
        upload.bytes += count
        self.sessions.spend(session, count)

    def drop_upload(self, session: Session, upload: UploadRecord) -> None:
        """Forgets an upload that was not received whole, and removes what there is of it."""
        session.uploads.pop(upload.id, None)
        self._remove_files(session, upload)

    def _remove_files(self, session: Session, upload: UploadRecord) -> None:
        shutil.rmtree(upload.folder, ignore_errors=True)
        self.sessions.spend(session, -upload.bytes)
        upload.bytes = 0

    def pull(self, session: Session, uid: str) -> UploadRecord:
        """Returns the upload that a study of the PACS becomes; it is received and read in a thread."""
        upload = self.open_upload(session)
        self.submit(session.owner, lambda: self._pull(session, upload, uid))
        return upload

    def _pull(self, session: Session, upload: UploadRecord, uid: str) -> None:
        if self.pacs is None:
            raise RefusedError("This server was started without a PACS.", 404)
        upload.message = f"receiving from {self.pacs.name}"
        try:
            writer = self.pacs.pull(uid, upload.folder, lambda count: self.spend(session, upload, count))
        except RefusedError as error:
            upload.state, upload.error, upload.message = "failed", str(error), "refused"
            self._remove_files(session, upload)
            return
        except OSError:
            upload.state, upload.error = "failed", "The server could not store the study; its disk may be full."
            # The session went, and its folder with it.
            if not session.is_erased:
                raise
            return
        self._read(session, upload, _list_received(writer))

    def read(self, session: Session, upload: UploadRecord, writer: PartWriter) -> None:
        """Begins to read what was received, in turn with other sessions' uploads."""
        self.submit(session.owner, lambda: self._read(session, upload, _list_received(writer)))

    def submit(self, owner: str, job: Any) -> None:
        """Runs a job in a thread for reading, in turn; a fault of it is said on the terminal by its place alone."""
        self._reading.submit(owner, job).add_done_callback(_say_fault)

    def _read(self, session: Session, upload: UploadRecord, received: list[Received]) -> None:
        reader = self._readers.get()
        try:
            Work(session, upload, reader, self.network, self.limits, self.spend).run(received)
        finally:
            self._readers.put(reader)
            if upload.state == "failed" and not upload.studies:
                self._remove_files(session, upload)

    def export(self, request: dict[str, Any], session: Session) -> bytes:
        """Returns a DICOM export, made by a process of its own: one that reads an upload may be busy for long."""
        out = session.folder / f"{make_id()}.dcm"
        try:
            self._exporter.ask("export", out, self.limits.export_seconds, export=request)
            return out.read_bytes()
        finally:
            out.unlink(missing_ok=True)

    def close(self) -> None:
        """Ends the threads and processes, and erases every session."""
        self._is_closed.set()
        self.sessions.close()
        for reader in (*self._every_reader, self._exporter):
            reader.close()
        self._reading.close()
        self.network.thread.close()
        if self.pacs is not None:
            self.pacs.close()

    def _sweep(self) -> None:
        while not self._is_closed.wait(_SWEEP_SECONDS):
            self.sessions.sweep()


def _list_received(writer: PartWriter) -> list[Received]:
    return [Received(name, path) for name, path in zip(writer.names, writer.paths, strict=True)]


def _say_fault(future: Future[Any]) -> None:
    if not future.cancelled() and (error := future.exception()) is not None:
        say_fault(error)
