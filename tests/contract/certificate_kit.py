"""Certificates for tests, made by the program openssl: an authority, what it signed, and what nobody should trust."""

import shutil
import subprocess
from pathlib import Path

from tests.needed import missing

EXTENSIONS = "subjectAltName=IP:127.0.0.1,DNS:localhost"


class Certificates:
    """PEM files in `directory`: NAME.pem with its key NAME.key, and NAME.both with key and certificate in one file."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.program = shutil.which("openssl")
        if self.program is None:
            missing("openssl was not found.\n  Debian, Ubuntu: apt-get install openssl    macOS: brew install openssl")
        for name in ("ca", "other-ca", "self-signed"):
            self._run("req", "-x509", *self._fresh_key(name), "-out", self.pem(name), "-subj", f"/CN={name}")
        (directory / "extensions").write_text(EXTENSIONS)
        self._sign("server", "-days", "2", "-extfile", "extensions")
        self._sign("elsewhere", "-days", "2")
        self._sign("expired", "-days", "-1", "-extfile", "extensions")
        self._sign("client", "-days", "2")
        sealed = ("-aes256", "-passout", "pass:key-password")
        self._run("pkey", "-in", self.key("client"), "-out", self.key("sealed"), *sealed)

    def pem(self, name: str) -> str:
        """The certificate of this name."""
        return str(self.directory / f"{name}.pem")

    def key(self, name: str) -> str:
        """The key of this name."""
        return str(self.directory / f"{name}.key")

    def both(self, name: str) -> str:
        """Key and certificate in one file."""
        path = self.directory / f"{name}.both"
        path.write_text(Path(self.key(name)).read_text() + Path(self.pem(name)).read_text())
        return str(path)

    def _sign(self, name: str, *options: str) -> None:
        request = str(self.directory / f"{name}.csr")
        self._run("req", *self._fresh_key(name), "-out", request, "-subj", f"/CN={name}")
        authority = ("-CA", self.pem("ca"), "-CAkey", self.key("ca"), "-CAcreateserial")
        self._run("x509", "-req", "-in", request, *authority, "-out", self.pem(name), *options)

    def _fresh_key(self, name: str) -> tuple[str, ...]:
        return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.key(name))

    def _run(self, *arguments: str) -> None:
        assert self.program is not None
        subprocess.run([self.program, *arguments], cwd=self.directory, check=True, capture_output=True)
