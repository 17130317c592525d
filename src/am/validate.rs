//! `amvalidate`: whether an operator class and its family are what the index code takes for granted.
//!
//! Scans go by strategy numbers and never call an operator, so that each has to be the one that nbtree has for the same strategy and types, and
//! the comparison functions nbtree's, too.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CStr;

use pgrx::pg_sys::{self, Oid, SysCacheIdentifier as Cache};
use pgrx::prelude::*;

use crate::am::opclass::{STRATEGIES, SUPPORTS};
use crate::error::type_name;
use crate::pg::codec::KeyType;

/// Bits 1 to 5: all strategies.
const ALL_STRATEGIES: u32 = (2 << STRATEGIES) - 2;
/// Bit 1: the comparison.
const ALL_SUPPORTS: u32 = (2 << SUPPORTS) - 2;

/// The access method's `amvalidate`. Says what is wrong as INFO messages.
///
/// # Safety
/// Called by the server with the OID of an operator class.
#[pg_guard]
pub unsafe extern "C-unwind" fn amvalidate(class: Oid) -> bool {
    let Some((name, family, input)) = class_of(class) else {
        let code = PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT;
        crate::error::raise(code, format!("no operator class has OID {class}"), None)
    };
    let mut faults = Vec::new();
    if KeyType::of(input).is_none() {
        faults.push(format!("cannot index type {}", type_name(input)));
    }
    // Per pair of types, the strategies and support functions there are, as bits.
    let mut groups = BTreeMap::<(u32, u32), (u32, u32)>::new();
    // The families of nbtree that have all operators so far.
    let mut models: Option<BTreeSet<u32>> = None;
    for member in operators(family) {
        match check_operator(&member) {
            Ok((bit, families)) => {
                groups.entry(member.types).or_default().0 |= bit;
                models = Some(match models {
                    Some(models) => &models & &families,
                    None => families,
                });
            }
            Err(why) => faults.push(format!("operator {}: {why}", operator_name(member.object))),
        }
    }
    let models = models.unwrap_or_default();
    if models.is_empty() {
        faults.push("no operator family of nbtree has all of these operators".into());
    }
    for member in functions(family) {
        match check_function(&member, &models) {
            Ok(bit) => groups.entry(member.types).or_default().1 |= bit,
            Err(why) => faults.push(format!("function {}: {why}", function_name(member.object))),
        }
    }
    let mut types = BTreeSet::new();
    for (&(left, right), &(strategies, supports)) in &groups {
        types.extend([left, right]);
        let pair = || format!("{} and {}", type_name(left.into()), type_name(right.into()));
        if strategies != ALL_STRATEGIES {
            faults.push(format!("operators are missing for {}", pair()));
        }
        if supports != ALL_SUPPORTS {
            faults.push(format!("support function 1 is missing for {}", pair()));
        }
    }
    if !groups.contains_key(&(input.to_u32(), input.to_u32())) {
        faults.push(format!("has nothing for {} itself", type_name(input)));
    }
    // A family with gaps limits what the planner can derive, also for queries without our indexes.
    if groups.len() != types.len() * types.len() {
        faults.push("cross-type operators are missing".into());
    }
    for fault in &faults {
        ereport!(
            INFO,
            PgSqlErrorCode::ERRCODE_INVALID_OBJECT_DEFINITION,
            format!("operator class \"{name}\" of access method learned: {fault}")
        );
    }
    faults.is_empty()
}

/// One row of pg_amop or pg_amproc.
struct Member {
    object: Oid,
    number: i16,
    types: (u32, u32),
    /// No operator for ORDER BY.
    plain: bool,
}

/// The strategy's bit, and the families of nbtree where the operator has this strategy.
fn check_operator(member: &Member) -> Result<(u32, BTreeSet<u32>), &'static str> {
    let (mut left, mut right) = (pg_sys::InvalidOid, pg_sys::InvalidOid);
    // SAFETY: look-ups of an operator that the catalogs refer to.
    let result = unsafe {
        pg_sys::op_input_types(member.object, &raw mut left, &raw mut right);
        pg_sys::get_op_rettype(member.object)
    };
    if !member.plain {
        return Err("operators for ORDER BY are not supported");
    }
    if result != pg_sys::BOOLOID || (left.to_u32(), right.to_u32()) != member.types {
        return Err("wrong signature");
    }
    let bit = bit(member.number, STRATEGIES).ok_or("invalid strategy number")?;
    let families = nbtree_families(member);
    if families.is_empty() {
        return Err("nbtree has another operator for this strategy");
    }
    Ok((bit, families))
}

/// The function's bit.
fn check_function(member: &Member, models: &BTreeSet<u32>) -> Result<u32, &'static str> {
    let (mut types, mut count) = (std::ptr::null_mut(), 0);
    // SAFETY: look-up of a function that the catalogs refer to; the result is an array of as many
    // OIDs as it says.
    let (result, arguments) = unsafe {
        let result = pg_sys::get_func_signature(member.object, &raw mut types, &raw mut count);
        let arguments = match types.is_null() {
            false => std::slice::from_raw_parts(types, usize::try_from(count).unwrap_or(0)),
            true => &[],
        };
        (result, arguments)
    };
    let (left, right) = member.types;
    if result != pg_sys::INT4OID || arguments != [Oid::from(left), Oid::from(right)] {
        return Err("wrong signature");
    }
    let bit = bit(member.number, SUPPORTS).ok_or("invalid support number")?;
    let nbtrees = |&family: &u32| {
        let number = member.number;
        // SAFETY: a look-up in the catalogs.
        unsafe { pg_sys::get_opfamily_proc(family.into(), left.into(), right.into(), number) }
    };
    if !models.iter().map(nbtrees).any(|it| it == member.object) {
        return Err("nbtree has another function for these types");
    }
    Ok(bit)
}

fn bit(number: i16, most: u16) -> Option<u32> {
    let number = u16::try_from(number).ok()?;
    (1..=most).contains(&number).then(|| 1 << number)
}

/// An operator class's name, family and input type.
fn class_of(class: Oid) -> Option<(String, Oid, Oid)> {
    // SAFETY: a syscache tuple of pg_opclass is a FormData_pg_opclass and stays until released.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(Cache::CLAOID as i32, class.into());
        if tuple.is_null() {
            return None;
        }
        let form = &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_opclass>();
        let name = CStr::from_ptr(form.opcname.data.as_ptr()).to_string_lossy();
        let found = (name.into_owned(), form.opcfamily, form.opcintype);
        pg_sys::ReleaseSysCache(tuple);
        Some(found)
    }
}

fn operators(family: Oid) -> Vec<Member> {
    // SAFETY: tuples of this cache are rows of pg_amop.
    unsafe {
        members(
            Cache::AMOPSTRATEGY,
            family,
            |form: &pg_sys::FormData_pg_amop| Member {
                object: form.amopopr,
                number: form.amopstrategy,
                types: (form.amoplefttype.to_u32(), form.amoprighttype.to_u32()),
                plain: form.amoppurpose as u8 == b's' && form.amopsortfamily == pg_sys::InvalidOid,
            },
        )
    }
}

/// The families of nbtree that have an operator with the same strategy and types.
fn nbtree_families(member: &Member) -> BTreeSet<u32> {
    // SAFETY: tuples of this cache are rows of pg_amop.
    let rows = unsafe {
        members(
            Cache::AMOPOPID,
            member.object,
            |form: &pg_sys::FormData_pg_amop| {
                let types = (form.amoplefttype.to_u32(), form.amoprighttype.to_u32());
                let same = form.amopmethod == pg_sys::BTREE_AM_OID
                    && form.amopstrategy == member.number
                    && types == member.types;
                same.then_some(form.amopfamily.to_u32())
            },
        )
    };
    rows.into_iter().flatten().collect()
}

fn functions(family: Oid) -> Vec<Member> {
    // SAFETY: tuples of this cache are rows of pg_amproc.
    unsafe {
        members(
            Cache::AMPROCNUM,
            family,
            |form: &pg_sys::FormData_pg_amproc| Member {
                object: form.amproc,
                number: form.amprocnum,
                types: (form.amproclefttype.to_u32(), form.amprocrighttype.to_u32()),
                plain: true,
            },
        )
    }
}

/// The rows of a cache with this first key: a family, or an operator.
///
/// # Safety
/// `Form` is the struct of the cache's catalog.
unsafe fn members<Form, Row>(cache: Cache::Type, key: Oid, row: impl Fn(&Form) -> Row) -> Vec<Row> {
    let none = pg_sys::Datum::from(0usize);
    // SAFETY: the list has as many members as it says, each a tuple of the catalog, until released.
    unsafe {
        let list = pg_sys::SearchSysCacheList(cache as i32, 1, key.into(), none, none);
        let count = usize::try_from((*list).n_members).unwrap_or(0);
        let found = (*list).members.as_slice(count).iter().map(|&m| {
            let tuple = &raw mut (*m).tuple;
            row(&*pg_sys::GETSTRUCT(tuple).cast::<Form>())
        });
        let found = found.collect();
        pg_sys::ReleaseCatCacheList(list);
        found
    }
}

fn operator_name(oid: Oid) -> String {
    // SAFETY: returns a C string for any OID.
    unsafe { CStr::from_ptr(pg_sys::format_operator(oid)) }
        .to_string_lossy()
        .into_owned()
}

fn function_name(oid: Oid) -> String {
    // SAFETY: returns a C string for any OID.
    unsafe { CStr::from_ptr(pg_sys::format_procedure(oid)) }
        .to_string_lossy()
        .into_owned()
}
