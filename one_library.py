"""Link every module of the tuned build into one library, across which the compiler may inline.

A call from one Cython module into another goes through a pointer, which no compiler sees through
unless a profile says where it leads and the callee is linked with the caller. So all objects make
libmm.so.0, and what Python imports as a module is two lines that hand over to it.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Extension
from setuptools.command.build_ext import build_ext

HOME = "mmcore"         # the package the library lies in
NAME = "libmm.so.0"     # not .so alone: whoever walks the package would take it for a module
STUB = """\
extern void *{shared}(void);
__attribute__((visibility("default"))) void *{own}(void) {{ return {shared}(); }}
"""


def own_name(module: str) -> str:
    """Return the function Python looks for in a module's file."""
    return f"PyInit_{module.rpartition('.')[2]}"


def shared_name(module: str) -> str:
    """Return its name in the library, where two packages may have a module of one name."""
    return f"mm_init_{module.replace('.', '_')}"


def path_of(command: build_ext) -> Path:
    """Return where the library is built."""
    return Path(command.build_lib, HOME, NAME)


def build(command: build_ext, extensions: Sequence[Extension], jobs: int) -> None:
    """Compile every module, link the library, then a file for each module."""
    if os.environ.get("MM_ONLY"):
        raise SystemExit("MM_ONLY would leave the other modules without their library: unset it, "
                         "or build another kind than tuned")
    with ThreadPoolExecutor(jobs) as pool:
        objects = list(pool.map(lambda e: compile_module(command, e), extensions))
        library = path_of(command)
        library.parent.mkdir(parents=True, exist_ok=True)
        flags = extensions[0].extra_compile_args + extensions[0].extra_link_args
        command.compiler.link_shared_object(
            [path for made in objects for path in made], str(library),
            extra_postargs=[*flags, f"-Wl,-soname,{NAME}", "-lm"])
        list(pool.map(lambda e: link_module(command, e, library), extensions))


def compile_module(command: build_ext, extension: Extension) -> list[str]:
    renamed = (own_name(extension.name), shared_name(extension.name))
    made: list[str] = command.compiler.compile(
        extension.sources, output_dir=command.build_temp, depends=extension.depends,
        macros=[*extension.define_macros, renamed], include_dirs=extension.include_dirs,
        extra_postargs=extension.extra_compile_args)
    return made


def link_module(command: build_ext, extension: Extension, library: Path) -> None:
    """Make the file that Python imports; it finds the library by its own place."""
    source = Path(command.build_temp, "stubs", extension.name + ".c")
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_text(STUB.format(shared=shared_name(extension.name),
                                  own=own_name(extension.name)))
    made = Path(command.get_ext_fullpath(extension.name))
    made.parent.mkdir(parents=True, exist_ok=True)
    way = os.path.relpath(library.parent, made.parent)
    command.compiler.link_shared_object(
        command.compiler.compile([str(source)], output_dir=command.build_temp), str(made),
        extra_postargs=[str(library), f"-Wl,-rpath,$ORIGIN/{way}"])
