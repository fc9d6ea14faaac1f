"""How an installation writes identifiers: whose national phone numbers it understands, and whether contact data is protected.

For whoever looks for a customer by what a person has at hand, and for whoever makes an event of it.
"""

from typing import Final, NamedTuple

from schemas.decode import Decoder
from schemas.protected import Protector, stored_form
from streams.protection import load_protection
from streams.settings import Settings


class IdentifierForms(NamedTuple):
    """`phone_region` and `fold_emails` as in the settings; without a `protector` contact data is kept as it is."""

    phone_region: str = ""
    protector: Protector | None = None
    fold_emails: bool = False

    def stored(self, kind: str, value: str) -> str:
        """The form an identifier is stored in; a value that identifies nobody stays as it is, and finds nobody.

        >>> IdentifierForms("DE").stored("phone", "030 1234567"), IdentifierForms().stored("email", "Ann@Example.org")
        ('+49301234567', 'ann@example.org')
        """
        return stored_form(kind, value, self.phone_region, self.protector, fold_emails=self.fold_emails)

    def decoder(self) -> Decoder:
        """A decoder of canonical events that name a customer so, and no amounts."""
        region, protector = self.phone_region, self.protector
        return Decoder("USD", phone_region=region, protector=protector, fold_emails=self.fold_emails)


PLAIN: Final = IdentifierForms()
"""Those of an installation that sets nothing."""


def identifier_forms(settings: Settings) -> IdentifierForms:
    """Those of an installation. Raises SettingsError."""
    return IdentifierForms(settings.shop.phone_region, load_protection(settings), settings.shop.fold_emails)
