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


def _ms(ns: int) -> str:
    return f"{ns / 1e6:.3f} ms"
