"""The corpus of prompts: large, balanced, and divided by chance, so that what is measured on it means something."""

import hashlib
from collections import Counter, defaultdict

from support.policy_corpus import HARMLESS, Prompt, read_corpus

CORPUS = read_corpus()


def test_it_has_enough_prompts_of_each_kind_and_language() -> None:
    labels = Counter(prompt.label for prompt in CORPUS)
    languages = Counter(prompt.lang for prompt in CORPUS)
    near = [prompt for prompt in CORPUS if prompt.group.startswith("near-")]

    assert len(CORPUS) >= 420
    assert labels.pop(HARMLESS) >= 200
    assert len(near) >= 100
    assert len(labels) == 7
    assert min(labels.values()) >= 25
    assert min(languages["de"], languages["en"]) >= 0.4 * len(CORPUS)


def test_no_prompt_and_no_id_stands_there_twice() -> None:
    assert len({prompt.id for prompt in CORPUS}) == len(CORPUS)
    assert len({prompt.text.casefold() for prompt in CORPUS}) == len(CORPUS)


def test_the_held_out_part_is_the_third_of_each_group_that_the_hash_of_the_ids_chose() -> None:
    groups: dict[str, list[Prompt]] = defaultdict(list)
    for prompt in CORPUS:
        if prompt.split == "reworded":
            continue
        groups[prompt.group].append(prompt)

    for prompts in groups.values():
        prompts.sort(key=lambda prompt: hashlib.sha256(prompt.id.encode()).hexdigest())
        held_out = round(0.3 * len(prompts))
        assert {prompt.split for prompt in prompts[:held_out]} == {"held_out"}
        assert {prompt.split for prompt in prompts[held_out:]} == {"train"}
