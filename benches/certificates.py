"""The certificates of the benchmarks: a chain of AWS's kind for the stand-in, and the roots that the function trusts.

The roots are certifi's, whose version the locked requirements pin, with the stand-in's own at the end: as many as a
system has, and the same on every machine.
"""

import base64
import datetime
import ssl
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)
BROKEN = b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(b"no certificate") + b"-----END CERTIFICATE-----\n"


def certificates(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Return the server's side of TLS for `localhost`, and the file of roots; both are made anew in `folder`.

    A root, an intermediate and a server's certificate, RSA with 2,048 bits each, as AWS's endpoints have.
    """
    root_key, intermediate_key, server_key = (rsa.generate_private_key(65537, 2048) for _ in range(3))
    root = _certificate("Stand-in root", root_key, "Stand-in root", root_key, authority=True)
    intermediate = _certificate("Stand-in authority", intermediate_key, "Stand-in root", root_key, authority=True)
    server = _certificate("localhost", server_key, "Stand-in authority", intermediate_key, authority=False)
    chain, key, roots = folder / "chain.pem", folder / "key.pem", folder / "roots.pem"
    chain.write_bytes(_pem(server) + _pem(intermediate))
    key.touch(mode=0o600)
    key.write_bytes(
        server_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    roots.write_bytes(Path(certifi.where()).read_bytes() + _pem(root))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(chain, key)
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


def _certificate(
    subject: str, key: rsa.RSAPrivateKey, issuer: str, issuer_key: rsa.RSAPrivateKey, authority: bool
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        # OpenSSL, as Python has it, finds an issuer by it.
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if not authority:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(subject)]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
