# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What no file of the package may do, by its syntax tree: see docs/explanation/security.md.

No unpickling, no code from data, no shell, no YAML that builds objects, no archive that is unpacked
as it likes. Ruff's ``S`` rules hold the rest.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("roboreward_ros", "launch", "tools", "bench")

PICKLES = {"pickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "jsonpickle"}
ARCHIVES = {"tarfile", "zipfile"}
BUILTINS = {"eval", "exec", "compile", "__import__"}
SHELLS = {
    "os.system", "os.popen", "os.spawnl", "os.spawnv", "subprocess.getoutput",
    "subprocess.getstatusoutput", "asyncio.create_subprocess_shell", "pty.spawn",
}  # fmt: skip
STARTERS = {"run", "Popen", "call", "check_call", "check_output"}
IMPORTERS = {
    # By a name that is written in the file, or one that a person gave at the start.
    "cameras/realsense.py", "cli/main.py", "cli/serve.py", "episodes/exchange/rerun_write.py",
    "rewards/registry.py", "ros/xs_api.py", "ros/xs_link.py", "testing/loaded_vlm.py",
    "tools/make_docs.py",
}  # fmt: skip
EXEMPT = {
    "testing/tiny_vlm.py",  # reads the folder that it has made
    "tools/parity/check_lerobot.py",  # runs another package's own loaders, by hand
}
NEEDED = {  # keyword that a call of this name must give, with this value
    "torch.load": ("weights_only", True),
    "np.load": ("allow_pickle", False),
}


def name_of(node: ast.expr) -> str:
    """``a.b.c`` of a plain chain of names; what is called on the way counts as "?"."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{name_of(node.value)}.{node.attr}"
    return "?"


def keywords(call: ast.Call) -> dict[str, ast.expr]:
    return {word.arg: word.value for word in call.keywords if word.arg}


def is_constant(node: ast.expr | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def of_imports(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        names = {alias.name.split(".")[0] for alias in node.names}
    elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
        names = {node.module.split(".")[0]}
        if {alias.name for alias in node.names} == {"BadZipFile"}:
            return  # an error's class unpacks nothing
    else:
        return
    yield from (f"imports {name}, which runs what it reads" for name in names & PICKLES)
    yield from (f"imports {name}" for name in names & ARCHIVES)


def of_calls(node: ast.AST) -> Iterator[str]:
    if not isinstance(node, ast.Call):
        return
    name, given = name_of(node.func), keywords(node)
    last = name.rsplit(".", 1)[-1]
    if name in BUILTINS or name in SHELLS:
        yield f"calls {name}"
    if "shell" in given and not is_constant(given["shell"], False):
        yield f"{name} with a shell"
    starts = name.startswith("subprocess.") and last in STARTERS and node.args
    if starts and isinstance(node.args[0], ast.Constant | ast.JoinedStr | ast.BinOp):
        yield f"{name} takes a line instead of words"
    if last in ("load_module", "exec_module", "extractall", "unpack_archive", "mktemp"):
        yield f"calls {name}"
    if name.startswith("yaml.") and last.endswith("load") and last != "safe_load":
        yield f"{name} builds objects"
    if name in NEEDED:
        word, value = NEEDED[name]
        if not is_constant(given.get(word), value):
            yield f"{name} without {word}={value}"
    if "allow_pickle" in given and not is_constant(given["allow_pickle"], False):
        yield f"{name} allows pickles"
    if "trust_remote_code" in given and not is_constant(given["trust_remote_code"], False):
        yield f"{name} trusts remote code"
    if last == "from_pretrained" and "Peft" not in name:
        if not is_constant(given.get("trust_remote_code"), False):
            yield f"{name} without trust_remote_code=False"
        if not is_constant(given.get("local_files_only"), True):
            yield f"{name} may download"
    if "dtype" in given and name_of(given["dtype"]) in ("object", "np.object_"):
        yield f"{name} makes an array of objects"
    if "verify" in given and is_constant(given["verify"], False):
        yield f"{name} trusts any server"


def of_dynamic_imports(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call) and name_of(node.func) == "importlib.import_module":
        yield "imports by a name that is not written in an import"


def of_yaml(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call) and name_of(node.func) == "yaml.safe_load":
        yield "reads YAML without bounds: files.read_yaml has them"


def breaches(text: str, path: str) -> list[str]:
    """Line and breach, in order."""
    rules = [of_imports, of_calls, *([] if path in IMPORTERS else [of_dynamic_imports])]
    if path != "files.py" and not path.startswith(("tools/", "bench/")):
        rules.append(of_yaml)
    return [
        f"line {getattr(node, 'lineno', 0)}: {what}"
        for node in ast.walk(ast.parse(text))
        for rule in rules
        for what in rule(node)
    ]


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_keeps_the_bans(folder: str) -> None:
    found = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        place = path.relative_to(ROOT).as_posix().removeprefix("roboreward_ros/")
        if place not in EXEMPT:
            found += [f"{place}, {b}" for b in breaches(path.read_text(encoding="utf-8"), place)]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from joblib import load",
        "import tarfile",
        "eval(text)",
        "exec(text)",
        "__import__(name)",
        "os.system(line)",
        "subprocess.run(words, shell=True)",
        "subprocess.run(words, shell=wish)",
        "subprocess.run('ls -l')",
        "subprocess.Popen(f'ls {folder}')",
        "subprocess.check_output('ls ' + folder)",
        "shutil.unpack_archive(path)",
        "archive.extractall(folder)",
        "tempfile.mktemp()",
        "yaml.load(text, Loader=yaml.Loader)",
        "yaml.full_load(text)",
        "yaml.unsafe_load(text)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "AutoModel.from_pretrained(folder)",
        "AutoModel.from_pretrained(folder, trust_remote_code=True, local_files_only=True)",
        "AutoModel.from_pretrained(name, trust_remote_code=False)",
        "getattr(transformers, name).from_pretrained(folder)",
        "np.array(values, dtype=object)",
        "httpx.Client(verify=False)",
        "importlib.import_module(name)",
        "yaml.safe_load(text)",
    ],
)
def test_a_breach_is_found(line: str) -> None:
    assert breaches(line, "somewhere.py")


@pytest.mark.parametrize(
    "line",
    [
        "from zipfile import BadZipFile",
        "subprocess.run([program, text])",
        "network.eval()",
        "re.compile(text)",
        "read_yaml(path)",
        "torch.load(path, weights_only=True)",
        "np.load(path, allow_pickle=False)",
        "np.array(values, dtype=np.float64)",
    ],
)
def test_what_is_allowed_is_not_found(line: str) -> None:
    assert breaches(line, "somewhere.py") == []


def test_every_node_of_the_stack_has_an_enclave_on_the_page() -> None:
    stack = (ROOT / "roboreward_ros" / "stack.py").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "how-to" / "sros2.md").read_text(encoding="utf-8")
    nodes = set(re.findall(r'\bnode\(\s*"(\w+_node)"', stack))
    (listed,) = re.findall(r"for node in (.*?); do", page, re.DOTALL)
    assert len(nodes) >= 10
    assert set(listed.replace("\\", " ").split()) == nodes
