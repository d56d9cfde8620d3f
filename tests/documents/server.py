"""A server of a test's world in a process of its own, to be killed: `python -m documents.server URL DATA_DIR PORT`."""

import sys
from pathlib import Path

import uvicorn

from greenroom.app import create
from greenroom.serving import configured
from greenroom.settings import Setting, Settings

if __name__ == "__main__":
    url, data_dir, port = sys.argv[1:]
    app = create(Settings(setting=Setting.DEMO, data_dir=Path(data_dir)), database_url=url)
    config = configured(app)
    config.port = int(port)
    uvicorn.Server(config).run()
