"""What lies outside the brain: bone, air and soft tissue where an anatomist looks for them, in heads that differ."""

from dataclasses import replace

import numpy as np
import pytest

from hemorrhage.ct.phantom.anatomy import EQUATOR_MM, Head, Place, build_head, locate, shade_outside
from hemorrhage.ct.phantom.neck import fat_plane_gap_mm
from hemorrhage.ct.phantom.place import shift_place, stretch_place
from hemorrhage.ct.phantom.scalp import Swelling
from hemorrhage.ct.phantom.shape import OUTSIDE_MM, Blob, Rod, Wall, both_sides, deepest_mm, territories_mm
from hemorrhage.ct.phantom.space import Plane

SIZE = 128
LEVEL = (np.array([1.0, 0, 0]), np.array([0, 1.0, 0]))


def level_plane(z_mm: float, size: int = SIZE, field_mm: float = 256.0) -> Plane:
    grid_mm = (np.arange(size) - (size - 1) / 2) * field_mm / size
    return Plane(np.array([0.0, 0.0, z_mm]), *LEVEL, grid_mm)


def draw_adult(seed: int) -> Head:
    """A head of even build, so that landmarks lie where the average has them."""
    head = build_head(np.random.default_rng([seed, 5]))
    bend = replace(head.bend, vectors=head.bend.vectors * 1e-6, phases=head.bend.phases * 0 + np.pi / 2)
    skull = replace(head.skull, slant=0.0, thickness_mm=6.0, aeration=0.9, mastoid_hu=-900.0)
    scalp = replace(head.scalp, swellings=(), hair_mm=0.0)
    return replace(head, bend=bend, skull=skull, scalp=scalp, face=replace(head.face, factors=(1.0, 1.0, 1.0)))


def shade(head: Head, z_mm: float) -> tuple[np.ndarray, Place]:
    place = locate(head, level_plane(z_mm))
    return shade_outside(head, place), place


def near(place: Place, x_mm: float, y_mm: float, radius_mm: float) -> np.ndarray:
    return np.hypot(np.abs(place.x) - x_mm, place.y - y_mm) < radius_mm


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_values_are_finite_and_no_less_than_air_from_the_chin_to_above_the_vertex(seed: int) -> None:
    head = build_head(np.random.default_rng(seed))
    for z_mm in np.arange(-118.0, head.vertex_mm + 12, 14.0):
        pixels_hu, _ = shade(head, float(z_mm))
        assert pixels_hu.dtype == np.float32
        assert pixels_hu.shape == (SIZE, SIZE)
        assert np.isfinite(pixels_hu).all()
        assert pixels_hu.min() >= -1001
        assert pixels_hu.max() <= 2700
        assert np.all(pixels_hu[0] < -400) or z_mm < 30


def test_the_same_seed_gives_the_same_head_in_any_order_of_planes() -> None:
    first, again = build_head(np.random.default_rng(7)), build_head(np.random.default_rng(7))
    upwards = [shade(first, z_mm)[0] for z_mm in (-60.0, -10.0, 50.0)]
    downwards = [shade(again, z_mm)[0] for z_mm in (50.0, -10.0, -60.0)][::-1]
    assert all(np.array_equal(a, b) for a, b in zip(upwards, downwards, strict=True))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_vault_is_a_closed_ring_of_bone_between_brain_and_scalp(seed: int) -> None:
    pixels_hu, place = shade(draw_adult(seed), 55.0)
    ring = (place.depth_mm < -1.5) & (place.depth_mm > -place.bone_mm + 1.5)
    assert np.mean(pixels_hu[ring] > 250) > 0.9
    beyond = place.dome_mm < -place.bone_mm - 2
    assert pixels_hu[beyond].max() < 250
    assert np.all(pixels_hu[place.dome_mm < -40] < -900)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_bone_of_the_base_is_looser_than_the_vault_s(seed: int) -> None:
    base_hu, vault_hu = (shade(draw_adult(seed), z_mm)[0] for z_mm in (-8.0, 45.0))
    assert np.median(base_hu[base_hu > 250]) + 40 < np.median(vault_hu[vault_hu > 250])


def test_diploe_is_darker_than_the_tables_beside_it() -> None:
    head = draw_adult(1)
    head = replace(head, skull=replace(head.skull, thickness_mm=9.0, sutures=0.0, hyperostosis_mm=0.0))
    pixels_hu, place = shade(head, 50.0)
    part = -place.depth_mm / place.bone_mm
    tables = ((part > 0.1) & (part < 0.18)) | ((part > 0.84) & (part < 0.9))
    middle = (part > 0.45) & (part < 0.6)
    assert np.median(pixels_hu[middle]) + 200 < np.median(pixels_hu[tables])


def test_open_sutures_are_dark_lines_in_the_vault() -> None:
    head = draw_adult(2)
    dark = []
    for openness in (0.0, 1.0):
        pixels_hu, place = shade(replace(head, skull=replace(head.skull, sutures=openness)), 75.0)
        ring = (place.depth_mm < -2) & (place.depth_mm > -place.bone_mm + 2)
        dark.append(np.mean(pixels_hu[ring] < 350))
    assert dark[0] + 0.005 < dark[1] < dark[0] + 0.15


def test_a_slice_near_the_vertex_cuts_the_bone_obliquely() -> None:
    head = draw_adult(3)

    def bone_width_mm(z_mm: float) -> float:
        pixels_hu, place = shade(head, z_mm)
        row = (np.abs(place.y - 5) < 1) & (place.x > 0) & (place.depth_mm < 0)
        return float(np.count_nonzero(pixels_hu[row] > 250)) * 2.0

    assert bone_width_mm(EQUATOR_MM + 58) > 1.8 * bone_width_mm(EQUATOR_MM + 5)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_landmarks_of_base_and_face_are_where_they_belong(seed: int) -> None:
    head = draw_adult(seed)
    petrous_hu, place = shade(head, -12.0)
    assert petrous_hu[near(place, 27, 7, 4) & (place.depth_mm < -2)].mean() > 1000
    assert np.mean(petrous_hu[near(place, 57, 29, 7) & (place.depth_mm < -4)] < -100) > 0.1
    face_hu, place = shade(head, -36.0)
    assert np.median(face_hu[near(place, 27, -57, 6)]) < -800 or head.face.lining_mm > 4 or head.face.fluid_y_mm < 0
    orbit_hu, place = shade(head, -8.0)
    assert -5 < np.median(orbit_hu[near(place, 32, -72, 6)]) < 30
    canal_hu, place = shade(head, -70.0)
    assert 0 < np.median(canal_hu[near(place, 0, 39, 5)]) < 50
    jaw_hu, place = shade(head, -92.0)
    assert jaw_hu[near(place, 40, -47, 4)].max() > 700
    assert np.median(jaw_hu[near(place, 0, -7, 3)]) < -300
    assert jaw_hu[near(place, 0, 19, 8)].max() > 200


def test_a_plane_of_fat_is_nearest_where_its_depth_says_and_the_deepest_is_a_millimetre_wider() -> None:
    depths_mm = np.array([0.0, 4.0, 7.0, 10.5, 22.0, 25.0])
    assert fat_plane_gap_mm(depths_mm) == pytest.approx([4.0, 0.0, 3.0, 0.5, -1.0, 2.0])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_nape_of_the_old_has_sheets_of_muscle_with_fat_between(seed: int) -> None:
    head = draw_adult(seed)
    pixels_hu, place = shade(replace(head, neck=replace(head.neck, fat_mm=3.0, streaks=0.6)), -70.0)
    nape = (place.y > 48) & (place.y < 76) & (np.abs(place.x) < 32)
    muscle, fat = pixels_hu[nape] > 30, pixels_hu[nape] < 0
    assert np.mean(muscle) > 0.3
    assert np.mean(fat) > 0.1
    # From the spine to the skin most columns meet muscle more than once.
    columns = pixels_hu[place.y[:, 0] > 44][:, (np.abs(place.x[0]) > 4) & (np.abs(place.x[0]) < 24)] > 25
    assert np.median(np.count_nonzero(np.diff(columns.astype(int), axis=0) == -1, axis=0)) >= 2


def test_neck_muscle_is_mostly_the_same_left_and_right() -> None:
    head = draw_adult(4)
    pixels_hu, _ = shade(head, -75.0)
    muscle = (pixels_hu > 30) & (pixels_hu < 90)
    both = np.count_nonzero(muscle & muscle[:, ::-1])
    assert both > 0.6 * np.count_nonzero(muscle)


def test_a_swelling_lifts_the_skin_over_its_place_alone() -> None:
    head = draw_adult(5)
    swollen = replace(head, scalp=replace(head.scalp, swellings=(Swelling((1.0, 0.0, 0.0), 30.0, 8.0, 55.0),)))
    plain_hu, place = shade(head, EQUATOR_MM)
    swollen_hu, _ = shade(swollen, EQUATOR_MM)
    grown = (plain_hu < -500) & (swollen_hu > -200)
    assert 4 * np.count_nonzero(grown & (place.x > 0)) > 60
    assert not (grown & (place.x < 0)).any()


def test_heads_differ_in_shape_and_bone() -> None:
    heads = [build_head(np.random.default_rng([seed, 9])) for seed in range(150)]
    aspects = [head.scale[0] / head.scale[1] for head in heads]
    assert np.std(aspects) > 0.03
    assert min(head.skull_mm for head in heads) < 4 < 8 < max(head.skull_mm for head in heads)
    swollen = np.mean([len(head.scalp.swellings) > 0 for head in heads])
    assert 0.05 < swollen < 0.3
    assert 0 < sum(len(head.face.crowns) < 4 for head in heads) < 75


def test_shapes_give_their_depth_and_are_found_wherever_the_plane_runs() -> None:
    place = locate(draw_adult(1), level_plane(0.0))
    at = near(place, 20, 10, 0.8) & (place.x > 0)
    ball = Blob((20.0, 10.0, 0.0), (8.0, 8.0, 8.0))
    assert deepest_mm((ball,), place)[at] == pytest.approx(8, abs=1.6)
    assert deepest_mm((Wall((10, 10, 0), (30, 10, 0), 3.0, 9.0),), place)[at] == pytest.approx(3, abs=0.9)
    assert np.all(deepest_mm((Rod((0, 0, 60), (0, 0, 80), (5, 5)),), place) == OUTSIDE_MM)
    pair = deepest_mm(both_sides(ball), place)
    assert np.allclose(np.maximum(pair, -3), np.maximum(pair, -3)[:, ::-1], atol=1e-3)


def test_between_two_territories_the_depths_are_alike() -> None:
    place = locate(draw_adult(1), level_plane(0.0))
    best_mm, next_mm = territories_mm((Blob((-9, 0, 0), (12, 12, 12)), Blob((9, 0, 0), (12, 12, 12))), place)
    middle = (np.abs(place.x) < 1.1) & (np.abs(place.y) < 4)
    assert np.all((best_mm - next_mm)[middle] < 3)
    assert np.all((best_mm - next_mm)[near(place, 12, 0, 2)] > 6)


def test_a_stretched_place_has_its_points_where_the_average_head_has_them() -> None:
    place = locate(draw_adult(1), level_plane(-40.0))
    stretched = stretch_place(place, (1.1, 1.0, 0.8))
    assert np.allclose(stretched.x, place.x / 1.1)
    assert np.allclose(stretched.z, -50.0)
    assert np.allclose(stretched.plane.axis(2), stretched.z)
    assert np.allclose(shift_place(place, place.x * 0 + 2, place.y * 0).x, place.x + 2)
