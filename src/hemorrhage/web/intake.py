"""Bytes as they arrive, onto the disk: counted while they are received, under names of ours.

The same parts come from a browser (multipart/form-data) and from a PACS (multipart/related).
"""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from hemorrhage.web.limits import Limits, RefusedError, in_words

_LONGEST_NAME = 300

Spend = Callable[[int], None]
"""Counts bytes before they are written, and raises RefusedError where there is no room for them."""


class PartWriter:
    """Writes each part of a multipart body as a file of `folder`: 0, 1, 2... and tells `spend` of all that comes.

    `names` are what the sender called them, as text. Raises RefusedError at the byte or file that is too much.
    """

    def __init__(self, content_type: str, folder: Path, limits: Limits, spend: Spend) -> None:
        _, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if not boundary:
            raise RefusedError("Expected files as multipart/form-data, received something else.", 415)
        self.names: list[str] = []
        self.paths: list[Path] = []
        self.received = 0
        self._folder = folder
        self._limits = limits
        self._spend = spend
        self._file: BinaryIO | None = None
        self._header = (b"", b"")
        self._filename = ""
        self._is_whole = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_part_data": self._on_data,
                "on_part_end": self._on_part_end,
                "on_end": self._on_end,
            },
        )

    def check(self, length: str) -> None:
        """Raises RefusedError where so many bytes, such as a sender announces, are more than may come."""
        if length.isdecimal() and int(length) > self._limits.bytes:
            most = in_words(self._limits.bytes)
            raise RefusedError(f"More than {most} in one upload, which is all that is taken; send less at a time.", 413)

    def write(self, piece: bytes) -> None:
        """Takes the next bytes of the body."""
        self.received += len(piece)
        self.check(str(self.received))
        self._spend(len(piece))
        try:
            self._parser.write(piece)
        except MultipartParseError as error:
            raise RefusedError("The upload is not in the form of one; send it again.") from error

    def finish(self) -> None:
        """Takes note that the body is at its end; raises RefusedError where it was cut short, or had no files."""
        self.close()
        if not self._is_whole:
            raise RefusedError("The upload was cut short; send it again.")
        if not self.paths:
            raise RefusedError("The upload has no files in it.")

    def close(self) -> None:
        """Closes the file that is being written."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0] + data[start:end], self._header[1])

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0], self._header[1] + data[start:end])

    def _on_header_end(self) -> None:
        name, value = self._header
        if name.lower() == b"content-disposition":
            _, options = parse_options_header(value)
            self._filename = options.get(b"filename", b"").decode("utf-8", "replace")[-_LONGEST_NAME:]
        self._header = (b"", b"")

    def _on_headers_finished(self) -> None:
        if len(self.paths) >= self._limits.files:
            raise RefusedError(f"More than {self._limits.files} files in one upload; send one study at a time.", 413)
        path = self._folder / str(len(self.paths))
        self._file = path.open("xb")
        self.paths.append(path)
        self.names.append(self._filename or f"file {len(self.paths)}")
        self._filename = ""

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._file.write(data[start:end])

    def _on_part_end(self) -> None:
        self.close()

    def _on_end(self) -> None:
        self._is_whole = True
