"""A certificate authority of the lab: `ca_file`, and server certificates that it signs. Needs openssl."""

from __future__ import annotations

from pathlib import Path

from process import command, need


class Authority:
    """Owns the folder it is given. Keys are P-256: a moment to make, good for a day."""

    def __init__(self, folder: Path) -> None:
        need("openssl", "openssl")
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.ca_file, self._ca_key = self._self_signed("ca", "/CN=Lab CA", "critical,CA:TRUE", None)

    def issue(self, name: str, hosts: list[str]) -> tuple[Path, Path]:
        """A certificate for these host names, signed by this authority: (certificate, key)."""
        key, request, certificate = (self.folder / f"{name}.{end}" for end in ("key", "csr", "pem"))
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(_names(hosts) + "\nextendedKeyUsage=serverAuth\n")
        command(["openssl", "req", *_new_key(key), "-subj", f"/CN={hosts[0]}", "-out", request])
        command(["openssl", "x509", "-req", "-in", request, "-CA", self.ca_file, "-CAkey", self._ca_key,
                 "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", certificate])
        key.chmod(0o600)
        return certificate, key

    def self_signed(self, name: str, hosts: list[str]) -> tuple[Path, Path]:
        """A certificate that nobody signed, as Exchange makes for itself: (certificate, key)."""
        return self._self_signed(name, f"/CN={hosts[0]}", "critical,CA:FALSE", hosts)

    def _self_signed(self, name: str, subject: str, basic: str, hosts: list[str] | None) -> tuple[Path, Path]:
        key, certificate = self.folder / f"{name}.key", self.folder / f"{name}.pem"
        more = ["-addext", _names(hosts)] if hosts else []
        command(["openssl", "req", "-x509", *_new_key(key), "-subj", subject, "-days", "2",
                 "-addext", f"basicConstraints={basic}", *more, "-out", certificate])
        key.chmod(0o600)
        return certificate, key


def _new_key(key: Path) -> list[str | Path]:
    return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key]


def _names(hosts: list[str]) -> str:
    return "subjectAltName=" + ",".join(f"DNS:{host}" for host in hosts)
