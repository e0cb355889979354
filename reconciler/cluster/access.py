"""Where the API server is, how it is trusted and who we are to it, as one value."""

import ssl
from dataclasses import dataclass, field

from reconciler.cluster.port import ClusterError

# The kubelet replaces the token when 80 % of its hour is over; files are read again this often, in seconds.
READ_AGAIN = 60.0


@dataclass(frozen=True, slots=True)
class Access:
    """
    Where the API server is, how it is trusted, and who we are to it.

    `authorization` is the value of the header. `content` is a digest of the certificates and keys in the files, so that
    a file that was replaced makes another value. `valid_for` are the seconds until it should be read again.
    """

    server: str
    authorization: str | None = field(default=None, repr=False)
    authority: str | None = None
    certificate: str | None = None
    key: str | None = None
    verify: bool = True
    server_name: str | None = None
    proxy: str | None = field(default=None, repr=False)
    content: str = ""
    valid_for: float = field(default=READ_AGAIN, compare=False)

    def tls(self) -> ssl.SSLContext | bool:
        """
        The TLS settings; True where the server is spoken to in plain text.

        Raises:
            ClusterError: A certificate or key cannot be used.
        """
        if not self.server.startswith("https:"):
            return True
        try:
            context = ssl.create_default_context(cafile=self.authority)
            if self.certificate:
                context.load_cert_chain(self.certificate, keyfile=self.key)
        except OSError as exc:  # ssl.SSLError is one
            files = ", ".join(filter(None, (self.authority, self.certificate, self.key)))
            raise ClusterError(f"{self.server}: a certificate or key cannot be used ({files}): {exc}") from exc
        # The authorities of many clusters have no key identifier; kubectl accepts them as well.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context
