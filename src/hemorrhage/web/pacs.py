"""A PACS by DICOMweb: its studies listed by QIDO-RS and pulled by WADO-RS (PS3.18, 10.4 and 10.6).

Only the address that the server was started with is asked; a redirect to another is refused, and so is what is too
large. Names and ids of patients are never asked for.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx

from hemorrhage.errors import HemorrhageError
from hemorrhage.web.intake import PartWriter, Spend
from hemorrhage.web.limits import Limits, RefusedError

LOGIN_VARIABLE = "HEMORRHAGE_PACS_LOGIN"
_STUDY_UID, _DATE, _DESCRIPTION, _MODALITIES, _SERIES = "0020000D", "00080020", "00081030", "00080061", "00201206"
_MOST_STUDIES = 200
_SECONDS = 20.0
_PIECE = 1 << 16


@dataclass(frozen=True)
class PacsStudy:
    """A study as a list shows it; `uid` stays with the server."""

    uid: str
    date: str
    description: str
    modalities: str
    series: int


class Pacs:
    """A DICOMweb server; `name` is what a page may show of its address."""

    def __init__(self, url: str, limits: Limits) -> None:
        parts = check_url(url)
        self.name = parts.netloc.rpartition("@")[2]
        self._limits = limits
        login = os.environ.get(LOGIN_VARIABLE, "").partition(":")
        # No proxies or .netrc of the environment, and no redirects: what is asked goes where the user said.
        self._client = httpx.Client(
            base_url=url.rstrip("/") + "/",
            auth=(login[0], login[2]) if login[1] else None,
            timeout=_SECONDS,
            follow_redirects=False,
            trust_env=False,
        )

    def check(self) -> None:
        """Raises HemorrhageError where there is no DICOMweb server at the address."""
        try:
            self._query({"limit": "1"})
        except RefusedError as error:
            raise HemorrhageError(f"--pacs: {error} Expected the address of a DICOMweb server.") from error

    def list_studies(self, first: str, last: str) -> list[PacsStudy]:
        """Returns the studies of the days `first` to `last`, each YYYYMMDD or empty, newest first."""
        for day in (first, last):
            if not re.fullmatch(r"(\d{8})?", day):
                raise RefusedError(f"Expected days as YYYYMMDD, received {day[:20]!r}.")
        days = {"StudyDate": f"{first}-{last}"} if first or last else {}
        found = [_read_study(one) for one in self._query({"limit": str(_MOST_STUDIES), **days})]
        return sorted((study for study in found if study.uid), key=lambda study: study.date, reverse=True)

    def pull(self, uid: str, folder: Path, spend: Spend) -> PartWriter:
        """Returns what was written of a study into `folder`; raises RefusedError as PartWriter does."""
        headers = {"accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
        with self._asking(), self._client.stream("GET", f"studies/{uid}", headers=headers) as response:
            self._require_ok(response)
            writer = PartWriter(response.headers.get("content-type", ""), folder, self._limits, spend)
            try:
                for piece in response.iter_bytes(_PIECE):
                    writer.write(piece)
                writer.finish()
            finally:
                writer.close()
        return writer

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def _query(self, words: dict[str, str]) -> list[dict[str, Any]]:
        headers = {"accept": "application/dicom+json"}
        # One word each: a list with commas is in the standard, and Orthanc does not read it.
        asked = [*words.items(), *(("includefield", tag) for tag in (_DESCRIPTION, _MODALITIES, _SERIES))]
        body = bytearray()
        with (
            self._asking(),
            self._client.stream("GET", "studies", params=urlencode(asked), headers=headers) as response,
        ):
            self._require_ok(response)
            for piece in response.iter_bytes(_PIECE):
                body += piece
                if len(body) > _MOST_STUDIES * self._limits.json_bytes:
                    raise RefusedError(f"{self.name} answers with more than a list of studies can need.", 502)
            if response.status_code == 204 or not body:
                return []
        try:
            found = httpx.Response(200, content=bytes(body)).json()
        except ValueError as error:
            raise RefusedError(f"{self.name} answers, but not as a DICOMweb server does.", 502) from error
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise RefusedError(f"{self.name} answers, but not with a list of studies.", 502)
        return found

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except httpx.HTTPError as error:
            raise RefusedError(f"{self.name} does not answer ({type(error).__name__}).", 502) from error

    def _require_ok(self, response: httpx.Response) -> None:
        if response.is_redirect:
            raise RefusedError(f"{self.name} sends on to another address, which is not followed.", 502)
        if response.status_code not in (200, 204):
            hint = f" Is {LOGIN_VARIABLE} set?" if response.status_code in (401, 403) else ""
            raise RefusedError(f"{self.name} refuses with status {response.status_code}.{hint}", 502)


def check_url(url: str) -> Any:
    """Returns the parts of a PACS's address; raises HemorrhageError for one that is not of http or https."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise HemorrhageError(
            f"Expected --pacs http://HOST:PORT/PATH of a DICOMweb server, received {url!r}. A name and a password go "
            f"into {LOGIN_VARIABLE}, as name:password."
        )
    return parts


def _read_study(found: dict[str, Any]) -> PacsStudy:
    uid = _value(found, _STUDY_UID)
    series = _value(found, _SERIES)
    return PacsStudy(
        # Part of an address to come, so that nothing but what a UID is made of may be in it.
        uid=uid if re.fullmatch(r"[0-9.]{1,64}", uid) else "",
        date=_value(found, _DATE),
        description=_value(found, _DESCRIPTION),
        modalities=_value(found, _MODALITIES),
        series=int(series) if series.isdecimal() else 0,
    )


def _value(found: dict[str, Any], tag: str) -> str:
    element = found.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return ", ".join(str(value) for value in values)[:200] if isinstance(values, list) else ""
