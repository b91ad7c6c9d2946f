"""Await trees as text, to compare in tests."""

from async_inspect.model import TreeNode


def tree_text(roots: tuple[TreeNode, ...]) -> str:
    """One line a node, its await lines below it."""
    lines = []
    for root in roots:
        for depth, node in root.walk():
            indent = "  " * depth
            time = f"  run {_ms(node.run_ns)} (self {_ms(node.run_self_ns)})  wait {_ms(node.wait_ns)}"
            lines.append(f"{indent}{node.function}  calls {node.calls}  segments {node.segments}{time}")
            for row in sorted(node.awaits, key=lambda a: (a.file, a.line)):
                wait = f"  wait {_ms(row.wait_ns)}"
                lines.append(f"{indent}  · {row.file}:{row.line or '?'}  ×{row.count}{wait}")
    return "\n".join(lines)


def ran(roots: tuple[TreeNode, ...]) -> int:
    """How long these ran, with all below; of a root that is always known."""
    known = [root.run_ns for root in roots if root.run_ns is not None]
    assert len(known) == len(roots)
    return sum(known)


def _ms(ns: int | None) -> str:
    return "?" if ns is None else f"{ns / 1e6:.3f} ms"
