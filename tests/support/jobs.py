"""Jobs that a request left behind, run at once and in the test's own process."""

from kontor.app.adapters import RecordedUsage
from kontor.app.schema import METADATA
from kontor.core.jobs import Work, Worker
from kontor.tenants.leaving.build import ExportBuilder
from kontor.tenants.leaving.erase import ADVANCE_JOB
from kontor.tenants.leaving.eraser import Eraser
from kontor.tenants.leaving.export import BUILD_JOB
from kontor.tenants.leaving.register import FolderRegister
from kontor.tenants.provisioning.fake import FakeRuntime
from support.web import Web


async def build_exports(web: Web) -> None:
    """All exports that are due are built."""
    container = web.container
    scratch = container.settings.state_dir / "scratch"
    builder = ExportBuilder(container.database, container.files, FakeRuntime(), RecordedUsage(), scratch)
    await Worker(container.database, Work({BUILD_JOB: builder})).drain()


async def carry_out_erasures(web: Web) -> None:
    """All erasures that are due are carried out."""
    container = web.container
    eraser = Eraser(
        container.database,
        files=container.files,
        runtime=FakeRuntime(),
        keys=container.keys,
        usage=RecordedUsage(),
        register=FolderRegister(container.settings.state_dir / "erasures.jsonl"),
        metadata=METADATA,
        scratch=container.settings.state_dir / "scratch",
    )
    await Worker(container.database, Work({ADVANCE_JOB: eraser})).drain()
