"""``Host``: a host name or IP address, in the forms used in options, URLs and certificates."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
"""The host names that Wove treats as local (``wove.security._is_local_host``)."""
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "localhost"}
"""The hosts that stand for every address of this machine, each with a host that clients can connect
to."""
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST_NAME = re.compile(rf"(\*\.)?{_LABEL}(\.{_LABEL})*\.?", re.IGNORECASE)
_AUTHORITY = re.compile(r"(?:\[([^\[\]]*)\]|([^:\[\]@]*))(?::[0-9]*)?")


@dataclass(frozen=True)
class Host:
    """A host name or IP address, in the forms used in options, URLs and certificates."""

    text: str

    @classmethod
    def of_authority(cls, authority: str) -> Host:
        """Return the host in ``authority``, which is ``host:port`` as in a ``Host`` header. For any
        other text, return a host with that whole text as its name, which no host has."""
        parts = _AUTHORITY.fullmatch(authority)
        return cls((parts[1] or parts[2]) if parts else authority)

    @property
    def name(self) -> str:
        """The host name, or the IP address without the brackets of a URL."""
        return self.text.strip("[]")

    @property
    def in_url(self) -> str:
        """The host as written in a URL, an IPv6 address in brackets. A wildcard becomes the
        loopback address of its family: ``localhost`` may have an address of the other one."""
        return f"[{self.connectable}]" if ":" in self.connectable else self.connectable

    @property
    def connectable(self) -> str:
        """A name or address of this host that clients on this machine can connect to."""
        return _WILDCARDS.get(self.name, self.name)

    @property
    def is_address(self) -> bool:
        """Whether the text is an IP address."""
        return self._address is not None

    @property
    def is_name(self) -> bool:
        """Whether the text is a valid host name (RFC 1123, 2.1). Underscores are allowed, and a
        leading ``*.`` as in a certificate."""
        return len(self.text) <= 253 and _HOST_NAME.fullmatch(self.text) is not None

    @property
    def is_localhost(self) -> bool:
        """Whether the text is the name ``localhost``."""
        return self.name.lower() == "localhost"

    @property
    def is_loopback(self) -> bool:
        """Whether the host is always this machine: ``localhost`` or a loopback address."""
        return self.is_localhost or (self._address is not None and self._address.is_loopback)

    @property
    def is_wildcard(self) -> bool:
        """Whether the text stands for every address of this machine."""
        return self.name in _WILDCARDS

    @property
    def _address(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        try:
            return ipaddress.ip_address(self.name)
        except ValueError:
            return None
