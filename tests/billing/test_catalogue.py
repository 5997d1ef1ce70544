"""Which deployments may serve a call: a walk over every route, and the file from which they come."""

from pathlib import Path

import pytest

from kontor.billing.metering.catalogue import Catalogue, Deployment, Model
from kontor.billing.metering.catalogue_file import CatalogueBroken, read_catalogue
from kontor.tenants.contracts.catalogue import packaged

FILE = """
[providers.azure-de]
kind = "azure"
base_url = "https://kontor.openai.azure.com/"
key = "env:AZURE_KEY"
sub_processor = "hetzner-de"

[providers.bedrock]
kind = "bedrock"
region = "eu-central-1"
key_id = "env:AWS_ID"
key = "file:{secret}"
sub_processor = "bedrock-eu"

[providers.anthropic]
kind = "anthropic"
key = "env:AZURE_KEY"
sub_processor = "anthropic-us"

[providers.own]
base_url = "http://127.0.0.1:9/v1"

[models.assistant]
deployments = [
  {{ provider = "anthropic", model = "claude-haiku-4-5" }},
  {{ provider = "bedrock", model = "openai.gpt-oss-120b-1:0" }},
  {{ provider = "azure-de", model = "gpt-4.1-mini" }},
]

[models.local]
most_output_tokens = 100
deployments = [{{ provider = "own", model = "llama" }}]
"""


def fits(key: str) -> frozenset[str]:
    contracts = packaged()
    return frozenset(
        residency
        for residency in contracts.residencies
        if not key or key in {one.key for one in contracts.fitting(residency)}
    )


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AZURE_KEY", "secret-of-azure")
    monkeypatch.setenv("AWS_ID", "AKIAEXAMPLE")
    (tmp_path / "secret").write_text("secret-of-aws\n")
    path = tmp_path / "models.toml"
    path.write_text(FILE.format(secret=tmp_path / "secret"))
    return path


@pytest.fixture
def catalogue(file: Path) -> Catalogue:
    return read_catalogue(file, fits)


def test_no_route_leaves_the_tenants_data_residency(catalogue: Catalogue) -> None:
    contracts = packaged()
    walked = 0

    for model in catalogue.models:
        for dialect in ("chat", "responses", "messages", "embeddings"):
            for residency in contracts.residencies:
                allowed = {one.key for one in contracts.fitting(residency)} | {""}
                for deployment in catalogue.route(model, dialect, residency):
                    walked += 1
                    assert deployment.sub_processor in allowed, (model, dialect, residency)
                    assert dialect in deployment.speaks

    assert walked > 10


def test_a_route_keeps_the_order_of_the_file(catalogue: Catalogue) -> None:
    routes = {
        place: [one.provider for one in catalogue.route("assistant", "chat", place)] for place in ("de", "eu", "world")
    }

    assert routes == {
        "de": ["azure-de"],
        "eu": ["bedrock", "azure-de"],
        "world": ["anthropic", "bedrock", "azure-de"],
    }
    assert [one.provider for one in catalogue.route("assistant", "messages", "world")] == ["anthropic"]
    assert catalogue.route("assistant", "messages", "eu") == ()
    assert catalogue.route("nothing", "chat", "eu") == ()


@pytest.mark.parametrize(
    ("deployments", "spoken"),
    [
        ((("messages", "chat"),), "messages"),
        ((("messages", "chat"), ("chat", "embeddings")), "chat"),
        ((("messages",), ("chat",), ("chat",)), "messages"),
        ((("chat", "responses"), ("messages",)), "chat"),
        ((("chat", "responses"), ("responses",)), "responses"),
        ((("embeddings",), ("responses",)), "responses"),
        ((("embeddings",),), None),
        ((), None),
    ],
)
def test_assistants_speak_with_the_first_deployment_so_that_most_others_can_stand_in(
    deployments: tuple[tuple[str, ...], ...], spoken: str | None
) -> None:
    of_eu = [
        Deployment(f"{number}/m", "p", "m", "http://x", speaks, frozenset({"eu"}))
        for number, speaks in enumerate(deployments)
    ]
    of_us = Deployment("us/m", "p", "m", "http://x", ("responses",), frozenset({"world"}))
    catalogue = Catalogue([Model("assistant", (of_us, *of_eu))])

    assert catalogue.spoken("assistant", "eu") == spoken
    assert catalogue.spoken("assistant", "world") == "responses"
    assert catalogue.spoken("another", "eu") is None


def test_assistants_speak_what_their_providers_are_best_at(catalogue: Catalogue, file: Path) -> None:
    only_anthropic = (
        file.read_text().replace("bedrock-eu", "anthropic-us").replace('kind = "bedrock"', 'kind = "anthropic"')
    )
    file.write_text(only_anthropic)

    assert {place: catalogue.spoken("assistant", place) for place in ("de", "eu", "world")} == dict.fromkeys(
        ("de", "eu", "world"), "chat"
    )
    assert read_catalogue(file, fits).spoken("assistant", "world") == "chat"  # of three, two and all speak it
    file.write_text(only_anthropic.replace('{ provider = "azure-de", model = "gpt-4.1-mini" },', ""))
    assert read_catalogue(file, fits).spoken("assistant", "world") == "messages"


def test_a_tenant_sees_the_models_that_it_may_use(catalogue: Catalogue) -> None:
    assert catalogue.names("de") == ["assistant", "local"]
    assert catalogue.names("nowhere") == []
    assert catalogue.models["local"].most_output_tokens == 100


def test_each_kind_is_called_where_it_lives_and_with_its_own_credential(catalogue: Catalogue) -> None:
    anthropic, bedrock, azure = catalogue.route("assistant", "chat", "world")

    headers = [one.credential.headers("chat", f"{one.base_url}/chat/completions", b"{}") for one in (anthropic, azure)]
    signed = bedrock.credential.headers("chat", f"{bedrock.base_url}/chat/completions", b"{}")
    own = anthropic.credential.headers("messages", "", b"")

    assert azure.base_url == "https://kontor.openai.azure.com/openai/v1"
    assert bedrock.base_url == "https://bedrock-runtime.eu-central-1.amazonaws.com/openai/v1"
    assert headers == [{"authorization": "Bearer secret-of-azure"}, {"api-key": "secret-of-azure"}]
    assert own == {"x-api-key": "secret-of-azure", "anthropic-version": "2023-06-01"}
    assert signed["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/")
    assert "/eu-central-1/bedrock/aws4_request" in signed["authorization"]
    assert "secret" not in repr(catalogue.deployments)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('kind = "azure"', 'kind = "cloud"', "providers.azure-de.kind"),
        ('base_url = "https://kontor.openai.azure.com/"', "", "providers.azure-de: base_url is missing"),
        ('region = "eu-central-1"', "", "region"),
        ('key = "env:AZURE_KEY"', 'key = "env:NOT_SET"', "env:NOT_SET is empty"),
        ('key = "env:AZURE_KEY"', 'key = "sk-in-the-clear"', "never in the file itself"),
        ('provider = "own"', 'provider = "other"', "there is no provider 'other'"),
        ("[models.local]", "[models.local", "models.toml"),
        ("most_output_tokens = 100", "most_output_tokens = 0", "models.local.most_output_tokens"),
        ("most_output_tokens = 100", "temprature = 1", "models.local.temprature"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(file: Path, old: str, new: str, says: str) -> None:
    file.write_text(file.read_text().replace(old, new, 1))

    with pytest.raises(CatalogueBroken, match=r"models\.toml") as refused:
        read_catalogue(file, fits)

    assert says in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogueBroken, match="No such file"):
        read_catalogue(tmp_path / "models.toml", fits)
