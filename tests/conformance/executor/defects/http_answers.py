"""Executors that do not understand every legal HTTP answer, or that understand too much."""

from __future__ import annotations

import contextlib
import http.client
import json
from typing import Any

from tests.conformance.executor.conforming_executor import ConformingExecutor, Frame, Response
from tests.conformance.executor.defects.base import Defect


class _ChunkSizeOnly(Response):
    def _read_next_chunk_size(self) -> int:
        return int(self.fp.readline(), 16)


class KnowsNoChunkExtensions(ConformingExecutor):
    """Takes the whole first line of a chunk for its size."""

    response = _ChunkSizeOnly


class _NoTrailers(Response):
    def _read_and_discard_trailer(self) -> None:
        if self.fp.readline() != b"\r\n":
            raise ValueError("a trailer")


class KnowsNoTrailers(ConformingExecutor):
    """Requires that a body in chunks has no trailer fields."""

    response = _NoTrailers


class DecodesEachBlock(ConformingExecutor):
    """Decodes each block of an answer by itself."""

    def _answer(self, response: http.client.HTTPResponse) -> bytes:
        if response.status != 200:
            return super()._answer(response)
        blocks = iter(lambda: response.read1(2**16), b"")
        return "".join(block.decode() for block in blocks).encode()


class RequiresALength(ConformingExecutor):
    """Reads as many bytes as the Content-Length says, and requires one."""

    def _answer(self, response: http.client.HTTPResponse) -> bytes:
        if not response.chunked and response.getheader("Content-Length") is None:
            raise ValueError("no Content-Length")
        return super()._answer(response)


class ComparesHeaderNames(ConformingExecutor):
    """Finds a header only if its name is written in the usual case."""

    def _answer(self, response: http.client.HTTPResponse) -> bytes:
        if not {"Content-Length", "Transfer-Encoding"} & {
            name for name, _ in response.getheaders()
        }:
            raise ValueError("no body")
        return super()._answer(response)


class _NeedsBlanks(Response):
    def begin(self) -> None:
        head = self.fp.peek().partition(b"\r\n\r\n")[0]
        super().begin()
        if b"transfer-encoding:chunked" in head:
            raise ValueError("no header Transfer-Encoding")


class NeedsABlankAfterTheColon(ConformingExecutor):
    """Finds a header only if a blank follows its colon."""

    response = _NeedsBlanks


class RequiresOneContentType(ConformingExecutor):
    """Requires Content-Type to be exactly application/json."""

    def _answer(self, response: http.client.HTTPResponse) -> bytes:
        if (response.getheader("Content-Type") or "").strip() != "application/json":
            raise ValueError("not JSON")
        return super()._answer(response)


class _NeverCloses(Response):
    def _check_close(self) -> bool:
        return False


class KeepsWhatIsClosed(ConformingExecutor):
    """Sends the next request over the connection of the one before, whatever that one's answer said
    about it."""

    response: type[http.client.HTTPResponse] = _NeverCloses
    kept: http.client.HTTPConnection | None = None

    def connection(self, parts: Any) -> http.client.HTTPConnection:
        kept, self.kept = self.kept, None
        if kept is None:
            kept = super().connection(parts)
        else:
            kept.connect = lambda: None  # type: ignore[method-assign]
        return kept

    def close(self, connection: http.client.HTTPConnection) -> None:
        self.kept = connection if connection.sock is not None else None

    async def stop(self) -> None:
        await super().stop()
        if self.kept is not None:
            self.kept.close()


class ReadsOnce(ConformingExecutor):
    """Takes what one read of the socket gives for the whole answer."""

    def _answer(self, response: http.client.HTTPResponse) -> bytes:
        if response.status != 200:
            return super()._answer(response)
        return response.fp.read1(2**20) if not response.chunked else super()._answer(response)


class _No100(Response):
    def _read_status(self) -> Any:
        found = super()._read_status()
        if found[1] == 100:
            raise http.client.BadStatusLine("100")
        return found


class TakesA100ForTheAnswer(ConformingExecutor):
    """Takes an interim response 100 for the answer."""

    response = _No100


class SkipsOnly100(ConformingExecutor):
    """Skips interim responses as http.client does, so only 100."""

    response = http.client.HTTPResponse


class KnowsNoFolding(ConformingExecutor):
    """Refuses an answer with a folded header."""

    def _answer(self, response: http.client.HTTPResponse) -> bytes:
        if any("\n" in value for _, value in response.getheaders()):
            raise ValueError("a folded header")
        return super()._answer(response)


class AsksForGzip(ConformingExecutor):
    """Sends Accept-Encoding: gzip, and does not decompress."""

    def headers(self, frame: Frame, body: bytes) -> dict[str, str]:
        return {**super().headers(frame, body), "Accept-Encoding": "br;q=0, gzip, deflate;q=0.5"}


class BelievesEveryStatus(ConformingExecutor):
    """Reads frames from an answer with any status."""

    def _answer(self, response: http.client.HTTPResponse) -> bytes:
        return response.read()


class UnpicklesErrors(ConformingExecutor):
    """Unpickles the frames of an HTTP error for its message."""

    def _answer(self, response: http.client.HTTPResponse) -> bytes:
        if response.status < 400:
            return super()._answer(response)
        with contextlib.suppress(Exception):
            for event in json.loads(response.read())["events"]:
                self._terminal({"run_id": ""}, event)
        raise ValueError("an HTTP error")


class ReadsPastA204(ConformingExecutor):
    """Reads what follows a 204 as its body."""

    def _answer(self, response: http.client.HTTPResponse) -> bytes:
        return response.fp.read() if response.status == 204 else super()._answer(response)


class TakesSuccessForAResult(ConformingExecutor):
    """Takes an answer without frames for the result None."""

    def read(self, frame: Frame, body: bytes) -> list[Frame]:
        if b'"events"' in body:
            return super().read(frame, body)
        ids = {name: frame[name] for name in ("run_id", "task_id")}
        return [{"type": "task_result", "result": None, **ids}]


class UsesWhatCame(ConformingExecutor):
    """Uses an answer as far as it arrived."""

    def _answer(self, response: http.client.HTTPResponse) -> bytes:
        try:
            return response.read() if response.status == 200 else super()._answer(response)
        except http.client.IncompleteRead as exc:
            return exc.partial


class ReadsTheFirstDocument(ConformingExecutor):
    """Reads the first JSON document of an answer, and ignores what follows."""

    def read(self, frame: Frame, body: bytes) -> list[Frame]:
        document, _ = json.JSONDecoder().raw_decode(body.decode())
        return super().read(frame, json.dumps(document).encode())


class RepairsText(ConformingExecutor):
    """Replaces what is not UTF-8 in an answer."""

    def read(self, frame: Frame, body: bytes) -> list[Frame]:
        return super().read(frame, body.decode("utf-8", "replace").encode())


DEFECTS = (
    Defect(RepairsText, "frames.32", "with a text that is not UTF-8 was believed"),
    Defect(KnowsNoChunkExtensions, "frames.18", "in chunks with extensions was not understood"),
    Defect(KnowsNoTrailers, "frames.18", "followed by trailer fields was not understood"),
    Defect(DecodesEachBlock, "frames.18", "in chunks that split characters was not understood"),
    Defect(RequiresALength, "frames.19", "no length was not understood"),
    Defect(ComparesHeaderNames, "frames.20", "in small letters was not understood"),
    Defect(NeedsABlankAfterTheColon, "frames.20", "no blank after the colon was not understood"),
    Defect(RequiresOneContentType, "frames.20", "charset=utf-8.* was not understood"),
    Defect(KeepsWhatIsClosed, "frames.21", "run after an answer with Connection: close ended with"),
    Defect(ReadsOnce, "frames.22", "in pieces of 3 bytes was not understood"),
    Defect(TakesA100ForTheAnswer, "frames.23", r"after a 100 \(Continue\) was not understood"),
    Defect(SkipsOnly100, "frames.14", r"an interim response \(103\) before the answer: .*103"),
    Defect(KnowsNoFolding, "frames.24", "with a header on two lines was not understood"),
    Defect(AsksForGzip, "frames.35", "says Accept-Encoding: gzip, but .* was not understood"),
    Defect(BelievesEveryStatus, "frames.29", "of 300 with a task_result was believed"),
    Defect(UnpicklesErrors, "frames.29", "in an answer of 400 with a task_result was unpickled"),
    Defect(ReadsPastA204, "frames.30", "of 204 with a task_result was believed"),
    Defect(TakesSuccessForAResult, "frames.31", "of 200 and no body was taken for the result None"),
    Defect(UsesWhatCame, "frames.32", "ends a byte before its Content-Length was believed"),
    Defect(ReadsTheFirstDocument, "frames.32", "of two JSON documents was believed"),
)
