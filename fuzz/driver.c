/* A libFuzzer program around the interpreter: bytes go to one function of targets.py.

   The compiled modules bring counters of their own (MM_BUILD=fuzz). What is Python there gets them
   here: every line that runs is a counter, so that a new line is progress like a new branch.
   Environment: MM_FUZZ_TARGET names the function, MM_FUZZ_LINES a part of the paths whose lines
   count (none where it is empty). */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <frameobject.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { LINES = 1 << 16, CODES = 1 << 13, SPREAD = 97 };

__attribute__((section("__libfuzzer_extra_counters"))) static uint8_t line_counters[LINES];

static struct { PyCodeObject *code; int32_t number; } codes[CODES];
static int32_t known_codes;
static const char *counted_path;
static PyObject *target, *mutate;

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/* The number of a code object by first sight; -1 where its lines do not count. */
static int32_t number_of(PyCodeObject *code)
{
    size_t at = ((uintptr_t)code >> 5) % CODES;
    while (codes[at].code != NULL && codes[at].code != code)
        at = (at + 1) % CODES;
    if (codes[at].code == NULL) {
        const char *path = PyUnicode_AsUTF8(code->co_filename);
        if (known_codes == CODES / 2)
            return -1;
        Py_INCREF(code);        /* an address must not be used again */
        codes[at].code = code;
        codes[at].number = path && strstr(path, counted_path) ? known_codes : -1;
        known_codes++;
    }
    return codes[at].number;
}

static int on_line(PyObject *unused, PyFrameObject *frame, int what, PyObject *argument)
{
    PyCodeObject *code;
    int32_t number;
    (void)unused;
    (void)argument;
    if (what != PyTrace_LINE)
        return 0;
    code = PyFrame_GetCode(frame);
    number = number_of(code);
    if (number >= 0)
        line_counters[((uint32_t)number * SPREAD + (uint32_t)(
            PyFrame_GetLineNumber(frame) - code->co_firstlineno)) % LINES]++;
    Py_DECREF(code);
    return 0;
}

static void must(int holds)
{
    if (holds)
        return;
    if (PyErr_Occurred())
        PyErr_Print();
    fflush(stderr);
    abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    PyObject *module;
    const char *name = getenv("MM_FUZZ_TARGET");
    (void)argc;
    (void)argv;
    must(name != NULL);
    Py_InitializeEx(0);
    module = PyImport_ImportModule("targets");
    must(module != NULL);
    target = PyObject_GetAttrString(module, name);
    must(target != NULL);
    mutate = PyObject_GetAttrString(module, "mutate");
    must(mutate != NULL);
    counted_path = getenv("MM_FUZZ_LINES");
    if (counted_path != NULL && *counted_path)
        PyEval_SetTrace(on_line, NULL);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    PyObject *input = PyBytes_FromStringAndSize((const char *)data, (Py_ssize_t)size);
    PyObject *done;
    must(input != NULL);
    done = PyObject_CallOneArg(target, input);
    must(done != NULL);
    Py_DECREF(done);
    Py_DECREF(input);
    return 0;
}

/* Half of the changes know JSON, the others are libFuzzer's own of the bytes. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
    PyObject *made;
    size_t made_size;
    if (seed % 2)
        return LLVMFuzzerMutate(data, size, max_size);
    made = PyObject_CallFunction(mutate, "y#nI", (const char *)data, (Py_ssize_t)size,
                                 (Py_ssize_t)max_size, seed);
    must(made != NULL && PyBytes_Check(made));
    made_size = (size_t)PyBytes_GET_SIZE(made);
    if (made_size > max_size)
        made_size = max_size;
    memcpy(data, PyBytes_AS_STRING(made), made_size);
    Py_DECREF(made);
    return made_size ? made_size : LLVMFuzzerMutate(data, size, max_size);
}
