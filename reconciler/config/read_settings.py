"""ReconcilerSettings out of a document."""

import re

from reconciler.config.drafts import Manifest, SettingsDraft
from reconciler.config.fields import Field
from reconciler.config.problems import Problems
from reconciler.config.read_bgp_settings import check_listening, read_bgp
from reconciler.config.read_speaker_settings import (
    check_ports,
    read_announcements,
    read_drain,
    read_fast_failure_detection,
    read_membership,
)
from reconciler.config.wording import quoted
from reconciler.model.settings import GuardSettings, Settings

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def read_settings(manifest: Manifest, problems: Problems) -> SettingsDraft:
    """The settings; what is left out takes its default."""
    # Without a guard section the object itself is where one belongs: there may be no second one beside it.
    guard = GuardSettings(origin=manifest.origin)
    if manifest.spec.has("guard"):
        guard = _read_guard(manifest.spec.child("guard"), guard, problems)
    membership = read_membership(manifest, problems)
    detection = read_fast_failure_detection(manifest, problems)
    check_ports(manifest, membership, detection, problems)
    announcements, drain = read_announcements(manifest, problems), read_drain(manifest, problems)
    bgp = read_bgp(manifest, problems)
    check_listening(manifest, bgp, membership, problems)
    return SettingsDraft(manifest, Settings(guard, membership, detection, announcements, drain, bgp))


def _read_guard(field: Field, default: GuardSettings, problems: Problems) -> GuardSettings:
    percent, fewest, plan = (
        field.number("maxChangedPercent"),
        field.number("minimumServices"),
        field.text("approvedPlan"),
    )
    if field.is_empty_text("approvedPlan") or (plan is not None and not _DIGEST.fullmatch(plan.value)):
        text = quoted(plan.value if plan is not None else "")
        message = f'approvedPlan {text} is not the digest of a plan: copy it from diff, "sha256:" and 64 digits'
        problems.error(field.origin_of("approvedPlan"), "invalid-digest", message)
    return GuardSettings(
        max_changed_percent=default.max_changed_percent if percent is None else percent,
        minimum_services=default.minimum_services if fewest is None else fewest,
        approved_plan=None if plan is None else plan.value,
        origin=field.origin,
    )
