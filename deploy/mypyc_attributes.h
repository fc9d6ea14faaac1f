/* Quick attributes for what mypyc compiles. Passed to the C compiler by CFLAGS ("-include", see Makefile and Dockerfile).
 *
 * mypyc reads and writes attributes of its own classes by their place. Those of msgspec's structs it looks up by name, each
 * time: a sixth of a compiled worker's instructions went into that. The interpreter has long had a better way (LOAD_ATTR_SLOT, LOAD_ATTR_PROPERTY
 * in PEP 659): each place in the code remembers where it last found the attribute, and for which version of which type. This is
 * the same for compiled code, with two types remembered (an event's kind changes more often than anything else).
 *
 * It changes what an access costs and nothing else: a type that was changed has another version (PyType_Modified), and whatever is
 * neither a slot nor a property takes the usual way. Without this file the same sources compile to the same program, only slower.
 */
#if __has_include("CPy.h") /* not in the small files that only pass a module on */
#ifndef REGULARS_MYPYC_ATTRIBUTES_H
#define REGULARS_MYPYC_ATTRIBUTES_H
#include <CPy.h>
#include <structmember.h>
#ifndef Py_GIL_DISABLED /* what is remembered is guarded by the interpreter's lock */

typedef struct {
    PyTypeObject *type;
    PyObject *name; /* `getattr` with a name of its own may stand here too */
    unsigned int version;
    Py_ssize_t offset;
    PyObject *getter; /* of a property; NULL for a slot */
} attr_place;

typedef struct {
    attr_place first, second;
} attr_site;

#define ATTR_KNOWN(place) (type == (place).type && name == (place).name && type->tp_version_tag == (place).version)

/* Whether a class says itself how its attributes are set. */
static __attribute__((unused, noinline)) int attr_own_setattr(PyTypeObject *type) {
    static PyObject *set;
    if (set == NULL && (set = PyUnicode_InternFromString("__setattr__")) == NULL) {
        PyErr_Clear();
        return 1;
    }
    PyObject *found = _PyType_Lookup(type, set);
    return found == NULL || !Py_IS_TYPE(found, &PyWrapperDescr_Type);
}

/* Remember where a type has an attribute, if that is one of the two kinds. */
static __attribute__((unused, noinline)) void attr_learn(attr_site *site, PyTypeObject *type, PyObject *name, int to_set) {
    /* Setting an attribute of a struct that the garbage collector follows may have to tell it so. */
    if (to_set ? PyType_IS_GC(type) || strcmp(Py_TYPE(type)->tp_name, "msgspec._core.StructMeta") != 0 || attr_own_setattr(type)
               : type->tp_getattro != PyObject_GenericGetAttr)
        return;
    PyObject *found = _PyType_Lookup(type, name), *getter = NULL;
    Py_ssize_t offset = 0;
    if (found == NULL || type->tp_version_tag == 0) /* 0 stands for none */
        return;
    if (Py_IS_TYPE(found, &PyMemberDescr_Type)) {
        const PyMemberDef *member = ((PyMemberDescrObject *)found)->d_member;
        if (member->type != T_OBJECT_EX || member->flags != 0 || !PyType_IsSubtype(type, PyDescr_TYPE(found)))
            return;
        offset = member->offset;
    } else if (!to_set && Py_IS_TYPE(found, &PyProperty_Type)) {
        getter = PyObject_GetAttrString(found, "fget");
        if (getter == NULL || getter == Py_None) {
            PyErr_Clear();
            Py_XDECREF(getter);
            return;
        }
    } else
        return;
    attr_place forgotten = site->second;
    site->second = site->first;
    Py_INCREF(type);
    Py_INCREF(name);
    site->first = (attr_place){type, name, type->tp_version_tag, offset, getter};
    Py_XDECREF(forgotten.type);
    Py_XDECREF(forgotten.name);
    Py_XDECREF(forgotten.getter);
}

static __attribute__((unused, noinline)) PyObject *attr_look_up(attr_site *site, PyObject *object, PyObject *name) {
    PyObject *value = PyObject_GetAttr(object, name);
    if (value != NULL)
        attr_learn(site, Py_TYPE(object), name, 0);
    return value;
}

static inline __attribute__((unused)) PyObject *attr_get(attr_site *site, PyObject *object, PyObject *name) {
    PyTypeObject *type = Py_TYPE(object);
    attr_place *place = &site->first;
    if (unlikely(!ATTR_KNOWN(*place))) {
        place = &site->second;
        if (!ATTR_KNOWN(*place))
            return attr_look_up(site, object, name);
    }
    if (place->getter != NULL)
        return PyObject_CallOneArg(place->getter, object);
    PyObject *value = *(PyObject **)((char *)object + place->offset);
    if (unlikely(value == NULL))
        return PyObject_GetAttr(object, name); /* raises AttributeError */
    Py_INCREF(value);
    return value;
}

static __attribute__((unused, noinline)) int attr_set_by_name(attr_site *site, PyObject *object, PyObject *name, PyObject *value) {
    int done = PyObject_SetAttr(object, name, value);
    if (done >= 0 && value != NULL)
        attr_learn(site, Py_TYPE(object), name, 1);
    return done;
}

static inline __attribute__((unused)) int attr_set(attr_site *site, PyObject *object, PyObject *name, PyObject *value) {
    PyTypeObject *type = Py_TYPE(object);
    attr_place *place = &site->first;
    if (unlikely(!ATTR_KNOWN(*place)))
        place = &site->second;
    if (unlikely(value == NULL || !ATTR_KNOWN(*place)))
        return attr_set_by_name(site, object, name, value);
    PyObject **slot = (PyObject **)((char *)object + place->offset), *before = *slot;
    Py_INCREF(value);
    *slot = value;
    Py_XDECREF(before);
    return 0;
}

#undef CPyObject_GetAttr
#define CPyObject_GetAttr(object, name) ({ static attr_site attr_here; attr_get(&attr_here, (object), (name)); })
#define PyObject_SetAttr(object, name, value) ({ static attr_site attr_here; attr_set(&attr_here, (object), (name), (value)); })
#endif
#endif
#endif
