"""What an entry `[relays.<name>]` says: an HTTP endpoint that triggers are delivered to by `regulars relay <name>`."""

from typing import Annotated, Literal

from msgspec import Meta

from streams.setting import Section, about, form

Format = Literal["standard", "braze", "klaviyo", "customerio"]


class Relay(Section, frozen=True, kw_only=True):
    """An endpoint that triggers are delivered to: `[relays.crm]`."""

    url: Annotated[
        str,
        form(r"^https?://[^\s/?#]+[^\s#]*$", "a URL such as https://crm.shop.example/hooks/regulars"),
        about(
            "Where triggers are posted to. For Braze, Klaviyo and Customer.io the address of their event API.",
            unit="URL",
            secret=True,  # many receivers know their callers by a token in it
            why="None is given.",
            extremes="http:// shows customer data to the network. Redirects are not followed.",
        ),
    ]
    secret: Annotated[
        str,
        Meta(min_length=8, max_length=512),
        about(
            "Signing secret (Standard Webhooks: base64, with or without `whsec_`), or the API key of the messaging system.",
            secret=True,
            why="None is given.",
            extremes="Whoever has it can pass for this shop.",
        ),
    ]
    secret_before: Annotated[
        str,
        Meta(max_length=512),
        about(
            "Signing secret of before, while it is exchanged: calls carry a signature under each.",
            secret=True,
            why="Nothing is being exchanged.",
            extremes="Remove it once every receiver has the new one. For `standard` alone: a messaging system takes one key.",
        ),
    ] = ""
    user: Annotated[
        str,
        about(
            "User name beside the API key: Customer.io's site id.",
            why="The others have none.",
            extremes="Nothing else uses it.",
        ),
    ] = ""
    format: Annotated[
        Format,
        about(
            "What is posted: the trigger as it is, signed after Standard Webhooks, or an event of a messaging system's API.",
            why="Any receiver can check it with a library of its language.",
            extremes="A system that is not among them takes `standard` through a small program of yours.",
        ),
    ] = "standard"
    topics: Annotated[
        tuple[str, ...],
        Meta(min_length=1, max_length=16),
        about(
            "Output topics that are delivered.",
            unit="topics",
            why="What is to be sent to customers.",
            extremes="With trigger-cancelled too, a receiver learns what to take back.",
        ),
    ] = ("triggers",)
    only: Annotated[
        tuple[str, ...],
        about(
            "Names of triggers that are delivered; others pass by.",
            unit="names",
            why="Empty: all there are.",
            extremes="A misspelt name delivers nothing; the log says so at the start.",
        ),
    ] = ()
    timeout_ms: Annotated[
        int,
        about(
            "How long one call may take.",
            unit="ms",
            ge=100,
            le=60_000,
            why="Receivers should answer at once and work later; Standard Webhooks advises 15 to 30 s.",
            extremes="Long: a hanging receiver holds its customers' next triggers back.",
        ),
    ] = 15_000
    at_once: Annotated[
        int,
        about(
            "Calls under way at the same time; one customer's triggers follow each other all the same.",
            unit="calls",
            ge=1,
            le=1000,
            why="Enough for hundreds a second at 50 ms a call.",
            extremes="1: all in the order of the log. Large: a weak receiver is overrun after an outage.",
        ),
    ] = 32
    give_up_ms: Annotated[
        int,
        about(
            "How long a trigger is tried again before it is set aside on `relay-failed`.",
            unit="ms",
            ge=0,
            le=604_800_000,
            why="Longer than a deployment or a short outage of the receiver.",
            extremes="0: one try. Long: the customer's later triggers wait that long too.",
        ),
    ] = 3_600_000
    disable_after_ms: Annotated[
        int,
        about(
            "A receiver that has taken nothing for this long though it was called is given up: the relay ends and says so.",
            unit="ms",
            ge=1000,
            le=2_592_000_000,
            why="A day: long outages pass, an endpoint that is gone for good does not fill `relay-failed` for ever.",
            extremes="Short: every outage needs a hand. Nothing is lost by it: the relay goes on where it stopped.",
        ),
    ] = 86_400_000
    allow_private: Annotated[
        bool,
        about(
            "Whether it may call addresses of private networks and of this machine.",
            why="Else whoever may set a URL could reach what is behind the firewall.",
            extremes="True for a receiver inside the own network.",
        ),
    ] = False
