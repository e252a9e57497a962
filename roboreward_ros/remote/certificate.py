# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A certificate of one's own for one host. Askers trust that file and nothing else."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Sequence
from pathlib import Path

from roboreward_ros.errors import ConfigError
from roboreward_ros.files import write_atomic
from roboreward_ros.remote.secrets import write_private

CERTIFICATE = "host.crt"
KEY = "host.key"


def make_certificate(folder: Path, hosts: Sequence[str], days: int = 825) -> tuple[Path, Path]:
    """Make ``host.crt``, which askers get as ca_file, and ``host.key``, which stays.

    Args:
        folder: where to; the two files must not exist.
        hosts: names and addresses under which the host is asked for.
        days: how long it is valid.

    Returns:
        Certificate and key.

    Raises:
        ConfigError: no host, not a name, or the key exists already.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    if not hosts or not 1 <= days <= 3650:
        raise ConfigError(
            "a certificate needs a host and an end",
            got=f"{len(hosts)} hosts, {days} days",
            allowed="one or more, 1..3650 days",
        )
    names: list[x509.GeneralName] = []
    for host in hosts:
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            try:
                names.append(x509.DNSName(host))
            except ValueError as error:
                raise ConfigError(
                    "not a host's name", got=host, allowed="ASCII name or address"
                ) from error
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0][:64])])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))  # the other machine's clock may be behind
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                crl_sign=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    key_file, cert_file = folder / KEY, folder / CERTIFICATE
    write_private(
        key_file,
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
    write_atomic(cert_file, certificate.public_bytes(serialization.Encoding.PEM))
    return cert_file, key_file
