"""Everything public in the Python package has a doc string; that of a field is a string under it, as editors show."""

import ast
import unittest
from collections.abc import Iterator
from pathlib import Path

from checks.rust_source import ROOT

PACKAGE = ROOT / "python" / "src" / "tidelog"
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
NAMED = (*FUNCTION, ast.ClassDef)

Tree = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def is_public(name: str) -> bool:
    return not name.startswith("_")


def assigned(node: ast.stmt, inside: str | None = None) -> list[str]:
    """The names that a statement gives a value or a type; with `inside`, those of its attributes."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    if inside is None:
        return [target.id for target in targets if isinstance(target, ast.Name)]
    attributes = [target for target in targets if isinstance(target, ast.Attribute)]
    return [it.attr for it in attributes if isinstance(it.value, ast.Name) and it.value.id == inside]


def fields(body: list[ast.stmt], inside: str | None = None) -> Iterator[tuple[str, ast.stmt, bool]]:
    """The public fields that a body assigns, each with whether a string literal follows."""
    for node, after in zip(body, [*body[1:], None], strict=True):
        told = (
            isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) and isinstance(after.value.value, str)
        )
        yield from ((name, node, told) for name in assigned(node, inside) if is_public(name))


def has_doc(node: Tree) -> bool:
    return bool((ast.get_docstring(node) or "").strip())


def is_overload(node: Tree) -> bool:
    """Whether it is one of the types of a function: the doc string is that of the function itself."""
    return any(ast.unparse(decorator).split(".")[-1] == "overload" for decorator in node.decorator_list)


class Package:
    """The modules of a package, by path."""

    def __init__(self, texts: dict[Path, str]) -> None:
        self.modules = {path: ast.parse(text) for path, text in texts.items()}
        self.silent: list[str] = []

    def source(self, path: Path, node: ast.ImportFrom) -> Path | None:
        """The module that something is imported from, if it is one of the package."""
        if node.level == 0:
            return None
        base = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
        return next((it for it in (Path(f"{base}.py"), base / "__init__.py") if it in self.modules), None)

    def find(self, path: Path, name: str) -> tuple[Path, ast.stmt, bool] | None:
        """Where a name of a module is defined, followed through imports, and whether it has a doc string."""
        for node in self.modules[path].body:
            if isinstance(node, NAMED) and node.name == name and not (isinstance(node, FUNCTION) and is_overload(node)):
                return path, node, has_doc(node)
            if isinstance(node, ast.ImportFrom):
                original = next((it.name for it in node.names if (it.asname or it.name) == name), None)
                if original is not None and (source := self.source(path, node)) not in (None, path):
                    return self.find(source, original)
        return next(((path, node, told) for it, node, told in fields(self.modules[path].body) if it == name), None)

    def note(self, path: Path, line: int, name: str, told: bool) -> None:
        text = f"{path.as_posix()}:{line}: {name}"
        if not told and text not in self.silent:
            self.silent.append(text)

    def members(self, path: Path, cls: ast.ClassDef) -> dict[str, tuple[Path, int, bool]]:
        """The public members of a class with those of its bases in the package, and whether each is documented.

        What overrides a documented member need not say it again.
        """
        found: dict[str, tuple[Path, int, bool]] = {}
        for base in reversed(cls.bases):
            base = base.value if isinstance(base, ast.Subscript) else base
            place = self.find(path, base.id) if isinstance(base, ast.Name) else None
            if place is not None and isinstance(place[1], ast.ClassDef):
                found.update(self.members(place[0], place[1]))
        own = [(name, node, told) for name, node, told in fields(cls.body)]
        for node in cls.body:
            if isinstance(node, FUNCTION) and is_public(node.name) and not is_overload(node):
                own.append((node.name, node, has_doc(node)))
            if isinstance(node, FUNCTION) and node.args.args:
                # A field may get values in several places, and is documented at one.
                own += fields(node.body, node.args.args[0].arg)
        for name, node, told in own:
            before = found.get(name)
            if before is None or not before[2]:
                found[name] = (path, node.lineno, told)
        return found

    def check(self, path: Path) -> None:
        """Notes what a public module exports without a word."""
        module = self.modules[path]
        self.note(path, 1, "the module", has_doc(module))
        exported = next(node.value for node in module.body if "__all__" in assigned(node))
        for name in ast.literal_eval(exported):
            place = self.find(path, name)
            if place is None:
                inner = path.parent / name / "__init__.py"
                if inner not in self.modules:
                    raise LookupError(f"{path} exports {name}, which is not found")
                self.check(inner)
                continue
            where, node, told = place
            self.note(where, node.lineno, name, told)
            if isinstance(node, ast.ClassDef):
                for member, (there, line, said) in self.members(where, node).items():
                    self.note(there, line, f"{name}.{member}", said)


def silent(texts: dict[Path, str]) -> list[str]:
    """What is public and says nothing."""
    package = Package(texts)
    package.check(Path("__init__.py"))
    return package.silent


def texts() -> dict[Path, str]:
    return {path.relative_to(PACKAGE): path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py"))}


SMALL = {
    Path("__init__.py"): '''"""A package."""
from . import inner
from ._a import FIGURE, A, f
__all__ = ["A", "FIGURE", "f", "inner"]
''',
    Path("_a.py"): '''
from typing import overload
FIGURE = 1
"""A figure."""
class _Base:
    x: int
    """Its x."""
    def g(self):
        """It is public in A."""
    def _h(self): ...
class A(_Base):
    """A class."""
    y: int = 0
    """Its y."""
    x = 1
    _z: int
    def __init__(self):
        self.w = 1
        """Its w."""
        self._v = 2
        other.u = 3
    def g(self): ...
    @property
    def p(self):
        """A property."""
@overload
def f(): ...
def f():
    """A function."""
def helper(): ...
class Helper: ...
''',
    Path("inner/__init__.py"): '''"""A module."""
from .._a import FIGURE
__all__ = ["FIGURE"]
''',
}


class PythonDocs(unittest.TestCase):
    def test_everything_public_is_documented(self):
        self.assertEqual(silent(texts()), [])

    def test_what_is_not_exported_or_private_or_said_by_a_base_needs_no_word(self):
        self.assertEqual(silent(SMALL), [])

    def test_what_says_nothing_is_found(self):
        strings = [
            ("__init__.py", '"""A package."""', "the module"),
            ("inner/__init__.py", '"""A module."""', "the module"),
            ("_a.py", '"""A figure."""', "FIGURE"),
            ("_a.py", '"""A class."""', "A"),
            ("_a.py", '"""A function."""', "f"),
            ("_a.py", '"""Its x."""', "A.x"),
            ("_a.py", '"""Its y."""', "A.y"),
            ("_a.py", '"""Its w."""', "A.w"),
            ("_a.py", '"""It is public in A."""', "A.g"),
            ("_a.py", '"""A property."""', "A.p"),
        ]
        for path, text, name in strings:
            self.assertIn(text, SMALL[Path(path)])
            without = {**SMALL, Path(path): SMALL[Path(path)].replace(text, "pass")}
            self.assertEqual([it.rsplit(": ", 1)[1] for it in silent(without)], [name])

    def test_no_field_of_the_package_may_lose_its_word(self):
        found = texts()
        record = '    lost: int\n    """How many events were dropped."""\n'
        path = Path("_types.py")
        self.assertIn(record, found[path])
        without = {**found, path: found[path].replace(record, "    lost: int\n")}
        self.assertEqual([it.rsplit(": ", 1)[1] for it in silent(without)], ["Lagged.lost"])
