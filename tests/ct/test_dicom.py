import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from hemorrhage.ct.dicom import DicomError, read_header, read_slice
from hemorrhage.ct.writing import build_dataset, write_dataset
from tests.conftest import HEADER

MakeDicom = Callable[..., Path]


def test_signed_values_become_hu_by_slope_and_intercept(make_dicom: MakeDicom) -> None:
    path = make_dicom(np.array([[0, 1024, 1064], [-2000, 2047, 31000]]))
    pixels_hu = read_slice(path).pixels_hu
    assert pixels_hu.dtype == np.int16
    assert pixels_hu.tolist() == [[-1024, 0, 40], [-3024, 1023, 29976]]


def test_a_slope_other_than_one_is_applied_and_rounded(make_dicom: MakeDicom) -> None:
    path = make_dicom(np.array([[0, 1, 2, 3]]), rescale_slope=0.5, rescale_intercept=-10.25)
    # -10.25, -9.75, -9.25, -8.75
    assert read_slice(path).pixels_hu.tolist() == [[-10, -10, -9, -9]]


def test_extreme_padding_is_held_at_the_end_of_int16_and_does_not_wrap(make_dicom: MakeDicom) -> None:
    path = make_dicom(np.array([[-32768, 32767]]), rescale_intercept=-1024.0)
    assert read_slice(path).pixels_hu.tolist() == [[-32768, 31743]]
    path = make_dicom(np.array([[65535, 0]]), pixel_representation=0)
    assert read_slice(path).pixels_hu.tolist() == [[32767, -1024]]


@pytest.mark.parametrize("intercept", [0.0, 1.0, -99.0])
def test_wrapped_negative_values_are_unwrapped(make_dicom: MakeDicom, intercept: float) -> None:
    # 4096 - 1000 = 3096 is air; 3095 is the brightest value that did not wrap; the intercept plays no part.
    raw = np.array([[0, 40, 3095, 3096, 4095, 4096 + 40]])
    path = make_dicom(raw, bits_stored=12, pixel_representation=0, rescale_intercept=intercept)
    assert read_slice(path).header.is_wrapped
    assert read_slice(path).pixels_hu.tolist() == [[0, 40, 3095, -1000, -1, 40]]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"bits_stored": 12, "pixel_representation": 0, "rescale_intercept": -1024.0}, 3996 - 1024),
        ({"bits_stored": 12, "pixel_representation": 0, "rescale_intercept": -1000.0}, 3996 - 1000),
        ({"bits_stored": 12, "pixel_representation": 0, "rescale_intercept": -100.0}, 3996 - 100),
        ({"bits_stored": 12, "pixel_representation": 1, "rescale_intercept": 0.0}, 3996 - 4096),
        ({"bits_stored": 16, "pixel_representation": 0, "rescale_intercept": 0.0}, 3996),
        ({"bits_stored": 16, "pixel_representation": 1, "rescale_intercept": 0.0}, 3996),
    ],
)
def test_the_fix_leaves_every_other_header_group_alone(
    make_dicom: MakeDicom, facts: dict[str, float], expected: int
) -> None:
    path = make_dicom(np.array([[3996]]), **facts)
    assert not read_slice(path).header.is_wrapped
    assert read_slice(path).pixels_hu.tolist() == [[expected]]


def test_signed_values_whose_upper_bits_were_left_empty_get_their_sign(make_dicom: MakeDicom) -> None:
    raw = np.array([[-1000, -1, 0, 2047]])
    path = make_dicom(raw & 0xFFF, bits_stored=12, rescale_intercept=0.0)
    assert (read_slice(path).pixels_hu == raw).all()
    path = make_dicom(raw, bits_stored=12, rescale_intercept=0.0)
    assert (read_slice(path).pixels_hu == raw).all()


@pytest.mark.parametrize(("intercept", "expected"), [(1e10, 32767), (-1e300, -32768)])
def test_an_absurd_intercept_is_held_at_the_end_of_int16(
    make_dicom: MakeDicom, intercept: float, expected: int
) -> None:
    assert read_slice(make_dicom(np.array([[5]]), rescale_intercept=intercept)).pixels_hu.tolist() == [[expected]]


def test_a_damaged_transfer_syntax_is_the_one_error(make_dicom: MakeDicom) -> None:
    path = make_dicom(np.zeros((4, 6)))
    content = path.read_bytes()
    at = content.index(b"UI", content.index(b"\x02\x00\x10\x00"))
    path.write_bytes(content[:at] + b"\x55\xc9" + content[at + 2 :])
    assert len(read_both(path)) == 2


def test_padding_beyond_twelve_signed_bits_stays_below_air(make_dicom: MakeDicom) -> None:
    # Masking to the 12 bits stored would turn -3024 into 1072: bone instead of padding.
    path = make_dicom(np.array([[-3024]]), bits_stored=12, rescale_intercept=0.0)
    assert read_slice(path).pixels_hu.tolist() == [[-3024]]


def test_the_header_keeps_ids_geometry_and_multi_valued_windows(make_dicom: MakeDicom) -> None:
    path = make_dicom(np.zeros((4, 6)), window_centers=(40.0, 600.0), window_widths=(80.0, 2800.0))
    header = read_slice(path).header
    assert header.sop_instance_id == "ID_000000001"
    assert (header.patient_id, header.study_id, header.series_id) == ("ID_aaaaaaaa", "ID_bbbbbbbbbb", "ID_cccccccccc")
    assert (header.rows, header.columns) == (4, 6)
    assert header.position_mm == (-125.0, -115.5, 77.25)
    assert header.z_mm == 77.25
    assert header.window_centers == (40.0, 600.0)
    assert header.window_widths == (80.0, 2800.0)
    assert read_header(path) == header


def test_ids_that_are_absent_are_none(make_dicom: MakeDicom) -> None:
    header = read_header(make_dicom(np.zeros((2, 2)), patient_id=None, position_mm=()))
    assert header.patient_id is None
    assert header.z_mm is None


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
@pytest.mark.parametrize("signed", [0, 1])
def test_both_little_endian_forms_read_the_same(make_dicom: MakeDicom, syntax: str, signed: int) -> None:
    raw = np.arange(35).reshape(5, 7) * 50
    path = make_dicom(raw, transfer_syntax=str(syntax), pixel_representation=signed)
    assert (read_slice(path).pixels_hu == raw - 1024).all()


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_lossless_compressed_files_read_like_plain_ones(tmp_path: Path, syntax: str) -> None:
    if syntax == JPEGLSLossless:
        pytest.importorskip("jpeg_ls", reason="pyjpegls is not installed")
    if syntax == JPEG2000Lossless:
        pytest.importorskip("openjpeg", reason="pylibjpeg-openjpeg is not installed")
    raw = np.random.default_rng(0).integers(0, 4096, size=(HEADER.rows * 8, HEADER.columns * 8))
    header = HEADER.__class__(**{**HEADER.__dict__, "rows": raw.shape[0], "columns": raw.shape[1]})
    dataset = build_dataset(raw, header)
    dataset.compress(syntax, generate_instance_uid=False)
    write_dataset(tmp_path / "a.dcm", dataset)
    assert (read_slice(tmp_path / "a.dcm").pixels_hu == raw - 1024).all()


def read_both(path: Path) -> list[str]:
    """Returns the texts of the errors that read_slice and read_header raise."""
    with pytest.raises(DicomError) as of_slice:
        read_slice(path)
    with pytest.raises(DicomError) as of_header:
        read_header(path)
    assert str(path) in str(of_slice.value)
    assert str(path) in str(of_header.value)
    return [str(of_slice.value), str(of_header.value)]


def test_a_file_cut_short_is_named_with_what_is_there(make_dicom: MakeDicom) -> None:
    path = make_dicom(np.zeros((512, 512)))
    path.write_bytes(path.read_bytes()[: 153_710 - 524_288])
    for text in read_both(path):
        assert "cut short: 153710 of 524288 pixel bytes" in text


def test_a_text_file_named_dcm_is_not_dicom(tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    path.write_text("ID,Label\n" * 100)
    for text in read_both(path):
        assert "not a DICOM file" in text


def test_an_empty_and_a_missing_file_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty.dcm").touch()
    assert "not a DICOM file" in read_both(tmp_path / "empty.dcm")[0]
    assert "could not be opened" in read_both(tmp_path / "missing.dcm")[0]


def test_a_file_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    dataset = build_dataset(np.zeros((4, 6)), HEADER)
    dataset.Rows = 5
    write_dataset(tmp_path / "short.dcm", dataset)
    assert "lies about its size" in read_both(tmp_path / "short.dcm")[0]
    dataset.Rows = 3
    write_dataset(tmp_path / "long.dcm", dataset)
    assert "lies about its size" in read_both(tmp_path / "long.dcm")[0]


@pytest.mark.parametrize(
    ("keyword", "value", "cause"),
    [
        ("Modality", "MR", "expected Modality CT, received MR"),
        ("PixelData", None, "no pixels"),
        ("Rows", None, "whole number in Rows"),
        ("Rows", 0, "is empty"),
        ("SamplesPerPixel", 3, "SamplesPerPixel 3"),
        ("NumberOfFrames", "2", "NumberOfFrames 2"),
        ("BitsAllocated", 32, "BitsAllocated 32"),
        ("RescaleIntercept", None, "RescaleIntercept"),
        ("RescaleSlope", None, "RescaleSlope"),
    ],
)
def test_what_is_not_a_ct_slice_is_refused_with_the_cause(
    tmp_path: Path, keyword: str, value: object, cause: str
) -> None:
    dataset = build_dataset(np.zeros((4, 6)), HEADER)
    if value is None:
        delattr(dataset, keyword)
    else:
        setattr(dataset, keyword, value)
    write_dataset(tmp_path / "a.dcm", dataset)
    for text in read_both(tmp_path / "a.dcm"):
        assert cause in text


@pytest.mark.parametrize("syntax", [DeflatedExplicitVRLittleEndian, JPEGBaseline8Bit])
def test_syntaxes_off_the_list_are_refused_before_the_data_set_is_read(
    tmp_path: Path, syntax: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = build_dataset(np.zeros((4, 6)), HEADER)
    write_dataset(tmp_path / "a.dcm", dataset)
    content = (tmp_path / "a.dcm").read_bytes()
    plain = str(ExplicitVRLittleEndian).encode()
    other = str(syntax).encode()
    # The meta group's length must stay true, so the longer UID takes the place of the plain one's padding as well.
    start = content.index(plain)
    old = content[start - 2 : start + len(plain) + 1]
    new = len(other + b"\0" * (len(other) % 2)).to_bytes(2, "little") + other + b"\0" * (len(other) % 2)
    group_length = content.index(b"UL\x04\x00") + 4
    length = int.from_bytes(content[group_length : group_length + 4], "little") + len(new) - len(old)
    changed = content.replace(old, new, 1)
    changed = changed[:group_length] + length.to_bytes(4, "little") + changed[group_length + 4 :]
    (tmp_path / "a.dcm").write_bytes(changed)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the data set was read")

    monkeypatch.setattr(pydicom, "dcmread", refuse)
    assert "transfer syntax" in read_both(tmp_path / "a.dcm")[0]


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damaged_byte_gives_a_slice_or_the_one_error(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(_plain_file(tmp_path))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged.dcm"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        ct_slice = read_slice(path)
    except DicomError as error:
        assert str(path) in str(error)
        assert "\n" not in str(error)
    else:
        assert ct_slice.pixels_hu.shape == (ct_slice.header.rows, ct_slice.header.columns)


def _plain_file(folder: Path) -> bytes:
    path = folder / "plain.dcm"
    if not path.exists():
        write_dataset(path, build_dataset(np.arange(24).reshape(4, 6), HEADER))
    return path.read_bytes()


def test_the_error_survives_a_process_boundary() -> None:
    error = DicomError(Path("a.dcm"), "cut short.")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - what a process pool does
    assert (copy.path, copy.cause, str(copy)) == (Path("a.dcm"), "cut short.", "a.dcm: cut short.")


def test_real_slices_agree_with_a_plain_reading(real_slices: list[Path]) -> None:
    assert len(real_slices) == 338
    for path in real_slices:
        dataset = pydicom.dcmread(path)
        dtype = np.int16 if dataset.PixelRepresentation else np.uint16
        raw = np.frombuffer(dataset.PixelData, dtype).reshape(dataset.Rows, dataset.Columns).astype(np.int64)
        expected = raw + int(float(dataset.RescaleIntercept))
        assert (read_slice(path).pixels_hu == expected).all(), path
