/* Inline caches for what mypyc compiles. Passed to the C compiler by CFLAGS ("-include", see Makefile and Dockerfile).
 *
 * mypyc reads and writes attributes of its own classes by their place. Those of msgspec's structs it looks up by name, each
 * time, and so it does with the methods of everything that is not its own, and with what a module holds; whether something is an
 * instance of a struct it asks the struct's metaclass. Together that was a quarter of a compiled worker's instructions. The
 * interpreter has long had a better way (PEP 659: LOAD_ATTR_SLOT, LOAD_ATTR_PROPERTY, LOAD_METHOD_NO_DICT, LOAD_GLOBAL_MODULE): each
 * place in the code remembers what it last found, and for which version of what. This is the same for compiled code.
 *
 * It changes what an access costs and nothing else: a type that was changed has another version (PyType_Modified), so has a dict,
 * and whatever is none of the kinds above takes the usual way. Without this file the same sources compile to the same program,
 * only slower.
 */
#if __has_include("CPy.h") /* not in the small files that only pass a module on */
#ifndef REGULARS_MYPYC_CACHES_H
#define REGULARS_MYPYC_CACHES_H
#include <CPy.h>
#include <structmember.h>

/* --- what is called where something went wrong ------------------------------------------------------------------------
 *
 * The compiler puts the blocks that call these aside: compiled code is long, and what does not run lay between what does.
 */
extern __attribute__((cold)) void CPy_AddTraceback(const char *filename, const char *funcname, int line, PyObject *globals);
extern __attribute__((cold)) void CPy_TypeErrorTraceback(const char *filename, const char *funcname, int line, PyObject *globals,
                                                  const char *expected, PyObject *value);
extern __attribute__((cold)) void CPy_AttributeError(const char *filename, const char *funcname, const char *classname,
                                              const char *attrname, int line, PyObject *globals);
extern __attribute__((cold)) void CPy_TypeError(const char *expected, PyObject *value);
extern __attribute__((cold)) void CPyError_OutOfMemory(void);
static __attribute__((cold)) void CPy_DecRef(PyObject *p); /* where all goes well references are given up in place */
static __attribute__((cold)) void CPy_XDecRef(void *p);
#ifndef Py_GIL_DISABLED /* what is remembered is guarded by the interpreter's lock */

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations" /* versions of dicts, until they are no more */

/* How often something was looked up after all: a test reads it, to see that what is below takes hold. */
__attribute__((weak, visibility("default"))) unsigned long regulars_looked_up;

/* A name as the interpreter keeps it; NULL, and no error is set, where there is no memory for it. */
static __attribute__((unused)) PyObject *interned(PyObject **kept, const char *text) {
    if (*kept == NULL && (*kept = PyUnicode_InternFromString(text)) == NULL)
        PyErr_Clear();
    return *kept;
}

/* --- what a module holds --------------------------------------------------------------------------------------------- */

#if PY_VERSION_HEX < 0x030E0000 /* later ones give dicts no versions */
typedef struct {
    uint64_t version; /* no two dicts ever have the same one, nor one dict twice */
    PyObject *name;
    PyObject *value; /* kept by the dict as long as it has this version */
    int others;
} global_site;

#define GLOBAL_VERSION(dict) (((PyDictObject *)(dict))->ma_version_tag)

static inline __attribute__((unused)) void global_learn(global_site *site, PyObject *dict, PyObject *name, PyObject *value) {
    Py_INCREF(name);
    Py_XDECREF(site->name);
    *site = (global_site){GLOBAL_VERSION(dict), name, value, 0};
}

/* The same C function serves other dicts, which change with every use: only those of modules are remembered. */
static __attribute__((unused, noinline)) PyObject *global_look_up(global_site *site, PyObject *dict, PyObject *name) {
    static PyObject *spec;
    PyObject *value = CPyDict_GetItem(dict, name);
    if (value == NULL || site->others > 3)
        return value;
    if (interned(&spec, "__spec__") == NULL)
        return value;
    if (PyDict_CheckExact(dict) && PyUnicode_CheckExact(name) && PyDict_Contains(dict, spec) == 1) {
        regulars_looked_up++;
        global_learn(site, dict, name, value);
    } else
        site->others++;
    return value;
}

static inline __attribute__((unused)) PyObject *global_get(global_site *site, PyObject *dict, PyObject *name) {
    if (unlikely(name != site->name || !PyDict_CheckExact(dict) || GLOBAL_VERSION(dict) != site->version))
        return global_look_up(site, dict, name);
    Py_INCREF(site->value);
    return site->value;
}
#endif

/* --- attributes ------------------------------------------------------------------------------------------------------ */

/* Two types are remembered at each place: an event's kind changes more often than anything else. */
typedef struct {
    PyTypeObject *type;
    PyObject *name; /* `getattr` with a name of its own may stand here too */
    unsigned int version;
    Py_ssize_t offset; /* of a slot, or CONSTANT_OF_CLASS */
    PyObject *found; /* a property's getter or what the class itself has; NULL for a slot */
} attr_place;

#define CONSTANT_OF_CLASS (-1)

typedef struct {
    attr_place first, second;
#ifdef GLOBAL_VERSION
    global_site module;
#endif
} attr_site;

#define ATTR_KNOWN(place) (type == (place).type && name == (place).name && type->tp_version_tag == (place).version)

/* What was found at any place, for those that ask for many names or of many types: a direct-mapped table. */
#define ATTR_TABLE 1024
#define ATTR_IN_TABLE(table, type, name) (&(table)[(((uintptr_t)(type) >> 4) ^ ((uintptr_t)(name) >> 4)) & (ATTR_TABLE - 1)])
static __attribute__((unused)) attr_place attr_to_get[ATTR_TABLE], attr_to_set[ATTR_TABLE];

static __attribute__((unused, noinline)) void attr_remember(attr_place *place, attr_place found) {
    attr_place forgotten = *place;
    Py_XINCREF(found.type);
    Py_XINCREF(found.name);
    Py_XINCREF(found.found);
    *place = found;
    Py_XDECREF(forgotten.type);
    Py_XDECREF(forgotten.name);
    Py_XDECREF(forgotten.found);
}

static inline __attribute__((unused)) void attr_shift(attr_site *site, attr_place found) {
    attr_remember(&site->second, site->first);
    attr_remember(&site->first, found);
}

/* Whether a class says itself how its attributes are set. */
static __attribute__((unused, noinline)) int attr_own_setattr(PyTypeObject *type) {
    static PyObject *set;
    if (interned(&set, "__setattr__") == NULL)
        return 1;
    PyObject *found = _PyType_Lookup(type, set);
    return found == NULL || !Py_IS_TYPE(found, &PyWrapperDescr_Type);
}

/* Remember where a type has an attribute, if that is a slot, a property, or something of the class that no object can hide. */
static __attribute__((unused, noinline)) void attr_learn(attr_site *site, PyTypeObject *type, PyObject *name, int to_set) {
    /* Setting an attribute of a struct that the garbage collector follows may have to tell it so. */
    if (to_set ? PyType_IS_GC(type) || strcmp(Py_TYPE(type)->tp_name, "msgspec._core.StructMeta") != 0 || attr_own_setattr(type)
               : type->tp_getattro != PyObject_GenericGetAttr)
        return;
    PyObject *found = _PyType_Lookup(type, name), *kept = NULL;
    Py_ssize_t offset = 0;
    if (found == NULL || type->tp_version_tag == 0) /* 0 stands for none */
        return;
    if (Py_IS_TYPE(found, &PyMemberDescr_Type)) {
        const PyMemberDef *member = ((PyMemberDescrObject *)found)->d_member;
        if (member->type != T_OBJECT_EX || member->flags != 0 || !PyType_IsSubtype(type, PyDescr_TYPE(found)))
            return;
        offset = member->offset;
    } else if (!to_set && Py_IS_TYPE(found, &PyProperty_Type)) {
        kept = PyObject_GetAttrString(found, "fget");
        if (kept == NULL || kept == Py_None) {
            PyErr_Clear();
            Py_XDECREF(kept);
            return;
        }
    } else if (!to_set && Py_TYPE(found)->tp_descr_get == NULL && type->tp_dictoffset == 0) {
        offset = CONSTANT_OF_CLASS;
        kept = Py_NewRef(found);
    } else
        return;
    attr_place learned = {type, name, type->tp_version_tag, offset, kept};
    attr_shift(site, learned);
    attr_remember(ATTR_IN_TABLE(to_set ? attr_to_set : attr_to_get, type, name), learned);
    Py_XDECREF(kept);
}

static inline __attribute__((unused)) PyObject *attr_at(attr_place *place, PyObject *object, PyObject *name) {
    if (place->found != NULL) {
        PyObject *found = Py_NewRef(place->found); /* a getter may change the class, and what is remembered here */
        if (place->offset == CONSTANT_OF_CLASS)
            return found;
        PyObject *value = PyObject_CallOneArg(found, object);
        Py_DECREF(found);
        return value;
    }
    PyObject *value = *(PyObject **)((char *)object + place->offset);
    if (unlikely(value == NULL))
        return PyObject_GetAttr(object, name); /* raises AttributeError */
    Py_INCREF(value);
    return value;
}

static inline __attribute__((unused)) int attr_put(attr_place *place, PyObject *object, PyObject *value) {
    PyObject **slot = (PyObject **)((char *)object + place->offset), *before = *slot;
    Py_INCREF(value);
    *slot = value;
    Py_XDECREF(before);
    return 0;
}

static __attribute__((unused, noinline)) PyObject *attr_look_up(attr_site *site, PyObject *object, PyObject *name) {
#ifdef GLOBAL_VERSION
    PyObject *held;
    if (PyModule_CheckExact(object) && (held = PyModule_GetDict(object)) != NULL && name == site->module.name &&
        GLOBAL_VERSION(held) == site->module.version)
        return Py_NewRef(site->module.value);
#endif
    PyTypeObject *type = Py_TYPE(object);
    attr_place *place = ATTR_IN_TABLE(attr_to_get, type, name);
    if (ATTR_KNOWN(*place)) {
        attr_place here = *place; /* what is let go of may run code, and that may change the table */
        Py_XINCREF(here.found);
        attr_shift(site, here);
        PyObject *value = attr_at(&here, object, name);
        Py_XDECREF(here.found);
        return value;
    }
    PyObject *value = PyObject_GetAttr(object, name);
    regulars_looked_up++;
#ifdef GLOBAL_VERSION
    if (value != NULL && PyModule_CheckExact(object)) {
        PyObject *held = PyModule_GetDict(object);
        if (_PyType_Lookup(Py_TYPE(object), name) == NULL && PyDict_GetItemWithError(held, name) == value)
            global_learn(&site->module, held, name, value);
        return value;
    }
#endif
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
    return attr_at(place, object, name);
}

static __attribute__((unused, noinline)) int attr_set_by_name(attr_site *site, PyObject *object, PyObject *name, PyObject *value) {
    PyTypeObject *type = Py_TYPE(object);
    attr_place *place = ATTR_IN_TABLE(attr_to_set, type, name);
    if (value != NULL && ATTR_KNOWN(*place)) {
        attr_place here = *place;
        attr_shift(site, here);
        return attr_put(&here, object, value);
    }
    int done = PyObject_SetAttr(object, name, value);
    regulars_looked_up++;
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
    return attr_put(place, object, value);
}

/* --- methods --------------------------------------------------------------------------------------------------------- */

typedef struct {
    PyTypeObject *type;
    PyObject *name;
    PyObject *method;
    unsigned int version;
} method_site;

/* Remember a type's method, if none of its instances can have one of its own. */
static __attribute__((unused, noinline)) void method_learn(method_site *site, PyTypeObject *type, PyObject *name) {
    if (type->tp_getattro != PyObject_GenericGetAttr || type->tp_dictoffset != 0)
        return;
    PyObject *found = _PyType_Lookup(type, name);
    if (found == NULL || !PyType_HasFeature(Py_TYPE(found), Py_TPFLAGS_METHOD_DESCRIPTOR) || type->tp_version_tag == 0)
        return;
    method_site forgotten = *site;
    Py_INCREF(type);
    Py_INCREF(name);
    Py_INCREF(found);
    *site = (method_site){type, name, found, type->tp_version_tag};
    Py_XDECREF(forgotten.type);
    Py_XDECREF(forgotten.name);
    Py_XDECREF(forgotten.method);
}

static inline __attribute__((unused)) PyObject *
method_call(method_site *site, PyObject *name, PyObject *const *args, size_t nargsf, PyObject *kwnames) {
    PyTypeObject *type = Py_TYPE(args[0]);
    if (unlikely(type != site->type || name != site->name || type->tp_version_tag != site->version)) {
        regulars_looked_up++;
        method_learn(site, type, name);
        return PyObject_VectorcallMethod(name, args, nargsf, kwnames);
    }
    PyObject *method = site->method; /* the call itself may change the type, and what is remembered here */
    Py_INCREF(method);
    PyObject *result = PyObject_Vectorcall(method, args, nargsf & ~PY_VECTORCALL_ARGUMENTS_OFFSET, kwnames);
    Py_DECREF(method);
    return result;
}

/* --- instances ------------------------------------------------------------------------------------------------------- */

/* Whether a metaclass leaves it to `type` what is an instance of its classes. */
static inline __attribute__((unused)) int instance_plain(PyTypeObject *meta) {
    static PyTypeObject *known;
    static unsigned int version;
    static PyObject *check, *usual;
    if (likely(meta == known && meta->tp_version_tag == version))
        return 1;
    if (interned(&check, "__instancecheck__") == NULL)
        return 0;
    if (usual == NULL)
        usual = _PyType_Lookup(&PyType_Type, check);
    if (_PyType_Lookup(meta, check) != usual || meta->tp_version_tag == 0)
        return 0;
    Py_INCREF(meta);
    Py_XDECREF(known);
    known = meta;
    version = meta->tp_version_tag;
    return 1;
}

/* Whether objects of a type say of themselves what they are (mocks and proxies say they are something else). */
static inline __attribute__((unused)) int instance_honest(PyTypeObject *type) {
    static PyObject *name, *usual;
    if (unlikely(usual == NULL)) {
        if (interned(&name, "__class__") == NULL)
            return 0;
        usual = _PyType_Lookup(&PyBaseObject_Type, name);
    }
    return type->tp_getattro == PyObject_GenericGetAttr && _PyType_Lookup(type, name) == usual;
}

static __attribute__((unused)) int instance_of(PyObject *object, PyObject *kind) {
    PyTypeObject *type = Py_TYPE(object);
    if (type == (PyTypeObject *)kind)
        return 1;
    if (PyTuple_CheckExact(kind)) {
        for (Py_ssize_t place = 0; place < PyTuple_GET_SIZE(kind); place++) {
            int found = instance_of(object, PyTuple_GET_ITEM(kind, place));
            if (found != 0)
                return found;
        }
        return 0;
    }
    if (PyType_Check(kind) && instance_plain(Py_TYPE(kind))) {
        if (PyType_IsSubtype(type, (PyTypeObject *)kind))
            return 1;
        if (instance_honest(type))
            return 0;
    }
    return PyObject_IsInstance(object, kind);
}

#undef CPyObject_GetAttr
#define PyObject_IsInstance(object, kind) instance_of((object), (kind))
#define PyObject_VectorcallMethod(name, args, nargsf, kwnames) \
    ({ static method_site method_here; method_call(&method_here, (name), (args), (nargsf), (kwnames)); })
#define CPyObject_GetAttr(object, name) ({ static attr_site attr_here; attr_get(&attr_here, (object), (name)); })
#define PyObject_SetAttr(object, name, value) ({ static attr_site attr_here; attr_set(&attr_here, (object), (name), (value)); })
#ifdef GLOBAL_VERSION
#define GLOBAL_CACHED(dict, name) ({ static global_site global_here; global_get(&global_here, (dict), (name)); })
/* The function itself comes after this file: where its first parameter begins with "PyObject", that is its definition. */
#define GLOBAL_DEFINITION_PyObject ~, CPyDict_GetItem, ~
#define GLOBAL_SECOND(first, second, ...) second
#define GLOBAL_CHOOSE(...) GLOBAL_SECOND(__VA_ARGS__)
#define CPyDict_GetItem(dict, name) GLOBAL_CHOOSE(GLOBAL_DEFINITION_##dict, GLOBAL_CACHED, ~)(dict, name)
#endif
#pragma GCC diagnostic pop
#endif
#endif
#endif
