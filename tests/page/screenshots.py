"""
The pictures of the page in docs/images: `python -m tests.page.screenshots`, from the top of a checkout.

They show a made-up cluster, served by a real controller; addresses and AS numbers are those reserved for documentation.
"""

import shutil
import subprocess
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec.structs import replace
from playwright.sync_api import Page, sync_playwright

from reconciler.telemetry.speaker_status import AnnouncementRow, LinkRow, SpeakerStatus
from tests.controlplane.api import wait_until
from tests.page.stage import ADVERTISEMENTS, Stage, refused_session, service, well
from tests.telemetry.builders import SESSION

IMAGES = Path(__file__).parents[2] / "docs" / "images"
_POOLS = """\
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: office}
spec: {addresses: [192.0.2.0/28, "2001:db8:0:1::/64"]}
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: payments}
spec: {addresses: [203.0.113.0/29], autoAssign: false}
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: reserved}
spec: {addresses: [198.51.100.64-198.51.100.65], autoAssign: false}
"""
_PAYMENTS, _RESERVED = {"metallb.io/address-pool": "payments"}, {"metallb.io/address-pool": "reserved"}
_SERVICES = (
    *(service(f"shop/{name}") for name in ("catalogue", "checkout", "images", "search", "web")),
    *(service(f"billing/{name}", annotations=_PAYMENTS) for name in ("gateway", "reports", "webhooks")),
    *(service(f"factory/{name}", annotations=_RESERVED) for name in ("gauges", "scales", "terminals")),
)


def main() -> None:
    """Take both pictures."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        stage = Stage(Path(directory))
        stage.configure(pools=_POOLS, advertisements=_advertisements())
        stage.commit()
        stage.services(*_SERVICES)
        with stage, sync_playwright() as playwright:
            wait_until(lambda: stage.controller.status()["counts"]["assigned"] == len(_SERVICES) - 1, "addresses")
            stage.publish(*_speakers(stage.revision()))
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            page = browser.new_page(base_url=stage.url, viewport={"width": 1200, "height": 900})
            _take(page, "controller-page.png", shows="established")
            stage.configure(pools=_POOLS.replace("192.0.2.0/28", "192.0.2.128/28"))
            stage.commit()
            page.emulate_media(color_scheme="dark")
            _take(page, "controller-page-held.png", shows="Held plan")
            browser.close()


def _take(page: Page, name: str, *, shows: str) -> None:
    page.goto("/")
    page.get_by_text(shows).first.wait_for()
    page.get_by_text("live").first.wait_for()
    page.screenshot(path=IMAGES / name, full_page=shows == "established")
    _shrink(IMAGES / name)


def _shrink(path: Path) -> None:
    if shutil.which("optipng"):
        subprocess.run(["optipng", "-quiet", str(path)], check=True)


def _advertisements() -> str:
    return ADVERTISEMENTS.replace("[gold]", "[office]").replace("[spare]", "[payments, reserved]")


def _speakers(revision: str) -> tuple[SpeakerStatus, ...]:
    since = datetime.now(UTC).replace(microsecond=0) - timedelta(days=3, hours=5)
    up = replace(SESSION, since=since, bfd_since=since, wanted=5, told=5)
    down = refused_session(down_since=since + timedelta(days=3), wanted=5, last_error="tor-b refuses the connection")
    held = tuple(AnnouncementRow(services=(f"shop/{name}",), address=f"192.0.2.{name}") for name in (1, 2))
    dark = (LinkRow(name="eth0"), LinkRow(name="eth1", carrier=False))
    return (
        well("worker-1", revision, sessions=(up,), announcements=held),
        well("worker-2", revision, sessions=(up, down), announcements=held[:1]),
        well("worker-3", revision, sessions=(up,), announcements=held, links=dark),
    )


if __name__ == "__main__":
    main()
