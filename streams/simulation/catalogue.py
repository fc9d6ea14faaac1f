"""What the simulated shop sells, where its customers come from, and what a customer costs there. Invented."""

from typing import Final, NamedTuple

from schemas.events import Product

CURRENCY: Final = "EUR"
TIMEZONE: Final = "Europe/Berlin"


class Goods(NamedTuple):
    """A product: its price and cost in cents, and how many days a pack lasts (0: nothing one runs out of)."""

    product_id: str
    category: str
    brand: str
    price_minor: int
    cost_minor: int
    supply_days: int = 0

    def line(self, quantity: int = 1) -> Product:
        """The product in an event."""
        return Product(
            product_id=self.product_id,
            name=self.product_id.replace("-", " "),
            category=self.category,
            brand=self.brand,
            price_minor=self.price_minor,
            cost_minor=self.cost_minor,
            quantity=quantity,
        )


class Channel(NamedTuple):
    """Where customers come from: the share of new ones, what one costs in cents, and how often and how much they buy,
    against the average.
    """

    name: str
    medium: str
    share: float
    cost_minor: int
    frequency: float
    value: float


GOODS: Final = (
    Goods("espresso-beans", "coffee", "Nero", 1_490, 720, 28),
    Goods("filter-coffee", "coffee", "Kontor", 990, 500, 24),
    Goods("decaf-beans", "coffee", "Nero", 1_590, 790, 32),
    Goods("paper-filters", "coffee accessories", "Kontor", 390, 120),
    Goods("milk-frother", "coffee accessories", "Nero", 2_490, 1_300),
    Goods("assam-tea", "tea", "Blatt", 790, 310, 40),
    Goods("green-tea", "tea", "Blatt", 890, 360, 40),
    Goods("herbal-tea", "tea", "Wiese", 590, 210),
    Goods("honey", "pantry", "Wiese", 690, 330, 50),
    Goods("spaghetti", "pantry", "Grano", 240, 110),
    Goods("tomato-sauce", "pantry", "Grano", 320, 140),
    Goods("olive-oil", "pantry", "Grano", 1_290, 690, 45),
    Goods("muesli", "pantry", "Wiese", 540, 250, 21),
    Goods("dark-chocolate", "sweets", "Cacao", 340, 150),
    Goods("truffles", "sweets", "Cacao", 1_190, 480),
    Goods("shampoo", "care", "Quell", 690, 270, 48),
    Goods("conditioner", "care", "Quell", 740, 290),
    Goods("soap-refill", "care", "Quell", 590, 230, 35),
    Goods("detergent", "household", "Rein", 1_090, 560, 42),
    Goods("dishwasher-tabs", "household", "Rein", 990, 470, 40),
    Goods("cat-food", "pets", "Mio", 1_890, 1_050, 21),
    Goods("cat-litter", "pets", "Mio", 1_390, 820, 30),
    Goods("gift-box", "gifts", "Kontor", 3_900, 1_900),
    Goods("mug", "gifts", "Kontor", 1_290, 450),
)
BUNDLES: Final = {
    "filter-coffee": "paper-filters",
    "spaghetti": "tomato-sauce",
    "shampoo": "conditioner",
    "cat-food": "cat-litter",
    "detergent": "dishwasher-tabs",
}
"""Who takes the first takes the second with TOGETHER, however rare the second is otherwise."""
TOGETHER: Final = 0.55
CHANNELS: Final = (
    Channel("direct", "", 0.28, 0, 1.15, 1.1),
    Channel("google", "cpc", 0.27, 1_450, 1.0, 1.0),
    Channel("instagram", "paid_social", 0.22, 2_300, 0.62, 0.8),
    Channel("partner", "affiliate", 0.15, 900, 0.9, 0.95),
    Channel("friends", "referral", 0.08, 500, 1.35, 1.2),
)
IDLE_CHANNEL: Final = ("podcast", "audio", 6_000)
"""A channel that costs cents a day and brings nobody."""
