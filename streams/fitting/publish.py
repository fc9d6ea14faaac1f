"""Publishing a document of models on its topic, for whoever else wants to predict with it."""

from msgspec import Raw

from schemas.outputs import Outgoing
from streams.kafka_producer import KafkaPublisher
from streams.settings import Settings

TOPIC = "models"


class NotPublished(Exception):
    """A broker refused the document of models for good. The workers keep those in use; the message names the refusal."""


async def publish(settings: Settings, models_id: str, document: bytes) -> None:
    """Put the document on the topic `models`, under the shop's id. Raises NotPublished, KafkaError where no broker answers."""
    publisher = KafkaPublisher(settings)
    await publisher.start()
    try:
        (outcome,) = await publisher.publish([Outgoing(TOPIC, models_id, settings.shop.id, 0, Raw(document))])
    finally:
        await publisher.stop()
    if outcome is not None:
        remedy = "give this user Write on it" if "Authorization" in outcome else "look at its limits of size"
        raise NotPublished(
            f"the broker refuses the models on topic {settings.topic(TOPIC)} for good ({outcome}), and those in use stay: "
            f"{remedy}"
        )
