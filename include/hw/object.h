/*
 * object.h: everything a user can name, list or set lives in one tree.
 *
 * An ObjectType is a constant table row set: name, parent type, typed
 * properties. An Object is an instance; C structs embed it as first member
 * (or embed something that does). The tree gives each object a path such as
 * "/machine/peripheral/disk0"; qom-list, qom-get, qom-set, -object,
 * device-list-properties and "info qom-tree" are derived from it.
 *
 * Types are found through a linker section: OBJECT_TYPE_REGISTER(row) in the
 * file that defines the row is all that is needed (the library must be linked
 * whole).
 *
 * Values cross this interface as PropValue, so neither JSON nor command-line
 * syntax is known here, apart from object_property_parse().
 *
 * Threads: the tree and all properties belong to the holder of the BQL.
 */
#ifndef HW_OBJECT_H
#define HW_OBJECT_H

#include "util/base.h"
#include "util/error.h"

typedef struct Object Object;
typedef struct ObjectType ObjectType;
typedef struct Property Property;

typedef enum PropKind {
    PROP_BOOL,    /* bool field */
    PROP_UINT8,
    PROP_UINT16,
    PROP_UINT32,
    PROP_UINT64,
    PROP_INT32,
    PROP_INT64,
    PROP_SIZE,    /* uint64_t field, text may carry K/M/G/T suffixes */
    PROP_SIZE32,
    PROP_STRING,  /* char * field, owned by the object */
    PROP_ENUM,    /* int field, index into .names */
    PROP_BIT,     /* bit number .def_aux of a uint32_t field, shown as bool */
    PROP_BIT64,   /* the same of a uint64_t field */
    PROP_LINK,    /* Object * field; the text is a path or an id; not owned */
    PROP_CHARDEV, /* struct CharFrontend field; the text is a chardev's id */
    PROP_DRIVE,   /* struct BlockBackend * field; the text is a drive's id */
    PROP_NETDEV,  /* struct NetPeer field; the text is a netdev's id */
    PROP_MACADDR, /* uint8_t[6] field */
    PROP_PCI_ADDR,/* int32_t devfn, -1: choose; text "slot[.function]" */
    PROP_CUSTOM,  /* no field: only get/set */
} PropKind;

typedef enum ValueKind {
    VALUE_NONE, VALUE_BOOL, VALUE_INT, VALUE_UINT, VALUE_STRING, VALUE_DOUBLE,
} ValueKind;

typedef struct PropValue {
    ValueKind kind;
    union {
        bool b;
        int64_t i;
        uint64_t u;
        double d;
        char *s; /* owned by the value: prop_value_finish() */
    };
} PropValue;

static inline PropValue prop_bool(bool b) { return (PropValue){ VALUE_BOOL, { .b = b } }; }
static inline PropValue prop_int(int64_t i) { return (PropValue){ VALUE_INT, { .i = i } }; }
static inline PropValue prop_uint(uint64_t u) { return (PropValue){ VALUE_UINT, { .u = u } }; }
PropValue prop_string(const char *s); /* copies; NULL becomes "" */
void prop_value_finish(PropValue *value);
/* As it looks in "info qtree" and -device help; malloc'd. */
char *prop_value_text(const PropValue *value);

struct Property {
    const char *name;
    PropKind kind;
    size_t offset;            /* of the field in the instance */
    uint64_t def;             /* default for numbers, bools, enums, bits */
    const char *def_str;      /* default for strings */
    bool has_default;         /* false: init() decides, help shows none */
    unsigned def_aux;         /* PROP_BIT: bit number */
    const char *const *names; /* PROP_ENUM: NULL-terminated */
    const char *type_name;    /* what introspection says; NULL: derived from kind */
    const char *link_type;    /* PROP_LINK: required type name */
    const char *help;
    bool read_only;           /* never settable */
    bool settable_when_realized;
    /* Override the field; PROP_CUSTOM needs at least get or set. */
    bool (*get)(Object *obj, const Property *prop, PropValue *ret, Error **errp);
    bool (*set)(Object *obj, const Property *prop, const PropValue *value, Error **errp);
};

/* Rows of property tables: PROP_U32("num-sources", PlicState, num_sources, 96, "…") */
#define PROP_NUM_(pname, pkind, type, field, value, text) \
    { .name = (pname), .kind = (pkind), .offset = offsetof(type, field), .def = (value), \
      .has_default = true, .help = (text) }
#define PROP_B(pname, type, field, value, text) \
    PROP_NUM_(pname, PROP_BOOL, type, field, value, text)
#define PROP_U8(pname, type, field, value, text) \
    PROP_NUM_(pname, PROP_UINT8, type, field, value, text)
#define PROP_U16(pname, type, field, value, text) \
    PROP_NUM_(pname, PROP_UINT16, type, field, value, text)
#define PROP_U32(pname, type, field, value, text) \
    PROP_NUM_(pname, PROP_UINT32, type, field, value, text)
#define PROP_U64(pname, type, field, value, text) \
    PROP_NUM_(pname, PROP_UINT64, type, field, value, text)
#define PROP_I32(pname, type, field, value, text) \
    PROP_NUM_(pname, PROP_INT32, type, field, (uint64_t)(int64_t)(value), text)
#define PROP_SZ(pname, type, field, value, text) \
    PROP_NUM_(pname, PROP_SIZE, type, field, value, text)
#define PROP_STR(pname, type, field, text) \
    { .name = (pname), .kind = PROP_STRING, .offset = offsetof(type, field), .help = (text) }
#define PROP_BITN(pname, type, field, bit, value, text) \
    { .name = (pname), .kind = PROP_BIT, .offset = offsetof(type, field), .def_aux = (bit), \
      .def = (value), .has_default = true, .help = (text) }
#define PROP_CHR(pname, type, field) \
    { .name = (pname), .kind = PROP_CHARDEV, .offset = offsetof(type, field), \
      .help = "ID of a chardev to use as a backend" }
#define PROP_BLK(pname, type, field) \
    { .name = (pname), .kind = PROP_DRIVE, .offset = offsetof(type, field), \
      .help = "Node name or ID of a block device to use as a backend" }

struct ObjectType {
    const char *name;
    const char *parent;     /* type name; NULL only for "object" itself */
    const char *summary;
    size_t size_bytes;      /* 0: the parent's */
    bool abstract;
    bool user_creatable;    /* may be made with -object / object-add */
    const Property *props;
    size_t n_props;
    void (*init)(Object *obj);       /* parents first; defaults are set before */
    bool (*complete)(Object *obj, Error **errp); /* -object: after all properties */
    void (*finish)(Object *obj);     /* children first in the type chain */
    const void *class_data;          /* e.g. the DeviceType, found by object_type_data */
};

typedef struct ObjectLink {
    char *name;
    Object *target;
    struct ObjectLink *next;
} ObjectLink;

struct Object {
    const ObjectType *type;
    Object *parent;
    char *name;                        /* within the parent; NULL: not in the tree */
    Object *first_child, *last_child;  /* in order of adding */
    Object *next, *prev;
    ObjectLink *links;
    unsigned refs;
    bool embedded;                     /* storage belongs to somebody else */
};

#define OBJECT(p) ((Object *)(p))

#define OBJECT_TYPE_REGISTER(row)                                                 \
    static const ObjectType *const object_type_entry_##row                        \
        __attribute__((used, section("object_types"))) = (const ObjectType *)&(row)

/* Types. */
const ObjectType *object_type_find(const char *name); /* NULL: none */
const ObjectType *object_type_parent(const ObjectType *type);
bool object_type_is_a(const ObjectType *type, const char *ancestor);
/* Calls fn for each registered type (sorted by name). */
void object_type_foreach(void (*fn)(const ObjectType *type, void *opaque), void *opaque);
/* Visits the properties of a type, its own first, then its ancestors'. */
void object_type_foreach_prop(const ObjectType *type,
                              void (*fn)(const ObjectType *owner, const Property *prop,
                                         void *opaque), void *opaque);
const Property *object_type_find_prop(const ObjectType *type, const char *name);
/* "uint32", "bool", "str", "link<…>", … */
const char *property_type_name(const Property *prop);
/* Default as text for help ("on", "96", "\"virt\""); NULL: none. malloc'd. */
char *property_default_text(const Property *prop);

/* Instances. A new object has one reference, owned by the caller. */
Object *object_new(const ObjectType *type);
/* For objects inside other structs; finish with object_unref, storage stays. */
void object_init_embedded(Object *obj, const ObjectType *type);
Object *object_ref(Object *obj);
void object_unref(Object *obj);
static inline bool object_is_a(const Object *obj, const char *type)
{
    return object_type_is_a(obj->type, type);
}

/* -global: `value` becomes the default of a property of `driver` and types below it, for
 * objects made from now on. object_check_globals() tells, after the machine was built, what
 * could not be applied. */
void object_add_global(const char *driver, const char *name, const char *value);
NODISCARD bool object_check_globals(Error **errp);

/* The tree. The parent takes a reference. A name ending in "[*]" gets the
 * first free number. Names must be unique within the parent. */
Object *object_root(void);                    /* path "/" */
Object *object_container(const char *path);   /* makes "container" objects as needed */
void object_add_child(Object *parent, const char *name, Object *child);
void object_remove(Object *child);            /* from its parent; drops the reference */
void object_add_link(Object *obj, const char *name, Object *target);
Object *object_child(Object *parent, const char *name);
char *object_path(const Object *obj);         /* malloc'd; NULL when not in the tree */
/* Absolute path, or an unambiguous partial one ("disk0"); NULL: none or several
 * (*ret_ambiguous tells, may be NULL). */
Object *object_resolve(const char *path, bool *ret_ambiguous);

/* Properties of an instance, including "type", children and links. */
typedef void ObjectPropFn(const char *name, const char *type, const char *description,
                          void *opaque);
void object_foreach_prop(Object *obj, ObjectPropFn *fn, void *opaque);
NODISCARD bool object_property_get(Object *obj, const char *name, PropValue *ret, Error **errp);
NODISCARD bool object_property_set(Object *obj, const char *name, const PropValue *value,
                                   Error **errp);
/* From text as on a command line. */
NODISCARD bool object_property_parse(Object *obj, const char *name, const char *text,
                                     Error **errp);

/* -object TYPE,id=ID,…: creates, sets, completes, adds under /objects. `opts` is
 * a NULL-terminated list of alternating names and values, without "qom-type"
 * and "id". */
Object *object_create_user(const char *type, const char *id, const char *const *opts,
                           Error **errp);
NODISCARD bool object_delete_user(const char *id, Error **errp);

#endif
