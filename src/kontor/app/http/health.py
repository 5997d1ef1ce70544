"""Liveness, readiness and metrics of the API process."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from kontor.app.http.deps import ContainerDep

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process runs."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(container: ContainerDep) -> dict[str, str]:
    """The process can do its work: the database answers. Raises Unavailable."""
    await container.database.ping()
    return {"status": "ready"}


@router.get("/metrics")
async def metrics() -> Response:
    """Prometheus text format. Not for the public: the Ingress routes it to nobody."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
