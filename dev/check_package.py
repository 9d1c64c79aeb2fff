"""Check the release binary: its zip is under 6 MB, and it needs no glibc newer than Amazon Linux 2023's 2.34."""

import re
import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryFile

MAX_ZIP_BYTES = 6_000_000
MAX_GLIBC = (2, 34)


def zipped_size(binary: Path) -> int:
    """Return the size in bytes of a zip of the binary, packed as tightly as zip can."""
    with TemporaryFile() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as package:
            package.write(binary, "bootstrap")
        return file.tell()


def newest_glibc(binary: Path) -> tuple[int, int]:
    """Return the newest glibc symbol version that the binary asks for."""
    versions = re.findall(rb"GLIBC_(\d+)\.(\d+)", binary.read_bytes())
    return max((int(major), int(minor)) for major, minor in versions)


def main() -> int:
    """Print both figures and return 1 when one is too large."""
    binary = Path(sys.argv[1])
    size, glibc = zipped_size(binary), newest_glibc(binary)
    print(f"zip: {size:,} bytes (limit {MAX_ZIP_BYTES:,})")
    print(f"glibc: {glibc[0]}.{glibc[1]} (limit {MAX_GLIBC[0]}.{MAX_GLIBC[1]})")
    return int(size >= MAX_ZIP_BYTES or glibc > MAX_GLIBC)


if __name__ == "__main__":
    sys.exit(main())
