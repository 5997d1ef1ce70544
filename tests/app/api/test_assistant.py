"""The assistant through its API: state with progress, name and instructions, sleeping, waking, trying again."""

from kontor.core.ids import PREFIXES, TenantId, decode
from kontor.tenants.provisioning.runtime import Observed
from kontor.tenants.states import Phase
from support.talking import ready_assistant, set_instance
from support.web import Web

ELSEWHERE = "http://127.0.0.1:1"


def tenant_in(company: dict[str, object]) -> TenantId:
    return TenantId(decode(PREFIXES["tenant"], str(company["id"])))


async def test_before_and_after_it_is_ready_the_assistant_says_how_far_it_is(web: Web) -> None:
    async with web.client() as ada:
        company = await web.with_company(ada, "ada@example.org")
        onboarding = (await ada.get("/api/v1/assistant")).json()
        await ready_assistant(web.container.database, tenant_in(company), ELSEWHERE)

        ready = (await ada.get("/api/v1/assistant")).json()

    assert (onboarding["phase"], onboarding["progress"], onboarding["is_serving"]) == (None, 0, False)
    assert onboarding["step"] == "Es fehlt noch Ihre Zustimmung zu den Verträgen."
    assert (ready["phase"], ready["observed"], ready["progress"], ready["is_serving"]) == ("ready", "ready", 100, True)
    assert ready["display_name"] == "Assistent von Bäckerei Müller & Söhne GmbH"


async def test_name_and_instructions_change_for_who_has_read_them(web: Web) -> None:
    async with web.client() as ada:
        await web.active(ada, "ada@example.org")
        seen = (await ada.get("/api/v1/assistant")).headers["etag"]
        change = {"system_prompt": "Du bist Brezel 🥨.\nAntworte kurz."}

        without = await ada.patch("/api/v1/assistant", json=change)
        first = await ada.patch("/api/v1/assistant", json=change, headers={"if-match": seen})
        second = await ada.patch("/api/v1/assistant", json={"display_name": "Brezel"}, headers={"if-match": seen})

    assert without.status_code == 428
    assert first.json()["system_prompt"] == change["system_prompt"]
    assert first.headers["etag"] != seen
    assert (second.status_code, second.json()["code"]) == (412, "revision.changed_meanwhile")


async def test_an_assistant_is_put_to_sleep_and_woken(web: Web) -> None:
    async with web.client() as ada:
        company = await web.active(ada, "ada@example.org")
        await ready_assistant(web.container.database, tenant_in(company), ELSEWHERE)

        asleep = await ada.post("/api/v1/assistant/hibernation")
        again = await ada.post("/api/v1/assistant/hibernation")
        awake = await ada.post("/api/v1/assistant/wake-up")

    assert (asleep.status_code, asleep.json()["phase"]) == (202, "hibernated")
    assert again.json()["phase"] == "hibernated"
    assert (awake.status_code, awake.json()["phase"]) == (202, "ready")


async def test_what_failed_is_tried_again_and_what_is_asleep_is_not(web: Web) -> None:
    async with web.client() as ada:
        company = await web.active(ada, "ada@example.org")
        await ready_assistant(web.container.database, tenant_in(company), ELSEWHERE)
        await set_instance(web.container.database, tenant_in(company), Phase.FAILED, Observed.ABSENT)

        tried = await ada.post("/api/v1/assistant/retry")
        await set_instance(web.container.database, tenant_in(company), Phase.HIBERNATED, Observed.STOPPED)
        refused = await ada.post("/api/v1/assistant/retry")

    assert (tried.status_code, tried.json()["phase"]) == (202, "provisioning")
    assert (refused.status_code, refused.json()["code"]) == (409, "tenant.not_possible")


async def test_without_an_assistant_there_is_nothing_to_wake(web: Web) -> None:
    async with web.client() as ada:
        await web.active(ada, "ada@example.org")

        answers = [await ada.post(f"/api/v1/assistant/{act}") for act in ("retry", "hibernation", "wake-up")]

    assert {answer.status_code for answer in answers} == {404}
