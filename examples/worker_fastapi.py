"""A Wove worker service on FastAPI and uvicorn (the core is worker_core.py).

WOVE_WORKER_SECRET=… python examples/worker_fastapi.py --port 8080 [--cert FILE --key FILE]
"""

import argparse
import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

try:
    from worker_core import MAX_BODY, handle, verify
except RuntimeError as exc:  # WOVE_WORKER_SECRET is not set
    raise SystemExit(str(exc)) from None

app = FastAPI(openapi_url=None)
threads = ThreadPoolExecutor(256)  # FastAPI's own 40 could all be waiting when a cancel comes


@app.post("/wove/tasks")
async def wove_tasks(request: Request):
    if int(request.headers.get("content-length", 0)) > MAX_BODY:
        return JSONResponse({"error": "too large"}, 413)
    received = bytearray()
    async for piece in request.stream():
        received += piece
        if len(received) > MAX_BODY:  # a chunked body has no Content-Length
            return JSONResponse({"error": "too large"}, 413)
    body = bytes(received)
    query = request.scope["query_string"]  # path and query as they were signed, not decoded
    target = (request.scope["raw_path"] + (b"?" + query if query else b"")).decode("latin-1")
    try:
        verify(request.headers.items(), target, body)
    except PermissionError as exc:
        return JSONResponse({"error": str(exc)}, 401)
    loop = asyncio.get_running_loop()
    status, document = await loop.run_in_executor(threads, handle, body)
    # In ASCII: JSONResponse writes UTF-8, and fails if an error's text has a lone surrogate.
    return Response(json.dumps(document), status, media_type="application/json")


def main():
    parser = argparse.ArgumentParser(description="a Wove worker service at /wove/tasks")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--cert", help="certificate, PEM; without it the service speaks http")
    parser.add_argument("--key", help="its private key, PEM")
    options = parser.parse_args()
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=options.port,
        ssl_certfile=options.cert,
        ssl_keyfile=options.key,
        log_level="warning",
        http="h11",  # limits the head of a request; httptools reads any, before it is verified
    )


if __name__ == "__main__":
    main()
