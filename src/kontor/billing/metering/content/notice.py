"""What an owner is told before the content log is switched on, and everybody while it is. Pure data.

Sources: GDPR Art. 6, 13 and 28; for Germany § 87 (1) no. 6 BetrVG. A change is a new VERSION, for the audit log.
"""

from typing import Final

from kontor.core.i18n import Text

VERSION: Final = "2026-11"
NOTICE: Final = Text(
    de="Solange das Inhaltsprotokoll an ist, wird von jedem Aufruf eines Modells gespeichert, was gefragt und was "
    "geantwortet wurde, also auch, was Ihre Beschäftigten und Ihre Kundschaft schreiben. Es ist verschlüsselt und wird "
    "nach der gewählten Frist gelöscht. Lesen können es nur Inhaber, jedes Lesen steht im Protokoll; in Datenexporten, "
    "die auch Administratoren anfordern können, ist es enthalten. Verantwortlich im Sinne der DSGVO ist Ihr "
    "Unternehmen: Es braucht eine Rechtsgrundlage (Art. 6), muss alle, die schreiben, vorher informieren (Art. 13) und "
    "in Deutschland den Betriebsrat beteiligen, wo es einen gibt (§ 87 Abs. 1 Nr. 6 BetrVG).",
    en="While the content log is on, what was asked and what was answered is stored for every call to a model, so also "
    "what your employees and your customers write. It is encrypted and is deleted after the period that you choose. "
    "Only owners can read it, and each reading is in the audit log; data exports, which admins can ask for too, "
    "contain it. Your company is the controller under the GDPR: it needs a legal basis (Art. 6), must inform everybody "
    "who writes beforehand (Art. 13) and, in Germany, must involve its works council, where there is one (§ 87 (1) "
    "no. 6 BetrVG).",
)
