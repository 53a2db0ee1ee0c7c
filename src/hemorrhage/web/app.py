"""The routes of the page: requests to records, records to answers."""

import gzip
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

import hemorrhage
from hemorrhage.data.labels import LABELS
from hemorrhage.errors import HemorrhageError
from hemorrhage.web.describing import describe_pacs_study, describe_row, describe_study, describe_upload, sort_worklist
from hemorrhage.web.export_csv import format_csv
from hemorrhage.web.export_request import request_export
from hemorrhage.web.intake import PartWriter
from hemorrhage.web.limits import WARNING, RefusedError
from hemorrhage.web.network import read_hu
from hemorrhage.web.pacs import Pacs
from hemorrhage.web.records import SliceRecord, StudyRecord
from hemorrhage.web.run_words import describe_run
from hemorrhage.web.safety import App, Guard, Shell
from hemorrhage.web.saliency import METHODS, find_maps
from hemorrhage.web.service import Service
from hemorrhage.web.sessions import Session

STATIC = Path(__file__).parent / "static"


@dataclass(frozen=True)
class Page:
    """A service, who may use it, and the name of its cookie, which differs by port: a browser's cookies do not."""

    service: Service
    guard: Guard
    cookie: str

    def token(self, request: Request) -> str | None:
        """Returns what the session's cookie holds."""
        return request.cookies.get(self.cookie)

    def session(self, request: Request) -> Session:
        """Returns the session of a request; raises RefusedError where it has none."""
        session = self.service.sessions.find(self.token(request))
        if session is None:
            raise RefusedError("The session is over, and its files are erased. Load the page again.", 401)
        return session

    def require_opened(self, request: Request) -> None:
        """Raises RefusedError where a request has neither a session nor the token that opens the server."""
        if self.service.sessions.find(self.token(request)) is None and not self.guard.admits(
            request.headers.get("authorization", "")
        ):
            raise RefusedError("This server wants the token that it printed when it was started.", 401)


def create_app(service: Service, guard: Guard, cookie: str = "hemorrhage") -> App:
    """Returns the application, ASGI, within its shell of checks and headers."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    page = Page(service, guard, cookie)
    _answer_errors(app)
    for add in (_add_session, _add_uploads, _add_studies, _add_pixels, _add_saliency, _add_exports, _add_pacs):
        add(app, page)
    app.add_api_route("/", lambda: FileResponse(STATIC / "index.html"), methods=["GET"])
    app.mount("/static", StaticFiles(directory=STATIC))
    return Shell(app, guard)


def _answer_errors(app: FastAPI) -> None:
    @app.exception_handler(HemorrhageError)
    def refuse(request: Request, error: HemorrhageError) -> JSONResponse:
        del request
        return _error(str(error), error.status if isinstance(error, RefusedError) else 400)

    @app.exception_handler(HTTPException)
    def answer(request: Request, error: HTTPException) -> JSONResponse:
        del request
        return _error("There is nothing here." if error.status_code == 404 else str(error.detail), error.status_code)

    @app.exception_handler(RequestValidationError)
    def reject(request: Request, error: RequestValidationError) -> JSONResponse:
        del request
        where = ", ".join(str(one["loc"][-1]) for one in error.errors())
        return _error(f"Expected another form of {where}.", 422)

    @app.exception_handler(Exception)
    def fail(request: Request, error: Exception) -> JSONResponse:
        del request, error
        return _error("The server failed at this; its terminal says where.", 500)


def _error(text: str, status: int) -> JSONResponse:
    return JSONResponse({"error": text}, status)


def _add_session(app: FastAPI, page: Page) -> None:
    @app.get("/api/about")
    def about(request: Request) -> dict[str, Any]:
        page.require_opened(request)
        return describe_server(page.service)

    @app.post("/api/session", status_code=204)
    def begin(request: Request) -> Response:
        page.require_opened(request)
        response = Response(status_code=204)
        if page.service.sessions.find(page.token(request)) is None:
            response.set_cookie(page.cookie, page.service.sessions.open(), httponly=True, samesite="strict", path="/")
        return response

    @app.delete("/api/session", status_code=204)
    def erase(request: Request) -> Response:
        page.service.sessions.erase(page.token(request))
        response = Response(status_code=204)
        response.delete_cookie(page.cookie, httponly=True, samesite="strict", path="/")
        return response


def describe_server(service: Service) -> dict[str, Any]:
    """Returns what the page says of the server, its run and its limits."""
    limits = asdict(service.limits)
    return {
        "name": "hemorrhage",
        "version": hemorrhage.__version__,
        **describe_run(service.network),
        "labels": list(LABELS),
        "limits": {name: limits[name] for name in ("bytes", "files", "pixels")},
        "pacs": {"name": service.pacs.name} if service.pacs else None,
        "warning": WARNING,
        "saliency_methods": list(METHODS),
        "saliency_note": service.network.explainer.note,
    }


def _add_uploads(app: FastAPI, page: Page) -> None:
    service = page.service

    @app.post("/api/uploads", status_code=202)
    async def receive(request: Request) -> dict[str, str]:
        session = page.session(request)
        upload = service.open_upload(session)
        try:
            kind = request.headers.get("content-type", "")
            writer = PartWriter(
                kind, upload.folder, service.limits, lambda count: service.spend(session, upload, count)
            )
            await receive_parts(request, writer, service.limits.bytes)
        except OSError as error:
            service.drop_upload(session, upload)
            raise explain_lost(session) from error
        except BaseException:
            service.drop_upload(session, upload)
            raise
        service.read(session, upload, writer)
        return {"upload": upload.id}

    @app.get("/api/uploads/{upload_id}")
    def show(request: Request, upload_id: str) -> dict[str, Any]:
        return describe_upload(page.session(request).upload(upload_id))


def explain_lost(session: Session) -> RefusedError:
    """Returns why files could not be written: the session was erased meanwhile, or the disk is full."""
    if session.is_erased:
        return RefusedError("The session was erased while files arrived. Load the page again.", 401)
    return RefusedError("The server could not store the files; its disk may be full.", 507)


async def receive_parts(request: Request, writer: PartWriter, most: int) -> None:
    """Writes the body of a request; raises RefusedError where it is too much or broken.

    After a refusal `most` bytes more are read and forgotten: a browser that is cut off while it sends never sees why.
    """
    refusal: RefusedError | None = None
    try:
        writer.check(request.headers.get("content-length", ""))
    except RefusedError as error:
        refusal = error
    forgotten = 0
    try:
        async for piece in request.stream():
            try:
                if refusal is None:
                    writer.write(piece)
            except RefusedError as error:
                refusal = error
            forgotten += len(piece) if refusal else 0
            if forgotten > most:
                break
        if refusal is not None:
            raise refusal
        writer.finish()
    finally:
        writer.close()


def _add_studies(app: FastAPI, page: Page) -> None:
    @app.get("/api/worklist")
    def worklist(request: Request) -> list[dict[str, Any]]:
        studies = list(page.session(request).studies.values())
        return [describe_row(study) for study in sort_worklist(studies)]

    @app.get("/api/studies/{study_id}")
    def show(request: Request, study_id: str) -> dict[str, Any]:
        return describe_study(page.session(request).study(study_id), page.service.network.prevalence)


def _add_pixels(app: FastAPI, page: Page) -> None:
    @app.get("/api/series/{series_id}/slices/{index}/pixels")
    def pixels(request: Request, series_id: str, index: int) -> Response:
        one = _find_slice(page.session(request), series_id, index)
        return _send_array(_read_pixels(one).astype("<i2"), {})


def _add_saliency(app: FastAPI, page: Page) -> None:
    network = page.service.network

    @app.get("/api/series/{series_id}/slices/{index}/saliency/{label}")
    def saliency(request: Request, series_id: str, index: int, label: str) -> Response:
        session, method = page.session(request), _read_method(request)
        if label not in LABELS or method not in METHODS:
            raise RefusedError(f"Expected a label out of {', '.join(LABELS)} and a method out of {', '.join(METHODS)}.")
        one = _find_slice(session, series_id, index)
        if one.probabilities is None:
            raise RefusedError("This slice has no answer to be explained.", 404)
        maps = find_maps(network, session, series_id, index, method)
        probability = one.probabilities[LABELS.index(label)]
        return _send_array(maps[LABELS.index(label)], {"x-label-probability": f"{probability:.8g}"})


def _read_method(request: Request) -> str:
    # A plus that was not escaped arrives as a space.
    return request.query_params.get("method", METHODS[0]).replace(" ", "+")


def _find_slice(session: Session, series_id: str, index: int) -> SliceRecord:
    slices = session.series(series_id).slices
    if not 0 <= index < len(slices):
        raise RefusedError(f"The series has slices 0 to {len(slices) - 1}, received {index}.", 404)
    return slices[index]


def _read_pixels(one: SliceRecord) -> np.ndarray:
    if one.hu_path is None:
        raise RefusedError(f"This slice could not be read: {one.error}", 404)
    try:
        return read_hu(one.hu_path)
    except FileNotFoundError as error:
        raise RefusedError("The session is over, and its files are erased. Load the page again.", 404) from error


def _send_array(values: np.ndarray, more: dict[str, str]) -> Response:
    rows, columns = values.shape
    headers = {"content-encoding": "gzip", "x-rows": str(rows), "x-columns": str(columns), **more}
    body = gzip.compress(np.ascontiguousarray(values).tobytes(), compresslevel=1)
    return Response(body, media_type="application/octet-stream", headers=headers)


def _add_exports(app: FastAPI, page: Page) -> None:
    service = page.service

    def attach(name: str, media_type: str, build: Callable[[Session, StudyRecord], bytes]) -> None:
        @app.get(f"/api/studies/{{study_id}}/export.{name}")
        def export(request: Request, study_id: str) -> Response:
            session = page.session(request)
            study = session.study(study_id)
            if study.state != "done":
                raise RefusedError("This study has no answer to be exported.", 409)
            file = f"{study.title.lower().replace(' ', '-')}-research-only.{name}"
            headers = {"content-disposition": f'attachment; filename="{file}"'}
            return Response(build(session, study), media_type=media_type, headers=headers)

    def build_csv(session: Session, study: StudyRecord) -> bytes:
        del session
        return format_csv(study, service.network.name, hemorrhage.__version__).encode()

    def build_dicom(kind: str) -> Callable[[Session, StudyRecord], bytes]:
        return lambda session, study: service.export(request_export(kind, study, service.network.name), session)

    attach("csv", "text/csv; charset=utf-8", build_csv)
    attach("sr.dcm", "application/dicom", build_dicom("sr"))
    attach("sc.dcm", "application/dicom", build_dicom("sc"))


def _add_pacs(app: FastAPI, page: Page) -> None:
    service = page.service

    def require_pacs() -> Pacs:
        if service.pacs is None:
            raise RefusedError("This server was started without a PACS; start it with --pacs URL.", 404)
        return service.pacs

    @app.get("/api/pacs/studies")
    def list_studies(request: Request) -> list[dict[str, Any]]:
        session = page.session(request)
        words = request.query_params
        found = require_pacs().list_studies(words.get("from", ""), words.get("to", ""))
        return [describe_pacs_study(session.name_pacs_study(one.uid), one) for one in found]

    @app.post("/api/pacs/studies/{study_id}/pull", status_code=202)
    def pull(request: Request, study_id: str) -> dict[str, str]:
        session = page.session(request)
        require_pacs()
        return {"upload": service.pull(session, session.pacs_uid(study_id)).id}
