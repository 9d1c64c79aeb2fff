"""The certificates of the benchmarks: a chain of AWS's kind for the stand-in, and the roots that the function trusts.

The roots are certifi's, whose version the locked requirements pin, with the stand-in's own at the end: as many as a
system has, and the same on every machine.
"""

import base64
import ssl
from pathlib import Path

import certifi
from trustme import CA, KeyType

BROKEN = b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(b"no certificate") + b"-----END CERTIFICATE-----\n"


def certificates(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Return the server's side of TLS for `localhost`, and the file of roots, which is made in `folder`.

    A root, an intermediate and a server's certificate, RSA with 2,048 bits each, as AWS's endpoints have.
    """
    root = CA(key_type=KeyType.RSA)
    server = root.create_child_ca(key_type=KeyType.RSA).issue_cert("localhost", key_type=KeyType.RSA)
    roots = folder / "roots.pem"
    roots.write_bytes(Path(certifi.where()).read_bytes() + root.cert_pem.bytes())
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.configure_cert(tls)
    tls.set_alpn_protocols(["http/1.1"])
    return tls, roots


def with_one_broken(roots: Path) -> Path:
    """Return the file of roots with one more that cannot be parsed, as may happen to a system's store.

    The function has to pass over it; OpenSSL, as Python has it, refuses such a file.
    """
    path = roots.with_name("one-broken.pem")
    path.write_bytes(BROKEN + roots.read_bytes())
    return path


def as_on_amazon_linux(folder: Path, roots: Path) -> dict[str, str]:
    """Return the environment that makes a function find its roots as on Amazon Linux 2023.

    There, beside the bundle, a directory is looked through that holds a link to the bundle, and the same roots once
    more as OpenSSL's trusted certificates.
    """
    directory = folder / "certs"
    directory.mkdir()
    (directory / "ca-bundle.crt").symlink_to(roots)
    trusted = roots.read_bytes().replace(b" CERTIFICATE-----", b" TRUSTED CERTIFICATE-----")
    (directory / "ca-bundle.trust.crt").write_bytes(trusted)
    return {"SSL_CERT_FILE": str(roots), "SSL_CERT_DIR": str(directory)}
