"""Arithmetic over spans [begin, end) of seconds or instants. Pure.

A union is sorted and disjoint, and no two of its spans touch; what says so takes and gives unions.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import TypeVar

At = TypeVar("At", int, datetime)
Pairs = list[tuple[At, At]]


def clipped(spans: Iterable[tuple[At, At]], start: At, end: At) -> Pairs[At]:
    """What lies in [start, end); empty ones are left out."""
    cut = ((max(start, begin), min(end, stop)) for begin, stop in spans)
    return [(begin, stop) for begin, stop in cut if begin < stop]


def union(spans: Pairs[At]) -> Pairs[At]:
    """The same time as a union."""
    merged: Pairs[At] = []
    for begin, stop in sorted(spans):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], stop))
        else:
            merged.append((begin, stop))
    return merged


def without(spans: Pairs[At], holes: Pairs[At]) -> Pairs[At]:
    """What is in `spans` and not in `holes`. Both are unions: one walk over both."""
    kept: Pairs[At] = []
    at = 0
    for span_begin, stop in spans:
        begin = span_begin
        while at < len(holes) and holes[at][1] <= begin:
            at += 1
        ahead = at
        while ahead < len(holes) and holes[ahead][0] < stop:
            if begin < holes[ahead][0]:
                kept.append((begin, holes[ahead][0]))
            begin = holes[ahead][1]
            ahead += 1
        if begin < stop:
            kept.append((begin, stop))
    return kept


def overlap(spans: Pairs[At], others: Pairs[At]) -> Pairs[At]:
    """What is in both. Both are unions."""
    return without(spans, without(spans, others))
