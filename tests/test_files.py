from __future__ import annotations

import os
from pathlib import Path

import pytest

from ddplint.files import FileSet, PathError, find_files, project_root
from ddplint.patterns import Pattern


def tree(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def names(files: FileSet) -> list[str]:
    return [ref.display for ref in files.files]


def find(root: Path, *paths: str, **options: object) -> FileSet:
    return find_files(paths or (".",), cwd=str(root), **options)  # type: ignore[arg-type]


def test_python_and_notebooks_in_order(tmp_path: Path) -> None:
    tree(tmp_path, "b.py", "a/z.py", "a.py", "n.ipynb", "stub.pyi", "data.txt", "c.pyc")
    assert names(find(tmp_path)) == ["a.py", "a/z.py", "b.py", "n.ipynb"]


def test_default_excludes(tmp_path: Path) -> None:
    tree(tmp_path, "a.py", "venv/x.py", ".venv/x.py", "build/x.py", "p/__pycache__/x.py", "p/site-packages/q/x.py")
    assert names(find(tmp_path)) == ["a.py"]


def test_given_paths_win_over_excludes(tmp_path: Path) -> None:
    tree(tmp_path, "build/lib/x.py", "build/lib/venv/y.py", "site-packages/torch/nn.py")
    write(tmp_path / ".gitignore", "build/\n")
    assert names(find(tmp_path, "build")) == ["build/lib/x.py"]
    assert names(find(tmp_path, "site-packages")) == ["site-packages/torch/nn.py"]
    assert "build/lib/x.py" in names(find(tmp_path, "build/lib/x.py"))


def test_gitignore_nested_anchored_negated(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    tree(tmp_path, "gen.py", "sub/gen.py", "sub/keep.py", "sub/deep/out.py", "logs/a.py", "logs/keep.py", "x/logs/b.py")
    write(tmp_path / ".gitignore", "# generated\n/gen.py\nlogs/*\n!logs/keep.py\n\n")
    write(tmp_path / "sub/.gitignore", "/deep/\n")
    assert names(find(tmp_path)) == ["logs/keep.py", "sub/gen.py", "sub/keep.py", "x/logs/b.py"]
    assert names(find(tmp_path / "sub")) == ["gen.py", "keep.py"]


def test_gitignore_above_the_given_folder_counts(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    tree(tmp_path, "src/out/a.py", "src/b.py")
    write(tmp_path / ".gitignore", "out\n")
    assert names(find(tmp_path / "src")) == ["b.py"]


def test_broken_ignore_pattern_is_passed_over(tmp_path: Path) -> None:
    tree(tmp_path, "a.py", "b.py")
    (tmp_path / ".gitignore").write_bytes(b"!\n\xff\xfe\nb.py\n")
    assert names(find(tmp_path)) == ["a.py"]


def test_exclude_patterns_count_from_their_root(tmp_path: Path) -> None:
    tree(tmp_path, "p/a.py", "p/third/b.py", "q/third/c.py")
    assert names(find(tmp_path, exclude=[Pattern("/p/third", tmp_path)])) == ["p/a.py", "q/third/c.py"]
    assert names(find(tmp_path, exclude=[Pattern("third", tmp_path)])) == ["p/a.py"]
    assert names(find(tmp_path, exclude=[Pattern("/third", tmp_path / "p")])) == ["p/a.py", "q/third/c.py"]


def test_later_folder_wins_where_exclude_patterns_differ(tmp_path: Path) -> None:
    tree(tmp_path, "third/a.py", "third/b.py")
    everything, but = Pattern("*.py", tmp_path), Pattern("!a.py", tmp_path / "third")
    assert names(find(tmp_path, exclude=[everything, but])) == ["third/a.py"]
    assert names(find(tmp_path, exclude=[but, everything])) == []


def test_links(tmp_path: Path) -> None:
    tree(tmp_path, "p/a.py")
    (tmp_path / "p/loop").symlink_to(tmp_path)
    (tmp_path / "p/b.py").symlink_to("a.py")
    (tmp_path / "gone.py").symlink_to("nowhere.py")
    assert names(find(tmp_path)) == ["gone.py", "p/a.py"]
    (tmp_path / "link").symlink_to("p")
    assert names(find(tmp_path, "link")) == ["link/a.py"]


def test_single_file_brings_its_project(tmp_path: Path) -> None:
    tree(tmp_path, "setup.py", "pkg/a.py", "pkg/b.py", "scripts/train.py")
    found = find(tmp_path, "pkg/a.py")
    assert names(found) == ["pkg/a.py", "pkg/b.py", "scripts/train.py", "setup.py"]
    assert found.shown == {"pkg/a.py"}
    assert found.root == tmp_path


def test_folders_are_their_own_context(tmp_path: Path) -> None:
    tree(tmp_path, "setup.py", "pkg/a.py", "scripts/train.py")
    found = find(tmp_path, "pkg")
    assert names(found) == ["pkg/a.py"]
    assert found.shown is None
    assert found.root == tmp_path


def test_file_and_folder_together(tmp_path: Path) -> None:
    tree(tmp_path, "setup.py", "pkg/a.py", "scripts/train.py", "scripts/eval.py")
    found = find(tmp_path, "pkg", "scripts/train.py")
    assert found.shown == {"pkg/a.py", "scripts/train.py"}
    assert "scripts/eval.py" in names(found)


def test_lone_file_in_the_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path, "lone.py", "other/thing.py")
    monkeypatch.setattr("ddplint.files.project_root", lambda start: None)
    assert names(find(tmp_path, "lone.py")) == ["lone.py", "other/thing.py"]
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    assert names(find(tmp_path, "lone.py")) == ["lone.py"]


def test_clones_beside_a_lone_file_are_no_part_of_its_program(tmp_path: Path) -> None:
    tree(tmp_path, "a.py", "models/b.py", "ops/setup.py", "work/clone/.git/HEAD", "work/clone/c.py", "work/d.py")
    program = ["a.py", "models/b.py", "ops/setup.py", "work/d.py"]
    assert names(find(tmp_path, "a.py")) == program
    # what is named is read, and so is what lies in a project
    assert names(find(tmp_path)) == sorted([*program, "work/clone/c.py"])
    assert names(find(tmp_path, "a.py", "work")) == sorted([*program, "work/clone/c.py"])
    (tmp_path / "setup.cfg").touch()
    assert names(find(tmp_path, "a.py")) == sorted([*program, "work/clone/c.py"])


def test_paths_outside_are_absolute(tmp_path: Path) -> None:
    tree(tmp_path, "p/a.py", "q/b.py")
    assert names(find(tmp_path / "p", "../q")) == [f"{tmp_path.as_posix()}/q/b.py"]


def test_duplicates_and_order(tmp_path: Path) -> None:
    tree(tmp_path, "p/a.py", "p/q/b.py")
    assert names(find(tmp_path, "p/q", "p", "./p")) == names(find(tmp_path, "p", "p/q")) == ["p/a.py", "p/q/b.py"]


def test_missing_path(tmp_path: Path) -> None:
    with pytest.raises(PathError, match=r"no such file or folder: nope\.py"):
        find(tmp_path, "nope.py")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may list everything")
def test_folder_that_cannot_be_listed(tmp_path: Path) -> None:
    tree(tmp_path, "a.py", "shut/b.py")
    (tmp_path / "shut").chmod(0)
    try:
        found = find(tmp_path)
    finally:
        (tmp_path / "shut").chmod(0o755)
    assert names(found) == ["a.py"]
    assert found.skipped == (("shut", "Permission denied"),)


@pytest.mark.parametrize("marker", [".git", "pyproject.toml", ".ddplint.yaml", "setup.py", "setup.cfg"])
def test_project_root(tmp_path: Path, marker: str) -> None:
    (tmp_path / "p/q").mkdir(parents=True)
    tree(tmp_path, f"p/{marker}")
    assert project_root(tmp_path / "p/q") == tmp_path / "p"
