"""The store of a fleet: what reads show of it, and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from routeproof_litellm.store import Reading, Record, Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from routeproof_litellm.fleet_wire import RowOrder, View


def record(number: str, name: str = "m") -> Record:
    return Record(number, name, "{}", "{}", blocked=False, created_at="", created_by="", updated_at="", updated_by="")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store") as made:
        made.set_up([record("b"), record("a"), record("c")])
        yield made


def seen(store: Store, view: View = "all", order: RowOrder = "insertion") -> list[str]:
    return [found.model_id for found in store.read(Reading(view=view, order=order))]


def test_the_order_of_rows(store: Store) -> None:
    store.put(record("b", "changed"))
    assert seen(store) == ["b", "a", "c"]
    assert seen(store, order="last_update") == ["a", "c", "b"]
    # As the driver of the protocol shuffles them: by FNV-1a of the number and the id.
    assert {number: seen(store, order=number) for number in (0, 7)} == {0: ["a", "c", "b"], 7: ["b", "c", "a"]}
    store.remove("b")
    store.put(record("b"))
    assert seen(store) == ["a", "c", "b"]


def test_the_state_before_the_last_write(store: Store) -> None:
    assert seen(store, "before_last_write") == ["b", "a", "c"]
    store.put(record("d"))
    assert seen(store, "before_last_write") == ["b", "a", "c"]
    store.put(record("a", "changed"))
    before = store.read(Reading(view="before_last_write"))
    assert [(found.model_id, found.model_name) for found in before] == [
        ("b", "m"),
        ("a", "m"),
        ("c", "m"),
        ("d", "m"),
    ]
    store.remove("b")
    assert seen(store, "before_last_write") == ["b", "a", "c", "d"]
    assert seen(store) == ["a", "c", "d"]
    assert store.revision() == 6


def test_reads_that_are_cut_short(store: Store) -> None:
    assert seen(store, "nothing") == []
    assert seen(store, "first_row") == ["a"]
    assert [found.model_id for found in store.rows()] == ["a", "b", "c"]


def test_each_connection_sees_the_writes_of_the_others(store: Store, tmp_path: Path) -> None:
    with Store(tmp_path / "store") as other:
        other.put(record("d"))
        assert store.row("d") == record("d")
        assert store.row("e") is None
