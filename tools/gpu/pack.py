"""What nasrun is built with, as one file to carry to a machine that has no packages and no network: headers, libraries
with all that they need in turn, MNIST if it is here, and the commit. Read by NASRUN_DEPENDENCIES of the build."""

import pathlib
import re
import shutil
import subprocess
import tarfile
import tempfile

PACKAGES = ("zlib1g-dev libsqlite3-dev libjansson-dev libopenblas-pthread-dev liblbfgs-dev "
            "libcerf-dev librandom123-dev nettle-dev libcmocka-dev").split()
LIBRARIES = "z sqlite3 jansson openblas lbfgs cerf nettle cmocka".split()
# Every machine with a compiler has its own of these, and they must not be mixed.
SYSTEM = re.compile(r"(ld-linux.*|lib(c|m|dl|rt|pthread|gcc_s|stdc\+\+))\.so.*")
MOST = 64 << 20  # bytes


def run(*command):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout


def copy_headers(folder):
    """Debian keeps what differs between processors in folders of its own: here all lie together."""
    for line in run("dpkg", "-L", *PACKAGES).splitlines():
        match = re.fullmatch(r"/usr/include/(?:[^/]+-linux-gnu/)?(?:openblas-pthread/)?(.+)", line)
        source = pathlib.Path(line)
        if match and source.is_file():
            target = folder / match[1]
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)


def needed(library):
    """{name: path} of what the loader would load for it."""
    return dict(re.findall(r"^\s*(\S+) => (/\S+)", run("ldd", library), re.MULTILINE))


def copy_libraries(folder):
    folder.mkdir(parents=True)
    for name in LIBRARIES:
        path = pathlib.Path(run("cc", f"-print-file-name=lib{name}.so").strip())
        soname = re.search(r"SONAME.*\[(.*)\]", run("readelf", "-d", path))[1]
        for wanted, source in {soname: path, **needed(path)}.items():
            if not SYSTEM.fullmatch(wanted) and not (folder / wanted).exists():
                shutil.copy(pathlib.Path(source).resolve(), folder / wanted)
        (folder / f"lib{name}.so").symlink_to(soname)


def pack(project, target, mnist):
    """Writes `target`; returns a line about it."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch) / "gpu-deps"
        copy_headers(folder / "include")
        copy_libraries(folder / "lib")
        if mnist:
            shutil.copytree(mnist, folder / "data" / "mnist")
        described = run("git", "-C", project, "describe", "--always", "--dirty", "--abbrev=12")
        (folder / "commit").write_text(described, encoding="utf-8")
        target.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(target, "w:xz", preset=1) as archive:
            archive.add(folder, "gpu-deps")
    size = target.stat().st_size
    if size > MOST:
        raise SystemExit(f"{target}: {size >> 20} MiB, more than the {MOST >> 20} MiB that can be carried")
    return f"{target}: {size / 2**20:.1f} MiB, {'with' if mnist else 'without'} MNIST"


def unpack(archive, folder):
    """Once: what is unpacked and newer than the archive stays."""
    mark = folder / "commit"
    if not mark.exists() or mark.stat().st_mtime < archive.stat().st_mtime:
        shutil.rmtree(folder, ignore_errors=True)
        with tarfile.open(archive) as file:
            file.extractall(folder.parent)
        mark.touch()
