"""Explorer: the page that a browser gets at the API's own address, and the files of its bundle."""

import os
import sys
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

ASSETS_AT = "/console"  # `base` in console/vite.config.ts
BUNDLE = Path(__file__).parent / "console"

SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
# Everything comes from this origin. Two exceptions: Monaco sets styles from its code, GraphiQL's sheet holds its fonts.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "worker-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "font-src 'self' data:",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
POLICY_WITHOUT_BUNDLE = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
NOT_BUILT = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Greenroom</title>
<h1>Greenroom</h1>
<p>The API is here and answers POST. The explorer is not built yet: after <code>make run</code> it follows in less than
a minute, otherwise run <code>make console</code>; then load this page again.</p>
<p lang="zh">API 已就绪，可用 POST 访问。查询界面尚未构建：请运行 <code>make console</code>，然后刷新本页。</p>
</html>
"""
BUILD_FAILED = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Greenroom</title>
<h1>Greenroom</h1>
<p>The API is here and answers POST. The explorer's build failed: <code>.venv/console.log</code> or the terminal says
why, <code>make console</code> tries again.</p>
<p lang="zh">API 已就绪，可用 POST 访问。查询界面构建失败：原因见 <code>.venv/console.log</code> 或终端，可运行
<code>make console</code> 重试。</p>
</html>
"""
FAILED = Path(sys.prefix) / "console.failed"  # the Makefile's sign


def page(bundle: Path = BUNDLE, *, failed: Path = FAILED) -> Response:
    """Return the explorer, read anew each time: the bundle may be built while the API already serves."""
    try:
        html, policy = (bundle / "index.html").read_text("utf-8"), POLICY
    except OSError:
        html, policy = BUILD_FAILED if failed.exists() else NOT_BUILT, POLICY_WITHOUT_BUNDLE
    headers = {
        **SECURITY_HEADERS,
        "content-security-policy": policy,
        "cache-control": "no-store",
        "vary": "Accept",
    }
    return Response(html, media_type="text/html", headers=headers)


class Assets(StaticFiles):
    """The bundle's files, to be mounted at `ASSETS_AT`. Their names hold their digests, so they never change."""

    def __init__(self, bundle: Path = BUNDLE) -> None:
        super().__init__(directory=bundle, check_dir=False)
        self.config_checked = True  # a bundle that is not there yet is no mistake: its files are simply not found

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """Return a file with headers that let it be kept, and be nothing but what it is."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update(SECURITY_HEADERS)
        response.headers["cache-control"] = "public, max-age=31536000, immutable"
        response.headers["content-security-policy"] = POLICY  # workers bring their own policy
        return response
