"""``trustme``, ready to use at any time of any clock. Import it from here, and only where a
certificate is made: that takes as long as the import of half of this package.

cryptography looks up ``datetime.datetime`` when it signs the first certificate, and keeps it.
freezegun puts a class there of which no other datetime is an instance (``TypeError``, from then
on); a subclass of the real one. So this module signs one with the real class.
"""

from __future__ import annotations

import datetime

import trustme

__all__ = ["trustme"]


def _sign() -> None:
    replaced = datetime.datetime
    real = next(kind for kind in replaced.__mro__ if kind.__module__ == "datetime")
    datetime.datetime = real  # type: ignore[misc, assignment]
    try:
        trustme.CA()
    finally:
        datetime.datetime = replaced  # type: ignore[misc]


_sign()
