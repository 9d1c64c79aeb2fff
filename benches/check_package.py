"""Check the release binary: how large its zip is, which glibc it needs, and that no slow code for entropy is in it.

Its zip is under 4.7 MB, it needs no glibc newer than Amazon Linux 2023's 2.34, and AWS-LC was built without the CPU's
jitter as a source of entropy (.cargo/config.toml says why). The second argument is the same binary before it was
stripped: only that has symbols.
"""

import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile

from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection
from elftools.elf.sections import Symbol, SymbolTableSection

MAX_ZIP_BYTES = 4_700_000
MAX_GLIBC = (2, 34)
# What every function of the library begins with that AWS-LC has it from, behind a prefix of AWS-LC's own.
JITTER_ENTROPY = re.compile(r"(^|_)jent_")


def zipped_size(binary: Path) -> int:
    """Return the size in bytes of a zip of the binary, packed as tightly as zip can."""
    with TemporaryFile() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as package:
            package.write(binary, "bootstrap")
        return file.tell()


def newest_glibc(binary: Path) -> tuple[int, ...]:
    """Return the newest glibc version that the binary asks for; ValueError if it asks for one that is no number.

    The dynamic loader compares the names in `.gnu.version_r`, as `GLIBC_2.34`, before it starts the binary.
    """
    with binary.open("rb") as file:
        needed = ELFFile(file).get_section_by_name(".gnu.version_r")
        if not isinstance(needed, GNUVerNeedSection):
            raise ValueError(f"{binary} asks for no version of any library")
        names = [version.name for _, versions in needed.iter_versions() for version in versions]
    glibc = [name.removeprefix("GLIBC_") for name in names if name.startswith("GLIBC_")]
    return max(tuple(int(part) for part in version.split(".")) for version in glibc)


def symbols(unstripped: Path) -> Iterator[Symbol]:
    """Yield the symbols of a binary; ValueError for one without."""
    with unstripped.open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        if not isinstance(table, SymbolTableSection):
            raise ValueError(f"{unstripped} has no symbols to search")
        yield from table.iter_symbols()


def jitter_entropy(unstripped: Path) -> list[str]:
    """Return the functions that gather entropy from the CPU's jitter."""
    return sorted({each.name for each in symbols(unstripped) if JITTER_ENTROPY.search(each.name)})


def main() -> int:
    """Print the figures and return 1 when one is too large, or code is there that must not be."""
    binary, unstripped = map(Path, sys.argv[1:])
    size, glibc, entropy = zipped_size(binary), newest_glibc(binary), jitter_entropy(unstripped)
    print(f"zip: {size:,} bytes (limit {MAX_ZIP_BYTES:,})")
    print(f"glibc: {'.'.join(map(str, glibc))} (limit {'.'.join(map(str, MAX_GLIBC))})")
    print(f"jitter entropy: {', '.join(entropy) or 'none'}")
    return int(size >= MAX_ZIP_BYTES or glibc > MAX_GLIBC or bool(entropy))


if __name__ == "__main__":
    sys.exit(main())
