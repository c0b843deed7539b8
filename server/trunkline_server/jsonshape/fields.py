# SPDX-License-Identifier: Apache-2.0
"""The lower half of the decoder's writer: how one JSON value gets into one field. decoder.py says what the names in the generated code mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from trunkline_server.jsonshape import checks
from trunkline_server.jsonshape.members import join_kinds, value_accepts
from trunkline_server.jsonshape.plan import Kind, Shape
from trunkline_server.jsonshape.source import Source, function_name, mangled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from trunkline_server.jsonshape.plan import Member, MessagePlan

_SECOND_CHANCE: Final = {
    (Kind.INT, True): "strict_int",
    (Kind.INT, False): "loose_int",
    (Kind.DOUBLE, False): "loose_float",
    (Kind.STRING, False): "loose_text",
}
"""(kind, strict) -> the function that may still read a value of another type."""


class FieldWriter:
    """Writes the code for fields, for a caller's JSON (`strict`) or an upstream's."""

    def __init__(self, plan: MessagePlan, plans: Mapping[str, MessagePlan], *, strict: bool) -> None:
        self.plan = plan
        self.plans = plans
        self.strict = strict
        self.source = Source()
        self.line = self.source.line
        self.block = self.source.block

    # -- words of the generated code

    def _call(self, message: str, value: str, target: str, path: str) -> str:
        return f"{function_name('decode', message)}({value}, {target}" + (f", {path}, faults)" if self.strict else ")")

    def _fault(self, path: str, expected: str, value: str) -> None:
        """Record a fault; the loose decoder passes over it."""
        self.line(f"add_fault(faults, {path}, {expected!r}, {value})" if self.strict else "pass")

    def _refuse(self, path: str, expected: str, value: str) -> None:
        """Record a fault and say that the value is no such message."""
        if self.strict:
            self._fault(path, expected, value)
        self.line("return False")

    def _local(self, member: Member) -> str:
        """Name the constants of a member: those of a flattened or inline message would else clash."""
        return mangled(member.owner)

    def _constants(self, member: Member) -> None:
        if self.strict:
            checks.bind_patterns(self.source, self._local(member), member)
        if member.value.enum is not None:
            self.line(
                f"NUMBERS__{self._local(member)}__{member.name} = {dict(sorted(member.value.enum.numbers.items()))!r}"
            )

    def _not_taken(self) -> None:
        if not self.strict:
            self.line("return False")

    def _accepts(self, member: Member) -> frozenset[str]:
        if member.value.kind is Kind.MESSAGE:
            return self.plans[member.value.message].accepts
        return value_accepts(member.value) or frozenset()

    def _sets_something(self, message: str) -> bool:
        """Whether reading a message always sets one of its fields, and with it the message itself, unless there is a fault."""
        plan = self.plans[message]
        return self.strict and (
            plan.union is not None or any(member.rule.required and not member.rule.constant for member in plan.members)
        )

    # -- one field

    def _field(
        self, member: Member, path: str, target: str, *, name: str = "value", fail: Callable[[], None] | None = None
    ) -> None:
        """Write how the JSON value `name`, which is not null, gets into the field `target`."""
        match member.shape:
            case Shape.SINGLE:
                self._single(member, path, target, name, fail)
            case Shape.REPEATED:
                self._repeated(member, path, target, name)
            case Shape.MAP:
                self._map(member, path, target, name)

    def _single(self, member: Member, path: str, target: str, name: str, fail: Callable[[], None] | None) -> None:
        if member.rule.constant:
            with self.block(f"if {name} != {member.rule.constant!r}:"):
                self._fault(path, checks.expected_value(member), name)
        elif member.value.kind is not Kind.MESSAGE:
            self._scalar(member, path, name, lambda value: f"{target} = {value}", fail)
        elif self._sets_something(member.value.message):
            self.line(self._call(member.value.message, name, target, path))
        elif self.strict:
            self.line(f"s = {target}")
            self.line("s.SetInParent()")
            self.line(self._call(member.value.message, name, "s", path))
        else:
            self.line(f"s = {target}")
            with self.block(f"if {self._call(member.value.message, name, 's', path)}:"):
                self.line("s.SetInParent()")
            if fail is not None:
                with self.block("else:"):
                    fail()

    def _repeated(self, member: Member, path: str, target: str, name: str) -> None:
        with self.block(f"if type({name}) is list:"):
            self._counted(member, path, target, name, self._items)
        if member.rule.one_or_many:
            bare = self._accepts(member) - {"object", "array"}
            with self.block(f"elif {checks.type_test(bare, name)}:"):
                self._bare_item(member, path, target, name)
            expected = join_kinds(bare | {"array"})
        else:
            expected = checks.expected_items(member)
        if self.strict:
            with self.block("else:"):
                self._fault(path, expected, name)

    def _counted(
        self, member: Member, path: str, target: str, name: str, body: Callable[[Member, str, str], None]
    ) -> None:
        """Write `body` for a container of an allowed size; one that is too large is not looked into."""
        if path != "path" and self.strict:
            self.line(f"p = {path}")
        size = checks.items_test(member.rule.limits, name)
        if not size or not self.strict:
            body(member, target, name)
            return
        with self.block(f"if {size}:"):
            body(member, target, name)
        with self.block("else:"):
            self._fault(path, checks.expected_items(member), name)

    def _items(self, member: Member, target: str, name: str) -> None:
        message = member.value.kind is Kind.MESSAGE
        self.line(f"items = {target}")
        self.line("add = items.add" if message else "add = items.append")
        with self.block(f"for i, x in enumerate({name}):" if self.strict else f"for x in {name}:"):
            inner = "(path, i)" if name == "value" else "(p, i)"
            self._item(member, inner, "items", "add", "x")

    def _item(self, member: Member, path: str, items: str, add: str, name: str) -> None:
        """Write how the JSON value `name` is added to the repeated field `items`."""
        if member.value.kind is not Kind.MESSAGE:
            self._scalar(member, path, name, lambda value: f"{add}({value})", None)
            return
        call = self._call(member.value.message, name, f"{add}()", path)
        if self.strict:
            self.line(call)
            return
        with self.block(f"if not {call}:"):
            self.line(f"del {items}[-1]")

    def _bare_item(self, member: Member, path: str, target: str, name: str) -> None:
        """Write how one bare item is added. A shorthand that is a plain string, the commonest of all values, is set without another call."""
        short = self.plans[member.value.message].shorthand if member.value.kind is Kind.MESSAGE else None
        if (
            short
            and short.value.kind is Kind.STRING
            and short.shape is Shape.SINGLE
            and not checks.bounds_test("", short, "v")
        ):
            self.line(f"{target}.add().{short.name} = {name}")
        elif member.value.kind is Kind.MESSAGE:
            self._item(member, path, target, f"{target}.add", name)
        else:
            self._item(member, path, target, f"{target}.append", name)

    def _map(self, member: Member, path: str, target: str, name: str) -> None:
        with self.block(f"if type({name}) is dict:"):
            self._counted(member, path, target, name, self._pairs)
        if self.strict:
            with self.block("else:"):
                self._fault(path, checks.expected_items(member), name)

    def _pairs(self, member: Member, target: str, name: str) -> None:
        self.line(f"items = {target}")
        inner = "(path, k)" if name == "value" else "(p, k)"
        with self.block(f"for k, x in {name}.items():"):
            with self.block("if x is None:"):
                self.line("continue")
            key = checks.key_test(self._local(member), member, "k")
            if key and self.strict:
                with self.block(f"if not ({key}):"):
                    self._fault(inner, checks.expected_key(member), "k")
            if member.value.kind is not Kind.MESSAGE:
                self._scalar(member, inner, "x", lambda value: f"items[k] = {value}", None)
            elif self.strict:
                self.line(self._call(member.value.message, "x", "items[k]", inner))
            else:
                with self.block(f"if not {self._call(member.value.message, 'x', 'items[k]', inner)}:"):
                    self.line("del items[k]")

    # -- one value

    def _scalar(
        self, member: Member, path: str, name: str, store: Callable[[str], str], fail: Callable[[], None] | None
    ) -> None:
        """Write the type test and the bounds of one value, and how a value of another type may still be read."""
        test, value = self._test(member, name)
        with self.block(f"if {test}:"):
            self.line(store(value))
        if second := self._second_chance(member, name):
            with self.block(f"elif {second}:"):
                self.line(store("y"))
        if self.strict:
            with self.block("else:"):
                self._fault(path, checks.expected_value(member), name)
        elif fail is not None:
            with self.block("else:"):
                fail()

    def _test(self, member: Member, name: str) -> tuple[str, str]:
        """Write the test of the usual JSON type, and the value to store."""
        value = member.value
        bounds = checks.bounds_test(self._local(member), member, name)
        if not self.strict and value.kind is Kind.INT:
            bounds = f"{value.low} <= {name} <= {value.high}"
        elif not self.strict:
            bounds = ""
        match value.kind:
            case Kind.BOOL:
                return f"{name} is True or {name} is False", name
            case Kind.ENUM:
                return (
                    f"type({name}) is str and (y := NUMBERS__{self._local(member)}__{member.name}.get({name})) is not None",
                    "y",
                )
            case Kind.RAW:
                kinds = checks.type_test(value.raw_kinds, name)
                return f"({kinds}) and (y := raw_text({name})) is not None", "y"
            case Kind.DECIMAL:
                read = "strict_units" if self.strict else "loose_units"
                low, high = checks.integer_range(value, member.rule.limits) if self.strict else (value.low, value.high)
                return f"(y := {read}({name}, {value.scale})) is not None and {low} <= y <= {high}", "y"
            case Kind.INT:
                usual = f"type({name}) is int"
            case Kind.DOUBLE:
                usual = f"(type({name}) is float or type({name}) is int)"
            case _:
                usual = f"type({name}) is str"
        return " and ".join(filter(None, (usual, bounds))), name

    def _second_chance(self, member: Member, name: str) -> str:
        kind = member.value.kind
        read = _SECOND_CHANCE.get((kind, self.strict))
        if read is None:
            return ""
        if read == "strict_int" and member.value.as_string:
            read = "strict_int_or_text"
        test = f"(y := {read}({name})) is not None"
        if kind is Kind.INT:
            low, high = (
                checks.integer_range(member.value, member.rule.limits)
                if self.strict
                else (member.value.low, member.value.high)
            )
            test += f" and {low} <= y <= {high}"
        return test
