/* The extension module: Stream, an object like those of hashlib that keeps two digests, and which kernels there are. */
#ifdef Py_GIL_DISABLED
#error "multistore-digest relies on the GIL: it is not for free-threaded builds of Python"
#endif
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>

#include <string.h>
#include <unistd.h>

#include "stream.h"

/* From this size on, in bytes, the GIL is given up while hashing; below, that would cost more than the hashing. */
#define GIL_RELEASED_FROM 2048

typedef struct {
    PyObject_HEAD
    PyThread_type_lock lock; /* held while the stream is touched, with the GIL or without */
    pid_t holder;            /* the process of whoever took the lock last */
    struct stream stream;
} Stream;

/* Takes the lock; with the GIL held, which is given up only if there is somebody to wait for. */
static int lock(Stream *self)
{
    if (!PyThread_acquire_lock(self->lock, NOWAIT_LOCK)) {
        /* A process that was forked while a thread hashed has the lock, but not the thread. */
        if (self->holder != getpid()) {
            PyErr_SetString(PyExc_RuntimeError, "this process was forked while another thread was hashing");
            return -1;
        }
        Py_BEGIN_ALLOW_THREADS
        PyThread_acquire_lock(self->lock, WAIT_LOCK);
        Py_END_ALLOW_THREADS
    }
    self->holder = getpid();
    return 0;
}

static void unlock(Stream *self)
{
    PyThread_release_lock(self->lock);
}

static Stream *allocate(PyTypeObject *type)
{
    /* In the limited API the slot is a void pointer. */
    allocfunc make = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Stream *self = (Stream *)make(type, 0);

    if (self == NULL)
        return NULL;
    self->lock = PyThread_allocate_lock();
    if (self->lock == NULL) {
        Py_DECREF(self);
        PyErr_NoMemory();
        return NULL;
    }
    return self;
}

static PyObject *stream_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"sha", "level", NULL};
    const char *sha, *level;

    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "ss:Stream", names, &sha, &level))
        return NULL;
    for (const struct kernel *each = KERNELS; each->sha != NULL; each++) {
        if (strcmp(each->sha, sha) == 0 && strcmp(each->level, level) == 0 && each->usable()) {
            Stream *self = allocate(type);

            if (self != NULL)
                stream_start(&self->stream, each);
            return (PyObject *)self;
        }
    }
    return PyErr_Format(PyExc_ValueError, "there is no kernel %s for %s here", level, sha);
}

static void stream_dealloc(Stream *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    freefunc give_back = (freefunc)PyType_GetSlot(type, Py_tp_free);

    if (self->lock != NULL)
        PyThread_free_lock(self->lock);
    give_back(self);
    Py_DECREF(type);
}

PyDoc_STRVAR(update_doc, "update(data, /)\n--\n\nTake the next bytes of a contiguous buffer.");

static PyObject *stream_take(Stream *self, PyObject *data)
{
    Py_buffer view;

    if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0)
        return NULL;
    if (lock(self) < 0) {
        PyBuffer_Release(&view);
        return NULL;
    }
    if (view.len < GIL_RELEASED_FROM) {
        stream_update(&self->stream, view.buf, (size_t)view.len);
    } else {
        Py_BEGIN_ALLOW_THREADS
        stream_update(&self->stream, view.buf, (size_t)view.len);
        Py_END_ALLOW_THREADS
    }
    unlock(self);
    PyBuffer_Release(&view);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(update_both_doc,
             "update_both(part, data, /)\n--\n\nTake the next bytes here, into md5 and sha512, and into one digest of "
             "another stream: if that is of sha256, into this; if it is of sha512, into md5.  Its other digest is lost.");

static PyObject *stream_take_both(Stream *self, PyObject *arguments)
{
    Stream *part, *first, *second;
    Py_buffer view;

    if (!PyArg_ParseTuple(arguments, "O!y*:update_both", Py_TYPE((PyObject *)self), &part, &view))
        return NULL;
    if (part == self || strcmp(self->stream.kernel->sha, "sha512")) {
        PyErr_SetString(PyExc_ValueError, "a stream of sha512 and another stream are wanted");
        goto failed;
    }
    /* In one order, so that two threads never wait for each other. */
    first = self < part ? self : part;
    second = self < part ? part : self;
    if (lock(first) < 0)
        goto failed;
    if (lock(second) < 0) {
        unlock(first);
        goto failed;
    }
    Py_BEGIN_ALLOW_THREADS
    stream_update_both(&self->stream, &part->stream, view.buf, (size_t)view.len);
    Py_END_ALLOW_THREADS
    unlock(second);
    unlock(first);
    PyBuffer_Release(&view);
    Py_RETURN_NONE;
failed:
    PyBuffer_Release(&view);
    return NULL;
}

PyDoc_STRVAR(digest_doc, "digest(name, /)\n--\n\nGive one digest of everything so far, md5 or the SHA.");

static PyObject *stream_digest(Stream *self, PyObject *name)
{
    uint8_t digest[LARGEST_SHA];
    size_t size = MD5_SIZE;

    if (!PyUnicode_Check(name))
        return PyErr_Format(PyExc_TypeError, "the name of a digest is a str");
    if (PyUnicode_CompareWithASCIIString(name, "md5") == 0) {
        if (lock(self) < 0)
            return NULL;
        stream_md5(&self->stream, digest);
    } else if (PyUnicode_CompareWithASCIIString(name, self->stream.kernel->sha) == 0) {
        if (lock(self) < 0)
            return NULL;
        stream_sha(&self->stream, digest);
        size = self->stream.kernel->size;
    } else {
        return PyErr_Format(PyExc_ValueError, "%R is not one of the digests md5 and %s", name, self->stream.kernel->sha);
    }
    unlock(self);
    return PyBytes_FromStringAndSize((const char *)digest, (Py_ssize_t)size);
}

PyDoc_STRVAR(copy_doc, "copy()\n--\n\nGive an independent object that has seen the same bytes.");

static PyObject *stream_copy(Stream *self, PyObject *Py_UNUSED(nothing))
{
    Stream *other = allocate(Py_TYPE((PyObject *)self));

    if (other == NULL)
        return NULL;
    if (lock(self) < 0) {
        Py_DECREF(other);
        return NULL;
    }
    other->stream = self->stream;
    unlock(self);
    return (PyObject *)other;
}

static PyMethodDef stream_methods[] = {
    {"update", (PyCFunction)stream_take, METH_O, update_doc},
    {"update_both", (PyCFunction)stream_take_both, METH_VARARGS, update_both_doc},
    {"digest", (PyCFunction)stream_digest, METH_O, digest_doc},
    {"copy", (PyCFunction)stream_copy, METH_NOARGS, copy_doc},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(stream_doc, "Stream(sha, level)\n--\n\nmd5 and a SHA of one stream of bytes, by the kernel of that level.");

static PyType_Slot stream_slots[] = {
    {Py_tp_doc, (void *)stream_doc},
    {Py_tp_new, (void *)stream_new},
    {Py_tp_dealloc, (void *)stream_dealloc},
    {Py_tp_methods, stream_methods},
    {0, NULL},
};

static PyType_Spec stream_spec = {
    .name = "multistore_digest._kernels.Stream",
    .basicsize = sizeof(Stream),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = stream_slots,
};

PyDoc_STRVAR(levels_doc, "levels(sha, /)\n--\n\nName the kernels that this processor can run, the fastest first.");

static PyObject *levels(PyObject *Py_UNUSED(module), PyObject *sha)
{
    PyObject *found;

    if (!PyUnicode_Check(sha))
        return PyErr_Format(PyExc_TypeError, "the name of a digest is a str");
    found = PyList_New(0);
    if (found == NULL)
        return NULL;
    for (const struct kernel *each = KERNELS; each->sha != NULL; each++) {
        if (PyUnicode_CompareWithASCIIString(sha, each->sha) == 0 && each->usable()) {
            PyObject *level = PyUnicode_FromString(each->level);

            if (level == NULL || PyList_Append(found, level) < 0) {
                Py_XDECREF(level);
                Py_DECREF(found);
                return NULL;
            }
            Py_DECREF(level);
        }
    }
    return found;
}

static PyMethodDef functions[] = {
    {"levels", levels, METH_O, levels_doc},
    {NULL, NULL, 0, NULL},
};

static int add_types(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &stream_spec, NULL);
    int status;

    if (type == NULL)
        return -1;
    status = PyModule_AddType(module, (PyTypeObject *)type);
    Py_DECREF(type);
    return status;
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, (void *)add_types},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_kernels",
    .m_doc = "md5 and a SHA in one pass, their instructions interleaved.",
    .m_size = 0,
    .m_methods = functions,
    .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit__kernels(void)
{
    return PyModuleDef_Init(&definition);
}
