"""Imports go down the list of rooms and never up."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "src" / "hemorrhage"
GROUND = ["errors", "files", "processes"]
ROOMS = [
    *GROUND,
    "ct",
    "data",
    "models",
    "pipeline",
    "report",
    "web",
    "kaggle",
    "terminal",
    "arguments_data",
    "arguments_look",
    "arguments",
    "verbs_data",
    "verbs_look",
    "verbs_training",
    "verbs_runs",
    "cli",
    "__main__",
]
KERAS = {"keras", "tensorflow", "jax", "torch"}


def imports_of(path: Path) -> set[str]:
    """Returns the dotted names that a module imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def room_of(module: str) -> int | None:
    """Returns the floor of a module of this package, None for the package itself."""
    parts = module.split(".")
    return ROOMS.index(parts[1]) if len(parts) > 1 and parts[1] in ROOMS else None


def modules() -> list[tuple[Path, str]]:
    found = [
        (path, ".".join(("hemorrhage", *path.relative_to(PACKAGE).with_suffix("").parts)))
        for path in PACKAGE.rglob("*.py")
    ]
    assert len(found) > 20
    return found


def test_no_module_imports_from_a_floor_above_its_own() -> None:
    upward = [
        f"{module} imports {name}"
        for path, module in modules()
        for name in imports_of(path)
        if name.startswith("hemorrhage.")
        and (own := room_of(module)) is not None
        and (other := room_of(name)) is not None
        and other > own
    ]
    assert upward == []


def test_the_ground_floor_knows_neither_pandas_nor_keras() -> None:
    forbidden = {"pandas", *KERAS}
    found = [
        f"{module} imports {name}"
        for path, module in modules()
        if module.startswith("hemorrhage.ct")
        for name in imports_of(path)
        if name.split(".")[0] in forbidden
    ]
    assert found == []


def test_below_the_models_only_batches_import_keras() -> None:
    found = {
        module
        for path, module in modules()
        if module.startswith(("hemorrhage.ct", "hemorrhage.data"))
        and KERAS & {n.split(".")[0] for n in imports_of(path)}
    }
    assert found == {"hemorrhage.data.batches"}
