"""The sections of ReconcilerSettings that speakers go by: membership, detection, announcements and drain."""

import re
import warnings
from fractions import Fraction

from reconciler.config.drafts import Manifest
from reconciler.config.durations import written
from reconciler.config.fields import Text
from reconciler.config.problems import Problems
from reconciler.config.read_durations import Section, Span
from reconciler.config.read_lists import check_distinct
from reconciler.config.read_selectors import is_label_key
from reconciler.config.wording import quoted, shortened
from reconciler.model.origin import Related
from reconciler.model.settings import (
    AnnouncementSettings,
    DrainSettings,
    FastFailureDetectionSettings,
    MembershipSettings,
    OnConflict,
)

# Linux leaves a neighbour entry alone for that long after it was changed (locktime, 1 s by default).
_LOCKTIME = 1.0
_LONGEST_REGEX = 200
_CONFLICT_CHOICES = {choice.value: choice for choice in OnConflict}


def read_membership(manifest: Manifest, problems: Problems) -> MembershipSettings:
    """`spec.membership`."""
    section, default = Section(manifest, "membership"), MembershipSettings()
    interval = section.seconds("probeInterval", default.probe_interval, Span("50ms", "10s"), problems)
    timeout = section.seconds("probeTimeout", default.probe_timeout, Span("10ms", "10s"), problems)
    if timeout >= interval:
        message = (
            f"{section.path('probeTimeout')} is {written(Fraction(timeout))}: must be shorter than probeInterval, "
            f"which is {written(Fraction(interval))}"
        )
        problems.error(section.field.origin_of("probeTimeout", "probeInterval"), "conflicting-settings", message)
    return MembershipSettings(
        port=section.number("port", default.port),
        probe_interval=interval,
        probe_timeout=timeout,
        suspicion_multiplier=section.number("suspicionMultiplier", default.suspicion_multiplier),
        join_timeout=section.seconds("joinTimeout", default.join_timeout, Span("0s", "5m"), problems),
        revision_wait=section.seconds("revisionWait", default.revision_wait, Span("0s", "1h"), problems),
    )


def read_fast_failure_detection(manifest: Manifest, problems: Problems) -> FastFailureDetectionSettings:
    """`spec.fastFailureDetection`."""
    section, default = Section(manifest, "fastFailureDetection"), FastFailureDetectionSettings()
    return FastFailureDetectionSettings(
        enabled=section.field.flag("enabled", default=default.enabled),
        port=section.number("port", default.port),
        interval=section.seconds("interval", default.interval, Span("10ms", "1s"), problems),
        multiplier=section.number("multiplier", default.multiplier),
        watchers=section.number("watchers", default.watchers),
    )


def check_ports(
    manifest: Manifest, membership: MembershipSettings, detection: FastFailureDetectionSettings, problems: Problems
) -> None:
    """Both listen on UDP, so they need a port each. Where one is not written its default counts if it is in use."""
    ours, theirs = Section(manifest, "fastFailureDetection"), Section(manifest, "membership")
    written_here, written_there = ours.field.has("port"), theirs.field.has("port")
    if membership.port != detection.port or not (detection.enabled or (written_here and written_there)):
        return
    here = ours if written_here else theirs
    message = f"{ours.path('port')} is {detection.port}, and so is that of membership: both are UDP, write another one"
    other = Related(theirs.field.origin_of("port"), "the port of membership")
    related = (other,) if written_here and written_there else ()
    problems.error(here.field.origin_of("port"), "conflicting-settings", message, *related)


def read_announcements(manifest: Manifest, problems: Problems) -> AnnouncementSettings:
    """`spec.announcements`."""
    section, default = Section(manifest, "announcements"), AnnouncementSettings()
    field = section.field
    interval = section.seconds("gratuitousInterval", default.gratuitous_interval, Span("100ms", "1m"), problems)
    if interval < _LOCKTIME:
        message = (
            f"{section.path('gratuitousInterval')} is less than 1s: Linux ignores an update of a neighbour within a "
            "second of the last one (locktime); write 1.1s"
        )
        problems.warning(field.origin_of("gratuitousInterval"), "gratuitous-too-fast", message)
    choice = field.text("onConflict")
    return AnnouncementSettings(
        gratuitous_interval=interval,
        gratuitous_duration=section.seconds(
            "gratuitousDuration", default.gratuitous_duration, Span("0s", "5m"), problems
        ),
        refresh_interval=section.seconds(
            "refreshInterval", default.refresh_interval, Span("10s", "24h", or_zero=True), problems
        ),
        probe_time=section.seconds("probeTime", default.probe_time, Span("1ms", "2s", or_zero=True), problems),
        on_conflict=_CONFLICT_CHOICES.get(choice.value if choice else "", default.on_conflict),
        restart_grace=section.seconds("restartGrace", default.restart_grace, Span("0s", "10m"), problems),
        excluded_interfaces=_read_excluded(section, default.excluded_interfaces, problems),
    )


def _read_excluded(section: Section, default: tuple[str, ...], problems: Problems) -> tuple[str, ...]:
    """What is written takes the place of the default list, also when it is empty."""
    if not section.field.has("excludedInterfaces"):
        return default
    texts = section.field.texts("excludedInterfaces")
    for text in texts:
        why = _why_no_regex(text.value)
        if why is not None:
            message = f"{quoted(text.value)} in excludedInterfaces is no regular expression to exclude by: {why}"
            problems.error(text.origin, "invalid-regex", message)
    check_distinct(texts, "in excludedInterfaces", problems)
    return tuple(text.value for text in texts)


def _why_no_regex(text: str) -> str | None:
    if not text:
        return "it is empty, and would exclude every interface; remove it"
    if len(text) > _LONGEST_REGEX:
        return f"it is longer than {_LONGEST_REGEX} characters"
    try:
        with warnings.catch_warnings():
            # What Python is going to read otherwise one day is not to be trusted: "[[" is such a thing.
            warnings.simplefilter("error")
            re.compile(text)
    except (re.error, Warning, OverflowError, RecursionError) as exc:
        return f"{shortened(exc)}; a name is searched for it, such as ^veth.* or ^lo$"
    return None


def read_drain(manifest: Manifest, problems: Problems) -> DrainSettings:
    """`spec.drain`."""
    texts = Section(manifest, "drain").field.texts("taints")
    for text in texts:
        if not is_label_key(text.value):
            message = f"{quoted(text.value)} in taints is not the key of a taint: {_taint_hint(text)}"
            problems.error(text.origin, "invalid-taint", message)
    check_distinct(texts, "in taints", problems)
    return DrainSettings(tuple(sorted({text.value for text in texts})))


def _taint_hint(text: Text) -> str:
    key = re.split("[=:]", text.value, maxsplit=1)[0]
    if key != text.value and is_label_key(key):
        return f"write the key alone, {quoted(key)}, without value and effect"
    return "write up to 63 letters, digits, '-', '_' and '.', after an optional DNS name and '/'"
