"""Random conditions of the right types over the profile document, of every operator and macro. Shared by the laws."""

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

LISTS = {"int": "[1, 2, 3]", "string": '["a", "gold"]', "double": "[0.5, 2.0]"}
INT_FIELDS = (
    "profile.orders.count",
    "profile.ltv.net_minor",
    "profile.orders.aov_minor",
    "profile.feedback.nps_score",
    "profile.sessions.count",
    "profile.messages.sent",
    'profile.messages["opened"]',
    "profile.carts[0].value_minor",
    "profile.carts[1].updated_ms",
    'profile.ltv.by_currency["EUR"].net_minor',
    "size(profile.carts)",
    "profile.triggers.size()",
    "now_ms",
)
DOUBLE_FIELDS = (
    "profile.orders.per_year",
    "profile.orders.days_between",
    "profile.ltv.margin_estimated_share",
    "profile.feedback.mean_rating",
    'profile.interests.categories["tea"]',
    "profile.carts[0].items[0].quantity",
)
STRING_FIELDS = (
    "profile.id",
    "profile.ltv.currency",
    "profile.carts[0].cart_id",
    "profile.carts[0].items[0].name",
    'profile.consent["email.marketing"]',
)
DYN = (
    "profile.traits.tier",
    "profile.traits.age",
    "profile.traits.absent",
    "profile.traits.none",
    "profile.traits.tags",
    "profile.traits.address.city",
    "profile.traits.vip",
    "profile.ids.user_id[0]",
)
HAS = (
    "profile.orders.count",
    "profile.orders.aov_minor",
    "profile.carts",
    "profile.traits",
    "profile.traits.tier",
    "profile.traits.none",
    "profile.traits.absent",
    "profile.traits.address.city",
    "profile.traits.absent.city",
    "profile.consent",
    "profile.messages.sent",
    "profile.ltv.by_currency",
    "profile.carts[0].items",
    "profile.predicted.churn",
)
COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")


@st.composite
def ints(draw: DrawFn, depth: int, known: tuple[str, ...] = ()) -> str:
    if depth <= 0:
        literal = st.integers(-3, 6).map(lambda number: str(number) if number >= 0 else f"({number})")
        extreme = st.sampled_from(("9223372036854775807", "(-9223372036854775808)"))
        return draw(st.sampled_from((*known, *INT_FIELDS)) | literal | extreme)
    one, other = draw(ints(depth - 1, known)), draw(ints(depth - 1, known))
    match draw(st.integers(0, 7)):
        case 0 | 1 | 2:
            return f"({one} {draw(st.sampled_from('+-*/%'))} {other})"
        case 3:
            return f"(-{one})" if not one.startswith("-") else one
        case 4:
            return f"({draw(bools(depth - 1, known))} ? {one} : {other})"
        case 5:
            return f"size({draw(strings(depth - 1, known))})"
        case 6:
            return f"[{one}, {other}].map(m{depth}, m{depth} + 1)[{draw(st.integers(0, 2))}]"
    return f'{{"a": {one}, "b": {other}}}[{draw(strings(0, known))}]'


@st.composite
def doubles(draw: DrawFn, depth: int, known: tuple[str, ...] = ()) -> str:
    if depth <= 0:
        return draw(st.sampled_from((*DOUBLE_FIELDS, "0.0", "1.5", "2.0", "(-0.5)")))
    one, other = draw(doubles(depth - 1, known)), draw(doubles(depth - 1, known))
    match draw(st.integers(0, 3)):
        case 0 | 1:
            return f"({one} {draw(st.sampled_from('+-*/'))} {other})"
        case 2:
            return f"({draw(bools(depth - 1, known))} ? {one} : {other})"
    return f"double({draw(ints(depth - 1, known))})"


@st.composite
def strings(draw: DrawFn, depth: int, known: tuple[str, ...] = ()) -> str:
    if depth <= 0:
        return draw(st.sampled_from((*STRING_FIELDS, '"a"', '"b"', '"gold"', '""', '"tea"')))
    one, other = draw(strings(depth - 1, known)), draw(strings(depth - 1, known))
    match draw(st.integers(0, 2)):
        case 0:
            return f"({one} + {other})"
        case 1:
            return f"({draw(bools(depth - 1, known))} ? {one} : {other})"
    return f"string({draw(ints(0, known))})"


@st.composite
def bools(draw: DrawFn, depth: int, known: tuple[str, ...] = ()) -> str:
    if depth <= 0:
        return draw(
            st.sampled_from(("true", "false", "profile.traits.vip", *(f"has({field})" for field in HAS)))
            | st.sampled_from((*known, *INT_FIELDS)).map(
                lambda field: f"{field} == null" if "aov" in field else f"{field} > 1"
            )
        )
    choice = draw(st.integers(0, 13))
    sign = draw(st.sampled_from(COMPARISONS))
    match choice:
        case 0 | 1:
            joined = draw(st.sampled_from(("&&", "||")))
            return f"({draw(bools(depth - 1, known))} {joined} {draw(bools(depth - 1, known))})"
        case 2:
            return f"!({draw(bools(depth - 1, known))})"
        case 3:
            return f"({draw(ints(depth - 1, known))} {sign} {draw(ints(depth - 1, known))})"
        case 4:
            return f"({draw(doubles(depth - 1, known))} {sign} {draw(doubles(depth - 1, known))})"
        case 5:
            return f"({draw(strings(depth - 1, known))} {sign} {draw(strings(depth - 1, known))})"
        case 6:
            method = draw(st.sampled_from(("contains", "startsWith", "endsWith")))
            return f"{draw(strings(depth - 1, known))}.{method}({draw(strings(0, known))})"
        case 7:
            macro = draw(st.sampled_from(("exists", "all", "exists_one")))
            name = f"v{depth}"
            return f"{LISTS['int']}.{macro}({name}, {draw(bools(depth - 1, (*known, name)))})"
        case 8:
            macro = draw(st.sampled_from(("exists", "all", "exists_one")))
            name = f"c{depth}"
            inner = draw(bools(depth - 1, (*known, f"{name}.value_minor", f"size({name}.items)")))
            return f"profile.carts.{macro}({name}, {inner})"
        case 9:
            name = f"f{depth}"
            inner = draw(bools(depth - 1, (*known, name)))
            return f"size({LISTS['int']}.filter({name}, {inner})) {sign} {draw(st.integers(0, 3))}"
        case 10:
            other = draw(
                st.sampled_from(('"gold"', "33.0", "33", "true", "null", '["a", 1.0]', '{"city": "Ulm"}', *DYN))
            )
            return f"({draw(st.sampled_from(DYN))} {draw(st.sampled_from(('==', '!=')))} dyn({other}))"
        case 11:
            other = draw(st.sampled_from(('dyn("gold")', "dyn(33)", "dyn(20.5)", *DYN)))
            return f"({draw(st.sampled_from(DYN))} {sign} {other})"
        case 12:
            kind = draw(st.sampled_from(("int", "string")))
            value = draw(ints(depth - 1, known) if kind == "int" else strings(depth - 1, known))
            return f"({value} in {LISTS[kind]})"
    sought = draw(st.sampled_from(('"tea"', '"sent"', "profile.ltv.currency")))
    among = draw(
        st.sampled_from(("profile.messages", "profile.consent", "profile.interests.categories", "profile.traits.tags"))
    )
    return f"({sought} in {among})"
