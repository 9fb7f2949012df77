"""The stages of tools/gpu-check."""

import argparse
import json
import os
import pathlib
import shutil
import sys
import tempfile
import time
import xml.etree.ElementTree

import facts
import pack
import report
from stages import Failure, Skipped, Stages

PROJECT = pathlib.Path(__file__).resolve().parents[2]
PACKED, UNPACKED = PROJECT / "build/gpu-deps.tar.xz", PROJECT / "build/gpu-deps"
REPORT_SECONDS = 10  # kept back for writing the report
SANITIZER_PLACES = ("/usr/local/cuda/bin", "/usr/local/cuda/compute-sanitizer")
LANES = (2, 4, 8)  # beside 1 and 16, which the benchmark measures by itself; a device has no more


def say(line):
    print(f"gpu-check: {line}", file=sys.stderr, flush=True)


class Check:
    """What every stage needs: the build, where things go, and whether the double stands in for a GPU."""

    def __init__(self, arguments, out, gpus, end):
        self.double = arguments.double is not None
        self.build_folder = (arguments.double or PROJECT / "build/gpu-check").resolve()
        self.nasrun = self.build_folder / "nasrun"
        self.gpus = gpus
        self.out = out
        self.stages = Stages(end, out, say)
        self.environment = {}
        if self.double:
            self.environment["NASRUN_CUDA_MODULE"] = str(self.build_folder / "libnasrun-cuda-double.so")
        if not os.environ.get("NASRUN_DATA") and (UNPACKED / "data").exists():
            self.environment["NASRUN_DATA"] = str(UNPACKED / "data")

    def run(self, *words, **more):
        return self.stages.command(*words, environment=self.environment, **more)

    # ---- the stages; each returns its figures ----

    def build(self):
        if self.double:
            if not self.nasrun.exists() or not pathlib.Path(self.environment["NASRUN_CUDA_MODULE"]).exists():
                raise Failure(f"{self.build_folder}: nasrun and the double are not both built there")
            return None
        architectures = sorted({gpu["capability"].replace(".", "") for gpu in self.gpus}, key=int)
        words = ["cmake", "-B", self.build_folder, "-DCMAKE_BUILD_TYPE=Release", "-DNASRUN_CUDA=ON",
                 "-DNASRUN_WERROR=OFF",  # compilers that nobody here has seen warn of other things
                 f"-DNASRUN_CUDA_ARCHITECTURES={';'.join(architectures)}"]
        if shutil.which("ninja"):
            words += ["-G", "Ninja"]
        if UNPACKED.exists():
            words.append(f"-DNASRUN_DEPENDENCIES={UNPACKED}")
        self.run(*words)
        self.run("cmake", "--build", self.build_folder, "--parallel", os.cpu_count() or 1,
                 "--target", "nasrun", "nasrun_cuda", "gpu_tests", "gpu-limits")
        return {"architectures": architectures}

    def doctor(self):
        rows = json.loads(self.run(self.nasrun, "doctor", "--json", accept=(0, 3)))
        devices = [row for row in rows if row["check"].startswith("cuda")]
        wrong = [row["found"] for row in devices if row["state"] != "ok"]
        if wrong or len(devices) < 2:
            raise Failure("; ".join(wrong) or "it names no device")
        return devices

    def ctest(self, *selection):
        junit = self.out / f"{self.stages.name}.xml"
        self.run("ctest", "--test-dir", self.build_folder, "--output-on-failure", "-j", "4", "--output-junit", junit,
                 *selection, accept=(0, 8))
        cases = xml.etree.ElementTree.parse(junit).getroot().iter("testcase")
        by_status = {}
        for case in cases:
            by_status.setdefault(case.get("status"), []).append(case.get("name"))
        junit.unlink()
        if by_status.get("fail"):
            raise Failure(f"failed: {', '.join(sorted(by_status['fail']))}; see {self.stages.name}.log")
        if not by_status.get("run"):
            raise Failure("no test ran")
        return {"passed": len(by_status["run"]), "skipped": sorted(by_status.get("notrun", [])),
                "tests": sorted(by_status["run"])}

    def tests(self):
        selection = ("-R", "^test_expression$") if self.double else ("-L", "gpu", "-E", "^test_gpu_kernel_")
        return self.ctest(*selection)

    def kernels(self):
        return self.ctest("-R", "^test_(text|memory)$" if self.double else "^test_gpu_kernel_")

    def sanitizer(self, tool):
        program = shutil.which("compute-sanitizer", path=os.pathsep.join([os.environ["PATH"], *SANITIZER_PLACES]))
        tests = sorted(self.build_folder.glob("test_memory" if self.double else "test_gpu_kernel_*"))
        if not program or not tests:
            raise Skipped("compute-sanitizer is not here" if not program else "no kernel tests are built")
        for test in tests:
            self.run(program, "--tool", tool, "--error-exitcode", 9, test, log=f"sanitizer-{tool}")
        return {"programs": len(tests)}

    def memcheck(self):
        return self.sanitizer("memcheck")

    def racecheck(self):
        return self.sanitizer("racecheck")

    def limits(self):
        program = self.build_folder / "gpu-limits"
        if not program.exists():
            raise Skipped("gpu-limits is not built")
        return json.loads(self.run(program))

    def bench(self):
        words = [self.nasrun, "bench", "train", "--device", "cuda", "--json"]
        if self.double:
            return json.loads(self.run(*words, "--images", 256, "--lanes", 2, "mlp-s"))
        rows = json.loads(self.run(*words))
        for lanes in LANES:
            rows += [row for row in json.loads(self.run(*words, "--lanes", lanes, "mlp-s")) if row["lanes"] == lanes]
        for precision in ("tf32", "bf16"):
            rows += json.loads(self.run(*words, "--precision", precision, "--lanes", 1, accept=(0, 2)) or "[]")
        return rows

    def pytorch(self):
        if self.double or not facts.output("python3", "-c", "import torch; print(torch.cuda.is_available() or '')"):
            raise Skipped("python3 has no torch that sees the GPU")
        return json.loads(self.run("python3", PROJECT / "tools/bench/train.py", "--device", "cuda", "--seconds", 4))

    def search(self):
        configuration, more = "configs/mnist.ini", []
        if self.double:
            configuration, more = "configs/tiny.ini", ["--set", "study.trials=2", "--set", "space.epochs=fixed 1"]
        with tempfile.TemporaryDirectory() as folder:
            start = time.monotonic()
            self.run(self.nasrun, PROJECT / configuration, "--set", "run.devices=all", "--out", folder, "-q", *more)
            seconds = time.monotonic() - start
            status = json.loads(self.run(self.nasrun, "status", folder, "--json"))[0]
            trials = json.loads(self.run(self.nasrun, "trials", folder, "--json"))
        done = [trial for trial in trials if trial["state"] == "done"]
        if len(done) < len(trials) or not trials:
            raise Failure(f"{len(done)} of {len(trials)} trials were done")
        return {"configuration": configuration, "trials": len(done), "seconds": round(seconds, 2),
                "best": max(trial["val_accuracy"] for trial in trials), "hypervolume": status["hypervolume"],
                "idle_share": idle_share(trials, seconds)}


def idle_share(trials, seconds):
    """The share of a search in which no trial was training: start, suggestions, the end."""
    busy, until = 0.0, 0.0
    for trial in sorted(trials, key=lambda trial: trial["ended"] - trial["seconds"]):
        busy += max(0.0, trial["ended"] - max(until, trial["ended"] - trial["seconds"]))
        until = max(until, trial["ended"])
    return round(1 - busy / seconds, 4)


# stage, seconds that it needs to be worth beginning, most that it gets
PLAN = (("build", 20, 240), ("doctor", 2, 60), ("tests", 5, 150), ("kernels", 2, 60), ("limits", 10, 40),
        ("search", 5, 60), ("bench", 20, 120), ("pytorch", 10, 60), ("memcheck", 10, 90), ("racecheck", 10, 90))


def run_stages(check, wanted):
    for name, needs, most in PLAN:
        if wanted and name not in wanted:
            continue
        check.stages.run(name, 0.1 if check.double else needs, most, getattr(check, name))
        if name == "build" and check.stages.results[-1]["status"] != "ok":
            return  # nothing else can be done


def arguments_of(description):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=os.environ.get("OUT") or PROJECT / "build/gpu-report",
                        help="folder of the report and the logs ($OUT, else build/gpu-report)")
    parser.add_argument("--seconds", type=float, default=540, help="for everything (540)")
    parser.add_argument("--pack", action="store_true", help=f"write {PACKED.relative_to(PROJECT)} and do no more")
    parser.add_argument("--double", type=pathlib.Path, metavar="BUILD",
                        help="no GPU: the program built in BUILD on the double of CUDA; proves this script, no more")
    names = [name for name, _, _ in PLAN]
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=f"only these: {' '.join(names)}")
    arguments = parser.parse_args()
    unknown = set(arguments.stages).difference(names)
    if unknown:
        parser.error(f"no such stage: {' '.join(sorted(unknown))}")
    return arguments


def find_mnist():
    places = [pathlib.Path(os.environ["NASRUN_DATA"])] if os.environ.get("NASRUN_DATA") else []
    return next((place / "mnist" for place in [*places, PROJECT / "data"] if (place / "mnist").exists()), None)


def main(description):
    arguments = arguments_of(description)
    if arguments.pack:
        say(pack.pack(PROJECT, PACKED, find_mnist()))
        return 0
    end = time.monotonic() + arguments.seconds - REPORT_SECONDS
    if PACKED.exists() and not arguments.double:
        pack.unpack(PACKED, UNPACKED)
    out = pathlib.Path(arguments.out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    nvcc = shutil.which("nvcc") or "/usr/local/cuda/bin/nvcc"
    known = facts.all_facts(PROJECT, UNPACKED, nvcc)
    if not known["gpus"] and not arguments.double:
        say("no NVIDIA GPU here: nvidia-smi names none")
        return 3
    check = Check(arguments, out, known["gpus"], end)
    run_stages(check, arguments.stages)
    report.write(out, {**known, "double": check.double, "results": check.stages.results})
    done = [result["stage"] for result in check.stages.results if result["status"] == "ok"]
    failed = [result["stage"] for result in check.stages.results if result["status"] == "failed"]
    outcome = f"FAILED: {', '.join(failed)}" if failed else "nothing failed" if done else "nothing was done"
    say(f"{out}/gpu-report.md; {outcome}")
    return 0 if done and not failed else 1
