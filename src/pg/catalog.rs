//! Operator classes and families in the system catalogs.

use std::ffi::CStr;

use pgrx::pg_sys::{self, Oid, SysCacheIdentifier as Cache};

/// An operator class.
pub struct OperatorClass {
    pub name: String,
    pub family: Oid,
    /// The type of the columns that it is for.
    pub input_type: Oid,
}

/// A row of pg_amop or pg_amproc: an operator or a function of an operator family.
pub struct FamilyMember {
    /// The operator or function.
    pub object: Oid,
    /// The number of the strategy or of the support function.
    pub number: i16,
    /// The OIDs of the left and the right input type.
    pub types: (u32, u32),
    /// Whether an operator is for ORDER BY, not for a search.
    pub is_for_ordering: bool,
}

/// The types of the result and of the arguments of an operator or function.
pub struct Signature {
    pub result: Oid,
    pub arguments: Vec<Oid>,
}

/// An operator class by its OID. None if there is no such class.
pub fn operator_class(class: Oid) -> Option<OperatorClass> {
    // SAFETY: a tuple of this cache is a row of pg_opclass, and stays until it is released.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(Cache::CLAOID as i32, class.into());
        if tuple.is_null() {
            return None;
        }
        let form = &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_opclass>();
        let name = CStr::from_ptr(form.opcname.data.as_ptr()).to_string_lossy();
        let found = OperatorClass {
            name: name.into_owned(),
            family: form.opcfamily,
            input_type: form.opcintype,
        };
        pg_sys::ReleaseSysCache(tuple);
        Some(found)
    }
}

/// The operators of a family.
pub fn family_operators(family: Oid) -> Vec<FamilyMember> {
    // SAFETY: tuples of this cache are rows of pg_amop, and its first key is the family.
    unsafe {
        cache_rows(
            Cache::AMOPSTRATEGY,
            family,
            |form: &pg_sys::FormData_pg_amop| FamilyMember {
                object: form.amopopr,
                number: form.amopstrategy,
                types: (form.amoplefttype.to_u32(), form.amoprighttype.to_u32()),
                is_for_ordering: form.amoppurpose as u8 != b's'
                    || form.amopsortfamily != pg_sys::InvalidOid,
            },
        )
    }
}

/// The support functions of a family.
pub fn family_functions(family: Oid) -> Vec<FamilyMember> {
    // SAFETY: tuples of this cache are rows of pg_amproc, and its first key is the family.
    unsafe {
        cache_rows(
            Cache::AMPROCNUM,
            family,
            |form: &pg_sys::FormData_pg_amproc| FamilyMember {
                object: form.amproc,
                number: form.amprocnum,
                types: (form.amproclefttype.to_u32(), form.amprocrighttype.to_u32()),
                is_for_ordering: false,
            },
        )
    }
}

/// The operator families of nbtree in which an operator has the same number and types.
pub fn nbtree_families(member: &FamilyMember) -> Vec<Oid> {
    // SAFETY: tuples of this cache are rows of pg_amop, and its first key is the operator.
    let rows = unsafe {
        cache_rows(
            Cache::AMOPOPID,
            member.object,
            |form: &pg_sys::FormData_pg_amop| {
                let types = (form.amoplefttype.to_u32(), form.amoprighttype.to_u32());
                let is_same = form.amopmethod == pg_sys::BTREE_AM_OID
                    && form.amopstrategy == member.number
                    && types == member.types;
                is_same.then_some(form.amopfamily)
            },
        )
    };
    rows.into_iter().flatten().collect()
}

/// The support function of a family for two types. InvalidOid if there is none.
pub fn family_function(family: Oid, types: (u32, u32), number: i16) -> Oid {
    // SAFETY: a look-up in the catalogs, which accepts any OIDs.
    unsafe { pg_sys::get_opfamily_proc(family, types.0.into(), types.1.into(), number) }
}

/// The signature of an operator of the catalogs.
pub fn operator_signature(operator: Oid) -> Signature {
    let (mut left, mut right) = (pg_sys::InvalidOid, pg_sys::InvalidOid);
    // SAFETY: look-ups in the catalogs. They raise an ERROR for an operator that does not exist.
    let result = unsafe {
        pg_sys::op_input_types(operator, &raw mut left, &raw mut right);
        pg_sys::get_op_rettype(operator)
    };
    Signature {
        result,
        arguments: vec![left, right],
    }
}

/// The signature of a function of the catalogs.
pub fn function_signature(function: Oid) -> Signature {
    let (mut types, mut count) = (std::ptr::null_mut(), 0);
    // SAFETY: a look-up in the catalogs. It sets `types` to an array of `count` OIDs.
    unsafe {
        let result = pg_sys::get_func_signature(function, &raw mut types, &raw mut count);
        let arguments = match types.is_null() {
            false => std::slice::from_raw_parts(types, usize::try_from(count).unwrap_or(0)),
            true => &[],
        };
        Signature {
            result,
            arguments: arguments.to_vec(),
        }
    }
}

/// An operator with the types of its arguments, for messages.
pub fn operator_name(operator: Oid) -> String {
    // SAFETY: the function returns a C string for any OID.
    unsafe { CStr::from_ptr(pg_sys::format_operator(operator)) }
        .to_string_lossy()
        .into_owned()
}

/// A function with the types of its arguments, for messages.
pub fn function_name(function: Oid) -> String {
    // SAFETY: the function returns a C string for any OID.
    unsafe { CStr::from_ptr(pg_sys::format_procedure(function)) }
        .to_string_lossy()
        .into_owned()
}

/// The rows of a system cache whose first key column is `key`.
///
/// # Safety
/// `Form` is the struct of the cache's catalog.
unsafe fn cache_rows<Form, Row>(
    cache: Cache::Type,
    key: Oid,
    row: impl Fn(&Form) -> Row,
) -> Vec<Row> {
    let none = pg_sys::Datum::from(0usize);
    // SAFETY: the list has `n_members` members, each a tuple of the catalog, until it is released.
    unsafe {
        let list = pg_sys::SearchSysCacheList(cache as i32, 1, key.into(), none, none);
        let count = usize::try_from((*list).n_members).unwrap_or(0);
        let found = (*list).members.as_slice(count).iter().map(|&member| {
            let tuple = &raw mut (*member).tuple;
            row(&*pg_sys::GETSTRUCT(tuple).cast::<Form>())
        });
        let found = found.collect();
        pg_sys::ReleaseCatCacheList(list);
        found
    }
}
