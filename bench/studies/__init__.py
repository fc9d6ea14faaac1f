"""The benchmarks, one module each. `STUDIES` lists them by name; a new one is a module and a line here."""

from bench.studies import (
    capacity,
    coalescing,
    collector,
    delivery,
    guard,
    latency,
    memory,
    profile,
    profile_ltv,
    scale,
    takeover,
    triggers,
)
from bench.studies.study import Study

__all__ = ["IN_FIVE_MINUTES", "STUDIES", "Study"]

STUDIES: dict[str, Study] = {
    study.name: study
    for study in (
        profile_ltv.STUDY,
        latency.STUDY,
        takeover.STUDY,
        scale.STUDY,
        coalescing.STUDY,
        memory.STUDY,
        capacity.STUDY,
        profile.STUDY,
        guard.STUDY,
        delivery.STUDY,
        triggers.STUDY,
        collector.STUDY,
    )
}

IN_FIVE_MINUTES: tuple[Study, ...] = (profile_ltv.STUDY, latency.STUDY, takeover.STUDY, delivery.STUDY, triggers.STUDY)
"""What `run --quick` runs. The others take too long even when they are small; each can be had alone."""
