# SPDX-License-Identifier: Apache-2.0
"""Hypothesis strategies built from the plans of the codec, that is from descriptors and their options: no message or field is named here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson
from google.protobuf import message_factory
from hypothesis import strategies as st

from trunkline_server.jsonshape.checks import integer_range
from trunkline_server.jsonshape.members import held_message, value_field
from trunkline_server.jsonshape.options import Unknown, field_rule
from trunkline_server.jsonshape.plan import Kind, Shape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from google.protobuf.message import Message
    from hypothesis.strategies import DrawFn, SearchStrategy

    from trunkline_server.jsonshape.options import Limits
    from trunkline_server.jsonshape.plan import Layout, Member, MessagePlan

_DEPTH = 3
_EXACT_UNITS = 10**15  # a decimal with at most 15 digits survives being a double

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
scalars = st.booleans() | numbers | text
values = st.recursive(
    st.none() | scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
"""Any JSON value that a body may hold, as parsed."""

_OF_KIND: dict[str, SearchStrategy[Any]] = {
    "object": st.dictionaries(text, values, max_size=3),
    "array": st.lists(values, max_size=3),
    "string": text,
    "number": numbers,
    "boolean": st.booleans(),
}


def messages(
    plan: MessagePlan, plans: Mapping[str, MessagePlan], *, refused: frozenset[str]
) -> SearchStrategy[Message]:
    """Messages that are valid and in normal form: raw JSON text as orjson writes it, constants unset."""
    return _valid(_Fill(plans, refused), plan.name, _DEPTH)


def wild_messages(kind: type[Message]) -> SearchStrategy[Message]:
    """Messages of a type with anything in them that protobuf takes."""
    return _wild(kind, _DEPTH)


def disturbed(message: Message) -> SearchStrategy[Message]:
    """The message with one field, of it or of a message inside, set to anything that protobuf takes."""
    return _disturbed(message)


def mutated(body: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """JSON values with one place replaced, removed, or given another key: close to the valid ones and mostly wrong."""
    return _mutated(body)


# -- valid messages


class _Fill:
    """What all draws of one strategy share."""

    def __init__(self, plans: Mapping[str, MessagePlan], refused: frozenset[str]) -> None:
        self.plans = plans
        self.refused = refused


@st.composite
def _valid(draw: DrawFn, fill: _Fill, name: str, depth: int) -> Message:
    plan = fill.plans[name]
    made: Message = message_factory.GetMessageClass(plan.descriptor)()
    layout = _choose_layout(draw, fill, plan, made, depth)
    if plan.bare:
        _set_member(draw, fill, plan.members[0], made, depth)
    if layout is None:
        return made
    chosen: set[str] = set()
    for slot in layout.slots:
        member = slot.member
        if layout.variant is not None and member is layout.variant.member:
            continue
        taken = bool(member.oneof) and member.oneof in chosen
        if member.rule.constant or taken or not (member.rule.required or draw(_seldom(depth, member))):
            continue
        chosen.add(member.oneof)
        _set_member(draw, fill, member, _held(made, slot.holder), depth)
    if layout.catch_all and draw(st.integers(0, 5)) == 0:
        _set_extra(draw, fill, layout, made)
    return made


def _choose_layout(draw: DrawFn, fill: _Fill, plan: MessagePlan, made: Message, depth: int) -> Layout | None:
    """Set the variant of a union. None when there is no object to fill."""
    if plan.union is None:
        return plan.layouts[0] if plan.layouts else None
    variants = [variant.member for variant in plan.union.variants]
    unknown = plan.union.unknown
    if unknown is not None and unknown.unknown_tags is Unknown.KEPT and draw(st.integers(0, 9)) == 0:
        tag = {plan.union.discriminator: "tag." + draw(text)}
        setattr(made, unknown.member.name, orjson.dumps(draw(_OF_KIND["object"]) | tag))
        return None
    index = draw(st.integers(0, len(variants) - 1))
    if not plan.union.discriminator:
        _set_member(draw, fill, variants[index], made, depth)
        return None
    layout = plan.layouts[index]
    assert layout.variant is not None
    if layout.variant.inline:
        getattr(made, variants[index].name).SetInParent()
    else:
        _set_member(draw, fill, variants[index], made, depth)
    later_tags = layout.variant.tags[1:]
    if layout.variant.keeps_tag and later_tags and draw(st.booleans()):
        setattr(getattr(made, variants[index].name), layout.variant.keeps_tag, draw(st.sampled_from(later_tags)))
    return layout


def _held(made: Message, holder: tuple[str, ...]) -> Message:
    for name in holder:
        made = getattr(made, name)
    return made


def _seldom(depth: int, member: Member) -> SearchStrategy[bool]:
    """Set few of the optional fields, and no messages at the bottom."""
    if depth <= 0 and member.value.kind is Kind.MESSAGE:
        return st.just(False)
    return st.integers(0, 4).map(lambda n: n == 0)


def _set_member(draw: DrawFn, fill: _Fill, member: Member, holder: Message, depth: int) -> None:
    limits = member.rule.limits
    value = _value(fill, member, depth - 1)
    if member.shape is Shape.SINGLE:
        _set_single(holder, member, draw(value))
        return
    smallest = max(1, limits.min_items or 0)
    largest = min(smallest + 2, limits.max_items or smallest + 2)
    container = getattr(holder, member.name)
    if member.shape is Shape.REPEATED:
        container.extend(draw(st.lists(value, min_size=smallest, max_size=largest)))
        return
    for key, item in draw(st.dictionaries(_keys(limits), value, min_size=smallest, max_size=largest)).items():
        if member.value.kind is Kind.MESSAGE:
            container[key].CopyFrom(item)
        else:
            container[key] = item


def _set_single(holder: Message, member: Member, value: Any) -> None:
    if member.value.kind is Kind.MESSAGE:
        getattr(holder, member.name).CopyFrom(value)
        getattr(holder, member.name).SetInParent()
    else:
        setattr(holder, member.name, value)


def _set_extra(draw: DrawFn, fill: _Fill, layout: Layout, made: Message) -> None:
    names = text.filter(lambda name: name not in layout.known | layout.foreign | fill.refused)
    raw = st.one_of(*_OF_KIND.values()).map(orjson.dumps)
    assert layout.catch_all is not None
    container = getattr(_held(made, layout.catch_all[:-1]), layout.catch_all[-1])
    for key, item in draw(st.dictionaries(names, raw, min_size=1, max_size=2)).items():
        container[key] = item


def _value(fill: _Fill, member: Member, depth: int) -> SearchStrategy[Any]:
    value, limits = member.value, member.rule.limits
    match value.kind:
        case Kind.MESSAGE:
            return _valid(fill, value.message, depth)
        case Kind.STRING:
            return _string(
                limits, empty=member.presence or not member.rule.required or member.shape is not Shape.SINGLE
            )
        case Kind.BOOL:
            return st.booleans()
        case Kind.INT:
            return st.integers(*integer_range(value, limits))
        case Kind.DECIMAL:
            low, high = integer_range(value, limits)
            return st.integers(max(low, -_EXACT_UNITS), min(high, _EXACT_UNITS))
        case Kind.DOUBLE:
            return st.floats(
                limits.min, limits.max, exclude_min=limits.min_exclusive, allow_nan=False, allow_infinity=False
            )
        case Kind.ENUM:
            assert value.enum is not None
            return st.sampled_from(sorted(value.enum.strings))
        case Kind.RAW:
            return st.one_of(*(_OF_KIND[kind] for kind in sorted(value.raw_kinds))).map(orjson.dumps)


def _string(limits: Limits, *, empty: bool) -> SearchStrategy[str]:
    smallest = limits.min_length if limits.min_length is not None else 0 if empty else 1
    largest = limits.max_length
    if limits.pattern:
        made = st.from_regex(re.compile(limits.pattern, re.ASCII), fullmatch=True)
        return made.filter(lambda item: len(item) >= smallest and (largest is None or len(item) <= largest))
    return st.text(
        st.characters(exclude_categories=["Cs"]),
        min_size=smallest,
        max_size=min(smallest + 12, largest or smallest + 12),
    )


def _keys(limits: Limits) -> SearchStrategy[str]:
    if limits.key_pattern:
        return st.from_regex(re.compile(limits.key_pattern, re.ASCII), fullmatch=True)
    return text.filter(lambda key: limits.max_key_length is None or len(key) <= limits.max_key_length)


# -- anything

_WILD: dict[int, SearchStrategy[Any]] = {
    1: st.floats(),
    3: st.integers(-(2**63), 2**63 - 1),
    4: st.integers(0, 2**64 - 1),
    5: st.integers(-(2**31), 2**31 - 1),
    8: st.booleans(),
    9: text
    | values.map(orjson.dumps)
    | st.sampled_from(["", "{", "null", "[1,", '"\\ud800"', "1e999", '{"type":"text"}']),
    13: st.integers(0, 2**32 - 1),
    14: st.integers(0, 8),
}
"""Number of a protobuf type -> what it takes."""


@st.composite
def _wild(draw: DrawFn, kind: type[Message], depth: int) -> Message:
    made = kind()
    fields = made.DESCRIPTOR.fields
    for index in draw(st.lists(st.integers(0, max(len(fields) - 1, 0)), max_size=4)) if fields else []:
        _set_wildly(draw, made, fields[index].name, depth)
    return made


@st.composite
def _disturbed(draw: DrawFn, message: Message) -> Message:
    inner = draw(st.sampled_from(list(_inside(message))))
    if inner.DESCRIPTOR.fields:
        _set_wildly(draw, inner, draw(st.sampled_from([field.name for field in inner.DESCRIPTOR.fields])), 1)
    return message


def _inside(message: Message) -> Iterator[Message]:
    """The message and every message in it."""
    yield message
    for field, value in message.ListFields():
        if value_field(field).message_type is None:
            continue
        held = value.values() if value_field(field) is not field else value if field.is_repeated else [value]
        for inner in held:
            yield from _inside(inner)


def _set_wildly(draw: DrawFn, made: Message, name: str, depth: int) -> None:
    field = made.DESCRIPTOR.fields_by_name[name]
    inner = value_field(field)
    if inner.message_type is not None:
        if depth <= 0:
            return
        item: Any = draw(_wild(message_factory.GetMessageClass(held_message(inner)), depth - 1))
    else:
        decimal = field_rule(field).decimal_scale is not None
        item = draw(st.integers(-_EXACT_UNITS, _EXACT_UNITS) if decimal else _WILD[inner.type])
    target = getattr(made, name)
    if inner is not field:
        key = draw(text | st.sampled_from([other.name for other in made.DESCRIPTOR.fields]))
        _put_pair(target, key, item, is_message=inner.message_type is not None)
    elif field.is_repeated:
        target.append(item)
    elif field.message_type is not None:
        target.CopyFrom(item)
        target.SetInParent()
    else:
        setattr(made, name, item)


def _put_pair(target: Any, key: str, item: Any, *, is_message: bool) -> None:
    if is_message:
        target[key].CopyFrom(item)
    else:
        target[key] = item


# -- almost valid JSON


@st.composite
def _mutated(draw: DrawFn, body: SearchStrategy[Any]) -> Any:
    value = draw(body)
    places = _places(value)
    if not places:
        return draw(values)
    container, key = draw(st.sampled_from(places))
    match draw(st.integers(0, 2)):
        case 0:
            container[key] = draw(values)
        case 1:
            del container[key]
        case _ if isinstance(container, dict):
            container[draw(text)] = container[key]
        case _:
            container.append(draw(values))
    return value


def _places(value: Any) -> list[tuple[Any, Any]]:
    """List every key and index of a JSON value, with its container."""
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        container = waiting.pop()
        pairs = (
            container.items()
            if isinstance(container, dict)
            else enumerate(container)
            if isinstance(container, list)
            else ()
        )
        for key, item in pairs:
            found.append((container, key))
            waiting.append(item)
    return found
