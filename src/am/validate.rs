//! `amvalidate`: whether an operator class and its family are what the index code relies on.
//!
//! Scans go by strategy numbers and never call an operator. So each operator must be the one that
//! nbtree has for the same strategy and types, and each comparison function must be nbtree's, too.

use std::collections::{BTreeMap, BTreeSet};

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;

use crate::am::opclass::{STRATEGIES, SUPPORTS};
use crate::error::type_name;
use crate::pg::catalog::{self, FamilyMember};
use crate::pg::codec::KeyType;

/// Bits 1 to 5: all strategies.
const ALL_STRATEGIES: u32 = (2 << STRATEGIES) - 2;
/// Bit 1: the comparison.
const ALL_SUPPORTS: u32 = (2 << SUPPORTS) - 2;

/// The access method's `amvalidate`. Reports what is wrong by INFO messages.
#[pg_guard]
pub extern "C-unwind" fn amvalidate(class: Oid) -> bool {
    let Some(class) = catalog::operator_class(class) else {
        let code = PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT;
        crate::error::raise(code, format!("no operator class has OID {class}"), None)
    };
    let input = class.input_type;
    let mut faults = Vec::new();
    let is_supported = KeyType::of(input).is_some();
    if !is_supported {
        let fault = format!("key columns of type {} are not supported", type_name(input));
        report(&class.name, &fault, Some(KeyType::HINT));
    }
    // The strategies and support functions for each pair of types, as bits.
    let mut groups = BTreeMap::<(u32, u32), (u32, u32)>::new();
    // The families of nbtree that have all operators so far.
    let mut models: Option<BTreeSet<u32>> = None;
    for member in catalog::family_operators(class.family) {
        match check_operator(&member) {
            Ok((bit, families)) => {
                groups.entry(member.types).or_default().0 |= bit;
                models = Some(match models {
                    Some(models) => &models & &families,
                    None => families,
                });
            }
            Err(fault) => {
                let name = catalog::operator_name(member.object);
                faults.push(format!("operator {name}: {fault}"));
            }
        }
    }
    let models = models.unwrap_or_default();
    if models.is_empty() {
        faults.push("no operator family of nbtree has all of these operators".into());
    }
    for member in catalog::family_functions(class.family) {
        match check_function(&member, &models) {
            Ok(bit) => groups.entry(member.types).or_default().1 |= bit,
            Err(fault) => {
                let name = catalog::function_name(member.object);
                faults.push(format!("function {name}: {fault}"));
            }
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
        faults.push(format!(
            "operators and function are missing for type {}",
            type_name(input)
        ));
    }
    // A family with gaps limits what the planner can derive, even for queries without a learned
    // index.
    if groups.len() != types.len() * types.len() {
        faults.push("cross-type operators are missing".into());
    }
    for fault in &faults {
        report(&class.name, fault, None);
    }
    faults.is_empty() && is_supported
}

/// Reports a fault of an operator class as an INFO message.
fn report(class: &str, fault: &str, hint: Option<&str>) {
    let code = PgSqlErrorCode::ERRCODE_INVALID_OBJECT_DEFINITION;
    let message = format!("operator class \"{class}\" of access method learned: {fault}");
    let report = ErrorReport::new(code, message, "omendb");
    let report = match hint {
        Some(hint) => report.set_hint(hint),
        None => report,
    };
    report.report(PgLogLevel::INFO);
}

/// The strategy's bit, and the families of nbtree where the operator has this strategy.
fn check_operator(member: &FamilyMember) -> Result<(u32, BTreeSet<u32>), &'static str> {
    if member.is_for_ordering {
        return Err("operators for ORDER BY are not supported");
    }
    check_signature(
        &catalog::operator_signature(member.object),
        pg_sys::BOOLOID,
        member,
    )?;
    let bit = bit(member.number, STRATEGIES).ok_or("invalid strategy number")?;
    let families = catalog::nbtree_families(member).into_iter();
    let families: BTreeSet<u32> = families.map(Oid::to_u32).collect();
    if families.is_empty() {
        return Err("nbtree has another operator for this strategy");
    }
    Ok((bit, families))
}

/// The function's bit.
fn check_function(member: &FamilyMember, models: &BTreeSet<u32>) -> Result<u32, &'static str> {
    check_signature(
        &catalog::function_signature(member.object),
        pg_sys::INT4OID,
        member,
    )?;
    let bit = bit(member.number, SUPPORTS).ok_or("invalid support number")?;
    let mut models = models.iter();
    let is_nbtrees = models.any(|&family| {
        catalog::family_function(family.into(), member.types, member.number) == member.object
    });
    match is_nbtrees {
        true => Ok(bit),
        false => Err("nbtree has another function for these types"),
    }
}

/// Checks that the result is of a type, and that the two arguments are of the types for which the
/// family has the member.
fn check_signature(
    signature: &catalog::Signature,
    result: Oid,
    member: &FamilyMember,
) -> Result<(), &'static str> {
    let (left, right) = member.types;
    match signature.result == result && signature.arguments == [left.into(), right.into()] {
        true => Ok(()),
        false => Err("wrong signature"),
    }
}

/// A bit for a number from 1 to `last`.
fn bit(number: i16, last: u16) -> Option<u32> {
    let number = u16::try_from(number).ok()?;
    (1..=last).contains(&number).then(|| 1 << number)
}
