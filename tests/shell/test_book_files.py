"""The shop's documents: rules, costs, catalogue and rates from files, and plain words for what is wrong in them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from profiles.triggers import CartAbandonedRule
from schemas.adapters import ADAPTERS
from schemas.adapters.ga4_events import Ga4Options
from schemas.adapters.shopify_parts import ShopifyOptions
from streams.book_files import BookError, load_adapters, load_book
from streams.replay import demo_settings
from streams.settings import build_settings

Write = Callable[[str, str], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, text: str) -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return str(tmp_path / name)

    return write


def test_without_documents_the_reference_rules_hold() -> None:
    book = load_book(build_settings({"shop": {"currency": "EUR", "id": "s1", "timezone": "Europe/Berlin"}}))

    assert (book.shop_currency, book.shop_id, book.shop_timezone) == ("EUR", "s1", "Europe/Berlin")
    assert book.rule(CartAbandonedRule).delay_ms == 3_600_000
    assert book.catalogue.products == {}


def test_visitors_are_kept_as_long_as_carts_where_nothing_is_said_of_them(write: Write) -> None:
    carts = '[cart_abandoned]\nforget = "500d"\n'
    silent = load_book(build_settings({"files": {"rules": write("rules.toml", carts)}}))
    assert silent.rules.visitors.forget_after_ms == 500 * 86_400_000

    said = write("said.toml", f'{carts}[visitors]\nforget_after = "400d"\n')
    with pytest.raises(
        BookError, match=r"said\.toml, line 4: visitors\.forget_after: 400d is less than the 500d of cart_aband"
    ):
        load_book(build_settings({"files": {"rules": said}}))


def test_all_documents_come_together(write: Write) -> None:
    rules = write("rules.toml", '[cart_abandoned]\ndelay = "30min"\n[costs]\nshipping_cost_minor = 490\n')
    catalogue = write(
        "catalogue.csv",
        "# what the shop knows\nproduct_id,category,cost,supply_days\nA,tea,1.20,30\n,coffee,,21\n",
    )
    rates = write("rates.jsonl", '{"currency":"GBP","date":"2026-01-01","rate":"1.25"}\n\n')
    book = load_book(build_settings({"files": {"rules": rules, "catalogue": catalogue, "rates": rates}}))

    assert book.rule(CartAbandonedRule).delay_ms == 1_800_000
    assert book.costs.shipping_cost_minor == 490
    assert book.catalogue.lookup("A").cost_minor == 120
    assert book.catalogue.lookup("B", "coffee").supply_days == 21
    rate = book.rates.at("GBP", 1_767_225_600_000)
    assert rate is not None
    assert (rate.num, rate.den) == (5, 4)


@pytest.mark.parametrize(
    "kind, name, text, told",
    [
        ("rules", "r.toml", "[cart_abandonned]\n", r"r\.toml, line 1: cart_abandonned: unknown .*cart_abandoned"),
        ("rules", "r.toml", "# ours\n[welcome]\n\ndelay = 5\n", r"r\.toml, line 4: welcome\.delay: 5 is no duration"),
        (
            "rules",
            "r.toml",
            "[welcome]\ndelay = 4h\n",
            r"r\.toml: .*line 2.*\n    delay = 4h\n  Durations, times of day and",
        ),
        (
            "rules",
            "r.toml",
            "caps = {max_in_day = -1}\n",
            r"r\.toml, line 1: caps\.max_in_day: -1 does not do; write a whole number of at least 0",
        ),
        ("rules", "r.toml", "[costs]\nshiping = 1\n", r"r\.toml, line 2: costs\.shiping: no such cost setting"),
        ("rules", "r.toml", "=", r"r\.toml: "),
        (
            "rules",
            "r.toml",
            "[welcome]\ntopic = 'hi'\n",
            r"r\.toml, line 2: welcome\.topic: 'hi' is no topic of triggers; ",
        ),
        (
            "rules",
            "r.toml",
            "# ours\n[segments.big]\nwhen = 'profile.ltv.net_minr > 1'\n",
            r"r\.toml:3:21: segments\.big\.when: there is no field `net_minr` .*did you mean `net_minor`",
        ),
        (
            "rules",
            "r.toml",
            "[welcome]\n[caps]\n\n[welcome]\n",
            r"r\.toml, line 4: welcome: stands twice, on line 1 and here",
        ),
        (
            "rules",
            "r.toml",
            "[segments.big]\nwhen = 'true'\n[segments.big]\nwhen = 'false'\n",
            r"r\.toml, line 3: segments\.big: stands twice, on line 1 and here",
        ),
        (
            "rules",
            "r.toml",
            "[welcome]\ndelay = '1min'\nenabled = true\ndelay = '2min'\n",
            r"r\.toml, line 4: welcome\.delay: stands twice, on line 2 and here",
        ),
        (
            "rules",
            "r.toml",
            "[segments.big]\nwhen = 'true'\n[segment_exited]\nsegments = ['bigg']\n",
            r"r\.toml, line 4: segment_exited\.segments: there is no segment 'bigg'; did you mean 'big'\?",
        ),
        (
            "rules",
            "r.toml",
            "[precedence]\nladder = ['cart.abandoned', 'checkout.abandoned', 'cart.abandoned']\n",
            r"r\.toml, line 2: precedence\.ladder: 'cart\.abandoned' stands twice: it can't be both above and below",
        ),
        (
            "rules",
            "r.toml",
            "[segments.big]\nwhen = '''\ntrue\n'''\nwhen = '''\nfalse\n'''\n",
            r"r\.toml, line 5: segments\.big\.when: stands twice, on line 2 and here",
        ),
        (
            "rules",
            "r.toml",
            "welcome.delay = '1min'\n['welcome']\nenabled = true\n",
            r"r\.toml, line 2: welcome: stands twice, on line 1 and here",
        ),
        (
            "rules",
            "r.toml",
            "# a\u2028b\n[segments.big]\ndescription = '''\n[welcome]\ndealy = 1\n'''\nwhen = 'true'\n['welcome']\ndealy = 1\n",
            r"r\.toml, line 9: welcome\.dealy: unknown key; did you mean 'delay'",
        ),
        (
            "rules",
            "r.toml",
            "[repurchase.by_key.'green tea/sencha']\nlead_day = 3\n",
            r"r\.toml, line 2: repurchase\.by_key\.green tea/sencha\.lead_day: unknown key; did you mean 'lead_days'",
        ),
        (
            "rules",
            "r.toml",
            "# ours\n[triggers.'cart.abandoned']\ndelay = '1h'\n",
            r"r\.toml, line 2: triggers\.cart\.abandoned: unknown table; did you mean \[cart_abandoned\], at the top",
        ),
        ("rules", "r.toml", "# ours\n[mine.own]\n", r"r\.toml, line 2: mine: unknown key; known are"),
        (
            "rules",
            "r.toml",
            "[costs.cost_rates]\n'tea/green' = 'x'\n",
            r"r\.toml, line 2: costs\.cost_rates\.tea/green: ",
        ),
        ("rules", "r.toml", "\n[[costs]]\n", r"r\.toml, line 2: costs: expected a table \[costs\], got "),
        (
            "rules",
            "r.toml",
            f"[costs]\nshipping_cost_minor = {10**20}\n",
            r"line 2: .* is no whole number of minor units",
        ),
        ("rules", "r.toml", f"\nversion = {'9' * 5000}\n", r"r\.toml, line 2: a number of thousands of digits"),
        ("rules", "r.toml", f"a = {'[' * 5000}", r"r\.toml: brackets are nested more deeply"),
        ("rules", "r.toml", "\n[welcome", r"r\.toml, line 2: Expected ']'"),
        ("rules", "r.toml", "\n[costs]\nshiping_cost_minor = 1\n", r"line 3: .*did you mean 'shipping_cost_minor'"),
        (
            "rules",
            "r.toml",
            "[welcome]\ncondition = 'episode.value_minor > \"5\"'\n",
            r"r\.toml:2:34: welcome\.condition: ",
        ),
        ("catalogue", "c.csv", "product_id,cost\nA,cheap\n", r"c\.csv: row 1, column cost"),
        ("catalogue", "c.jsonl", "{\n", r"c\.jsonl, line 1"),
        ("rates", "x.csv", "currency,date,rate\nGBP,yesterday,1\n", r"x\.csv: row 1, column date"),
        ("rates", "x.csv", "currency;date;rate\nGBP;2026-03-01;1,1\n", r"x\.csv: columns are separated by commas"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(write: Write, kind: str, name: str, text: str, told: str) -> None:
    settings = build_settings({"files": {kind: write(name, text)}})

    with pytest.raises(BookError, match=told):
        load_book(settings)


@pytest.mark.parametrize(
    "name, text",
    [
        ("c.csv", "product_id,category,vendor,suply_days,Gift Card\nA,tea,acme,30,true\n"),
        ("c.jsonl", '{"product_id":"A","vendor":"acme"}\n{"product_id":"B","suply_days":30,"Gift Card":true}\n'),
    ],
)
def test_a_column_of_the_catalogue_that_is_almost_one_is_told_of_and_the_shops_own_are_not(
    write: Write, caplog: pytest.LogCaptureFixture, name: str, text: str
) -> None:
    load_book(build_settings({"files": {"catalogue": write(name, text)}}))

    gift_card, supply_days = (record.getMessage() for record in caplog.records)
    assert gift_card.endswith(f"{name}: column 'Gift Card' is not read; did you mean 'gift_card'?")
    assert supply_days.endswith(f"{name}: column 'suply_days' is not read; did you mean 'supply_days'?")


def test_columns_beside_those_that_are_there_are_the_shops_own(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    text = "product_id,image_url,image_url_2,cost,costs\nA,https://a.example/1,https://a.example/2,1.20,x\n"

    load_book(build_settings({"files": {"catalogue": write("c.csv", text)}}))

    assert caplog.records == []


def test_a_row_with_more_cells_than_columns_is_refused_since_its_cells_stand_in_wrong_columns(write: Write) -> None:
    text = "product_id,name,category,cost\nA,Tea,green,1.20,,\nB,Tea, green,tea,1.20\n"

    with pytest.raises(BookError, match=r"c\.csv, row 2: more cells than columns"):
        load_book(build_settings({"files": {"catalogue": write("c.csv", text)}}))


def test_a_document_in_another_encoding_is_named_with_its_first_wrong_line(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_bytes("[welcome]\n# für Neue\n".encode("latin-1"))

    with pytest.raises(BookError, match=r"r\.toml, line 2: this is not UTF-8 text") as refused:
        load_book(build_settings({"files": {"rules": str(path)}}))
    assert refused.value.line == 2


def test_segments_and_conditions_come_ready_to_be_asked(write: Write) -> None:
    text = "[segments.big]\nwhen = 'orders(\"9d\") > 1'\n[welcome]\ncondition = 'views(\"1h\") > 1'\n"
    book = load_book(build_settings({"files": {"rules": write("rules.toml", text)}}))

    assert book.conditions["welcome"].place == "welcome.condition"
    assert book.segments is not None
    assert [segment.key for segment in book.segments.segments] == ["big"]


def test_a_document_that_is_not_there_is_named(tmp_path: Path) -> None:
    settings = build_settings({"files": {"rules": str(tmp_path / "none.toml")}})

    with pytest.raises(BookError, match=r"none\.toml can't be read"):
        load_book(settings)


def test_the_demo_catalogue_covers_the_eighteen_replenishable_categories() -> None:
    book = load_book(demo_settings())

    assert len(book.catalogue.categories) == 18
    milk = book.catalogue.lookup("1029743", "FLUID MILK PRODUCTS")
    assert (milk.supply_days, milk.group) == (14, "FLUID MILK PRODUCTS")
    assert book.catalogue.lookup("1", "FD WRAPS/BAGS/TRSH BG").supply_days == 36
    assert book.catalogue.lookup("1", "CANDY").supply_days is None


def test_the_options_of_sources_come_from_a_document(write: Write) -> None:
    sources = write("sources.toml", '[ga4]\nvalue_includes_tax = true\n\n[shopify]\ncompleted_on = "paid"\n')

    options = {
        adapter.name: adapter.options for adapter in load_adapters(build_settings({"files": {"sources": sources}}))
    }

    assert options["ga4"] == Ga4Options(value_includes_tax=True)
    assert options["shopify"] == ShopifyOptions(completed_on="paid")
    assert load_adapters(build_settings({})) == ADAPTERS


@pytest.mark.parametrize("text,told", [
    ("[ga5]\n", r"sources\.toml: there is no source 'ga5'"),
    ("[ga4]\nvalue_includes_tax = 1\n", r"sources\.toml: \[ga4\]: .*value_includes_tax"),
    ("[ga4]\nvalue_has_tax = true\n", r"sources\.toml: \[ga4\] has no option 'value_has_tax'; there are .*value_includes_tax"),
    ("ga4 = 3\n", r"sources\.toml: ga4 must be a table: \[ga4\]"),
    ("[ga4\n", r"sources\.toml: "),
])  # fmt: skip
def test_a_document_of_sources_that_can_not_be_used_is_told_in_plain_words(write: Write, text: str, told: str) -> None:
    with pytest.raises(BookError, match=told):
        load_adapters(build_settings({"files": {"sources": write("sources.toml", text)}}))
