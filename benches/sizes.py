"""What the package is made of: the size of the zip, and each crate's share of the code, told from the symbols."""

import re
from collections import Counter
from pathlib import Path

from check_package import symbols, zipped_size

OWN = {"access_key_handlers", "access_key_schema", "bootstrap", "cfn_resource_runtime", "iam_access_key"}
STANDARD = {"alloc", "compiler_builtins", "core", "std"}
# What "<a::b as c::D>" begins with where it is about a reference, a slice, or any type.
NO_CRATE = {"as", "const", "dyn", "for", "impl", "mut"}
NAMED = 20


def sizes(binary: Path, unstripped: Path) -> dict[str, str]:
    """Return the zip's and the binary's size in MB, and the table of crates."""
    shares = code_by_crate(unstripped)
    total, named = shares.total(), shares.most_common(NAMED)
    others = total - sum(size for _, size in named)
    rows = [*named, (f"{len(shares) - len(named)} others", others)]
    return {
        "zip": f"{zipped_size(binary) / 1e6:.2f}",
        "binary": f"{binary.stat().st_size / 1e6:.1f}",
        "code": f"{total / 1e6:.1f}",
        "crates": "\n".join(f"| {name} | {size / 1e3:,.0f} kB | {size / total:.1%} |" for name, size in rows),
    }


def code_by_crate(unstripped: Path) -> Counter[str]:
    """Return the bytes of functions by crate.

    A generic function counts for the crate that declares it, or, where it implements a trait, for that of its type.
    """
    shares = Counter[str]()
    for symbol in symbols(unstripped):
        if symbol["st_info"]["type"] == "STT_FUNC":
            shares[crate(symbol.name)] += symbol["st_size"]
    return shares


def crate(symbol: str) -> str:
    """Return the crate that a function belongs to, by its mangled name; C has none."""
    if not (path := re.match(r"_ZN(\d+)", symbol)):
        return "AWS-LC, and a little of the C library"
    first = symbol[path.end() :][: int(path[1])]
    # An implementation's "<", "&" and the like are escaped as "$LT$", "$RF$"; a single capital is a type parameter.
    words = re.findall(r"[A-Za-z_]\w+", re.sub(r"\$\w+?\$", " ", first))
    name = next((word for word in words if word not in NO_CRATE), "core")
    return "this project" if name in OWN else "Rust's standard library" if name in STANDARD else name
