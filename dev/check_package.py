"""Check the release binary: its zip is under 6 MB, and it needs no glibc newer than Amazon Linux 2023's 2.34."""

import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryFile

from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

MAX_ZIP_BYTES = 6_000_000
MAX_GLIBC = (2, 34)


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


def main() -> int:
    """Print both figures and return 1 when one is too large."""
    binary = Path(sys.argv[1])
    size, glibc = zipped_size(binary), newest_glibc(binary)
    print(f"zip: {size:,} bytes (limit {MAX_ZIP_BYTES:,})")
    print(f"glibc: {'.'.join(map(str, glibc))} (limit {'.'.join(map(str, MAX_GLIBC))})")
    return int(size >= MAX_ZIP_BYTES or glibc > MAX_GLIBC)


if __name__ == "__main__":
    sys.exit(main())
