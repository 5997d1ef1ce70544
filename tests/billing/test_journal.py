"""The journal on a disk: what is written down, what survives, what is refused."""

import multiprocessing
import os
import resource
import signal
from pathlib import Path
from uuid import UUID

import pytest

from kontor.billing.metering.journal import Journal, JournalFull, backlog
from kontor.billing.metering.record import LONGEST_NAME, SLOT, Call, Damaged, Mark, pack, unpack
from kontor.billing.metering.usage import Outcome, Source, Tokens
from kontor.core.ids import GatewayKeyId, InstanceId, TenantId, UsageEventId, new_id
from support.eventually import eventually_sync

SMALL = 8 * SLOT


def a_call(**changes: object) -> Call:
    fields: dict[str, object] = {
        "id": UsageEventId(new_id()),
        "tenant": TenantId(new_id()),
        "instance": InstanceId(new_id()),
        "key": GatewayKeyId(new_id()),
        "asked": "assistant",
        "model": "gpt-größer",
        "provider": "openai",
        "tokens": Tokens(input=12, source=Source.ESTIMATED),
    }
    return Call(**(fields | changes))  # type: ignore[arg-type]


def ended(call: Call, output: int = 7) -> Call:
    return call.ended(Tokens(input=10, cached=4, output=output), Outcome.ANSWERED, 120, 30)


def drained(journal: Journal) -> list[Call]:
    calls: list[Call] = []
    for batch in journal.batches(100):
        calls.extend(batch.calls)
        journal.committed(batch)
    return calls


def test_a_record_reads_back_as_it_was_written() -> None:
    call = ended(a_call())

    slot = pack(Mark.CLOSE, call)

    assert len(slot) == SLOT
    assert unpack(slot) == (Mark.CLOSE, call)


def test_names_that_are_too_long_are_cut_and_never_spill_into_the_next_field() -> None:
    call = a_call(asked="ä" * 100, model="m" * 1000, provider="p\0q")

    _, read = unpack(pack(Mark.OPEN, call)) or pytest.fail("empty")

    assert len(read.model) == LONGEST_NAME
    assert read.asked == "ä" * (LONGEST_NAME // 2)
    assert read.provider == "pq"


def test_every_flipped_byte_makes_a_record_damaged_and_none_makes_it_wrong() -> None:
    slot = pack(Mark.CLOSE, ended(a_call()))

    for place in range(SLOT):
        flipped = slot[:place] + bytes([slot[place] ^ 0x5A]) + slot[place + 1 :]

        with pytest.raises(Damaged):
            unpack(flipped)


def test_closed_calls_come_out_once_and_open_ones_wait(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    first, second = a_call(), a_call()
    ticket = journal.open(first)
    journal.open(second)
    journal.close(ticket, ended(first))

    assert drained(journal) == [ended(first)]

    assert drained(journal) == []
    assert backlog(tmp_path) == 1


def test_a_call_that_never_reached_the_provider_leaves_no_event(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    ticket = journal.open(a_call())

    journal.void(ticket)

    assert drained(journal) == []
    assert backlog(tmp_path) == 0


def test_segments_rotate_and_go_when_postgres_has_them(tmp_path: Path) -> None:
    journal = Journal(tmp_path, segment_bytes=SMALL)
    calls = [a_call() for _ in range(20)]
    for call in calls:
        journal.close(journal.open(call), ended(call))
    assert len(list(tmp_path.iterdir())) > 1

    assert drained(journal) == [ended(call) for call in calls]

    assert len(list(tmp_path.iterdir())) == 1  # the active one
    journal.end()
    assert list(tmp_path.iterdir()) == []


def test_a_long_call_keeps_its_segment_until_its_close_is_in(tmp_path: Path) -> None:
    journal = Journal(tmp_path, segment_bytes=SMALL)
    long = a_call()
    ticket = journal.open(long)
    for call in [a_call() for _ in range(20)]:
        journal.close(journal.open(call), ended(call))
    drained(journal)

    journal.close(ticket, ended(long))

    assert drained(journal) == [ended(long)]
    assert len(list(tmp_path.iterdir())) == 1


def test_calls_that_waited_long_for_postgres_come_from_the_file_and_later_ones_from_memory(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    calls = [ended(a_call()) for _ in range(5000)]  # more than are kept in memory
    for call in calls:
        journal.close(journal.open(call), call)

    assert drained(journal) == calls

    journal.close(journal.open(calls[0]), calls[0])
    assert drained(journal) == calls[:1]


def test_a_batch_that_was_not_committed_comes_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    call = a_call()
    journal.close(journal.open(call), ended(call))

    next(journal.batches(100))

    assert drained(journal) == [ended(call)]


def test_what_a_dead_process_left_is_adopted_and_an_open_call_becomes_one_estimate(tmp_path: Path) -> None:
    answered, cut_off = a_call(), a_call()

    def die() -> None:
        journal = Journal(tmp_path)
        journal.close(journal.open(answered), ended(answered))
        journal.open(cut_off)
        os.kill(os.getpid(), signal.SIGKILL)

    _run(die)
    heir = Journal(tmp_path)

    assert backlog(tmp_path) == 2
    assert heir.adopt() == 1
    assert drained(heir) == [ended(answered), cut_off]
    assert cut_off.outcome is Outcome.LOST
    assert cut_off.tokens.source is Source.ESTIMATED
    assert list(tmp_path.iterdir()) == []


def test_the_segment_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    owner, neighbour = Journal(tmp_path), Journal(tmp_path)
    call = a_call()
    owner.close(owner.open(call), ended(call))

    assert neighbour.adopt() == 0

    assert drained(owner) == [ended(call)]


def test_two_heirs_do_not_adopt_the_same_segment(tmp_path: Path) -> None:
    dead = Journal(tmp_path)
    call = a_call()
    dead.close(dead.open(call), ended(call))
    dead.end()
    heirs = [Journal(tmp_path), Journal(tmp_path)]

    assert [heir.adopt() for heir in heirs] == [1, 0]

    assert [drained(heir) for heir in heirs] == [[ended(call)], []]


@pytest.mark.parametrize("place", ["open", "close", "tail"])
def test_a_damaged_slot_costs_at_most_itself(tmp_path: Path, place: str) -> None:
    dead = Journal(tmp_path)
    calls = [a_call() for _ in range(3)]
    for call in calls:
        dead.close(dead.open(call), ended(call))
    dead.end()
    segment = next(tmp_path.iterdir())
    slot = {"open": 3, "close": 4, "tail": 7}[place]
    with segment.open("r+b") as file:
        file.seek(slot * SLOT + 40)
        file.write(b"garbage")

    heir = Journal(tmp_path)
    heir.adopt()
    found = {call.id: call for call in drained(heir)}

    assert set(found) == {call.id for call in calls}
    estimated = {call.id for call in found.values() if call.tokens.source is Source.ESTIMATED}
    assert estimated == ({calls[1].id} if place == "close" else set())


def test_a_file_cut_short_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    dead = Journal(tmp_path)
    calls = [a_call() for _ in range(3)]
    for call in calls:
        dead.close(dead.open(call), ended(call))
    dead.end()
    os.truncate(next(tmp_path.iterdir()), 5 * SLOT + 100)

    heir = Journal(tmp_path)
    heir.adopt()

    assert drained(heir) == [ended(calls[0]), ended(calls[1])]
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_refuses_new_calls_while_open_ones_still_close(tmp_path: Path) -> None:
    """A file size limit of zero stands for the full disk: nothing new can be allocated."""
    reader, writer = multiprocessing.Pipe(duplex=False)

    def fill() -> None:
        journal = Journal(tmp_path, segment_bytes=SMALL)
        running = [a_call() for _ in range(3)]
        tickets = [journal.open(call) for call in running]
        resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL, resource.RLIM_INFINITY))
        big = Journal(tmp_path, segment_bytes=64 * SLOT)
        with pytest.raises(JournalFull):
            big.open(a_call())
        assert big.is_full
        for ticket in tickets:
            journal.close(ticket, ended(ticket.call))
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        call = a_call()
        big.close(big.open(call), ended(call))
        assert not big.is_full
        writer.send((len(drained(journal)), len(drained(big)), len(list(tmp_path.glob("*.new")))))

    _run(fill)

    assert reader.recv() == (3, 1, 0)


def test_the_journal_holds_ids_and_numbers_only(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    call = a_call(tenant=TenantId(UUID(int=1)))
    journal.close(journal.open(call), ended(call))

    content = next(tmp_path.iterdir()).read_bytes()

    assert b"assistant" in content
    assert next(tmp_path.iterdir()).stat().st_mode & 0o077 == 0


def _run(target: object) -> None:
    process = multiprocessing.get_context("fork").Process(target=target)  # type: ignore[arg-type]
    process.start()
    process.join(20)
    eventually_sync(lambda: process.exitcode is not None)


def test_all_room_is_allocated_before_the_first_record(tmp_path: Path) -> None:
    """Else a close could fail for want of space after its call had cost something."""
    journal = Journal(tmp_path, segment_bytes=1024 * SLOT)

    journal.open(a_call())

    state = next(tmp_path.iterdir()).stat()
    assert state.st_size == 1024 * SLOT
    assert state.st_blocks * 512 >= state.st_size
