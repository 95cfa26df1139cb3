"""The catalogued datasets as constants: sizes, classes, files and their published checksums.

They stand here, and not in the files, so that a study can be checked, planned and given its run ids before
any image is on the machine. A catalogue digest is taken over the published checksums; digits and
cifar10-jpeg, which have none, over the data themselves (`readers` verifies what it reads against them).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from bench.data.class_names import BREEDS, CIFAR10, CIFAR100, DIGITS, FASHION

Layout = Literal["embedded", "idx", "cifar", "pets", "parquet", "synthetic"]
"""How a set lies on disk; `embedded` comes with a dependency, `synthetic` has shapes and no images."""


@dataclass(frozen=True)
class RemoteFile:
    """One file to download, and what it must hash to."""

    name: str
    md5: str
    url: str


@dataclass(frozen=True)
class Entry:
    """What is known of a dataset without looking at it."""

    name: str
    title: str
    image_size: int
    """Side in pixels: the images' own, or for photographs of many sizes what is usual for the set."""
    channels: Literal[1, 3]
    class_names: tuple[str, ...]
    n_train: int
    n_test: int
    layout: Layout
    train_counts: tuple[int, ...] | None
    """Training images of each class; None where only the annotations know."""
    test_counts: tuple[int, ...] | None
    folder: str = ""
    """Under the data folder; sets that share files share a folder."""
    remote: tuple[RemoteFile, ...] = ()
    """What `bench data fetch` downloads; empty: nothing to fetch."""
    members: Mapping[str, str] = field(default_factory=dict)
    """md5 of files below `folder` as they are read, by path; for idx files both plain and `.gz`."""
    published: tuple[str, ...] = ()
    """The checksums that the digest is taken over."""
    data_sha256: str | None = None
    """Digest of the data themselves, for sets without published checksums."""

    @property
    def digest(self) -> str:
        """sha256 that stands for the data in run identities."""
        if self.data_sha256 is not None:
            return self.data_sha256
        return hashlib.sha256("\n".join((self.name, *self.published)).encode()).hexdigest()


_IDX = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def _idx(
    name: str,
    title: str,
    url: str,
    packed: tuple[str, ...],
    plain: tuple[str, ...],
    class_names: tuple[str, ...],
    train_counts: tuple[int, ...],
    test_counts: tuple[int, ...],
) -> Entry:
    """MNIST and its replacements: four idx files under `raw/`, plain or gzipped."""
    folder = {"mnist": "mnist/MNIST/raw", "fashion-mnist": "fashion-mnist/FashionMNIST/raw"}[name]
    members = dict(zip(_IDX, plain, strict=True)) | {
        f"{file}.gz": md5 for file, md5 in zip(_IDX, packed, strict=True)
    }
    return Entry(
        name=name,
        title=title,
        image_size=28,
        channels=1,
        class_names=class_names,
        n_train=60_000,
        n_test=10_000,
        layout="idx",
        train_counts=train_counts,
        test_counts=test_counts,
        folder=folder,
        remote=tuple(
            RemoteFile(f"{file}.gz", md5, f"{url}{file}.gz") for file, md5 in zip(_IDX, packed, strict=True)
        ),
        members=members,
        published=packed,
    )


_MNIST = _idx(
    "mnist",
    "MNIST handwritten digits (LeCun et al. 1998)",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    (
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "d53e105ee54ea40749a09fcbcd1e9432",
        "9fb629c4189551a2d022fa330f9573f3",
        "ec29112dd5afa0611ce80d1b7f02629c",
    ),
    (
        "6bbc9ace898e44ae57da46a324031adb",
        "a25bea736e30d166cdddb491f175f624",
        "2646ac647ad5339dbf082846283269ea",
        "27ae3e4e09519cfbb04c329615203637",
    ),
    DIGITS,
    (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949),
    (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009),
)

_FASHION = _idx(
    "fashion-mnist",
    "Fashion-MNIST articles of clothing (Xiao et al. 2017)",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    (
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79",
        "bb300cfdad3c16e7a12a480ee83cd310",
    ),
    (
        "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "9018921c3c673c538a1fc5bad174d6f9",
        "8181f5470baa50b63fa0f6fddb340f0a",
        "15d484375f8d13e6eb1aabb0c3f46965",
    ),
    FASHION,
    (6000,) * 10,
    (1000,) * 10,
)

_CIFAR10_MEMBERS = {
    "cifar-10-batches-py/data_batch_1": "c99cafc152244af753f735de768cd75f",
    "cifar-10-batches-py/data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "cifar-10-batches-py/data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "cifar-10-batches-py/data_batch_4": "634d18415352ddfa80567beed471001a",
    "cifar-10-batches-py/data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "cifar-10-batches-py/test_batch": "40351d587109b95175f43aff81a1287e",
}
_CIFAR100_MEMBERS = {
    "cifar-100-python/train": "16019d7e3df5f24257cddd939b257f8d",
    "cifar-100-python/test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
}
_PETS_REMOTE = (
    RemoteFile(
        "images.tar.gz",
        "5c4f3ee8e5d25df40f4fd59a7f44e54c",
        "https://www.robots.ox.ac.uk/~vgg/data/pets/data/images.tar.gz",
    ),
    RemoteFile(
        "annotations.tar.gz",
        "95a8c909bbe2e81eed6a22bccdf3f68f",
        "https://www.robots.ox.ac.uk/~vgg/data/pets/data/annotations.tar.gz",
    ),
)


def _cifar(name: str, classes: tuple[str, ...], members: dict[str, str], archive: RemoteFile) -> Entry:
    n = len(classes)
    return Entry(
        name=name,
        title=f"CIFAR-{n} tiny colour photographs (Krizhevsky 2009)",
        image_size=32,
        channels=3,
        class_names=classes,
        n_train=50_000,
        n_test=10_000,
        layout="cifar",
        train_counts=(50_000 // n,) * n,
        test_counts=(10_000 // n,) * n,
        folder=name,
        remote=(archive,),
        members=members,
        published=tuple(members.values()),
    )


def _pets(
    name: str,
    classes: tuple[str, ...],
    train_counts: tuple[int, ...] | None,
    test_counts: tuple[int, ...] | None,
) -> Entry:
    return Entry(
        name=name,
        title=f"Oxford-IIIT Pet, {len(classes)} classes (Parkhi et al. 2012)",
        image_size=224,
        channels=3,
        class_names=classes,
        n_train=3680,
        n_test=3669,
        layout="pets",
        train_counts=train_counts,
        test_counts=test_counts,
        folder="oxford-pets",
        remote=_PETS_REMOTE,
        published=tuple(file.md5 for file in _PETS_REMOTE),
    )


_ALL = (
    Entry(
        name="digits",
        title="scikit-learn's handwritten digits (Alpaydin & Kaynak 1998), a fixed fifth for the test",
        image_size=8,
        channels=1,
        class_names=DIGITS,
        n_train=1438,
        n_test=359,
        layout="embedded",
        train_counts=(142, 146, 142, 146, 145, 146, 145, 143, 139, 144),
        test_counts=(36, 36, 35, 37, 36, 36, 36, 36, 35, 36),
        data_sha256="9bdab710a9214139ab4eac957a135e8dbda34ffb0513a53598b2500a299ca6af",
    ),
    _MNIST,
    _FASHION,
    _cifar(
        "cifar10",
        CIFAR10,
        _CIFAR10_MEMBERS,
        RemoteFile(
            "cifar-10-python.tar.gz",
            "c58f30108f718f92721af3b95e74349a",
            "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
        ),
    ),
    _cifar(
        "cifar100",
        CIFAR100,
        _CIFAR100_MEMBERS,
        RemoteFile(
            "cifar-100-python.tar.gz",
            "eb9058c3a382ffc7106e4002c42a8d85",
            "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
        ),
    ),
    Entry(
        name="cifar10-jpeg",
        title="CIFAR-10 with every image JPEG-compressed, harder than the original",
        image_size=32,
        channels=3,
        class_names=CIFAR10,
        n_train=50_000,
        n_test=10_000,
        layout="parquet",
        train_counts=(5000,) * 10,
        test_counts=(1000,) * 10,
        folder="cifar10-jpeg",
        data_sha256="774fae04472aef442adf3bf2eb40e64857d513966bfd29f34daff12071b4f868",
    ),
    _pets("oxford-pets", BREEDS, None, None),
    _pets("oxford-pets-binary", ("cat", "dog"), (1188, 2492), (1183, 2486)),
    Entry(
        name="synthetic",
        title="no images but the shapes of ImageNet-1k: throughput studies draw random ones",
        image_size=224,
        channels=3,
        class_names=tuple(f"class {index}" for index in range(1000)),
        n_train=1_281_000,
        n_test=50_000,
        layout="synthetic",
        train_counts=(1281,) * 1000,
        test_counts=(50,) * 1000,
    ),
)

ENTRIES: dict[str, Entry] = {entry.name: entry for entry in _ALL}
"""Every catalogued set by name, in the order in which they are listed."""
