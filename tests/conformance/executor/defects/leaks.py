"""Executors that reveal the secret."""

from __future__ import annotations

import logging
import ssl
import urllib.parse

from tests.conformance.executor.conforming_executor import ConformingExecutor, Frame, Status
from tests.conformance.executor.defects.base import Defect


class PutsTheSecretIntoErrors(ConformingExecutor):
    """Puts its credentials into every error."""

    def failure(self, frame: Frame, exc: Exception) -> list[Frame]:
        return super().failure(frame, RuntimeError(f"{exc} with {vars(self._security)}"))


class PutsTheSecretIntoFailures(PutsTheSecretIntoErrors):
    """Puts its credentials into errors that occur without an HTTP answer."""

    def failure(self, frame: Frame, exc: Exception) -> list[Frame]:
        if isinstance(exc, Status):
            return ConformingExecutor.failure(self, frame, exc)
        return super().failure(frame, exc)


class PutsTheSecretIntoExceptions(ConformingExecutor):
    """Adds its credentials to an exception of the task."""

    def _terminal(self, frame: Frame, event: Frame) -> Frame:
        decoded = super()._terminal(frame, event)
        exception = decoded.get("exception")
        if exception is not None:
            exception.args = (*exception.args, str(vars(self._security)))
        return decoded


class PutsTheSecretIntoHandshakeErrors(ConformingExecutor):
    """Puts its credentials into the error of a failed handshake."""

    def failure(self, frame: Frame, exc: Exception) -> list[Frame]:
        if isinstance(exc, ssl.SSLError):
            exc = RuntimeError(f"{exc} with {vars(self._security)}")
        return super().failure(frame, exc)


class LogsItsSecurity(ConformingExecutor):
    """Logs a failure with its credentials."""

    def failure(self, frame: Frame, exc: Exception) -> list[Frame]:
        credentials = {**vars(self._security)}
        logging.getLogger("a.flawed.executor").debug("failed: %s with %r", exc, credentials)
        return super().failure(frame, exc)


class LogsFailedCancels(ConformingExecutor):
    """Logs the headers of a cancel_task that failed, and the secret with them."""

    def post(self, frame: Frame) -> bytes:
        try:
            return super().post(frame)
        except Exception as exc:
            if frame["type"] == "cancel_task":
                log = logging.getLogger("a.flawed.executor")
                log.warning("not cancelled: %s with %s", exc, vars(self._security))
            raise


class CancelsWithTheSecret(ConformingExecutor):
    """Puts the token into a cancel_task, so that the worker knows who cancels."""

    async def send(self, frame: Frame) -> None:
        if frame["type"] == "cancel_task" and self._security.token:
            frame = {**frame, "by": self._security.token}
        await super().send(frame)


class SendsTheTokenInTheQuery(ConformingExecutor):
    """Sends the bearer token in the URL as well."""

    def target(self, parts: urllib.parse.SplitResult) -> str:
        token = self._security.token
        return super().target(parts) + (f"?access_token={token}" if token else "")


class SendsTheSecret(ConformingExecutor):
    """Sends the signing secret itself in a header."""

    def headers(self, frame: Frame, body: bytes) -> dict[str, str]:
        secret = (self._security.secret or b"").decode()
        return {**super().headers(frame, body), **({"X-Secret": secret} if secret else {})}


DEFECTS = (
    Defect(PutsTheSecretIntoErrors, "security.18", "reject-auth contains the signed secret"),
    Defect(PutsTheSecretIntoFailures, "security.18", "invalid-json contains the signed secret"),
    Defect(PutsTheSecretIntoExceptions, "security.18", "whose task raised contains the signed"),
    Defect(PutsTheSecretIntoHandshakeErrors, "security.18", "untrusted-ca contains the signed"),
    Defect(LogsItsSecurity, "security.38", "signed secret was logged or printed"),
    Defect(LogsFailedCancels, "security.38", "signed secret was logged or printed"),
    Defect(CancelsWithTheSecret, "security.33", "bearer secret was sent in the body"),
    Defect(SendsTheTokenInTheQuery, "security.33", "bearer secret was sent in the URL"),
    Defect(SendsTheSecret, "security.33", "signed secret was sent in the header X-Secret"),
)
