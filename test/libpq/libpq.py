"""libpq itself, asked through ctypes: argv[1] is its library, stdin a JSON array of questions, stdout one answer for each.

{"parse": conninfo}                      PQconninfoParse: {"given": {keyword: text}} or {"error": message}
{"start": conninfo, "environment": {}}   PQconnectStart with these variables and no others of libpq's: {"given", "password"} or
                                         {"error"}. What it dials is the caller's responsibility.
"""
import ctypes
import json
import os
import sys


class Option(ctypes.Structure):
    _fields_ = [(name, ctypes.c_char_p) for name in ("keyword", "envvar", "compiled", "val", "label", "dispchar")]
    _fields_ += [("dispsize", ctypes.c_int)]


libpq = ctypes.CDLL(sys.argv[1])
libpq.PQconninfoParse.restype = ctypes.POINTER(Option)
libpq.PQconninfo.restype = ctypes.POINTER(Option)
libpq.PQconndefaults.restype = ctypes.POINTER(Option)
for name in ("PQconninfo", "PQconninfoFree", "PQpass", "PQerrorMessage", "PQfinish"):
    getattr(libpq, name).argtypes = [ctypes.c_void_p]
libpq.PQconnectStart.restype = ctypes.c_void_p
libpq.PQpass.restype = ctypes.c_char_p
libpq.PQerrorMessage.restype = ctypes.c_char_p


def options(array):
    index = 0
    while array[index].keyword is not None:
        yield array[index]
        index += 1


def given(array):
    return {one.keyword.decode(): one.val.decode() for one in options(array) if one.val is not None}


def parse(conninfo):
    message = ctypes.c_char_p()
    array = libpq.PQconninfoParse(conninfo.encode(), ctypes.byref(message))
    if not array:
        return {"error": message.value.decode()}
    answer = {"given": given(array)}
    libpq.PQconninfoFree(array)
    return answer


def start(conninfo, environment):
    for name in [name for name in os.environ if name.startswith("PG") or name == "HOME"]:
        del os.environ[name]
    os.environ.update(environment)
    connection = libpq.PQconnectStart(conninfo.encode())
    try:
        array = libpq.PQconninfo(connection)
        answer = {"given": given(array), "password": (libpq.PQpass(connection) or b"").decode()}
        libpq.PQconninfoFree(array)
        message = (libpq.PQerrorMessage(connection) or b"").decode()
        return {**answer, "error": message} if message else answer
    finally:
        libpq.PQfinish(connection)


def variables():
    array = libpq.PQconndefaults()
    answer = {one.keyword.decode(): one.envvar.decode() for one in options(array) if one.envvar is not None}
    libpq.PQconninfoFree(array)
    return answer


def answer(question):
    if "parse" in question:
        return parse(question["parse"])
    if "start" in question:
        return start(question["start"], question["environment"])
    return {"version": libpq.PQlibVersion(), "variables": variables()}


json.dump([answer(question) for question in json.load(sys.stdin)], sys.stdout)
