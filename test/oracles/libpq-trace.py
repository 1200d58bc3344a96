"""libpq's own trace of a session, on stdout: what `--format libpq` is held against.

    libpq-trace.py LIBRARY FLAGS CONNINFO [QUERY]...

LIBRARY is a libpq (libpq.so.5), FLAGS are those of PQsetTraceFlags. The trace begins with the first message: the connection is
made by PQconnectStart and PQconnectPoll, and PQtrace is called in between. A query that begins with 'extended:' is sent by
PQexecParams. Only the standard library is needed. Manual: #LIBPQ-PQTRACE, #LIBPQ-PQCONNECTSTARTPARAMS.
"""

import ctypes
import select
import sys

POLLING_FAILED, POLLING_READING, POLLING_WRITING = 0, 1, 2
COPY_OUT, COPY_IN = 3, 4

library, flags, conninfo, *queries = sys.argv[1:]
libpq = ctypes.CDLL(library)
libc = ctypes.CDLL(None)

pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
for function, result, parameters in [
    (libpq.PQconnectStart, pointer, [text]),
    (libpq.PQtrace, None, [pointer, pointer]),
    (libpq.PQsetTraceFlags, None, [pointer, number]),
    (libpq.PQconnectPoll, number, [pointer]),
    (libpq.PQsocket, number, [pointer]),
    (libpq.PQexec, pointer, [pointer, text]),
    (libpq.PQexecParams, pointer, [pointer, text, number, pointer, pointer, pointer, pointer, number]),
    (libpq.PQresultStatus, number, [pointer]),
    (libpq.PQgetResult, pointer, [pointer]),
    (libpq.PQgetCopyData, number, [pointer, ctypes.POINTER(pointer), number]),
    (libpq.PQputCopyData, number, [pointer, text, number]),
    (libpq.PQputCopyEnd, number, [pointer, text]),
    (libpq.PQfreemem, None, [pointer]),
    (libpq.PQclear, None, [pointer]),
    (libpq.PQfinish, None, [pointer]),
    (libc.fdopen, pointer, [number, text]),
    (libc.fflush, number, [pointer]),
]:
    function.restype, function.argtypes = result, parameters

stdout = libc.fdopen(1, b"w")
connection = libpq.PQconnectStart(conninfo.encode())
libpq.PQtrace(connection, stdout)
libpq.PQsetTraceFlags(connection, int(flags))
status = POLLING_WRITING
while status in (POLLING_READING, POLLING_WRITING):
    socket = [libpq.PQsocket(connection)]
    select.select(socket if status == POLLING_READING else [], socket if status == POLLING_WRITING else [], [])
    status = libpq.PQconnectPoll(connection)
for query in [] if status == POLLING_FAILED else queries:
    name, _, rest = query.partition(":")
    if name == "extended":
        result = libpq.PQexecParams(connection, rest.encode(), 0, None, None, None, None, 0)
    else:
        result = libpq.PQexec(connection, query.encode())
    while result:
        if libpq.PQresultStatus(result) == COPY_OUT:
            row = pointer()
            while libpq.PQgetCopyData(connection, ctypes.byref(row), 0) >= 0:
                libpq.PQfreemem(row)
        if libpq.PQresultStatus(result) == COPY_IN:
            libpq.PQputCopyData(connection, b"1\n", 2)
            libpq.PQputCopyEnd(connection, None)
        libpq.PQclear(result)
        result = libpq.PQgetResult(connection)
libpq.PQfinish(connection)
libc.fflush(stdout)
