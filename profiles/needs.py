"""What a step may find missing: it is raised before anything was changed, the caller loads it and runs the step again."""


class Need(Exception):
    """The step needs more than was loaded. Raised before anything was changed."""


class NeedLedger(Need):
    """An order's ledger entry is needed, or all of them (`order_id` None)."""

    def __init__(self, order_id: str | None) -> None:
        super().__init__(order_id)
        self.order_id = order_id


class NeedProfile(Need):
    """Another profile is needed (a redirect, a merge)."""

    def __init__(self, profile_id: str) -> None:
        super().__init__(profile_id)
        self.profile_id = profile_id
