"""The API as an OpenAPI document, from what reads the requests."""

from collections.abc import Iterable
from typing import Any

import halfstep
from halfstep.app.serve.limits import Limits
from halfstep.app.serve.ordering import Order
from halfstep.app.serve.parameters import Field
from halfstep.audio.files.streaming import STREAM_ENCODERS

ERROR = {"$ref": "#/components/schemas/Error"}
JOB = {"$ref": "#/components/schemas/Job"}
LIKENESS = {"$ref": "#/components/schemas/Likeness"}

ABOUT = "Endless music, clips, loops, continuations, restylings, guided music. Blocks over WebSocket: docs/serve.md."


def document(
    orders: Iterable[Order],
    models: tuple[str, ...],
    limits: Limits,
    streamed: Iterable[Field],
    alike: Iterable[Field],
) -> dict[str, Any]:
    """OpenAPI 3.1. streamed: what an endless piece may be asked for; alike: what says which styles are compared."""
    streamed = tuple(streamed)
    paths: dict[str, Any] = {f"/api/{order.name}": {"post": _order(order, limits)} for order in orders}
    job = [_in_path("id", "Of a job.", {"type": "string", "maxLength": 64})]
    paths |= {
        "/api/jobs/{id}": {
            "get": _operation("How far a job is", job, {"200": _json("The job.", JOB)}, (404,)),
            "delete": _operation("Cancel a job, or remove what it made", job, {"200": _json("The job.", JOB)}, (404,)),
        },
        "/api/jobs/{id}/audio": {
            "get": _operation(
                "What a job made",
                job,
                {"200": {"description": "A sound file.", "content": {"audio/*": {}}}},
                (404, 409),
            )
        },
        "/api/models": {"get": _operation("The models that are served", [], {"200": _json("Models.", {})}, ())},
        "/api/status": {"get": _operation("Who listens, what is played", [], {"200": _json("Counts.", {})}, ())},
        "/health": {"get": _operation("Whether the server answers", [], {"200": _json("It does.", {})}, ())},
    }
    paths["/api/likenesses"] = {"post": _likeness(tuple(alike), limits)}
    model = _in_path("model", "One of the models that are served.", {"type": "string", "enum": list(models)})
    for ending, encoder in STREAM_ENCODERS.items():
        answers = {"200": {"description": "Music without end.", "content": {encoder.media_type: {}}}}
        about = f"Endless music, .{ending}; without parameters, what everybody hears"
        parameters = [model, *map(_parameter, streamed)]
        paths[f"/stream/{{model}}.{ending}"] = {"get": _operation(about, parameters, answers, (400, 404, 503))}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "halfstep", "version": halfstep.__version__,
            "description": ABOUT,
        },
        "paths": paths,
        "components": {"schemas": _schemas()},
    }  # fmt: skip


def _order(order: Order, limits: Limits) -> dict[str, Any]:
    answers = {"202": _json("The job that makes it.", JOB)}
    parameters = [_parameter(field) for field in order.fields]
    operation = _operation(order.summary, parameters, answers, (400, 413, 429))
    return operation | (_body(limits) if order.upload else {})


def _likeness(fields: tuple[Field, ...], limits: Limits) -> dict[str, Any]:
    answers = {"200": _json("A share a label, and as text that can be asked for.", LIKENESS)}
    about = "The mixture of a model's styles that an uploaded recording sounds like"
    return _operation(about, [_parameter(field) for field in fields], answers, (400, 413, 429)) | _body(limits)


def _body(limits: Limits) -> dict[str, Any]:
    about = f"A recording, at most {limits.upload_bytes} bytes; its first {limits.upload_seconds:g} s are used."
    content = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    return {"requestBody": {"required": True, "description": about, "content": content}}


def _operation(
    summary: str, parameters: list[dict[str, Any]], answers: dict[str, Any], errors: tuple[int, ...]
) -> dict[str, Any]:
    refused = {str(status): _json("Refused; the error says why.", ERROR) for status in (*errors, 421)}
    return {"summary": summary, "parameters": parameters, "responses": answers | refused}


def _parameter(field: Field) -> dict[str, Any]:
    return {"name": field.name, "in": "query", "description": field.about, "schema": field.schema()}


def _in_path(name: str, about: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "description": about, "schema": schema}


def _json(about: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": about, "content": {"application/json": {"schema": schema}}}


def _schemas() -> dict[str, Any]:
    text, perhaps = {"type": "string"}, {"type": ["string", "null"]}
    job = {
        "id": text,
        "state": {"type": "string", "enum": ["waiting", "running", "done", "failed", "cancelled"]},
        "progress": {"type": "number", "minimum": 0, "maximum": 1},
        "seconds_left": {"type": ["number", "null"]},
        "error": perhaps,
        "request": {"type": "object"},
        "audio": perhaps,
    }
    shares = {"type": "object", "additionalProperties": {"type": "number"}}
    likeness = {"condition": text, "shares": shares, "asked": text}
    return {
        "Error": {"type": "object", "required": ["error"], "properties": {"error": text}},
        "Job": {"type": "object", "required": list(job), "properties": job},
        "Likeness": {"type": "object", "required": list(likeness), "properties": likeness},
    }
