"""`python killed.py URL DATA_DIR`: puts photos, four at a time, until it is killed; names each that is stored.

An empty URL is the directory. The sizes follow from the names, so that whoever reads knows what is whole.
"""

import asyncio
import sys
from pathlib import Path

from greenroom.documents.storage import PART_BYTES, ObjectName, Store, store_at
from vault.places import MIB, content_of, new_name, pieces

SIZES = [0, 1000, MIB, PART_BYTES, PART_BYTES + MIB]


def size_of(name: ObjectName) -> int:
    """How large the object of this name is."""
    return SIZES[name.object_id.int % len(SIZES)]


async def putting(store: Store) -> None:
    """Put one after the other."""
    while True:
        name = new_name()
        await store.put(name, pieces(content_of(name, size_of(name))))
        print(name, flush=True)


async def main(url: str, data_dir: Path) -> None:
    """Put without end."""
    store = store_at(url or None, data_dir=data_dir)
    await asyncio.gather(*(putting(store) for _ in range(4)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
