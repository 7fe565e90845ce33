"""Small changes to the source of a module, one at a time."""

from __future__ import annotations

import ast
import random
import re
from dataclasses import dataclass

ARITHMETIC = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Pow: "**"}
ARITHMETIC |= {ast.BitAnd: "&", ast.BitOr: "|"}
OTHER_ARITHMETIC = {"+": "-", "-": "+", "*": "/", "/": "*", "//": "/", "**": "*", "&": "|", "|": "&"}
COMPARISON = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
OTHER_COMPARISON = {
    "<": ("<=", ">="), "<=": ("<", ">"), ">": (">=", "<="), ">=": (">", "<"), "==": ("!=",), "!=": ("==",),
}  # fmt: skip
PAIRS = [
    ("min", "max"), ("minimum", "maximum"), ("argmin", "argmax"), ("floor", "ceil"), ("any", "all"),
    ("zeros", "ones"), ("zeros_like", "ones_like"), ("sum", "mean"), ("log", "log2"), ("log1p", "log"),
    ("std", "var"), ("sqrt", "square"), ("median", "mean"), ("logical_and", "logical_or"),
]  # fmt: skip
OTHER_NAME = {**{b: a for a, b in PAIRS}, **dict(PAIRS), "mean": "sum"}
OTHER_TEXT = {"left": "right", "right": "left"}
REASONS = (
    "gt_constant", "gt_nan", "empty_truth", "gene_missing", "too_few_units", "too_few_genes",
    "too_few_pairs", "empty_niche", "empty_signature", "no_positive", "no_negative",
    "collinear_with_libsize", "no_headroom", "single_cluster", "not_covered", "pred_constant",
    "pred_collinear_with_libsize", "empty_pred", "contract",
)  # fmt: skip
FORMULA = ("arithmetic", "comparison", "axis", "sign", "function", "logic")
"""Kinds of change to what is computed; the others change constants, switches and reasons."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A change: `start` to `end` of the source, in bytes, becomes `after`."""

    line: int
    kind: str
    within: str
    start: int
    end: int
    before: str
    after: str

    def apply(self, source: str) -> str:
        """Return the changed source."""
        data = source.encode()
        return (data[: self.start] + self.after.encode() + data[self.end :]).decode()


def mutants(source: str) -> list[Mutant]:
    """Return every change of `source`, by place. Messages, annotations, docstrings and block sizes stay."""
    maker = _Maker(source)
    maker.visit(ast.parse(source))
    return sorted(maker.found, key=lambda found: (found.start, found.end, found.after))


def sample(found: list[Mutant], most: int, seed: int) -> list[Mutant]:
    """Return at most `most` changes: of every function in turn, formulas before constants."""
    rng = random.Random(seed)
    by_function: dict[str, list[Mutant]] = {}
    for mutant in found:
        by_function.setdefault(mutant.within, []).append(mutant)
    for group in by_function.values():
        rng.shuffle(group)
        group.sort(key=lambda mutant: mutant.kind not in FORMULA)
    chosen: list[Mutant] = []
    while len(chosen) < most and any(by_function.values()):
        for group in by_function.values():
            if group and len(chosen) < most:
                chosen.append(group.pop(0))
    return sorted(chosen, key=lambda mutant: (mutant.start, mutant.after))


class _Maker(ast.NodeVisitor):
    def __init__(self, source: str) -> None:
        self.data = source.encode()
        self.lines = [0]
        for line in self.data.splitlines(keepends=True):
            self.lines.append(self.lines[-1] + len(line))
        self.found: list[Mutant] = []
        self.within = ["module"]

    def place(self, node: ast.AST) -> tuple[int, int]:
        start = self.lines[node.lineno - 1] + node.col_offset
        return start, self.lines[node.end_lineno - 1] + node.end_col_offset

    def add(self, kind: str, start: int, end: int, after: str) -> None:
        line = self.data.count(b"\n", 0, start) + 1
        before = self.data[start:end].decode()
        within = self.within[-1]
        self.found.append(
            Mutant(line=line, kind=kind, within=within, start=start, end=end, before=before, after=after)
        )

    def between(self, left: ast.AST, right: ast.AST, token: str) -> tuple[int, int]:
        """Return where the operator `token` between two operands is."""
        first, last = self.place(left)[1], self.place(right)[0]
        text = re.sub(rb"#[^\n]*", lambda found: b" " * len(found[0]), self.data[first:last])
        at = first + text.index(token.encode())
        return at, at + len(token)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.within.append(node.name)
        for default in (*node.args.defaults, *node.args.kw_defaults):
            if default is not None:
                self.visit(default)
        for statement in node.body:
            self.visit(statement)
        self.within.pop()

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for statement in node.body:
            self.visit(statement)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        named = [target.id for target in node.targets if isinstance(target, ast.Name)]
        if not any(name in {"message", "__all__"} or "BLOCK" in name for name in named):
            self.visit(node.value)
            for target in node.targets:
                self.visit(target)

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) != "TYPE_CHECKING":
            self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        pass

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        pass

    def visit_BinOp(self, node: ast.BinOp) -> None:
        token = ARITHMETIC.get(type(node.op))
        if token is not None:
            self.add("arithmetic", *self.between(node.left, node.right, token), OTHER_ARITHMETIC[token])
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        token = ARITHMETIC.get(type(node.op))
        if token is not None:
            other = f"{OTHER_ARITHMETIC[token]}="
            self.add("arithmetic", *self.between(node.target, node.value, f"{token}="), other)
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        operands = [node.left, *node.comparators]
        for left, operator, right in zip(operands, node.ops, operands[1:], strict=False):
            token = COMPARISON.get(type(operator))
            for other in OTHER_COMPARISON.get(token or "", ()):
                self.add("comparison", *self.between(left, right, str(token)), other)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        token, other = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            self.add("logic", *self.between(left, right, token), other)
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        start = self.place(node)[0]
        if isinstance(node.op, ast.USub):
            self.add("sign", start, start + 1, "+")
        elif isinstance(node.op, ast.Invert):
            self.add("logic", start, start + 1, " ")
        elif isinstance(node.op, ast.Not):
            self.add("logic", start, start + 3, "   ")
        self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> None:
        if node.arg == "axis":
            self.add("axis", *self.place(node.value), "1" if ast.unparse(node.value) == "0" else "0")
            return
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if node.attr in OTHER_NAME:
            end = self.place(node)[1]
            self.add("function", end - len(node.attr), end, OTHER_NAME[node.attr])
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in {"min", "max", "any", "all"} and isinstance(node.ctx, ast.Load):
            self.add("function", *self.place(node), OTHER_NAME[node.id])

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        place = self.place(node)
        if isinstance(node.value, bool):
            self.add("switch", *place, str(not node.value))
        elif isinstance(node.value, int):
            self.add("constant", *place, str(node.value + 1))
        elif isinstance(node.value, float):
            self.add(
                "constant", *place, repr(node.value + 1.0 if node.value in {0.0, 1.0} else node.value * 2.0)
            )
        elif node.value in REASONS:
            self.add("reason", *place, f'"{REASONS[REASONS.index(node.value) - 1]}"')
        elif isinstance(node.value, str) and OTHER_TEXT.get(node.value):
            self.add("switch", *place, f'"{OTHER_TEXT[node.value]}"')
