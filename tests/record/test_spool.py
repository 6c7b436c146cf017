"""The spool gives back in order what it took, also after a crash, and holds no more than it may."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.record.batch import Batch
from gateway.record.spool import Spool
from tests.fakes.facts import batch_of


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give where it may be."""
    return tmp_path / "facts.spool"


def opened(file: Path, *, max_bytes: int = 10**6, max_rows: int = 100) -> Spool:
    """Give a spool that can be used."""
    spool = Spool(file, max_bytes=max_bytes, max_rows=max_rows)
    spool.open()
    return spool


def drained(spool: Spool, *, max_rows: int = 7) -> list[Batch]:
    """Read all of it away."""
    batches = list[Batch]()
    while spool.rows:
        piece = spool.read(max_rows)
        batches += piece.batches
        spool.forget(piece)
    return batches


def test_first_in_first_out(file: Path) -> None:
    """What comes out is what went in, and an emptied file is cut to nothing."""
    spool, batches = opened(file), [batch_of(1 + 5 * n, 5) for n in range(6)]
    assert spool.append(batches[:4]) == 4 and spool.append(batches[4:]) == 2
    assert drained(spool) == batches
    assert (spool.rows, spool.size_bytes, file.stat().st_size) == (0, 0, 0)
    spool.close()


def test_survives_its_process(file: Path) -> None:
    """Another process finds all of it, with the last number of every batch."""
    opened(file).append([batch_of(1, 5), batch_of(6, 2)])
    spool = Spool(file)
    assert [(each.last, each.rows) for each in spool.open()] == [(5, 5), (7, 2)]
    assert drained(spool) == [batch_of(1, 5), batch_of(6, 2)]
    spool.close()


@pytest.mark.parametrize("cut", [1, 20, 40])
def test_torn_record_is_cut_off(file: Path, cut: int) -> None:
    """A record that a crash tore is not read, and what is written next stands in its place."""
    opened(file).append([batch_of(1, 5), batch_of(6, 2)])
    whole = file.read_bytes()
    file.write_bytes(whole[:-cut])
    spool = opened(file)
    assert spool.rows == 5 and spool.append([batch_of(6, 2)]) == 1
    assert file.read_bytes() == whole
    spool.close()


def test_flipped_bit_is_seen(file: Path) -> None:
    """A record that is not what was written ends the file."""
    opened(file).append([batch_of(1, 5), batch_of(6, 2)])
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    assert opened(file).rows == 5


def test_unreadable_record_is_counted(file: Path) -> None:
    """A record that went bad after it was opened costs its rows and no more."""
    spool = opened(file)
    spool.append([batch_of(1, 5), batch_of(6, 2)])
    content = bytearray(file.read_bytes())
    content[40] ^= 1
    file.write_bytes(content)
    piece = spool.read(100)
    assert (piece.batches, piece.rows, piece.lost_rows) == ([batch_of(6, 2)], 2, 5)
    spool.forget(piece)
    assert spool.rows == 0


def test_bound_in_rows(file: Path) -> None:
    """It takes what fits, from the first on, and says how many."""
    spool = opened(file, max_rows=12)
    assert spool.append([batch_of(1, 5), batch_of(6, 5), batch_of(11, 5)]) == 2
    assert spool.rows == 10


def test_bound_in_bytes(file: Path) -> None:
    """The file is never longer than it may be."""
    spool = opened(file, max_bytes=600)
    assert spool.append([batch_of(1 + n, 1) for n in range(50)]) < 50
    assert 0 < file.stat().st_size <= 600


def test_closed_refuses(file: Path) -> None:
    """A spool that is not open is a disk that refuses."""
    with pytest.raises(OSError, match="not open"):
        Spool(file).append([batch_of(1, 1)])


def test_full_disk_leaves_no_half() -> None:
    """What the disk did not take whole is an OSError, and nothing was written."""
    spool = Spool(Path("/dev/full"))
    spool.open()
    with pytest.raises(OSError, match="space"):
        spool.append([batch_of(1, 1)])
    assert (spool.rows, spool.size_bytes) == (0, 0)
    spool.close()
