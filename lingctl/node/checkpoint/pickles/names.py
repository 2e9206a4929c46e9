"""Which names a checkpoint may hold. Nothing is ever looked up: a name that may stand there is only a word.

A training checkpoint is full of objects beside its weights: settings, dates, arrays. They need no refusal,
because nothing of them is made. What is refused is what an honest checkpoint never asks for:

- of Python's own library, anything but the classes that hold data (``os.system``, ``subprocess.Popen``);
- a call of a function, wherever it is from, that is not known to put data together again. An object of a
  class is no such call.

Source: what torch 0.1 to 2.13, torch_npu, numpy 1 and 2, pandas and Python 2.7 to 3.13 pickle; the names of
modules are ``sys.stdlib_module_names`` of Python 3.10 to 3.13, and those that only Python 2 had.
"""

from __future__ import annotations

import re

from lingctl.node.checkpoint.pickles.stand_ins import Global

_MODULES = """
    abc aifc anydbm argparse array ast asynchat asyncio asyncore atexit audioop base64 bdb binascii binhex
    bisect bsddb builtins bz2 calendar cgi cgitb chunk cmath cmd code codecs codeop collections colorsys
    commands compileall compiler concurrent configparser contextlib contextvars copy copy_reg copyreg cPickle
    cProfile crypt cStringIO csv ctypes curses dataclasses datetime dbhash dbm decimal difflib dircache dis
    distutils dl doctest dummy_thread dummy_threading email encodings ensurepip enum errno exceptions execfile
    faulthandler fcntl filecmp fileinput fnmatch formatter fpformat fractions ftplib functools gc gdbm
    genericpath getopt getpass gettext glob graphlib grp gzip hashlib heapq hmac hotshot html htmllib http
    httplib idlelib ihooks imaplib imghdr imp importlib imputil inspect io ipaddress itertools json keyword
    lib2to3 linecache locale logging lzma macpath mailbox mailcap marshal math md5 mimetools mimetypes mmap
    modulefinder msilib msvcrt multifile multiprocessing mutex netrc new nis nntplib nt ntpath nturl2path
    numbers opcode operator optparse os os2emxpath ossaudiodev pathlib pdb pickle pickletools pipes pkgutil
    platform plistlib popen2 poplib posix posixfile posixpath pprint profile pstats pty pwd py_compile pyclbr
    pydoc pydoc_data pyexpat queue Queue quopri random re readline reprlib resource rexec rfc822 rlcompleter
    robotapi runpy sched secrets select selectors sets sgmllib sha shelve shlex shutil signal SimpleHTTPServer
    site smtpd smtplib sndhdr socket socketserver SocketServer spwd sqlite3 sre_compile sre_constants
    sre_parse ssl stat statistics statvfs string StringIO stringprep struct subprocess sunau symbol symtable
    sys sysconfig syslog tabnanny tarfile telnetlib tempfile termios textwrap thread threading time timeit
    tkinter Tkinter token tokenize tomllib trace traceback tracemalloc tty turtle turtledemo types typing
    unicodedata unittest urllib urllib2 urlparse UserDict UserList UserString uu uuid venv warnings wave
    weakref webbrowser whichdb winreg winsound wsgiref xdrlib xml xmlrpc xmlrpclib zipapp zipfile zipimport
    zlib zoneinfo
"""
_OWN_LIBRARY = frozenset(_MODULES.split())
# Install and run what they are given.
_RUNNERS = frozenset(["IPython", "pip", "pkg_resources", "setuptools", "wheel"])

_BUILTINS = (
    "bool bytearray bytes complex dict Ellipsis float frozenset int list long NotImplemented object range "
    "set slice str tuple type unicode xrange"
)
# Classes of Python's own library whose objects are data, and the functions that put them together.
_DATA = {
    "_codecs": "encode",
    "_io": "BytesIO StringIO",
    "_operator": "getitem",
    "argparse": "Namespace",
    "array": "_array_reconstructor array",
    "builtins": _BUILTINS,
    "__builtin__": _BUILTINS,
    "collections": "Counter OrderedDict UserDict UserList UserString defaultdict deque",
    "copy_reg": "__newobj__ __newobj_ex__ _reconstructor",
    "copyreg": "__newobj__ __newobj_ex__ _reconstructor",
    "dataclasses": "_MISSING_TYPE _HAS_DEFAULT_FACTORY_CLASS",
    "datetime": "date datetime time timedelta timezone",
    "decimal": "Decimal",
    "fractions": "Fraction",
    "functools": "partial",
    "http": "HTTPMethod HTTPStatus",
    "io": "BytesIO StringIO",
    "ipaddress": "IPv4Address IPv4Interface IPv4Network IPv6Address IPv6Interface IPv6Network",
    "itertools": "count cycle repeat",
    "numbers": "Complex Integral Number Rational Real",
    "operator": "getitem itemgetter",
    "pathlib": "Path PosixPath PurePath PurePosixPath PureWindowsPath WindowsPath",
    "pathlib._local": "Path PosixPath PurePath PurePosixPath PureWindowsPath WindowsPath",
    "random": "Random",
    "re": "_compile",
    "signal": "Signals",
    "string": "Template",
    "time": "struct_time",
    "types": "GenericAlias NoneType SimpleNamespace",
    "typing": "Any Callable ClassVar Dict FrozenSet Generic Iterable Iterator List Literal Mapping "
    "NamedTuple Optional Sequence Set Tuple Type TypeVar Union",
    "uuid": "SafeUUID UUID",
    "zoneinfo": "ZoneInfo",
}
_DATA_NAMES = frozenset((module, name) for module, names in _DATA.items() for name in names.split())

# Functions of other packages that put data together again.
_RESTORING = re.compile(r"_*(pyx_unpickle_|new_|reconstruct|rebuild|restore|unpickle|mareconstruct)")
_RESTORING_NAMES = frozenset(
    [
        ("numpy", "dtype"),
        ("numpy", "ndarray"),
        ("torch", "device"),
        ("torch.serialization", "_get_layout"),
        *(
            (f"numpy.{core}.{module}", name)
            for core in ("core", "_core")
            for module, name in (
                ("multiarray", "scalar"),
                ("multiarray", "_reconstruct"),
                ("numeric", "_frombuffer"),
            )
        ),
        *(
            ("numpy.random._pickle", name)
            for name in ("__bit_generator_ctor", "__generator_ctor", "__randomstate_ctor")
        ),
    ]
)


def may_stand(name: Global) -> bool:
    """Whether an honest checkpoint may hold this name."""
    root = name.module.partition(".")[0]
    if (name.module, name.name) in _DATA_NAMES:
        return True
    if name.module in ("builtins", "exceptions"):
        return name.name.endswith(("Error", "Exception", "Warning")) and "." not in name.name
    private = root.startswith("_") and root not in ("__main__", "__mp_main__")
    return not (private or root in _OWN_LIBRARY or root in _RUNNERS)


def may_be_called(name: Global) -> bool:
    """Whether calling it makes data: it is a class, or a function known to put data together again."""
    root = name.module.partition(".")[0]
    place = (name.module, name.name)
    if place in _DATA_NAMES or place in _RESTORING_NAMES:
        return True
    last = name.name.rpartition(".")[2]
    if is_class_name(last):
        return True
    # torch has such functions by the dozen, and those that a state dict needs are known.
    return root != "torch" and bool(_RESTORING.match(last))


def is_class_name(name: str) -> bool:
    """Whether it is written as classes are."""
    return name.lstrip("_")[:1].isupper()
