"""Reading a zip that may be made to harm: what it claims is checked first, and again while it is inflated.

Nothing of the archive's own names becomes a path; a member is written under a number.
"""

import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from hemorrhage.web.limits import Limits, RefusedError, in_words

_PIECE = 1 << 16
_END_MARK = b"PK\x05\x06"
_END = struct.Struct("<4s4H2LH")
# The end record is 22 bytes, and a comment of up to 65,535 bytes may follow.
_END_WITHIN = 22 + 65_535
_ENTRY_BYTES = 46 + 512
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


@dataclass(frozen=True)
class Member:
    """A file out of an archive: its name there, as text alone, and where it was written; or why it was not."""

    name: str
    path: Path | None
    why: str = ""


def is_zip(path: Path) -> bool:
    """Returns whether the file begins as a zip does."""
    with path.open("rb") as file:
        return file.read(4) in (b"PK\x03\x04", _END_MARK)


def unpack(path: Path, folder: Path, limits: Limits, files_left: int) -> list[Member]:
    """Returns the files of the zip at `path`, written into `folder` as 0, 1, 2...

    `files_left` is how many the upload may still have. Raises RefusedError, with words, for an archive that is damaged,
    encrypted or too large, as it says or as it turns out.
    """
    _check_directory(path, files_left)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            _check_claims(entries, path.stat().st_size, limits, files_left)
            return _write_all(archive, entries, folder, limits)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError, OSError) as error:
        raise RefusedError(f"The zip is damaged or cut short ({type(error).__name__}). Make it again.") from error


def _check_directory(path: Path, files_left: int) -> None:
    """Looks at the archive's last record alone: the list of its files might itself fill the memory."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - _END_WITHIN))
        tail = file.read()
    at = tail.rfind(_END_MARK)
    if at < 0 or len(tail) - at < _END.size:
        raise RefusedError("The zip is damaged or cut short: its list of files is missing. Make it again.")
    _, _, _, _, entries, directory_bytes, _, _ = _END.unpack_from(tail, at)
    if entries > files_left:
        raise RefusedError(f"The zip holds {entries} files; at most {files_left} more are taken. Send one study.", 413)
    if directory_bytes > (entries + 1) * _ENTRY_BYTES * 4:
        raise RefusedError("The zip's list of files is larger than its files can need; it is not read.", 413)


def _check_claims(entries: list[zipfile.ZipInfo], packed: int, limits: Limits, files_left: int) -> None:
    if len(entries) > files_left:
        raise RefusedError(
            f"The zip holds {len(entries)} files; at most {files_left} more are taken. Send one study.", 413
        )
    if any(entry.flag_bits & 1 for entry in entries):
        raise RefusedError("The zip is encrypted. Unpack it with its password and send the files.")
    strange = sorted({entry.compress_type for entry in entries} - _METHODS)
    if strange:
        raise RefusedError(f"The zip is compressed by a method that is not taken (number {strange[0]}). Use deflate.")
    total = sum(entry.file_size for entry in entries)
    if total > limits.unpacked_bytes:
        raise RefusedError(
            f"The zip unpacks to {in_words(total)}; at most {in_words(limits.unpacked_bytes)} is taken.", 413
        )
    if total > limits.zip_ratio * packed:
        raise RefusedError(
            f"The zip unpacks to {total // packed} times its size; CT slices shrink to a half or a third, and more "
            f"than {limits.zip_ratio} times is not taken.",
            413,
        )


def _write_all(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo], folder: Path, limits: Limits) -> list[Member]:
    members: list[Member] = []
    left = sum(entry.file_size for entry in entries)
    for number, entry in enumerate(entries):
        path = folder / str(number)
        left -= _inflate(archive, entry, path, min(left, entry.file_size))
        if is_zip(path):
            path.unlink()
            members.append(Member(entry.filename, None, "a zip within a zip; unpack it and send its files."))
        else:
            members.append(Member(entry.filename, path))
    return members


def _inflate(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, most: int) -> int:
    """Writes one member and returns its size; RefusedError where it holds more than the `most` that it claimed."""
    count = 0
    with archive.open(entry) as source, path.open("xb") as target:
        while piece := source.read(_PIECE):
            count += len(piece)
            if count > most:
                raise RefusedError("The zip lies about its size: it unpacks to more than it says. It is not read.", 413)
            target.write(piece)
    return count
